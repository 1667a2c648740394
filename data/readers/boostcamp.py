"""Boostcamp CSV of KLUE-RE: id, sentence, subject_entity, object_entity, label, source; TAB or semicolon may separate.

Entities are Python dicts written as text, or JSON objects.
"""

import ast
from collections.abc import Iterator
from typing import Any

from data.messages import shown
from data.readers import klue
from data.readers.content import FileBytes
from data.readers.delimited import check_header, named, place_of, records, separator_of, unmerged
from data.readers.klue import Row
from data.readers.objects import ABSENT, item_of, unrepeated
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.row_ids import NUMBERED, id_column
from data.schema import Example

READS = (*klue.READS, "separator", "quoting")
LABEL, PLACEHOLDER = klue.LABEL, klue.PLACEHOLDER
from_python, label = klue.from_python, klue.label
IDS = ("id", "guid")
COLUMNS = ("id", "sentence", "subject_entity", "object_entity")
HEADER = 10_000  # bytes in which a header ends
LONGEST_ENTITY = 2000  # characters: an entity column is a small dict, anything longer is not one


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | ValueError]:
    """The rows of the file `name`; a ValueError stands for one of another width. Raises ValueError where the file is
    no CSV with Boostcamp's columns."""
    return [*stream(raw, name, options)]


def stream(raw: bytes | FileBytes, name: str, options: ReaderOptions = DEFAULT) -> Iterator[Row | ValueError]:
    """`rows`, one at a time."""
    mark = separator(raw, options)
    content = (fields for _, fields in records(raw, name, mark, options.quoting))
    header = next(content, [])
    id, *needed, label = klue.names(options, header, COLUMNS)
    numbered = not id_column(options, header, IDS)
    needed = needed if numbered else [id, *needed]
    expected = (
        f"expected {', '.join(needed)}, {label}, separated by commas, TABs or semicolons{klue.NAMED}; for other files "
        "see data.format"
    )
    check_header(name, header, needed, [label], expected)
    rows = named(content, header)
    for number, row in enumerate(map(unmerged, rows) if mark == "\t" else rows, start=1):
        yield row if isinstance(row, ValueError) else Row(row, number if numbered else None)


def place(raw: bytes | FileBytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it; its sentence may run over several lines."""
    content = records(raw, name, separator(raw, options), options.quoting)
    return f"row {number} {place_of(content, number)}"  # the header is number 0


def separator(raw: bytes | FileBytes, options: ReaderOptions) -> str:
    """A comma, unless the columns stand in the header by another one."""
    text = raw[:HEADER].decode("utf-8-sig", errors="replace")  # what is wrong with the bytes is told by `records`
    return separator_of(text, options, ",", klue.names(options, [], COLUMNS)[1:4])


def example(row: Row, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    row, number = row
    columns = klue.names(options, row, COLUMNS)
    sentence, *entities = (row[column] for column in columns[1:4])
    subject, object = map(entity_dict, entities, columns[2:4])
    values = (row[columns[0]] if number is None else number, sentence, subject, object)
    notes = () if number is None else (NUMBERED,)
    return klue.relation(values, row.get(columns[4], ABSENT), row.get("source"), columns, options, notes)


def entity_dict(text: str, column: str) -> Any:
    """The dict written in an entity column: literals only, nothing is evaluated. See `unrepeated`."""
    if len(text) > LONGEST_ENTITY:
        raise ValueError(f"{column} holds {len(text)} characters, expected a dict of {LONGEST_ENTITY} at most")
    try:
        tree = ast.parse(text.lstrip(" \t"), mode="eval")
        value = ast.literal_eval(tree)
        keys = tree.body.keys if isinstance(tree.body, ast.Dict) else []
        if len(keys) == len(value if keys else ()):
            return value
        return unrepeated([(key, value[key]) for key in map(ast.literal_eval, keys)])
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        if isinstance(value := item_of(text), dict):  # null, true and false are no Python
            return value
        raise ValueError(
            f"{column} is {shown(text, 120)}, expected a dict such as {{'word': 'A', 'start_idx': 0, ...}}"
        ) from None
