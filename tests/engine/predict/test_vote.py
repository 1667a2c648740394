"""What a vote decides is what its files say, in any order of labels, after 9 digits."""

import csv
import json
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.labels import BOOSTCAMP, KLUE
from engine.predict.__main__ import written
from engine.predict.vote import VOTES, check_weights
from engine.report.predictions import read_predictions
from engine.report.writers import Row, boostcamp, plain_csv


def softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return (raised / raised.sum(axis=-1, keepdims=True)).astype(np.float32)


@st.composite
def votes(draw) -> tuple[np.ndarray, list[float] | None]:
    """Probabilities (M, N, 30) of 2 to 5 models, and weights: few different logits, so that ties are many."""
    models = draw(st.integers(2, 5))
    random = np.random.default_rng(draw(st.integers(0, 9999)))
    scale = draw(st.sampled_from([1e-7, 1e-3, 1.0, 30.0]))
    logits = random.integers(0, 3, (models, 12, 30)) * scale
    if draw(st.booleans()):
        logits[:, :, 5:] = logits[:, :, 5:] - 40  # five classes that take all
    weights = st.lists(st.sampled_from([1, 2, 3, 0.1, 1e-9, 1.0000001]), min_size=models, max_size=models)
    return softmax(logits), draw(st.one_of(st.none(), weights))


def right_answers(kind: str, probabilities: np.ndarray, weights: list[float] | None) -> list[set[int]]:
    """Of each row, exactly: the classes of most votes, and of these those of the highest mean."""
    models, rows, classes = probabilities.shape
    shares = [Fraction(weight) for weight in weights or [1] * models]
    shares = [share / sum(shares) for share in shares]
    near = Fraction(1, 10**12)
    found = []
    for row in range(rows):
        means = [
            sum(share * Fraction(float(one[row, c])) for share, one in zip(shares, probabilities, strict=True))
            for c in range(classes)
        ]
        counts = [Fraction(0)] * classes
        for share, one in zip(shares, probabilities, strict=True):
            counts[one[row].argmax()] += share
        top = [c for c in range(classes) if kind == "soft" or counts[c] > max(counts) - near]
        best = max(means[c] for c in top)
        found.append({c for c in top if means[c] > best - near})
    return found


@pytest.mark.parametrize("kind", VOTES)
@given(votes())
@settings(max_examples=60)
def test_files_say_what_was_decided(kind, case):
    probabilities, weights = case
    made, texts = written(VOTES[kind](probabilities, check_weights(weights, len(probabilities))))
    answers = made.argmax(axis=1)
    for answer, wanted in zip(answers, right_answers(kind, probabilities, weights), strict=True):
        assert answer in wanted
    rows = [Row(f"r{n}", "no_relation", KLUE[answer], texts[n]) for n, answer in enumerate(answers)]
    turned = [KLUE.index(label) for label in BOOSTCAMP]
    with tempfile.TemporaryDirectory() as folder:
        for labels, order in ((KLUE, range(30)), (BOOSTCAMP, turned)):
            head, line = plain_csv(labels)
            path = Path(folder) / "out.csv"
            lines = [line(row._replace(probabilities=[row.probabilities[n] for n in order])) for row in rows]
            path.write_text(head + "".join(lines), encoding="utf-8")
            table = read_predictions(path, "out")
            said = [labels[number] for number in table.probabilities.argmax(axis=1)]
            assert said == table.predicted == [row.predicted for row in rows]
            assert (table.probabilities == made[:, list(order)]).all()
            assert (table.probabilities >= 0).all()
            assert np.abs(table.probabilities.sum(axis=1) - 1).max() < 1e-6
        head, line = boostcamp(KLUE)
        path.write_text(head + "".join(map(line, rows)), encoding="utf-8")
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                assert row["pred_label"] == BOOSTCAMP[np.argmax(json.loads(row["probs"]))]


def test_the_last_bit_of_a_mean_decides_a_tie():
    """One vote each; the means differ by less than 9 digits of the mixture hold."""
    one = np.array([[[0.5 - 2**-25, 0.5, 0.0]], [[0.5 + 2**-24, 0.5 - 2**-24, 0.0]]])
    made, texts = written(VOTES["hard"](one, check_weights(None, 2)))
    assert made.argmax(axis=1).tolist() == [0]
    assert texts[0][0] != texts[0][1]
    made, texts = written(VOTES["hard"](one[:, :, ::-1], check_weights(None, 2)))
    assert made.argmax(axis=1).tolist() == [2]


def test_weights_that_nearly_tie_count_before_the_mean():
    """Model 1 weighs 1e-7 more than the two others together; the mean is for these."""
    one = np.array([[[0.51, 0.49]], [[0.0, 1.0]], [[0.0, 1.0]]])
    made, _ = written(VOTES["hard"](one, check_weights([2 + 2e-7, 1, 1], 3)))
    assert made.argmax(axis=1).tolist() == [0]


def test_sums_that_differ_only_by_rounding_are_a_tie():
    """0.1 and 0.2 against 0.3, whose shares are 0.5 and the number below it; the mean is for the one vote."""
    shares = check_weights([0.1, 0.2, 0.3], 3)
    assert shares[0] + shares[1] > shares[2]
    one = np.array([[[0.51, 0.49]], [[0.51, 0.49]], [[0.0, 1.0]]])
    assert VOTES["hard"](one, shares).argmax(axis=1).tolist() == [1]


def test_one_model_is_left_as_it_is():
    one = softmax(np.random.default_rng(0).integers(0, 2, (1, 50, 30)) / 10)
    assert (VOTES["soft"](one, check_weights(None, 1)) == one[0]).all()
