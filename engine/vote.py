"""Several models, one answer: soft and hard voting over probabilities.

Legend: M models, N examples, C classes.
"""

from collections.abc import Callable, Sequence

import numpy as np

TIES = 1e-6  # the share of the soft vote in a hard one


def check_probabilities(probabilities: np.ndarray, of: str) -> None:
    """Raises ValueError where a row of (N, C) is no distribution; `of` begins the message."""
    sums = probabilities.sum(axis=-1, dtype=np.float64)
    wrong = ~(np.abs(sums - 1) <= 1e-4) | ~(probabilities >= 0).all(axis=-1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{of}: {int(wrong.sum()):,} of {len(sums):,} rows are no probabilities; row {row + 1} sums to "
            f"{sums[row]:.6g} with minimum {probabilities[row].min():.6g}, expected 1 and no negative value"
        )


def columns(labels: Sequence[str], own: Sequence[str], name: str, first: str) -> np.ndarray:
    """Where each of `labels` stands in `own`, (C,): the classes of model `name` in the order of model `first`.

    Raises ValueError where they are not the same labels.
    """
    if set(labels) != set(own):
        lacks, more = sorted(set(labels) - set(own)), sorted(set(own) - set(labels))
        parts = [f"{what} {', '.join(names)[:200]}" for what, names in (("lacks", lacks), ("has also", more)) if names]
        raise ValueError(
            f"{name} has other labels than {first}: it {' and '.join(parts)}; only models of the same labels can vote"
        )
    place = {label: number for number, label in enumerate(own)}
    return np.array([place[label] for label in labels])


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


def soft(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The weighted mean of (M, N, C) probabilities: (N, C)."""
    return np.einsum("mnc,m->nc", probabilities.astype(np.float64), shares)


def hard(probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The share of votes of each class, (N, C): each model votes for its most probable one.

    A millionth of the soft vote is mixed in, which decides between classes of equally many votes, so that the largest
    number of a row is always its answer.
    """
    votes = np.eye(probabilities.shape[2])[probabilities.argmax(axis=2)]  # (M, N, C)
    return (1 - TIES) * soft(votes, shares) + TIES * soft(probabilities, shares)


VOTES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"soft": soft, "hard": hard}
