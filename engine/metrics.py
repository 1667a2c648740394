"""Scores: pure functions of numpy arrays, in percent, called once on a whole set, never averaged over batches.

Legend: N examples, C classes. Labels and predictions (N,) hold class numbers; probabilities (N, C) rows that sum to 1.
Definitions of KLUE-RE: KLUE-baseline, klue_baseline/metrics/functional.py.
"""

import numpy as np
from sklearn.metrics import auc, confusion_matrix, f1_score, precision_recall_curve, precision_recall_fscore_support


def micro_f1(labels: np.ndarray, predicted: np.ndarray, classes: int, negative: int | None) -> float:
    """F1 over all decisions except those for the class `negative`: KLUE-RE leaves out no_relation."""
    counted = [number for number in range(classes) if number != negative]
    return 100.0 * f1_score(labels, predicted, labels=counted, average="micro", zero_division=0.0)


def macro_f1(labels: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Mean F1 of the classes that occur in labels or predictions."""
    return 100.0 * f1_score(labels, predicted, average="macro", zero_division=0.0)


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    return 100.0 * float(np.mean(labels == predicted))


def auprc(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean area under the precision-recall curve (trapezoid), the negative class included, and that of each class (C,).

    A class without a positive example has no curve: it is NaN and left out of the mean. Raises ValueError for rows that
    do not sum to 1: areas of logits are other numbers.
    """
    sums = probabilities.sum(axis=1)
    wrong = ~(np.abs(sums - 1) <= 1e-3) | (probabilities < 0).any(axis=1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{int(wrong.sum())} of {len(sums)} rows are no probabilities; row {row} sums to {sums[row]:.6g} with "
            f"minimum {probabilities[row].min():.6g}, expected 1 and no negative value (apply softmax once)"
        )
    areas = np.full(probabilities.shape[1], np.nan)
    for number in np.unique(labels):
        precision, recall, _ = precision_recall_curve(labels == number, probabilities[:, number])
        areas[number] = 100.0 * auc(recall, precision)
    return float(np.nanmean(areas)), areas


def headline(labels: np.ndarray, probabilities: np.ndarray, negative: int | None) -> dict[str, float]:
    """The scores that every evaluation reports; `absent_classes` have no example and no place in `auprc`."""
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    return {
        "micro_f1": micro_f1(labels, predicted, classes, negative),
        "auprc": auprc(labels, probabilities)[0],
        "accuracy": accuracy(labels, predicted),
        "macro_f1": macro_f1(labels, predicted, classes),
        "absent_classes": classes - len(np.unique(labels)),
    }


def per_class(labels: np.ndarray, probabilities: np.ndarray, names: list[str]) -> list[dict]:
    """A row a class: label, precision, recall, f1, auprc (None without an example), support, predicted."""
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(len(names)), zero_division=0.0
    )
    _, areas = auprc(labels, probabilities)
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
    return confusion_matrix(labels, predicted, labels=range(classes))
