"""Pictures of a run."""

import numpy as np
from matplotlib.figure import Figure


def confusion(counts: np.ndarray, labels: list[str], by_true_label: bool = False) -> Figure:
    """A confusion matrix (C, C): row = true label, column = predicted; counts, or shares of each row in percent.

    Colour follows the share in both, so that rare classes are not white beside the large ones.
    """
    size = len(labels)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * counts, support, out=np.zeros(counts.shape), where=support > 0)
    side = max(4.5, 0.36 * size + 3.2)
    figure = Figure(figsize=(side + 0.6, side), dpi=100, layout="constrained")  # no pyplot: nothing global
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    font = 9 if size <= 12 else 7
    axes.set_xticks(range(size), labels, rotation=90, fontsize=font)
    axes.set_yticks(
        range(size), [f"{label} ({count})" for label, count in zip(labels, support[:, 0], strict=True)], fontsize=font
    )
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (examples)")
    axes.set_title("share of each true label, %" if by_true_label else "examples; colour: share of the true label")
    for row, column in np.argwhere(counts > 0):
        value = f"{shares[row, column]:.0f}" if by_true_label else str(counts[row, column])
        shade = "white" if shares[row, column] > 55 else "black"
        axes.text(column, row, value, ha="center", va="center", fontsize=font - 1, color=shade)
    axes.set_xticks(np.arange(-0.5, size), minor=True)
    axes.set_yticks(np.arange(-0.5, size), minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    figure.colorbar(image, ax=axes, shrink=0.6, label="% of the true label")
    return figure
