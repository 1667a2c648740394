"""Probabilities as several models and files hold them: whether they are some, and in which order. N rows, C classes."""

from collections.abc import Sequence

import numpy as np


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


def columns(labels: Sequence[str], others: Sequence[str], name: str, first: str) -> np.ndarray:
    """Where each of `labels` stands in `others`, (C,): the classes of model `name` in the order of model `first`.

    Raises ValueError where they are not the same labels.
    """
    if set(labels) != set(others):
        lacks, more = sorted(set(labels) - set(others)), sorted(set(others) - set(labels))
        parts = [f"{what} {', '.join(names)[:200]}" for what, names in (("lacks", lacks), ("has also", more)) if names]
        raise ValueError(
            f"{name} has other labels than {first}: it {' and '.join(parts)}; only models of the same labels can vote"
        )
    place = {label: number for number, label in enumerate(others)}
    return np.array([place[label] for label in labels])
