"""Whether probabilities mean what they say. Pure functions; N examples, C classes, M bins."""

from dataclasses import dataclass

import numpy as np

BINS = 15  # as in the paper


@dataclass(frozen=True)
class Reliability:
    """Examples by the probability of their predicted class. `confidence` and `accuracy` (M,) are means in percent, NaN
    in a bin without examples; `counts` (M,); `edges` (M+1,), a bin holds its upper edge; `ece` in percent.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    ece: float


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> Reliability:
    """Bins of equal width, and the expected calibration error: the sum over bins of (their share of the examples) x
    |accuracy - mean confidence|, Guo et al. 2017, arXiv 1706.04599, equations 1 to 3.

    It says nothing of classes that are not predicted, and depends on the bins: compare equal numbers of them only.
    Raises ValueError for labels and probabilities of no example.
    """
    if not len(labels):
        raise ValueError("calibration: no example has a label")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, confidence, bins), np.bincount(place, right, bins)
    empty = np.full(bins, np.nan)
    means = [100.0 * np.divide(total, counts, out=empty.copy(), where=counts > 0) for total in sums]
    ece = float(np.nansum(counts * np.abs(means[1] - means[0])) / len(labels))
    return Reliability(edges, counts, *means, ece)
