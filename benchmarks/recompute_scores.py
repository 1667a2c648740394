"""Compute the scores of a predictions file again, from the file alone and without this project's code.

    python benchmarks/recompute_scores.py runs/NAME/predictions/dev.csv [runs/NAME/report.json]

Micro-F1 is counted by hand (true and false positives, false negatives of all labels but no_relation), AUPRC is the
trapezoid under scikit-learn's precision-recall curve, mean over the labels that occur.
"""

import argparse
import csv
import json
import math

import numpy as np
from sklearn.metrics import precision_recall_curve


def scores(path: str, negative: str) -> dict[str, float]:
    with open(path, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    labels = header[3:]
    gold, predicted = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    probabilities = np.array([[float(value) for value in row[3:]] for row in rows])
    assert [labels[number] for number in probabilities.argmax(axis=1)] == list(predicted), "predicted is not the argmax"

    true_positive = int(((gold == predicted) & (gold != negative)).sum())
    false_positive = int(((gold != predicted) & (predicted != negative)).sum())
    false_negative = int(((gold != predicted) & (gold != negative)).sum())
    areas = []
    for number, label in enumerate(labels):
        if (gold == label).any():
            precision, recall, _ = precision_recall_curve(gold == label, probabilities[:, number])
            steps = recall[:-1] - recall[1:]
            areas.append(float((steps * (precision[:-1] + precision[1:]) / 2).sum()))
    return {
        "micro_f1": 100 * 2 * true_positive / max(1, 2 * true_positive + false_positive + false_negative),
        "auprc": 100 * float(np.mean(areas)),
        "accuracy": 100 * float((gold == predicted).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions")
    parser.add_argument("report", nargs="?")
    parser.add_argument("--negative", default="no_relation")
    arguments = parser.parse_args()
    recomputed = scores(arguments.predictions, arguments.negative)
    reported = {}
    if arguments.report:
        with open(arguments.report, encoding="utf-8") as file:
            reported = json.load(file)["dev"]
    for name, value in recomputed.items():
        same = ""
        if name in reported:
            close = math.isclose(value, reported[name], abs_tol=1e-9)
            same = "  equals the report" if close else f"  THE REPORT SAYS {reported[name]!r}"
        print(f"{name:<10} {value:.12f}{same}")


if __name__ == "__main__":
    main()
