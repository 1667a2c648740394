"""How far a score may be from the true one: bootstrap intervals that keep the rows of a sentence together.

A dev set is a draw of sentences, and rows of one sentence are right or wrong together, so sentences are drawn again,
with replacement (cluster bootstrap; Efron and Tibshirani 1993, chapter 8). A resample is a weight for each row; scores
of all resamples come from sums of weights, classes sorted once.

Legend: N examples, C classes, S resamples.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

from engine.scores.metrics import directed_relations
from engine.scores.scored import Scored
from engine.scores.titles import SCORES, WEIGHTED

RESAMPLES = 1000
LEVEL = 95.0  # percent of the resamples inside an interval
BLOCK = 8_000_000  # weights (rows x resamples) in memory at a time


def bootstrap(scored: Scored, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, dict[str, float]]:
    """For each score of `metrics.headline`: low and high of the 95 % percentile interval, and standard deviation."""
    return {name: interval(values[0]) for name, values in resampled([scored], resamples, seed).items()}


def interval(values: np.ndarray) -> dict[str, float]:
    """Of the values of one score on all resamples, or of the differences of two models on the same resamples: what
    makes rows hard for both cancels. A resample that has no such score (NaN) does not count.
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return dict.fromkeys(("low", "high", "sd"), float("nan"))
    low, high = np.percentile(values, [50 - LEVEL / 2, 50 + LEVEL / 2])
    return {"low": float(low), "high": float(high), "sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0}


def intervals_line(intervals: dict) -> str:
    """The intervals of `bootstrap` as one line, without those of scores that no resample has."""
    shown = {SCORES[name]: intervals[name] for name in SCORES if name in intervals}
    return "; ".join(
        f"{title} {each['low']:.1f} to {each['high']:.1f}" for title, each in shown.items() if not np.isnan(each["low"])
    )


def sign_test(values: np.ndarray) -> float:
    """p of a difference: twice the share of resamples on the other side of 0, and never below 2 / S, which is all that
    S resamples can tell. A resample without the score (NaN) does not count."""
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan")
    other = min(np.mean(values <= 0), np.mean(values >= 0))
    return float(min(1.0, 2 * max(other, 1 / len(values))))


def resampled(predictions: Sequence[Scored], resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Scores of every prediction of the same rows on the same resamples, (predictions, S); groups and prior
    are those of the first.

    The scores ending in _prior are NaN on a resample that drew no row of a label that the prior has.
    """
    labels, prior, groups = predictions[0].labels, predictions[0].prior, predictions[0].groups
    assert len(labels) > 0
    assert all(np.array_equal(each.labels, labels) for each in predictions), "predictions of other rows"
    scorers = [Scorer(each) for each in predictions]
    parts: list[list[dict[str, np.ndarray]]] = [[] for _ in scorers]
    for weights in draws(len(labels) if groups is None else groups, resamples, seed):
        weighted = None if prior is None else to_prior(weights, labels, prior)
        for scorer, part in zip(scorers, parts, strict=True):
            values = scorer.scores(weights)
            if weighted is not None:
                tilted, drawn = scorer.scores(weighted), weighted.any(axis=0)
                values |= {f"{name}_prior": np.where(drawn, tilted[name], np.nan) for name in WEIGHTED}
            part.append(values)
    return {
        name: np.array([np.concatenate([values[name] for values in part]) for part in parts]) for name in parts[0][0]
    }


def draws(groups: np.ndarray | int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Weights (N, s) of the rows, some resamples at a time: how often the row's group was drawn."""
    _, first_row, member = np.unique(np.arange(groups) if isinstance(groups, int) else groups, True, True)
    member = first_row.argsort().argsort()[member]  # numbered as they appear: the draws do not depend on the numbers
    count = int(member.max()) + 1
    random = np.random.default_rng(seed)
    step = max(1, BLOCK // len(member))
    for first in range(0, resamples, step):
        times = np.empty((count, min(step, resamples - first)))
        for column in range(times.shape[1]):
            times[:, column] = np.bincount(random.integers(0, count, count), minlength=count)
        yield times[member]


def to_prior(weights: np.ndarray, labels: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """`weights` (N, s) with the labels' shares in each resample brought to `prior` (C,)."""
    totals = one_hot(labels, len(prior)) @ weights  # (C, s)
    factors = np.divide(prior[:, None], totals, out=np.zeros_like(totals), where=totals > 0)
    return weights * factors[labels]


def one_hot(classes: np.ndarray, count: int) -> sparse.csr_array:
    """(count, N): row c sums the rows of class c; negative numbers belong to none."""
    rows = np.flatnonzero(classes >= 0)
    return sparse.csr_array((np.ones(len(rows)), (classes[rows], rows)), shape=(count, len(classes)))


class Scorer:
    """One prediction, sorted and compared with the labels once, to be scored under many weights."""

    def __init__(self, scored: Scored):
        labels, predicted, classes = scored.labels, scored.predicted, scored.classes
        relations = directed_relations(scored.names, scored.negative)
        self.counted = np.array([number != scored.negative for number in range(classes)])
        self.gold, self.said = one_hot(labels, classes), one_hot(predicted, classes)
        self.hits = one_hot(np.where(labels == predicted, labels, -1), classes)
        self.curves = [Curve(labels == number, scored.probabilities[:, number]) for number in np.unique(labels)]
        self.relations = None if relations is None else one_hot(relations, int(relations.max()) + 1)

    def scores(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """The scores of `metrics.headline` for each column of `weights` (N, s): name -> (s,), in percent."""
        gold, said, hits = self.gold @ weights, self.said @ weights, self.hits @ weights  # (C, s)
        inside = [part[self.counted].sum(axis=0) for part in (hits, gold, said)]
        with np.errstate(invalid="ignore", divide="ignore"):
            f1 = 200.0 * hits / (gold + said)  # NaN where a class occurs on neither side
        areas = np.array([curve.area(weights) for curve in self.curves])
        scores = {
            "micro_f1": ratio(200.0 * inside[0], inside[1] + inside[2]),
            "auprc": mean_of_known(areas),
            "accuracy": ratio(100.0 * hits.sum(axis=0), gold.sum(axis=0)),
            "macro_f1": mean_of_known(f1),
        }
        if self.relations is not None:
            hits, gold, said = (self.relations @ part for part in (hits, gold, said))  # (relations, s)
            f1 = np.where(gold > 0, ratio(200.0 * hits, gold + said), np.nan)
            occurs = ~np.isnan(f1).all(axis=0)
            scores["semeval"] = np.zeros(weights.shape[1])
            scores["semeval"][occurs] = np.nanmean(f1[:, occurs], axis=0)
        return scores


class Curve:
    """The precision-recall curve of one class, rows sorted by their score once.

    Straight lines between thresholds, as `metrics.auprc` has it: only thresholds with a positive row add area, so sums
    of weights are needed at both their ends, not at every row.
    """

    def __init__(self, positive: np.ndarray, scores: np.ndarray):
        order = np.argsort(-scores, kind="stable")
        threshold = np.cumsum(np.concatenate([[False], np.diff(scores[order]) != 0]))  # number of each row's threshold
        adding = np.unique(threshold[positive[order]])
        # segments of rows in turn: those before an adding threshold, the threshold itself, ..., the rest
        segment = 2 * np.searchsorted(adding, threshold) + np.isin(threshold, adding)
        rows = np.empty(len(order), dtype=np.int64)
        rows[order] = segment
        self.segments = one_hot(np.where(rows < 2 * len(adding), rows, -1), 2 * len(adding))
        self.positives = one_hot(np.where(positive, rows // 2, -1), len(adding))

    def area(self, weights: np.ndarray) -> np.ndarray:
        """In percent, for each column of `weights` (N, s); NaN where no positive row has a weight."""
        positive = self.positives @ weights  # (thresholds, s) positive weight of each
        reached = np.cumsum(self.segments @ weights, axis=0)  # weight up to the end of each segment
        before, after = reached[0::2], reached[1::2]
        hits = np.cumsum(positive, axis=0)
        total = hits[-1]
        # a curve starts at precision 1
        start = np.divide(hits - positive, before, out=np.ones_like(before), where=before > 0)
        end = np.divide(hits, after, out=np.ones_like(after), where=after > 0)
        area = np.einsum("ts,ts->s", positive, start + end)
        return np.divide(50.0 * area, total, out=np.full_like(total, np.nan), where=total > 0)


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Column means (s,) of (C, s) without its NaN; NaN where there is nothing else."""
    known = ~np.isnan(values)
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
