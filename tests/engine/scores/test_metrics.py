"""Scores: KLUE-RE's own definition to 1e-9, and none of the mistakes that others publish."""

import csv
import json
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from engine.config import EvalConfig
from engine.scores.intervals import bootstrap
from engine.scores.metrics import accuracy, auprc, confusion, headline, macro_f1, micro_f1, per_class
from engine.scores.scored import Scored
from engine.scores.titles import SCORES, WEIGHTED

DATA = Path(__file__).parents[3].parent / "shared" / "data"
PREDICTIONS = DATA / "klue-re-dev-predictions" / "test_probabilities.csv"
DEV = DATA / "klue-re" / "klue-re-v1.1_dev.json"
NEGATIVE = 0  # no_relation


@pytest.fixture(scope="module")
def published() -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Gold labels (7765,), probabilities (7765, 30) of a published model, and the class names."""
    for path in (PREDICTIONS, DEV):
        if not path.is_file():
            pytest.skip(f"{path} is not here")
    with PREDICTIONS.open(encoding="utf-8-sig", newline="") as file:
        names, *rows = csv.reader(file)
    gold = [names.index(row["label"]) for row in json.loads(DEV.read_text(encoding="utf-8"))]
    return np.array(gold), np.array(rows, dtype=np.float64), names


def counted_micro_f1(labels, predicted, negative) -> float:
    """True and false positives and false negatives, one decision at a time."""
    hits = wrong = missed = 0
    for true, said in zip(labels.tolist(), predicted.tolist(), strict=True):
        if said != negative and said == true:
            hits += 1
        if said != negative and said != true:
            wrong += 1
        if true != negative and said != true:
            missed += 1
    return 100.0 * 2 * hits / (2 * hits + wrong + missed) if hits else 0.0


def trapezoid_area(positive, scores) -> float:
    """Area under precision over recall: one point a distinct score, straight lines between, from (recall 0, 1)."""
    area, recall, precision = 0.0, 0.0, 1.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        chosen = scores >= threshold
        hits = int((chosen & positive).sum())
        new_recall, new_precision = hits / int(positive.sum()), hits / int(chosen.sum())
        area += (new_recall - recall) * (new_precision + precision) / 2
        recall, precision = new_recall, new_precision
    return 100.0 * area


def random_case(seed: int, examples: int, classes: int, step: float | None) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, examples)
    raw = random.gamma(0.5, size=(examples, classes)) + 1e-6
    if step:  # ties
        raw = np.ceil(raw / step)
    return labels, raw / raw.sum(axis=1, keepdims=True)


# the official numbers ---------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_scores_of_published_predictions(published):
    gold, probabilities, names = published
    assert (names[NEGATIVE], len(gold)) == ("no_relation", 7765)
    scores = headline(Scored(gold, probabilities, NEGATIVE))
    assert scores["micro_f1"] == pytest.approx(73.02538231120921, abs=1e-9)
    assert scores["auprc"] == pytest.approx(77.2504445460425, abs=1e-9)
    assert scores["accuracy"] == pytest.approx(81.12041210560206, abs=1e-9)
    assert scores["macro_f1"] == pytest.approx(71.15843942654786, abs=1e-9)
    assert scores["absent_classes"] == 0


@pytest.mark.real_data
def test_independent_formulas_agree_on_published_predictions(published):
    gold, probabilities, _ = published
    assert micro_f1(gold, probabilities.argmax(1), 30, NEGATIVE) == pytest.approx(
        counted_micro_f1(gold, probabilities.argmax(1), NEGATIVE), abs=1e-9
    )
    rare = [number for number in range(30) if (gold == number).sum() < 20]
    _, areas = auprc(gold, probabilities)
    assert len(rare) >= 4
    for number in rare:
        rounded = trapezoid_area(gold == number, probabilities[:, number])
        assert areas[number] == pytest.approx(rounded, abs=1e-9)


def batch_means(gold, probabilities, size) -> tuple[float, float]:
    """AUPRC and micro-F1 averaged over batches, a class without a positive counting as 0."""
    areas, scores = [], []
    for start in range(0, len(gold), size):
        part, rows = gold[start : start + size], probabilities[start : start + size]
        total = 0.0
        for number in range(30):
            if (part == number).any():
                precision, recall, _ = sk.precision_recall_curve(part == number, rows[:, number])
                total += sk.auc(recall, precision)
        areas.append(100 * total / 30)
        scores.append(counted_micro_f1(part, rows.argmax(1), NEGATIVE))
    return float(np.mean(areas)), float(np.mean(scores))


@pytest.mark.real_data
def test_the_mistakes_of_others_give_other_numbers(published):
    """prior-art 3.4: each of these was published as micro-F1 or AUPRC of KLUE-RE."""
    gold, probabilities, _ = published
    predicted = probabilities.argmax(1)
    one_hot = np.eye(30)[gold]

    def mean_area(scores, classes=range(30)) -> float:
        areas = []
        for number in classes:
            precision, recall, _ = sk.precision_recall_curve(one_hot[:, number], scores[:, number])
            areas.append(100 * sk.auc(recall, precision))
        return float(np.mean(areas))

    logs = np.log(probabilities)
    soft = np.exp(probabilities) / np.exp(probabilities).sum(1, keepdims=True)
    five_folds = np.exp(5 * probabilities) / np.exp(5 * probabilities).sum(1, keepdims=True)
    wrong_auprc = {
        "of hard decisions": (mean_area(np.eye(30)[predicted]), 72.72),
        "of logits": (mean_area(logs - logs.mean(1, keepdims=True)), 75.38),
        "softmax twice": (mean_area(soft), 75.94),
        "softmax of the sum of five folds": (mean_area(five_folds), 72.83),
        "average precision": (100 * sk.average_precision_score(one_hot, probabilities, average="macro"), 77.52),
        "without no_relation": (mean_area(probabilities, range(1, 30)), 76.67),
    }
    wrong_f1 = {
        "all 30 classes": (100 * sk.f1_score(gold, predicted, average="micro"), 81.12),
        "weighted mean": (100 * sk.f1_score(gold, predicted, average="weighted"), None),
    }
    ours = headline(Scored(gold, probabilities, NEGATIVE))
    for name, (value, documented) in wrong_auprc.items():
        assert value == pytest.approx(documented, abs=0.006), name
        assert abs(ours["auprc"] - value) > 0.2, name
    for name, (value, documented) in wrong_f1.items():
        assert documented is None or value == pytest.approx(documented, abs=0.006), name
        assert abs(ours["micro_f1"] - value) > 0.2, name


@pytest.mark.real_data
def test_scores_of_the_whole_are_no_means_of_batches(published):
    gold, probabilities, _ = published
    ours = headline(Scored(gold, probabilities, NEGATIVE))
    area, score = batch_means(gold, probabilities, 64)
    assert ours["auprc"] - area > 13
    assert ours["micro_f1"] != pytest.approx(score, abs=0.1)
    order = np.random.default_rng(0).permutation(len(gold))
    assert headline(Scored(gold[order], probabilities[order], NEGATIVE)) == pytest.approx(ours, abs=1e-9)


# definitions ------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 80), st.integers(2, 8), st.sampled_from([None, 0.3]))
def test_micro_f1_and_auprc_equal_formulas_written_from_scratch(seed, examples, classes, step):
    labels, probabilities = random_case(seed, examples, classes, step)
    predicted = probabilities.argmax(1)
    for negative in (None, 0, classes - 1):
        assert micro_f1(labels, predicted, classes, negative) == pytest.approx(
            counted_micro_f1(labels, predicted, negative), abs=1e-9
        )
    mean, areas = auprc(labels, probabilities)
    expected = [
        trapezoid_area(labels == number, probabilities[:, number]) if (labels == number).any() else np.nan
        for number in range(classes)
    ]
    np.testing.assert_allclose(areas, expected, atol=1e-9)
    assert mean == pytest.approx(np.nanmean(expected), abs=1e-9)


def test_micro_f1_by_hand():
    labels = np.array([0, 0, 1, 1, 2])
    predicted = np.array([0, 1, 1, 0, 1])
    # without class 0: hits 1 (third), wrongly said 2 (second, fifth), missed 2 (fourth, fifth)
    assert micro_f1(labels, predicted, 3, negative=0) == pytest.approx(100 * 2 / (2 + 2 + 2), abs=1e-12)
    assert micro_f1(labels, predicted, 3, negative=None) == pytest.approx(40.0, abs=1e-12)


def test_the_negative_class_may_be_any_number():
    labels, predicted = np.array([2, 2, 0, 1]), np.array([2, 0, 0, 2])
    assert micro_f1(labels, predicted, 3, negative=2) == pytest.approx(50.0)  # 1 hit, 1 wrong, 1 missed


def test_without_a_negative_class_micro_f1_is_accuracy():
    labels, probabilities = random_case(5, 200, 6, None)
    scores = headline(Scored(labels, probabilities, None))
    assert scores["micro_f1"] == pytest.approx(scores["accuracy"], abs=1e-12)


def test_micro_f1_is_0_where_nothing_was_found():
    assert micro_f1(np.array([0, 0]), np.array([0, 0]), 3, negative=0) == 0.0
    assert micro_f1(np.array([1, 2]), np.array([0, 0]), 3, negative=0) == 0.0


def test_macro_f1_and_accuracy_equal_scikit_learn():
    labels, probabilities = random_case(1, 300, 5, None)
    predicted = probabilities.argmax(1)
    by_class = sk.f1_score(labels, predicted, average=None)
    assert macro_f1(labels, predicted) == pytest.approx(100 * by_class.mean(), abs=1e-9)
    assert accuracy(labels, predicted) == pytest.approx(100 * sk.accuracy_score(labels, predicted), abs=1e-9)


def test_auprc_by_hand():
    labels = np.array([1, 0, 1])
    second = np.array([0.9, 0.8, 0.3])
    # points (recall, precision): (0, 1) (1/2, 1) (1/2, 1/2) (1, 2/3)
    _, areas = auprc(labels, np.stack([1 - second, second], axis=1))
    assert areas[1] == pytest.approx(100 * (0.5 * 1 + 0.5 * (1 / 2 + 2 / 3) / 2), abs=1e-9)


def test_auprc_counts_the_negative_class():
    labels, probabilities = random_case(2, 100, 4, None)
    mean, areas = auprc(labels, probabilities)
    assert mean == pytest.approx(areas.mean(), abs=1e-9)
    assert abs(mean - areas[1:].mean()) > 1e-3


def test_a_class_without_a_positive_is_left_out_of_auprc_and_counted():
    labels, probabilities = random_case(3, 100, 6, None)
    labels[labels == 4] = 0
    labels[labels == 2] = 1
    mean, areas = auprc(labels, probabilities)
    assert np.isnan(areas).tolist() == [False, False, True, False, True, False]
    assert mean == pytest.approx(areas[[0, 1, 3, 5]].mean(), abs=1e-12)
    assert headline(Scored(labels, probabilities, 0))["absent_classes"] == 2
    assert np.isfinite(list(headline(Scored(labels, probabilities, 0)).values())).all()


def test_float32_probabilities_are_accepted():
    labels, probabilities = random_case(4, 50, 30, None)
    assert auprc(labels, probabilities.astype(np.float32))[0] == pytest.approx(
        auprc(labels, probabilities)[0], abs=1e-3
    )


def softmax(values):
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: np.log(p),
        lambda p: np.log(p) - np.log(p).mean(axis=1, keepdims=True),
        lambda p: p / 2,
        lambda p: p * 5,
        lambda p: p + 0.01,
        lambda p: np.where(np.arange(p.shape[1]) == 0, np.nan, p),
        lambda p: p + np.where(np.arange(p.shape[1]) == 0, -2.0, 2.0 / (p.shape[1] - 1)),
    ],
    ids=["logits", "centred logits", "half", "sum of five", "shifted", "nan", "negative but summing to 1"],
)
def test_what_is_no_probability_is_refused(spoil):
    labels, probabilities = random_case(6, 40, 5, None)
    spoiled = spoil(softmax(5 * probabilities))
    with pytest.raises(ValueError, match=r"40 of 40 rows are no probabilities; row 0 .*apply softmax once"):
        auprc(labels, spoiled)
    with pytest.raises(ValueError, match="no probabilities"):
        headline(Scored(labels, spoiled, 0))


def test_a_single_wrong_row_is_found():
    labels, probabilities = random_case(7, 40, 5, None)
    probabilities[17, 2] += 0.1
    with pytest.raises(ValueError, match=r"1 of 40 rows .* row 17 sums to 1\.1 "):
        auprc(labels, probabilities)


def test_table_by_class_equals_scikit_learn():
    labels, probabilities = random_case(8, 400, 5, None)
    labels[labels == 3] = 0  # a class without an example
    names = ["a", "b", "c", "d", "e"]
    table = per_class(Scored(labels, probabilities, None, names))
    predicted = probabilities.argmax(1)
    report = sk.classification_report(
        labels, predicted, labels=range(5), target_names=names, output_dict=True, zero_division=0
    )
    assert [row["label"] for row in table] == names
    for number, row in enumerate(table):
        theirs = report[row["label"]]
        assert row["precision"] == pytest.approx(100 * theirs["precision"], abs=1e-9)
        assert row["recall"] == pytest.approx(100 * theirs["recall"], abs=1e-9)
        assert row["f1"] == pytest.approx(100 * theirs["f1-score"], abs=1e-9)
        assert row["support"] == theirs["support"]
        assert row["predicted"] == int((predicted == number).sum())
        if number != 3:
            assert row["auprc"] == pytest.approx(trapezoid_area(labels == number, probabilities[:, number]), abs=1e-9)
    assert table[3]["auprc"] is None
    json.dumps(table)  # plain values only


def test_rows_of_the_confusion_matrix_are_true_classes():
    counts = confusion(np.array([0, 0, 0, 1]), np.array([2, 2, 0, 1]), 4)
    assert counts.tolist() == [[1, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_every_score_has_a_title_and_every_title_is_a_score():
    """The one list: what is computed, resampled, shown, and may choose the best weights."""
    names = ["Other", "A(e1,e2)", "A(e2,e1)"]
    scored = Scored(np.arange(3), np.eye(3), 0, names, np.full(3, 1 / 3))
    assert {*headline(scored)} - {"absent_classes"} == {*SCORES} == {*bootstrap(scored, 2)}
    assert get_args(get_type_hints(EvalConfig)["metric"]) == tuple(SCORES)
    assert WEIGHTED == ("micro_f1", "auprc", "accuracy")
