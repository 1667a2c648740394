"""What the tables of files share: a case is a file as people bring it, with what must come out of it.

A row that is read is written `id | sentence | label`, with the subject in ⟨...⟩, the object in ⟪...⟫ and their types
after a colon; a bad one is `! ` and a part of its message. A file that is refused is a text instead of a list.
"""

import re
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from data.readers.options import Columns
from data.schema import Example
from engine.compose.data import open_sources
from engine.config import Config, DataConfig

FILES = Path(__file__).parent / "files"


@dataclass(frozen=True)
class Case:
    """`notes`: a part of each note -> how many rows have it; `warned`: a part of each warning."""

    rows: list[str] | str
    options: dict = field(default_factory=dict)
    labels: list[str] | None = None
    notes: dict[str, int] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)


def text(**columns) -> dict:
    return {"format": "text", "negative_label": None, "columns": Columns(**columns)}


def learned(**options) -> dict:
    return {"labels": "learned", "negative_label": None} | options


def written(example: Example | ValueError) -> str:
    """A row as the tables above write it."""
    if isinstance(example, ValueError):
        return f"! {example}"
    sentence = example.text
    for role, span in sorted(example.entities(), key=lambda item: -item[1].start):
        left, right = "⟨⟩" if role == "subject" else "⟪⟫"
        kind = f":{span.type}" if span.type else ""
        sentence = sentence[: span.start] + left + span.text + kind + right + sentence[span.end :]
    if example.text_pair is not None:
        sentence += f" | {example.text_pair}"
    return f"{example.id} | {sentence} | {example.label}"


def matches(row: str, expected: str) -> bool:
    return expected[2:] in row if expected.startswith("! ") and row.startswith("! ") else row == expected


def comes_out(path: Path, case: Case) -> None:
    """What comes out of a file is what its case says."""
    config = Config(data=DataConfig(**{"train": str(path), "dev": None} | case.options))
    if isinstance(case.rows, str):
        with pytest.raises(ValueError, match=case.rows):
            [*open_sources(config)[0]["train"].examples()]
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sources, labels, _ = open_sources(config)
        examples = [example for _, example in sources["train"].examples()]
    rows = [written(example) for example in examples]
    assert len(rows) == len(case.rows), rows
    for row, expected in zip(rows, case.rows, strict=True):
        assert matches(row, expected), (row, expected)
    if case.labels is not None:
        assert labels == case.labels
    notes = Counter(note for example in examples if isinstance(example, Example) for note in example.notes)
    one_to_one(notes, case.notes)
    assert all(notes[note] == rows for part, rows in case.notes.items() for note in notes if re.search(part, note))
    one_to_one({str(warning.message) for warning in caught}, case.warned)


def one_to_one(texts, parts) -> None:
    """Each text holds one of the parts, each part is in one of the texts."""
    assert len(texts) == len(parts), [*texts]
    assert all(sum(re.search(part, text) is not None for text in texts) == 1 for part in parts), [*texts]
