"""Pictures of where a run is wrong."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.metrics import precision_recall_curve

from engine.report.mistakes import LengthBin
from engine.scores.calibration import Reliability
from engine.tracking import figures
from engine.tracking.figures import fonts_here, letters, names_drawn

PANELS = 60  # classes with a curve; more would make a picture too large to draw


def precision_recall(labels: np.ndarray, probabilities: np.ndarray, names: list[str], areas: Sequence) -> Figure:
    """A small curve for each class that has an example, the most frequent first. `labels` (N,), `probabilities` (N, C),
    `areas` (C,) in percent. The dashed line is the precision of a guess: the share of the class.
    """
    support = np.bincount(labels, minlength=len(names))
    order = [number for number in np.argsort(-support, kind="stable").tolist() if support[number]]
    shown, drawn = order[:PANELS], names_drawn(names)
    columns = min(6, len(shown))
    lines = -(-len(shown) // columns)
    width, height = 1.95 * columns + 0.6, 1.75 * lines + 0.75
    figure = Figure(figsize=(width, height), dpi=100)
    # one pair of axes for all: thirty of them take matplotlib longer than all curves
    axes = figure.add_axes((0.4 / width, 0.35 / height, 1 - 0.6 / width, 1 - 0.75 / height))
    family = {"fontfamily": [*fonts_here()], "parse_math": False}
    for place, number in enumerate(shown):
        left, bottom = 1.2 * (place % columns), 1.35 * (lines - 1 - place // columns)
        precision, recall, _ = precision_recall_curve(labels == number, probabilities[:, number])
        axes.add_patch(Rectangle((left, bottom), 1, 1, facecolor="white", edgecolor="0.7", linewidth=0.8))
        guess = bottom + support[number] / len(labels)
        axes.plot([left, left + 1], [guess, guess], color="0.6", linewidth=0.8, linestyle="--")
        axes.plot(left + recall, bottom + precision, color="tab:blue", linewidth=1.3)
        axes.text(left, bottom + 1.04, drawn[number], fontsize=7, **family)
        told = f"{areas[number]:.1f}\n{support[number]:,} examples"
        behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
        axes.text(left + 0.04, bottom + 0.05, told, fontsize=7, color="0.25", bbox=behind)
    for column in range(columns):
        axes.text(1.2 * column, -0.05, "0", fontsize=7, ha="center", va="top")
        axes.text(1.2 * column + 1, -0.05, "1", fontsize=7, ha="center", va="top")
    for line in range(lines):
        axes.text(-0.04, 1.35 * line, "0", fontsize=7, ha="right", va="center")
        axes.text(-0.04, 1.35 * line + 1, "1", fontsize=7, ha="right", va="center")
    axes.set(xlim=(-0.12, 1.2 * columns - 0.15), ylim=(-0.2, 1.35 * lines - 0.1))
    axes.axis("off")
    rest = len(order) - len(shown)
    title = "precision (up) against recall (right); number: area under the curve, %" + f"; {rest} more classes" * bool(
        rest
    )
    figure.text(0.4 / width, 1 - 0.25 / height, title, fontsize=9)
    return figure


def reliability(found: Reliability) -> Figure:
    """Accuracy against confidence, and how many examples each bin holds."""
    figure = Figure(figsize=(5.6, 6.2), dpi=100)
    axes = figure.add_axes((0.12, 0.34, 0.85, 0.6))
    below = figure.add_axes((0.12, 0.08, 0.85, 0.2), sharex=axes)
    left, width = 100 * found.edges[:-1], 100 * np.diff(found.edges)
    accuracy, confidence = np.nan_to_num(found.accuracy), np.nan_to_num(found.confidence)
    axes.bar(left, accuracy, width, align="edge", color="tab:blue", edgecolor="white", label="accuracy")
    for sign, name, color in ((1, "too sure", "tab:red"), (-1, "not sure enough", "tab:green")):
        gap = np.maximum(sign * (confidence - accuracy), 0)
        bottom = np.minimum(accuracy, confidence)
        axes.bar(left, gap, width, bottom=bottom, align="edge", color=color, alpha=0.45, label=name)
    axes.plot([0, 100], [0, 100], color="0.4", linestyle="--", linewidth=1)
    means = [np.average(each, weights=found.counts) for each in (accuracy, confidence)]
    axes.set_title(
        f"expected calibration error {found.ece:.2f} %, {len(left)} bins; accuracy {means[0]:.2f}, "
        f"confidence {means[1]:.2f}",
        fontsize=9,
    )
    axes.set(xlim=(0, 100), ylim=(0, 100), ylabel="accuracy, %")
    axes.legend(loc="upper left", fontsize=8)
    below.bar(left, found.counts, width, align="edge", color="0.6", edgecolor="white")
    below.set(xlabel="probability of the predicted class, %", ylabel="examples")
    return figure


def f1_by_count(counts: np.ndarray, f1: np.ndarray, names: list[str]) -> Figure:
    """`figures.f1_by_count` of one run, the dots with their names where there is room. F1 NaN = no dev example."""
    figure = figures.f1_by_count(counts, {"F1": f1})
    width, height = 12, 8
    figure.set_size_inches(width, height)
    axes, examples = figure.axes[0], np.maximum(counts, 1)
    low, high = np.log10(examples.min()) - 0.1, np.log10(examples.max()) + 0.5
    axes.set_xlim(10**low, 10**high)
    taken: list[tuple[float, float, float]] = []
    for number, name in enumerate(names_drawn(names)):
        if np.isnan(f1[number]):
            continue
        x = (np.log10(examples[number]) - low) / (high - low) * 72 * (width - 1)  # about, in points
        y, wide = f1[number] / 104 * 72 * (height - 1.5), 3.8 * letters(name)
        for right, up in ((4, 2), (4, -8), (-wide - 4, 2), (-wide - 4, -8)):
            box = (x + right, x + right + wide, y + up)
            if all(box[1] < a or b < box[0] or abs(box[2] - c) > 7 for a, b, c in taken):
                taken.append(box)
                axes.annotate(
                    name, (examples[number], f1[number]), (right, up), fontsize=7, color="0.25",
                    textcoords="offset points", fontfamily=[*fonts_here()], parse_math=False,
                )  # fmt: skip
                break
    return figure


def error_by_length(bins: Sequence[LengthBin]) -> Figure:
    """Share of mistakes of short and long examples; a bar is the 95 % interval."""
    figure = Figure(figsize=(7, 4), dpi=100)
    axes = figure.add_axes((0.09, 0.2, 0.88, 0.68))
    error = np.array([each.error for each in bins])
    ends = np.maximum([[each.error - each.low, each.high - each.error] for each in bins], 0).T
    axes.errorbar(range(len(bins)), error, yerr=ends, fmt="o", color="tab:blue", capsize=3)
    axes.set_xticks(
        range(len(bins)), [f"{each.shortest}-{each.longest}\n({each.examples:,})" for each in bins], fontsize=8
    )
    axes.set(ylim=(0, None), xlabel="tokens (examples)", ylabel="mistakes, %")
    axes.set_title("mistakes by length, with 95 % intervals", fontsize=9)
    axes.grid(axis="y", alpha=0.3)
    return figure
