"""Scores: pure functions of numpy arrays, in percent, called once on a whole set, never averaged over batches.

Legend: N examples, C classes. Labels and predictions (N,) hold class numbers; probabilities (N, C) rows that sum to 1.
Definitions of KLUE-RE: KLUE-baseline, klue_baseline/metrics/functional.py. scikit-learn takes a second to
import, which no start should wait for, so the functions do it.
"""

import re
from collections.abc import Sequence

import numpy as np

from engine.scores.prior import row_weights
from engine.scores.scored import Scored

DIRECTED = re.compile(r"(.+)\((?:e1,e2|e2,e1)\)")
THIRDS = ("head", "middle", "tail")


def micro_f1(
    labels: np.ndarray, predicted: np.ndarray, classes: int, negative: int | None, weights: np.ndarray | None = None
) -> float:
    """F1 over all decisions except those for the class `negative`: KLUE-RE leaves out no_relation.

    Without a negative class every decision counts, and this is the accuracy.
    """
    from sklearn.metrics import f1_score

    counted = [number for number in range(classes) if number != negative]
    return 100.0 * f1_score(
        labels, predicted, labels=counted, average="micro", sample_weight=weights, zero_division=0.0
    )


def macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 of the classes that occur in labels or predictions."""
    from sklearn.metrics import f1_score

    return 100.0 * f1_score(labels, predicted, average="macro", zero_division=0.0)


def accuracy(labels: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> float:
    return 100.0 * float(np.average(labels == predicted, weights=weights))


def directed_relations(names: Sequence[str], negative: int | None) -> np.ndarray | None:
    """The relation of each class (C,), numbered without its direction, -1 for `negative`.

    None where another class than `negative` is not named like `Cause-Effect(e1,e2)`.
    """
    matches = [DIRECTED.fullmatch(name) for name in names]
    if any(match is None for number, match in enumerate(matches) if number != negative) or len(names) < 2:
        return None
    numbers: dict[str, int] = {}
    return np.array([
        -1 if number == negative else numbers.setdefault(match[1], len(numbers))
        for number, match in enumerate(matches)
    ])  # fmt: skip


def require_directions(names: Sequence[str], negative: int | None) -> None:
    """Raises ValueError for labels that have no such score."""
    if directed_relations(names, negative) is None:
        without = [name for number, name in enumerate(names) if number != negative and not DIRECTED.fullmatch(name)]
        raise ValueError(
            "eval.metric: semeval needs labels such as Cause-Effect(e1,e2), and data.negative_label for Other; without "
            f"a direction: {', '.join(map(repr, without))[:200]}"
        )


def semeval_f1(labels: np.ndarray, predicted: np.ndarray, relations: np.ndarray) -> float:
    """The official score of SemEval-2010 Task 8: mean F1 of the relations, of which both directions make one.

    Right is what has relation and direction right; the wrong direction counts among what was predicted and what was to
    be found. `relations` (C,) as of `directed_relations`; Other (-1) has no F1 of its own. As in
    semeval2010_task8_scorer-v1.2.pl the mean is over the relations that occur in `labels`; 0 where none does.
    """
    gold, found = relations[labels], relations[predicted]
    scores = []
    for relation in np.unique(gold[gold >= 0]):
        right = np.sum((labels == predicted) & (gold == relation))
        scores.append(200.0 * right / (np.sum(gold == relation) + np.sum(found == relation)))
    return float(np.mean(scores)) if scores else 0.0


def auprc(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """Mean area under the precision-recall curve (trapezoid), the negative class included, and that of each class (C,).

    A class without a positive example (of a weight above 0) has no curve: it is NaN and left out of the mean. Raises
    ValueError for rows that do not sum to 1: areas of logits are other numbers.
    """
    from sklearn.metrics import auc, precision_recall_curve

    sums = probabilities.sum(axis=1)
    wrong = ~(np.abs(sums - 1) <= 1e-3) | (probabilities < 0).any(axis=1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} of {len(sums)} rows are no probabilities; row {row} sums to {sums[row]:.6g} with "
            f"minimum {probabilities[row].min():.6g}, expected 1 and no negative value (apply softmax once)"
        )
    areas = np.full(probabilities.shape[1], np.nan)
    for number in np.unique(labels if weights is None else labels[weights > 0]):
        precision, recall, _ = precision_recall_curve(labels == number, probabilities[:, number], sample_weight=weights)
        areas[number] = 100.0 * auc(recall, precision)
    return float(np.nanmean(areas)), areas


def headline(scored: Scored) -> dict[str, float]:
    """The scores that every evaluation reports; `absent_classes` have no example and no place in `auprc`.

    `semeval` is there where the classes have directions, the scores ending in _prior where there is a prior.
    """
    labels, predicted, negative = scored.labels, scored.predicted, scored.negative
    relations = directed_relations(scored.names, negative)
    directed = {} if relations is None else {"semeval": semeval_f1(labels, predicted, relations)}

    def weighted(weights: np.ndarray | None) -> dict[str, float]:
        return {
            "micro_f1": micro_f1(labels, predicted, scored.classes, negative, weights),
            "auprc": auprc(labels, scored.probabilities, weights)[0],
            "accuracy": accuracy(labels, predicted, weights),
        }

    prior = {}
    if scored.prior is not None:
        prior = {f"{name}_prior": value for name, value in weighted(row_weights(scored.prior, labels)).items()}
    return {
        **weighted(None),
        "macro_f1": macro_f1(labels, predicted),
        **directed,
        **prior,
        "absent_classes": scored.classes - len(np.unique(labels)),
    }


def absent_lines(absent: int, classes: int) -> list[str]:
    """What is to be said where labels have no row: the means are over the others."""
    if not absent:
        return []
    others = f"AUPRC is the mean of the other {classes - absent}, macro-F1 of these and of what was predicted"
    return [f"no row of {absent} of the {classes} labels: {others}"]


def per_class(scored: Scored) -> list[dict]:
    """A row a class: label, precision, recall, f1, auprc (None without an example), support, predicted."""
    from sklearn.metrics import precision_recall_fscore_support

    labels, predicted, names = scored.labels, scored.predicted, scored.names
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(len(names)), zero_division=0.0
    )
    _, areas = auprc(labels, scored.probabilities)
    times = np.bincount(predicted, minlength=len(names))
    return [
        {
            "label": name,
            "precision": 100.0 * float(precision[number]),
            "recall": 100.0 * float(recall[number]),
            "f1": 100.0 * float(f1[number]),
            "auprc": None if np.isnan(areas[number]) else float(areas[number]),
            "support": int(support[number]),
            "predicted": int(times[number]),
        }
        for number, name in enumerate(names)
    ]


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (C, C): row = true class, column = predicted class."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, predicted, labels=range(classes))


def thirds(counts: np.ndarray, negative: int | None) -> dict[str, list[int]]:
    """Classes (C,) by their training examples, most frequent third first, without `negative` as in micro-F1."""
    order = [number for number in np.argsort(-counts, kind="stable").tolist() if number != negative]
    return dict(zip(THIRDS, (part.tolist() for part in np.array_split(order, 3)), strict=True))
