"""Examples as lines of a table: sentences with their entities marked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.scores.scored import Scored
from engine.tables import escaped, markdown, one_line

if TYPE_CHECKING:
    from data.schema import Example

LETTERS = {"subject": "S", "object": "O"}


@dataclass(frozen=True)
class Judged:
    """Labelled dev examples. losses (N,), tokens (N,): lengths.

    `examples`: id -> Example, from the file; empty where it cannot be read any more.
    """

    scored: Scored
    ids: Sequence[str]
    losses: np.ndarray
    tokens: np.ndarray
    examples: Mapping[str, "Example"]

    def line(self, row: int) -> dict:
        """What the tables say of a row."""
        label, predicted = self.scored.labels[row], self.scored.predicted[row]
        shares, names = self.scored.probabilities[row], self.scored.names
        example = self.examples.get(self.ids[row])
        return {
            "id": self.ids[row],
            "label": names[label],
            "predicted": names[predicted],
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


def examples_table(judged: Judged, chosen: Iterable[int]) -> str:
    """The chosen rows as Markdown."""
    lines = []
    for row in chosen:
        line, example = judged.line(row), judged.examples.get(judged.ids[row])
        lines.append([
            escaped(line["id"]),
            f"{escaped(line['label'])} ({100 * float(line['label_probability']):.1f})",
            f"{escaped(line['predicted'])} ({100 * float(line['predicted_probability']):.1f})",
            "" if example is None else marked(example, bold=True),
        ])  # fmt: skip
    return markdown(["id", "label (probability, %)", "predicted", "sentence"], lines)
