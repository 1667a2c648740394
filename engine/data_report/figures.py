"""Pictures of the data report."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from engine.data_report.facts import Part
from engine.tracking.figures import fonts_here, letters, names_drawn

MOST = 60  # labels in a picture


def labels(parts: Mapping[str, Part], names: list[str]) -> Figure:
    """Share of each label in each part, the most frequent of train first."""
    order = np.argsort(-parts["train"].shares(len(names)), kind="stable")[:MOST]
    drawn, family = names_drawn(names), {"fontfamily": [*fonts_here()], "parse_math": False}
    beside = 0.6 * 8 / 72 * max(map(letters, drawn)) + 0.3
    width, height = beside + 6.5, 0.24 * len(order) + 1.1
    figure = Figure(figsize=(width, height), dpi=100)
    axes = figure.add_axes((beside / width, 0.55 / height, 6 / width, 1 - 1.1 / height))
    thick = 0.8 / len(parts)
    for number, (name, part) in enumerate(parts.items()):
        shares = 100 * part.shares(len(names))[order]
        place = np.arange(len(order)) - 0.4 + thick * (number + 0.5)
        axes.barh(place, shares, thick, label=f"{name} ({len(part.store):,} rows)")
    axes.set_yticks(range(len(order)), [drawn[number] for number in order], fontsize=8, **family)
    smallest = min(100 * share for part in parts.values() for share in part.shares(len(names)) if share)
    axes.set(ylim=(len(order) - 0.5, -0.5), xscale="log", xlim=(smallest / 2, 100), xlabel="% of the rows")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    axes.set_title("labels", fontsize=9)
    return figure


def lengths(parts: Mapping[str, Part], max_length: int) -> Figure:
    """Tokens of the rows, with the length that is allowed."""
    figure = Figure(figsize=(8, 4), dpi=100)
    axes = figure.add_axes((0.09, 0.14, 0.88, 0.76))
    longest = max(int(part.store.lengths.max()) for part in parts.values())
    edges = np.arange(0, longest + 2, max(1, longest // 60))
    for name, part in parts.items():
        share = np.full(len(part.store), 100 / len(part.store))
        axes.hist(part.store.lengths, edges, weights=share, histtype="step", linewidth=1.6, label=name)
    if longest >= max_length:
        axes.axvline(max_length, color="0.4", linestyle="--", linewidth=1, label=f"data.max_length {max_length}")
    axes.set(xlabel="tokens of a row, with markers", ylabel="% of the rows", xlim=(0, longest + 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set_title("lengths", fontsize=9)
    return figure


def types(lines: Sequence[dict], names: list[str]) -> Figure:
    """Labels (rows) against pairs of entity types (columns): numbers of rows; colour: share of the label's rows."""
    lines, drawn = lines[:30], names_drawn(names)
    counts = np.array([[line[name] for line in lines] for name in names])
    order = [number for number in np.argsort(-counts.sum(axis=1), kind="stable") if counts[number].any()][:MOST]
    counts = counts[order]
    shares = counts / counts.sum(axis=1, keepdims=True)
    family = {"fontfamily": [*fonts_here()], "parse_math": False}
    beside = 0.6 * 8 / 72 * max(letters(drawn[number]) for number in order) + 0.3
    width, height = beside + 0.42 * len(lines) + 0.3, 0.26 * len(order) + 1.4
    figure = Figure(figsize=(width, height), dpi=100)
    axes = figure.add_axes((beside / width, 1 / height, 0.42 * len(lines) / width, 0.26 * len(order) / height))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    pairs = [f"{line['subject'] or '-'} {line['object'] or '-'}" for line in lines]
    axes.set_xticks(range(len(lines)), pairs, rotation=90, fontsize=8, **family)
    axes.set_yticks(range(len(order)), [drawn[number] for number in order], fontsize=8, **family)
    for row, column in np.argwhere(counts > 0):
        shade = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=6, color=shade)
    axes.set_title("training rows by label and types of subject and object; colour: share of the label", fontsize=9)
    return figure
