"""Bootstrap intervals against a slow loop that repeats rows and asks scikit-learn; sentences are drawn whole."""

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from conftest import SHARED_DATA
from engine.scores.intervals import bootstrap, draws, interval, resampled, sign_test
from engine.scores.metrics import semeval_f1
from engine.scores.scored import Scored

PREDICTIONS = SHARED_DATA / "klue-re-dev-predictions" / "test_probabilities.csv"
DEV = SHARED_DATA / "klue-re" / "klue-re-v1.1_dev.json"


def case(seed: int, rows: int, classes: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    raw = random.gamma(0.5, size=(rows, classes)) + 1e-6 + 0.5 * np.eye(classes)[labels] * random.random((rows, 1))
    raw = np.ceil(2 * raw) if ties else raw
    return labels, raw / raw.sum(axis=1, keepdims=True)


def slow(labels, probabilities, negative, weights) -> dict[str, float]:
    """Scores of rows with weights by scikit-learn alone."""
    predicted = probabilities.argmax(axis=1)
    counted = [number for number in range(probabilities.shape[1]) if number != negative]
    areas = []
    for number in np.unique(labels):
        precision, recall, _ = sk.precision_recall_curve(labels == number, probabilities[:, number],
                                                         sample_weight=weights)  # fmt: skip
        areas.append(100 * sk.auc(recall, precision))
    f1 = {"y_true": labels, "y_pred": predicted, "sample_weight": weights, "zero_division": 0.0}
    return {
        "micro_f1": 100 * sk.f1_score(labels=counted, average="micro", **f1),
        "auprc": float(np.mean(areas)),
        "accuracy": 100 * sk.accuracy_score(labels, predicted, sample_weight=weights),
        "macro_f1": 100 * sk.f1_score(average="macro", **f1),
    }


@given(st.integers(0, 999), st.integers(1, 60), st.integers(2, 6), st.booleans(), st.sampled_from([None, 0, 1]))
@settings(deadline=None, max_examples=25)
def test_every_resample_scores_as_repeated_rows_do(seed, rows, classes, ties, negative):
    labels, probabilities = case(seed, rows, classes, ties)
    groups = np.random.default_rng(seed).integers(-3, 9, rows)
    prior = np.arange(1.0, classes + 1)
    found = resampled([Scored(labels, probabilities, negative, (), prior, groups)], 7, seed)
    assert [*found] == ["micro_f1", "auprc", "accuracy", "macro_f1", "micro_f1_prior", "auprc_prior", "accuracy_prior"]
    [weights] = draws(groups, 7, seed)
    for number in range(7):
        drawn = np.repeat(np.arange(rows), weights[:, number].astype(int))
        expected = slow(labels[drawn], probabilities[drawn], negative, None)
        shares = np.bincount(labels[drawn], minlength=classes) / len(drawn)
        tilted = slow(labels[drawn], probabilities[drawn], negative, (prior / np.maximum(shares, 1e-9))[labels[drawn]])
        expected |= {f"{name}_prior": tilted[name] for name in ("micro_f1", "auprc", "accuracy")}
        for name, value in expected.items():
            assert found[name][0, number] == pytest.approx(value, abs=1e-9), name


def test_semeval_counts_as_the_score_itself_does():
    names = ["Other", "A(e1,e2)", "B(e2,e1)", "A(e2,e1)", "B(e1,e2)"]
    labels, probabilities = case(1, 40, 5, False)
    relations = np.array([-1, 0, 1, 0, 1])
    found = resampled([Scored(labels, probabilities, 0, names)], 20, 3)["semeval"][0]
    [weights] = draws(40, 20, 3)
    for value, column in zip(found, weights.T, strict=True):
        drawn = np.repeat(np.arange(40), column.astype(int))
        expected = semeval_f1(labels[drawn], probabilities[drawn].argmax(axis=1), relations)
        assert value == pytest.approx(expected, abs=1e-9)
    only_other = resampled([Scored(np.zeros(3, dtype=int), np.full((3, 5), 0.2), 0, names)], 2, 0)
    assert only_other["semeval"].tolist() == [[0.0, 0.0]]


def test_rows_of_a_sentence_are_drawn_together():
    groups = np.array([5, -2, 5, 7, -2, 5])
    [weights] = draws(groups, 50, 0)
    assert weights.shape == (6, 50)
    for same in ([0, 2, 5], [1, 4]):
        assert (weights[same] == weights[same[0]]).all()
    assert (weights[[0, 1, 3]].sum(axis=0) == 3).all()  # three sentences, three drawn
    assert weights.min() == 0
    assert weights.max() == 3
    assert next(draws(np.array([0, 1, 0, 2, 1, 0]), 50, 0)).tolist() == weights.tolist()  # the numbers are only names
    labels = np.tile(np.arange(2), 100)
    probabilities = np.repeat(np.random.default_rng(0).dirichlet([1, 1], 20), 10, axis=0)
    alone = bootstrap(Scored(labels, probabilities, None))["accuracy"]["sd"]
    tenfold = Scored(np.repeat(labels[:20], 10), probabilities, None, groups=np.repeat(np.arange(20), 10))
    together = bootstrap(tenfold)["accuracy"]
    assert together["sd"] > 2 * alone  # ten equal rows are one piece of evidence


def test_resamples_without_a_row_of_the_prior_do_not_count():
    """Label 0 alone has a share, and one row: a third of the draws miss it, and say nothing of it."""
    labels = np.array([0, 1, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.7, 0.3]])
    prior = np.array([1.0, 0.0])
    scored = Scored(labels, probabilities, None, prior=prior)
    drawn = resampled([scored], 200, 0)["accuracy_prior"][0]
    assert 40 < np.isnan(drawn).sum() < 90  # (3/4)^4 of 200 is 63
    found = bootstrap(scored, 200)
    assert found["accuracy_prior"] == {"low": 100.0, "high": 100.0, "sd": 0.0}
    assert not any(np.isnan(value) for one in found.values() for value in one.values())
    assert sign_test(np.array([1.0, np.nan, 1.0, 1.0])) == pytest.approx(2 / 3)


def test_blocks_of_resamples_change_nothing(monkeypatch):
    scored = Scored(*case(2, 30, 4, False), negative=0)
    whole = bootstrap(scored, 20)
    monkeypatch.setattr("engine.scores.intervals.BLOCK", 90)
    assert bootstrap(scored, 20) == whole
    assert bootstrap(scored, 20, seed=1) != whole


def test_interval_and_deviation_of_an_accuracy_are_the_binomial_ones():
    labels = np.zeros(1000, dtype=int)
    probabilities = np.tile([0.9, 0.1], (1000, 1))
    probabilities[:200] = [0.1, 0.9]  # 80 % right
    found = bootstrap(Scored(labels, probabilities, None), 4000)["accuracy"]
    deviation = 100 * np.sqrt(0.8 * 0.2 / 1000)
    assert found["sd"] == pytest.approx(deviation, rel=0.05)
    assert found["low"] == pytest.approx(80 - 1.96 * deviation, abs=0.2)
    assert found["high"] == pytest.approx(80 + 1.96 * deviation, abs=0.2)


def test_a_paired_difference_cancels_what_both_share():
    labels, first = case(4, 400, 3, False)
    second = first.copy()
    second[:12] = np.eye(3)[labels[:12]]
    both = [Scored(labels, probabilities, None) for probabilities in (first, second)]
    one, other = resampled(both, 1000, 0)["accuracy"]
    found, whole = interval(other - one), bootstrap(both[0])["accuracy"]
    assert found["low"] > 0
    assert sign_test(other - one) == sign_test(one - other) <= 0.01
    assert found["sd"] < 0.5 * whole["sd"]
    assert (found["low"], found["high"]) == tuple(np.percentile(other - one, [2.5, 97.5]))
    alone = resampled([both[1]], 1000, 0)["accuracy"][0]
    np.testing.assert_array_equal(alone, other)  # the draws are the same, whoever is scored on them
    assert (interval(one - one), sign_test(one - one)) == ({"low": 0.0, "high": 0.0, "sd": 0.0}, 1.0)


@pytest.mark.real_data
@pytest.mark.skipif(not PREDICTIONS.is_file(), reason=f"{PREDICTIONS} is not here")
def test_published_predictions_of_the_official_dev_set():
    with PREDICTIONS.open(encoding="utf-8-sig", newline="") as file:
        names, *rows = csv.reader(file)
    dev = json.loads(DEV.read_text(encoding="utf-8"))
    gold = np.array([names.index(row["label"]) for row in dev])
    groups = np.unique([row["sentence"] for row in dev], return_inverse=True)[1]
    found = bootstrap(Scored(gold, np.array(rows, dtype=np.float64), 0, groups=groups))
    assert found["micro_f1"]["sd"] == pytest.approx(0.70, abs=0.05)
    assert found["auprc"]["sd"] == pytest.approx(1.42, abs=0.1)
    assert found["micro_f1"]["low"] < 73.025 < found["micro_f1"]["high"]
    assert found["auprc"]["low"] < 77.25 < found["auprc"]["high"]
