"""Several models, one answer: soft and hard voting over probabilities.

Legend: M models, N examples, C classes.
"""

from collections.abc import Callable, Sequence

import numpy as np

TIES = 1e-3  # the share of the mean in a hard vote
SAME = 1e-12  # sums of shares or probabilities no further apart are the same number, added in another order
APART = 4e-9  # numbers below 1 that differ so much have different texts of 9 digits


def check_weights(weights: Sequence[float] | None, models: int) -> np.ndarray:
    """One share a model (M,), summing to 1; equal ones for None. Raises ValueError."""
    if weights is None:
        return np.full(models, 1 / models)
    if len(weights) != models:
        raise ValueError(f"--weights: got {len(weights)} numbers, expected one for each of the {models} runs")
    given = np.array(weights, dtype=np.float64)
    if not (np.isfinite(given) & (given >= 0)).all() or given.sum() <= 0:
        raise ValueError(f"--weights: got {' '.join(map(str, weights))}, expected numbers from 0, not all of them 0")
    return given / given.sum()


def mean(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The weighted mean of (M, N, C) probabilities: (N, C) float64."""
    return np.einsum("mnc,m->nc", probabilities.astype(np.float64), shares)


def soft(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The weighted mean of (M, N, C) probabilities, (N, C), its largest number alone at the top: see `decided`.

    The probabilities of one model stay what they are.
    """
    middle = mean(probabilities, shares)
    return middle if len(shares) == 1 else decided(middle, highest(middle))


def hard(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The share of votes of each class, (N, C): each model votes for its most probable one.

    The answer is the class of most votes; of several, that of the highest mean; of several still, the first. A
    thousandth of the mean is mixed in, so that rows of equally many votes are ranked by it. With equal weights no mean
    can outdo a vote: fewer votes are 1/M fewer, more than the thousandth for every M below 999. Weights can bring sums
    of votes closer, and 9 digits hold no difference of two means below 1e-6: there `decided` makes the row say it.
    """
    votes = mean(np.eye(probabilities.shape[2])[probabilities.argmax(axis=2)], shares)
    middle = mean(probabilities, shares)
    most = votes >= votes.max(axis=1, keepdims=True) - SAME
    return decided((1 - TIES) * votes + TIES * middle, highest(np.where(most, middle, -1.0)))


def highest(values: np.ndarray) -> np.ndarray:
    """The first column (N,) of the largest number of each row (N, C)."""
    return (values >= values.max(axis=1, keepdims=True) - SAME).argmax(axis=1)


def decided(probabilities: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """(N, C), in which the answer (N,) of each row is its largest number by `APART` or more.

    So it is in a file, whatever the order of labels there. Where it is not, each number gives the same small part of
    itself to the answer: rows go on to sum to 1 and to be 0 or more.
    """
    rows = np.arange(len(answers))
    others = probabilities.copy()
    others[rows, answers] = -np.inf
    behind = others.max(axis=1) - probabilities[rows, answers]  # above 0 where another number is larger
    # (1 - part) * -behind + part = APART
    part = np.where(behind > -APART, (behind + APART) / (1 + behind), 0.0)
    made = probabilities * (1 - part)[:, None]
    made[rows, answers] += part
    return made


VOTES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"soft": soft, "hard": hard}
