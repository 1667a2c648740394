"""Examples as lines of a table: sentences with their entities marked, as Markdown and CSV."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from data.schema import Example

LETTERS = {"subject": "S", "object": "O"}


@dataclass(frozen=True)
class Judged:
    """Labelled dev examples. labels and losses (N,), probabilities (N, C), tokens (N,): lengths, names (C,).

    `examples`: id -> Example, from the file; empty where it cannot be read any more.
    """

    ids: Sequence[str]
    labels: np.ndarray
    probabilities: np.ndarray
    losses: np.ndarray
    tokens: np.ndarray
    names: Sequence[str]
    examples: Mapping[str, "Example"]

    @property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    def told(self, row: int) -> dict:
        """What the tables say of a row."""
        label, predicted, shares = self.labels[row], self.probabilities[row].argmax(), self.probabilities[row]
        example = self.examples.get(self.ids[row])
        return {
            "id": self.ids[row],
            "label": self.names[label],
            "predicted": self.names[predicted],
            "loss": f"{self.losses[row]:.4f}",
            "label_probability": f"{shares[label]:.6f}",
            "predicted_probability": f"{shares[predicted]:.6f}",
            "tokens": int(self.tokens[row]),
            "text": "" if example is None else marked(example),
        }


def marked(example: "Example", bold: bool = False) -> str:
    """The sentence on one line, its entities as [S word/TYPE] and [O word/TYPE]; `bold`: as Markdown."""
    clean = escaped if bold else one_line
    text, spans = "", sorted(example.entities(), key=lambda entity: entity[1].start)
    done = 0
    for role, span in spans:
        kind = f"/{clean(span.type)}" if span.type else ""
        words = f"[{LETTERS[role]} {clean(span.text)}{kind}]"
        text += clean(example.text[done : span.start]) + (f"**{words}**" if bold else words)
        done = span.end
    text += clean(example.text[done:])
    return text if example.text_pair is None else f"{text} / {clean(example.text_pair)}"


def one_line(text: str) -> str:
    return re.sub(r"[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]+", " ", text)


def escaped(text: str) -> str:
    """As Markdown that shows the text itself, also inside a table."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"[\\`*\[\]#|]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    return text.replace("~~", "&#126;&#126;")


def table(columns: Sequence[str], lines: Iterable[Sequence]) -> str:
    """A Markdown table; columns that begin with a blank are numbers, set to the right. Cells are Markdown already."""
    rules = ["---:" if column.startswith(" ") else "---" for column in columns]
    rows = [[column.strip() for column in columns], rules, *lines]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows) + "\n"


def examples_table(judged: Judged, chosen: Iterable[int]) -> str:
    """The chosen rows as Markdown."""
    lines = []
    for row in chosen:
        told, example = judged.told(row), judged.examples.get(judged.ids[row])
        lines.append([
            escaped(told["id"]),
            f"{escaped(told['label'])} ({100 * float(told['label_probability']):.1f})",
            f"{escaped(told['predicted'])} ({100 * float(told['predicted_probability']):.1f})",
            "" if example is None else marked(example, bold=True),
        ])  # fmt: skip
    return table(["id", "label (probability, %)", "predicted", "sentence"], lines)


def as_csv(lines: Sequence[Mapping]) -> str:
    """Lines with the same keys, which become the header."""
    content = io.StringIO(newline="")
    writer = csv.DictWriter(content, list(lines[0]) if lines else [])
    writer.writeheader()
    writer.writerows(lines)
    return content.getvalue()
