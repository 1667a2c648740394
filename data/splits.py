"""Rows dealt to parts: every sentence on one side, every label in the shares that the parts were promised.

Legend: N rows, P parts, C classes.
"""

from collections.abc import Sequence

import numpy as np


def deal(labels: np.ndarray, sentences: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """The part (N,) of each row; `shares` (P,) sum to 1. The same file, shares and seed give the same parts.

    First sentences with several rows, the largest first, each to the part that lacks its labels most; then the others,
    label by label, so that counts come out exact to one row wherever sentences allow it. scikit-learn's
    StratifiedGroupKFold has the same aim and on KLUE-RE comes as near to it, but takes 3 to 7 s at every start (this
    takes 0.1 s) and no share but 1 / k.
    """
    random = np.random.default_rng(seed)
    shares = np.asarray(shares, dtype=np.float64)
    assert labels.min() >= 0
    counts = np.bincount(labels)
    target = shares[:, None] * counts  # (P, C) rows wanted
    have = np.zeros_like(target)
    part = np.full(len(labels), -1)

    order = np.argsort(sentences, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(sentences[order])) + 1)
    several = [group for group in groups if len(group) > 1]
    several = [several[number] for number in random.permutation(len(several))]
    for group in sorted(several, key=len, reverse=True):
        kinds, times = np.unique(labels[group], return_counts=True)
        # the growth of the squared distance from the target, relative to it: for one row Sainte-Lague's rule
        cost = (times * (times + 2 * (have - target)[:, kinds]) / target[:, kinds]).sum(axis=1)  # (P,)
        chosen = first_of(cost, have.sum(axis=1) / shares)
        part[group] = chosen
        have[chosen, kinds] += times

    left = np.flatnonzero(part < 0)
    for kind in np.argsort(-counts, kind="stable"):
        rows = random.permutation(left[labels[left] == kind])
        if not len(rows):
            continue
        wanted = np.maximum(target[:, kind] - have[:, kind], 0)
        wanted *= len(rows) / wanted.sum()
        given = np.floor(wanted + 1e-9)
        for _ in range(len(rows) - int(given.sum())):
            given[first_of(given - wanted, (have.sum(axis=1) + given) / shares)] += 1
        part[rows] = np.repeat(np.arange(len(shares)), given.astype(int))
        have[:, kind] += given
    return part


def first_of(cost: np.ndarray, fill: np.ndarray) -> int:
    """The part of lowest cost; of equal ones the emptiest, so that labels with few rows do not pile up in one."""
    return int(np.lexsort((fill, cost.round(9)))[0])
