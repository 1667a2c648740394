"""Confusion matrices with labels that fonts and matplotlib's own syntax would spoil."""

import io
import warnings

import numpy as np

from engine.tracking import figures


def ticks(labels: list[str]) -> list[str]:
    """Draw it, with warnings as errors; the words beside the rows."""
    counts = np.eye(len(labels), dtype=int)
    figure = figures.confusion(counts, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO())
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def test_labels_that_no_font_can_draw_are_numbers(monkeypatch):
    monkeypatch.setattr(figures, "FONTS", ("DejaVu Sans",))
    figures.fonts_here.cache_clear()
    assert ticks(["가나", "plain", "é"]) == ["class 0 (1)", "plain (1)", "é (1)"]
    figures.fonts_here.cache_clear()


def test_fonts_of_the_machine_are_used(monkeypatch):
    monkeypatch.setattr(figures, "fonts_here", lambda: {"DejaVu Sans": frozenset(range(0xAC00, 0xD7A4))})
    assert figures.names_drawn(["가나", "a"]) == ["가나", "class 1"]


def test_dollars_are_no_formula():
    assert ticks(["$a_{", "$x$ and $y$"]) == ["$a_{ (1)", "$x$ and $y$ (1)"]


def test_a_thousand_labels_can_be_drawn():
    figure = figures.confusion(np.eye(1000, dtype=int), [f"label {number}" for number in range(1000)])
    assert max(figure.get_size_inches()) * figure.dpi < 2**13
    assert len(figure.axes[0].texts) == len(figure.axes[0].get_yticklabels()) == 0
