"""Files of predictions, by format. A row is an id, the true label (or None), the answer and C probabilities as text.

A format is a function of the model's labels (C,) that returns (the head of the file, row -> text). Adding one = one
function + one line in WRITERS.
"""

import contextlib
import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from data.labels import BOOSTCAMP
from engine.scores.probabilities import columns


class Row(NamedTuple):
    id: str
    label: str | None
    predicted: str
    probabilities: Sequence[str]


def digits(probabilities: np.ndarray) -> list[list[str]]:
    """Probabilities (N, C) as texts of 9 significant digits, which hold a float32 exactly."""
    return [[f"{value:.9g}" for value in row] for row in probabilities.tolist()]


Format = tuple[str, Callable[[Row], str]]


def csv_line(values: Sequence[Any], end: str = "\r\n") -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator=end).writerow(values)
    return line.getvalue()


def plain_csv(labels: Sequence[str]) -> Format:
    """As predictions/dev.csv of a run: id, label (empty where there is none), predicted, one column a label."""

    def line(row: Row) -> str:
        return csv_line([row.id, row.label or "", row.predicted, *row.probabilities])

    return csv_line(["id", "label", "predicted", *labels]), line


def json_lines(labels: Sequence[str]) -> Format:
    """An object a line: id, label where there is one, predicted, probabilities by label."""

    def line(row: Row) -> str:
        values = {label: float(text) for label, text in zip(labels, row.probabilities, strict=True)}
        gold = {} if row.label is None else {"label": row.label}
        content = {"id": row.id, **gold, "predicted": row.predicted, "probabilities": values}
        return json.dumps(content, ensure_ascii=False) + "\n"

    return "", line


def boostcamp(labels: Sequence[str]) -> Format:
    """A submission of the Boostcamp competition: id, pred_label, probs, a list of 30 in the competition's order.

    As its baseline writes it, by pandas: a Python list as text. Raises ValueError where the labels are not KLUE-RE's.
    """
    order = columns(BOOSTCAMP, labels, "the model", "the Boostcamp competition (--format boostcamp)")

    def line(row: Row) -> str:
        probabilities = [float(row.probabilities[number]) for number in order]
        return csv_line([row.id, row.predicted, str(probabilities)], "\n")

    return csv_line(["id", "pred_label", "probs"], "\n"), line


WRITERS: dict[str, Callable[[Sequence[str]], Format]] = {
    "csv": plain_csv, "jsonl": json_lines, "boostcamp": boostcamp,
}  # fmt: skip


class Output:
    """A file that has its name when it is whole; until then its rows are in `<name>.part`, which stays where something
    breaks off. Raises ValueError where it cannot be written."""

    def __init__(self, path: Path, overwrite: bool):
        self.path, self.rows = path, 0
        self.part = path.with_name(f"{path.name}.part")
        self.file: IO[str] | None = None
        if path.is_dir():
            raise ValueError(f"--output: {path} is a folder, expected a file")
        if path.exists() and not overwrite:
            raise ValueError(f"--output: {path} is there already; --overwrite replaces it")

    def open(self, head: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file = self.part.open("w", encoding="utf-8", newline="")
            self.file.write(head)
        except OSError as error:
            raise ValueError(f"--output: cannot write {self.part} ({error.strerror or error})") from None

    def write(self, lines: Sequence[str]) -> None:
        """Add rows, and hand them to the system: they stay whatever happens to this process. Raises OSError."""
        try:
            self.file.write("".join(lines))
            self.file.flush()
        except OSError as error:
            raise OSError(f"cannot write {self.part} ({error.strerror or error})") from None
        self.rows += len(lines)

    def close(self) -> None:
        """All rows are written: give the file its name."""
        os.fsync(self.file.fileno())
        self.file.close()
        os.replace(self.part, self.path)
        self.file = None

    def broken_off(self) -> str:
        """Close what is there of it and say where it is; "" where there is nothing."""
        if self.file is None:
            return ""
        with contextlib.suppress(OSError):  # of a full disk, which was told
            self.file.close()
        if not self.rows:
            self.part.unlink(missing_ok=True)
            return ""
        return f"the first {self.rows:,} rows are in {self.part}"
