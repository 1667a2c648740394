"""KLUE-RE JSON, a list or an object a line, with guid, sentence, subject_entity, object_entity, label, source.

Entity offsets of KLUE's files are inclusive; spans are made exclusive in `entities.py`, which reads what others write,
too.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from data.messages import listed, shown
from data.readers import entities
from data.readers.decoding import decode
from data.readers.entities import advice, spans
from data.readers.objects import ABSENT, label_in, line_of, objects, value_of, written
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.row_ids import NUMBERED, id_column
from data.schema import Example

READS = ("columns.id", "columns.text", "columns.label", "columns.subject", "columns.object", "offsets", *entities.READS)
LABEL = "label"
NAMED = "; data.columns.text, subject and object name others, data.format other forms"
IDS = ("guid", "id")
COLUMNS = ("guid", "sentence", "subject_entity", "object_entity")
PLACEHOLDER = True  # 100 stands for no label in Boostcamp's test file


class Row(NamedTuple):
    """A row of a file, and its number where that is its id."""

    values: Any
    number: int | None = None


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | ValueError]:
    """The rows of the file `name`; a ValueError stands for one that cannot be read. Raises ValueError where the
    file is no JSON of rows."""
    content = objects(decode(raw, name), name, "KLUE-RE rows")
    present = {key for key in IDS if any(isinstance(one, dict) and key in one for one in content)}
    numbered = not id_column(options, present, IDS)
    return [
        one if isinstance(one, ValueError) else Row(one, number if numbered else None)
        for number, one in enumerate(content, start=1)
    ]


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return line_of(decode(raw, name), number)


def names(options: ReaderOptions, values: Mapping, defaults: Sequence[str] = COLUMNS) -> list[str]:
    """The columns of id, sentence, subject, object and label in a row or header."""
    first = id_column(options, values, IDS) or defaults[0]
    others = map(options.column, ("text", "subject", "object", "label"), (*defaults[1:], LABEL))
    return [first, *others]


def example(row: Row, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    row, number = row
    if not isinstance(row, dict):
        raise ValueError(f"found {type(row).__name__} {shown(row)}, expected an object")
    columns = names(options, row)
    *needed, label = columns
    values = [value_of(row, key) for key in needed]
    if number is not None:
        values[0] = number
    if missing := [key for key, value in zip(needed, values, strict=True) if value is ABSENT]:
        raise ValueError(f"no key {', '.join(missing)}; found {listed([*row])}; expected {', '.join(columns)}{NAMED}")
    notes = () if number is None else (NUMBERED,)
    return relation(values, value_of(row, label), row.get("source"), columns, options, notes)


def relation(
    values: Sequence[Any],
    label: Any,
    source: Any,
    columns: Sequence[str],
    options: ReaderOptions,
    notes: tuple[str, ...] = (),
) -> Example:
    """An Example of `values`: id, sentence, subject and object; `columns` are their names and that of the label."""
    sentence = values[1]
    guid, label = written(values[0], columns[0]), written(None if label is ABSENT else label, columns[4])
    if not isinstance(sentence, str):
        raise ValueError(f"{columns[1]} is {shown(sentence)}, expected a text")
    if not guid.strip():
        raise ValueError(f"{columns[0]} is empty")
    try:
        subject, object, read = spans(values[2:], columns[2:4], sentence, options)
        return Example(
            id=guid,
            text=sentence,
            subject=subject,
            object=object,
            label=label or None,
            source=source if isinstance(source, str) else "",
            notes=(*notes, *read),
        )
    except ValueError as error:
        raise ValueError(f"{error}{advice(values[2:], columns[2:4], sentence, options)}") from None


def from_python(row: Mapping | str, number: int, options: ReaderOptions = DEFAULT) -> Example:
    """What a user hands to a `Predictor` as an Example: an object, or a text without entities.

    Its number, from 1, is its id where it has none.
    """
    if isinstance(row, str):
        return Example(str(number), row)
    numbered = not id_column(options, row, IDS) or (
        options.columns.id is not None and str(options.columns.id) not in row
    )
    return example(Row(dict(row), number if numbered else None), options)


def label(row: Row, options: ReaderOptions = DEFAULT) -> str | None:
    """The label of a row that `example` refuses, if it can be told."""
    return label_in(row.values, options.column("label", LABEL))
