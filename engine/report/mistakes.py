"""Which examples to look at. Pure functions of numpy arrays; N examples, C classes."""

from dataclasses import dataclass

import numpy as np

Z = 1.959964  # of a 95 % interval


def confident_mistakes(labels: np.ndarray, probabilities: np.ndarray, most: int) -> np.ndarray:
    """Rows that are predicted wrongly, the most probable prediction first; those without a label (-1) are left out."""
    wrong = np.flatnonzero((labels >= 0) & (probabilities.argmax(axis=1) != labels))
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:most]


def least_certain(probabilities: np.ndarray, most: int) -> np.ndarray:
    """Rows whose predicted class has the lowest probability, right or wrong: least confidence, Lewis and Gale 1994."""
    return np.argsort(probabilities.max(axis=1), kind="stable")[:most]


def by_loss(losses: np.ndarray) -> np.ndarray:
    """Labelled rows, the largest loss first: what a good model cannot fit is often a wrong label, Northcutt et al.
    2021, arXiv 1911.00068."""
    known = np.flatnonzero(np.isfinite(losses))
    return known[np.argsort(-losses[known], kind="stable")]


@dataclass(frozen=True)
class LengthBin:
    """Examples of `shortest` to `longest` tokens; `error` in percent, with the 95 % interval `low` to `high`."""

    shortest: int
    longest: int
    examples: int
    error: float
    low: float
    high: float


def error_by_length(lengths: np.ndarray, wrong: np.ndarray, bins: int = 10) -> list[LengthBin]:
    """Share of mistakes in bins that hold about equally many examples (N,); equal lengths share a bin, so there may be
    fewer. Intervals: Wilson 1927."""
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    place = np.searchsorted(edges, lengths)  # a bin holds its upper edge
    found = []
    for number in np.unique(place):
        inside = place == number
        n, share = int(inside.sum()), float(wrong[inside].mean())
        middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
        ends = 100 * np.clip([middle - half, middle + half], 0, 1)
        found.append(LengthBin(int(lengths[inside].min()), int(lengths[inside].max()), n, 100 * share, *ends.tolist()))
    return found
