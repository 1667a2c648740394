"""Pictures of a run."""

from functools import cache
from pathlib import Path
from unicodedata import east_asian_width

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.image import imsave
from matplotlib.patches import Rectangle

# DejaVu comes with matplotlib and knows no Hangul
FONTS = (
    "DejaVu Sans", "NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo",
    "AppleGothic", "UnDotum",
)  # fmt: skip
MOST_NAMED = 150  # classes; more would make pictures too large to draw


@cache
def fonts_here() -> dict[str, frozenset[int]]:
    """Those of FONTS that this machine has, and the characters that each can draw."""
    paths = {font.name: font.fname for font in fontManager.ttflist}
    return {name: frozenset(get_font(paths[name]).get_charmap()) for name in FONTS if name in paths}


def names_drawn(labels: list[str]) -> list[str]:
    """The labels; their numbers where no font of this machine can draw them."""
    known = frozenset().union(*fonts_here().values())
    return [label if {*map(ord, label)} <= known else f"class {number}" for number, label in enumerate(labels)]


def letters(text: str) -> float:
    """Its width: Hangul is wider than Latin."""
    return sum(1.7 if east_asian_width(letter) in "WF" else 1 for letter in text)


def pixels(figure: Figure) -> np.ndarray:
    """The figure drawn once, (height, width, 3) bytes, to be saved and shown."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def save(path: Path, image: np.ndarray) -> None:
    """`pixels` as a picture file."""
    imsave(path, np.ascontiguousarray(image))


def confusion(counts: np.ndarray, labels: list[str], share_of: str | None = None) -> Figure:
    """A confusion matrix (C, C): row = true label, column = predicted. Counts, or shares in percent: of each row
    (`share_of` "true"), of each column ("predicted").

    Colour follows the share in all, so that rare classes are not white beside the large ones. A label that no font
    can draw is its number, as in labels.json from 0.
    """
    size = len(labels)
    labels = names_drawn(labels) if size <= MOST_NAMED else []
    family = {"fontfamily": [*fonts_here()], "parse_math": False}
    support = counts.sum(axis=1, keepdims=True)
    total = counts.sum(axis=0, keepdims=True) if share_of == "predicted" else support
    shares = np.divide(100.0 * counts, total, out=np.zeros(counts.shape), where=total > 0)
    font = 9 if size <= 12 else 7
    rows = [f"{label} ({count})" for label, count in zip(labels, support[:, 0], strict=False)]
    columns = labels
    if share_of == "predicted":
        columns = [f"{label} ({count})" for label, count in zip(labels, total[0], strict=False)]

    # sizes in inches by hand: matplotlib's layout engine takes longer than drawing; a letter is 0.6 of its font wide
    names, cells = 0.6 * font / 72 * max(map(letters, [*rows, *columns]), default=0), 0.33 * min(size, MOST_NAMED) + 0.5
    left, bottom, right, top = names + 0.5, names + 0.5, 1.0, 0.5
    width, height = left + cells + right, bottom + cells + top
    figure = Figure(figsize=(width, height), dpi=100)  # no pyplot: nothing global
    axes = figure.add_axes((left / width, bottom / height, cells / width, cells / height))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(labels)), columns, rotation=90, fontsize=font, **family)
    axes.set_yticks(range(len(labels)), rows, fontsize=font, **family)
    axes.set_xlabel("predicted (times)" if share_of == "predicted" else "predicted")
    axes.set_ylabel("true (examples)")
    axes.set_title(f"share of each {share_of} label, %" if share_of else "examples; colour: share of the true label")
    for row, column in np.argwhere(counts > 0) if labels else ():
        value = f"{shares[row, column]:.0f}" if share_of else str(counts[row, column])
        shade = "white" if shares[row, column] > 55 else "black"
        axes.text(column, row, value, ha="center", va="center", fontsize=font - 1, color=shade)
    edges = np.arange(0.5, len(labels) - 1)
    axes.hlines(edges, -0.5, size - 0.5, color="0.9", linewidth=0.5)
    axes.vlines(edges, -0.5, size - 0.5, color="0.9", linewidth=0.5)
    beside = ((left + cells + 0.2) / width, (bottom + cells / 4) / height, 0.15 / width, cells / 2 / height)
    figure.colorbar(image, cax=figure.add_axes(beside), label=f"% of the {share_of or 'true'} label")
    return figure


def heat_map(values: np.ndarray, rows: list[str], columns: list[str], title: str, below: str, beside: str) -> Figure:
    """Numbers (rows, columns) as colours with the number in each cell; the largest one has a frame."""
    height, width = 0.4 * len(rows) + 1.4, 0.62 * len(columns) + 0.1 * max(map(letters, rows)) + 1.6
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(values, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.set(title=title, xlabel=below, ylabel=beside)
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        axes.text(column, row, f"{value:.1f}", ha="center", va="center", color="white" if value < middle else "black")
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="red", linewidth=2, clip_on=False))
    figure.colorbar(image)
    return figure


def f1_by_count(counts: np.ndarray, f1: dict[str, np.ndarray], neighbours: int = 7) -> Figure:
    """F1 of each class (C,) against its training examples (C,): dots, and for each name of `f1` a line through the
    means of so many `neighbours` in the order of frequency, since classes differ by more than their frequency.
    """
    figure = Figure(figsize=(9, 5.4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    order = np.argsort(counts, kind="stable")
    for name, values in f1.items():
        there = order[np.isfinite(values[order])]
        examples, scores = np.maximum(counts[there], 1), values[there]
        width = min(neighbours, max(1, len(there)))
        mean = np.convolve(scores, np.ones(width), "valid") / width
        middle = np.exp(np.convolve(np.log(examples), np.ones(width), "valid") / width)
        [line] = axes.plot(middle, mean, linewidth=2, label=name)
        axes.plot(examples, scores, "o", markersize=3, alpha=0.35, color=line.get_color())
    axes.set(xscale="log", ylim=(-2, 102), xlabel="training examples of the class", ylabel="F1 on dev, %")
    axes.set_title(f"dots: classes; lines: means of {neighbours} neighbours", fontsize=9)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=min(3, max(1, len(f1))), fontsize=9)
    return figure
