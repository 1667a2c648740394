"""errors/ in the run folder: where the best weights are wrong, as files and as a run of its own in TensorBoard.

Its events lie in it, so that a run that was killed while it finished shows nothing twice.
"""

import os
import shutil
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from engine.report import error_figures
from engine.report.error_rows import Judged, examples_table
from engine.report.mistakes import by_loss, confident_mistakes, error_by_length, least_certain
from engine.scores.calibration import Reliability, reliability
from engine.scores.metrics import confusion, per_class, thirds
from engine.scores.scored import Scored
from engine.tables import as_csv, escaped, markdown
from engine.tracking import figures

MOST = 100  # examples of a list
NUMBERS = ("precision", "recall", "f1", "auprc")  # of a class, in percent


def classes_with_groups(scored: Scored, train: np.ndarray) -> list[dict]:
    """`metrics.per_class` with the training examples of each class, `train` (C,), and the third it belongs to."""
    groups = {number: name for name, part in thirds(train, scored.negative).items() for number in part}
    return [
        {"label": row["label"], "group": groups.get(number, "negative"), "train": int(train[number])} | row
        for number, row in enumerate(per_class(scored))
    ]


def group_means(classes: list[dict]) -> dict[str, dict]:
    """Classes, dev examples and mean F1 of each group; a class without a dev example has no F1."""
    groups = {}
    for name in dict.fromkeys(row["group"] for row in sorted(classes, key=lambda row: -row["train"])):
        part = [row for row in classes if row["group"] == name]
        f1 = [row["f1"] for row in part if row["support"]]
        groups[name] = {
            "classes": len(part),
            "train": [min(row["train"] for row in part), max(row["train"] for row in part)],
            "support": sum(row["support"] for row in part),
            "f1": float(np.mean(f1)) if f1 else None,
        }
    return groups


def class_table(classes: list[dict], groups: dict[str, dict]) -> str:
    """Both as Markdown."""
    columns = ["group", " classes", " training examples", " dev examples", " mean F1"]
    lines = [
        [name, each["classes"], "{:,} to {:,}".format(*each["train"]), f"{each['support']:,}", shown(each["f1"])]
        for name, each in groups.items()
    ]
    means = markdown(columns, lines)
    columns = ["label", "group", " train", " dev", " predicted", *(f" {name}" for name in NUMBERS)]
    lines = [
        [escaped(row["label"]), row["group"], *(f"{row[key]:,}" for key in ("train", "support", "predicted")),
         *(shown(row[name]) for name in NUMBERS)]
        for row in sorted(classes, key=lambda row: -row["train"])
    ]  # fmt: skip
    return f"{means}\n{markdown(columns, lines)}"


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def pictures(judged: Judged, classes: list[dict], calibration: Reliability) -> dict[str, np.ndarray]:
    """Name -> pixels."""
    scored, names, predicted = judged.scored, list(judged.scored.names), judged.scored.predicted
    counts = confusion(scored.labels, predicted, len(names))
    f1 = np.array([row["f1"] if row["support"] else np.nan for row in classes])
    areas = [row["auprc"] for row in classes]
    drawn = {
        "confusion_counts": figures.confusion(counts, names),
        "confusion_by_true_label": figures.confusion(counts, names, "true"),
        "confusion_by_predicted_label": figures.confusion(counts, names, "predicted"),
        "precision_recall": error_figures.precision_recall(scored.labels, scored.probabilities, names, areas),
        "reliability": error_figures.reliability(calibration),
        "f1_by_count": error_figures.f1_by_count(np.array([row["train"] for row in classes]), f1, names),
        "error_by_length": error_figures.error_by_length(error_by_length(judged.tokens, predicted != scored.labels)),
    }
    return {name: figures.pixels(figure) for name, figure in drawn.items()}


def write_errors(folder: Path, judged: Judged, train: np.ndarray, step: int, tensorboard: bool) -> dict:
    """Leave everything in `folder`, replacing what it held; what report.json says of it. docs/scores.md has the list.

    `train` (C,): training examples of each class; `step`: the update of the weights.
    """
    labels, probabilities = judged.scored.labels, judged.scored.probabilities
    classes = classes_with_groups(judged.scored, train)
    groups, calibration = group_means(classes), reliability(labels, probabilities)
    texts = {
        "per_class": class_table(classes, groups),
        "confident_mistakes": examples_table(judged, confident_mistakes(labels, probabilities, MOST)),
        "least_certain": examples_table(judged, least_certain(probabilities, MOST)),
    }
    tables = {"per_class": classes, "by_loss": [judged.line(row) for row in by_loss(judged.losses)]}
    drawn = pictures(judged, classes, calibration)

    temporary = folder.with_name(f".{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, text in texts.items():
        (temporary / f"{name}.md").write_text(text, encoding="utf-8")
    for name, lines in tables.items():
        (temporary / f"{name}.csv").write_text(as_csv(lines), encoding="utf-8", newline="")
    for name, image in drawn.items():
        figures.save(temporary / f"{name}.png", image)
    if tensorboard:
        show(temporary, judged, drawn, texts, step)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(temporary, folder)
    confidence = float(probabilities.max(axis=1).mean(dtype=np.float64))
    return {
        "classes": classes,
        "groups": groups,
        "calibration": {"ece": calibration.ece, "bins": len(calibration.counts), "confidence": 100 * confidence},
    }


def show(folder: Path, judged: Judged, drawn: dict[str, np.ndarray], texts: dict[str, str], step: int) -> None:
    """Pictures, texts and a precision-recall curve for each class that has an example, in TensorBoard."""
    with SummaryWriter(folder) as writer:
        for name, image in drawn.items():
            writer.add_image(f"errors/{name}", image, step, dataformats="HWC")
        for name, text in texts.items():
            writer.add_text(f"errors/{name}", text, step)
        labels, probabilities = judged.scored.labels, judged.scored.probabilities
        for number in np.unique(labels):
            name = f"classes/{judged.scored.names[number]}"
            writer.add_pr_curve(name, labels == number, probabilities[:, number], step)
