"""Which examples are shown first, by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.report.mistakes import by_loss, confident_mistakes, error_by_length, least_certain

PROBABILITIES = np.array([
    [0.9, 0.1, 0.0],  # wrong, very sure
    [0.2, 0.5, 0.3],  # right, unsure
    [0.1, 0.3, 0.6],  # wrong
    [0.4, 0.3, 0.3],  # wrong, the least sure
    [0.0, 1.0, 0.0],  # unlabelled
    [0.05, 0.05, 0.9],  # wrong, as sure as the first
])  # fmt: skip
LABELS = np.array([1, 1, 0, 2, -1, 0])


def test_the_most_confident_mistakes_come_first_and_unlabelled_rows_are_no_mistakes():
    assert confident_mistakes(LABELS, PROBABILITIES, 100).tolist() == [0, 5, 2, 3]
    assert confident_mistakes(LABELS, PROBABILITIES, 2).tolist() == [0, 5]
    assert confident_mistakes(np.array([0]), PROBABILITIES[:1], 5).tolist() == []


def test_the_least_certain_come_first_right_or_wrong():
    assert least_certain(PROBABILITIES, 3).tolist() == [3, 1, 2]


def test_the_largest_loss_comes_first_and_rows_without_one_are_left_out():
    assert by_loss(np.array([0.1, 3.0, np.nan, 0.5, 3.0], dtype=np.float32)).tolist() == [1, 4, 3, 0]


def test_mistakes_by_length_with_wilson_intervals():
    """10 mistakes of 100 short examples; the interval is that of statsmodels' proportion_confint, method wilson."""
    lengths = np.repeat([5, 50], 100)
    wrong = np.zeros(200, dtype=bool)
    wrong[:10] = True
    short, long = error_by_length(lengths, wrong, bins=2)
    assert (short.shortest, short.longest, short.examples, short.error) == (5, 5, 100, 10.0)
    assert (short.low, short.high) == pytest.approx((5.522854, 17.436566), abs=1e-4)
    assert (long.error, long.low) == (0.0, 0.0)
    assert long.high == pytest.approx(3.699351, abs=1e-4)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=200), st.integers(1, 12))
def test_every_example_is_in_one_bin_and_equal_lengths_share_one(lengths, bins):
    lengths = np.array(lengths)
    found = error_by_length(lengths, lengths % 2 == 0, bins)
    assert sum(each.examples for each in found) == len(lengths)
    assert len(found) <= bins
    for before, after in pairwise(found):
        assert before.longest < after.shortest
    for each in found:
        inside = lengths[(lengths >= each.shortest) & (lengths <= each.longest)]
        assert each.examples == len(inside)
        assert each.error == pytest.approx(100 * np.mean(inside % 2 == 0))
        assert each.low <= each.error + 1e-9
        assert each.error <= each.high + 1e-9
