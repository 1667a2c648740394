"""CSV files of predictions, as predictions/dev.csv of a run: written, read back, and brought to one order.

Legend: N rows, C classes.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.atomic import write_text
from engine.report.writers import Row, digits, plain_csv
from engine.scores.probabilities import check_probabilities, columns

HEAD = ["id", "label", "predicted"]


@dataclass(frozen=True)
class Table:
    """`gold` and `predicted`: N names, an empty one where a row has no label; `probabilities` (N, C) float64."""

    name: str
    labels: list[str]
    ids: list[str]
    gold: list[str]
    predicted: list[str]
    probabilities: np.ndarray

    def rows(self) -> list[Row]:
        """As `engine/report/writers.py` writes them."""
        every = zip(self.ids, self.gold, self.predicted, digits(self.probabilities), strict=True)
        return [Row(id, gold or None, predicted, text) for id, gold, predicted, text in every]

    def numbers(self) -> np.ndarray:
        """The true class of each row, (N,)."""
        return self.places(self.gold)

    def answers(self) -> np.ndarray:
        """The predicted class of each row, (N,): of equal probabilities the one that the file names."""
        return self.places(self.predicted)

    def places(self, names: Sequence[str]) -> np.ndarray:
        place = {label: number for number, label in enumerate(self.labels)}
        return np.array([place[name] for name in names])


def read_predictions(path: Path, name: str) -> Table:
    """The predictions of a file. Raises ValueError, which names the file and the row, where it holds something else."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except FileNotFoundError:
        raise ValueError(f"no file {path}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    head = lines[0] if lines else []
    labels = head[len(HEAD) :]
    if head[: len(HEAD)] != HEAD or len(labels) < 2 or len(set(labels)) < len(labels) or len(lines) < 2:
        raise ValueError(
            f"{path}: found the columns {', '.join(head)[:200]}; expected {', '.join(HEAD)} and one a label"
        )
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(head):
            raise ValueError(f"{path}, row {number}: found {len(line)} columns, expected {len(head)}")
        if line[1] and line[1] not in labels:
            raise ValueError(f"{path}, row {number}: the label {line[1]!r:.80} has no column")
        if line[2] not in labels:
            raise ValueError(f"{path}, row {number}: the prediction {line[2]!r:.80} has no column")
    try:
        probabilities = np.array([line[len(HEAD) :] for line in lines[1:]], dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: a probability is no number ({error})") from None
    check_probabilities(probabilities, str(path))
    ids, gold, predicted = ([line[place] for line in lines[1:]] for place in range(len(HEAD)))
    if len(set(ids)) < len(ids):
        raise ValueError(f"{path}: {len(ids) - len(set(ids)):,} ids stand there twice")
    return Table(name, labels, ids, gold, predicted, probabilities)


def in_one_order(tables: Sequence[Table]) -> list[Table]:
    """Rows and classes of all tables in the order of the first. Raises ValueError where they are not the same ones."""
    first = tables[0]
    return [first, *(like(first, table) for table in tables[1:])]


def like(first: Table, table: Table) -> Table:
    order = columns(first.labels, table.labels, table.name, first.name)
    place = {id: number for number, id in enumerate(table.ids)}
    if place.keys() != set(first.ids):
        only = len(place.keys() - set(first.ids))
        raise ValueError(
            f"{table.name} was scored on other rows than {first.name}: {len(set(first.ids) - place.keys()):,} ids of "
            f"{len(first.ids):,} are not in it, and {only:,} of its {len(place):,} are not in {first.name}"
        )
    rows = [place[id] for id in first.ids]
    table = replace(
        table,
        labels=first.labels,
        ids=first.ids,
        gold=[table.gold[row] for row in rows],
        predicted=[table.predicted[row] for row in rows],
        probabilities=table.probabilities[rows][:, order],
    )
    if other := [id for id, a, b in zip(first.ids, first.gold, table.gold, strict=True) if a != b]:
        raise ValueError(
            f"{table.name} and {first.name} were scored against other labels: {len(other):,} rows differ, the first is "
            f"{other[0]!r:.80}"
        )
    return table


def write_predictions(path: Path, store, probabilities: np.ndarray, labels: list[str]) -> None:
    """The rows of a store as `writers.py` writes a CSV: scores can be computed again from the file.

    `probabilities` (N, C) come from `engine/evaluate.py`.
    """
    head, line = plain_csv(labels)
    rows = [
        Row(store.id(row), labels[gold] if gold >= 0 else None, labels[int(answer)], texts)
        for row, (gold, answer, texts) in enumerate(
            zip(store.labels, probabilities.argmax(axis=1), digits(probabilities), strict=True)
        )
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, head + "".join(map(line, rows)))
