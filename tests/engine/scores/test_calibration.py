"""Expected calibration error by hand and against scikit-learn's bins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from engine.scores.calibration import reliability


def two_classes(confidence: list[float]) -> np.ndarray:
    """Probabilities (N, 2) that predict class 1 with these confidences."""
    return np.array([[1 - value, value] for value in confidence])


def test_by_hand():
    """Bins of a fifth: 0.6 (0.6 is the upper edge), two of 0.7, one right; 0.9 and 1.0, both right."""
    found = reliability(np.array([1, 1, 0, 1, 1]), two_classes([0.6, 0.7, 0.7, 0.9, 1.0]), bins=5)
    assert found.counts.tolist() == [0, 0, 1, 2, 2]
    np.testing.assert_allclose(found.confidence, [np.nan, np.nan, 60, 70, 95])
    np.testing.assert_allclose(found.accuracy, [np.nan, np.nan, 100, 50, 100])
    assert found.ece == pytest.approx((1 * 40 + 2 * 20 + 2 * 5) / 5)


def test_a_bin_holds_its_upper_edge():
    """Quarters are numbers that a float holds exactly: 0.75 is in the third bin, 1 in the last, 0.25 in the first."""
    found = reliability(np.array([1, 1, 0]), two_classes([0.75, 1.0, 0.75]), bins=4)
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.counts.tolist() == [0, 0, 2, 1]
    quarters = np.full((2, 4), 0.25)
    assert reliability(np.array([0, 1]), quarters, bins=4).counts.tolist() == [2, 0, 0, 0]
    assert reliability(np.array([0, 1]), quarters[:, :2] * 2, bins=2).counts.tolist() == [2, 0]


def test_certain_and_right_is_calibrated_and_certain_and_wrong_is_not():
    sure = np.eye(3)[[0, 1, 2, 2]]
    assert reliability(np.array([0, 1, 2, 2]), sure).ece == 0
    assert reliability(np.array([1, 2, 0, 0]), sure).ece == 100


@given(st.integers(0, 1000), st.integers(2, 20), st.integers(1, 300))
def test_bins_are_those_of_scikit_learn(seed, bins, examples):
    draw = np.random.default_rng(seed)
    probabilities = draw.dirichlet(np.full(4, 0.4), size=examples)
    labels = draw.integers(0, 4, examples)
    found = reliability(labels, probabilities, bins)
    right, confidence = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    accuracy, mean = calibration_curve(right, confidence, n_bins=bins)
    there = found.counts > 0
    np.testing.assert_allclose(found.accuracy[there], 100 * accuracy)
    np.testing.assert_allclose(found.confidence[there], 100 * mean)
    assert found.counts.sum() == examples
    assert found.ece == pytest.approx(100 * np.sum(found.counts[there] / examples * np.abs(accuracy - mean)))


def test_one_bin_is_the_difference_of_the_means():
    draw = np.random.default_rng(3)
    probabilities, labels = draw.dirichlet(np.ones(5), size=200), draw.integers(0, 5, 200)
    right = probabilities.argmax(axis=1) == labels
    wanted = 100 * abs(right.mean() - probabilities.max(axis=1).mean())
    assert reliability(labels, probabilities, bins=1).ece == pytest.approx(wanted)


def test_nothing_to_measure_is_told():
    with pytest.raises(ValueError, match="no example"):
        reliability(np.zeros(0, dtype=int), np.zeros((0, 3)))
