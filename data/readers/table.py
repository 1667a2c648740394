"""Sentence classification: CSV, TSV, or JSON (a list of objects, or one a line), with or without a second text.

`data.columns` says where text, text_pair, label and id stand: names, or numbers from 1 in a file without a header
(`data.header` false); `a.b` is the key b of the JSON object a. A row without an id has its number. Labels are read as
text; an empty one is none.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from data.messages import listed, shown
from data.readers.content import FileBytes
from data.readers.decoding import decode, head
from data.readers.delimited import check_header, named, place_of, records, separator_of, unmerged
from data.readers.objects import ABSENT, label_in, line_of, objects, value_of, written
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.row_ids import NUMBERED, ROW, id_column
from data.schema import Example

KEYS = ("id", "text", "text_pair", "label")
READS = (*(f"columns.{key}" for key in KEYS), "header", "separator", "quoting")
LABEL = "label"
JSON = re.compile(r"\s*(\[\s*[{\]]|\{)")  # a title may begin with a bracket, too


class Row(NamedTuple):
    """A row of a file, and the column of its id, empty where the number is its id."""

    number: int
    values: Any
    id: str = ""


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | ValueError]:
    """The rows of the file `name`; a ValueError stands for one that cannot be cut. Raises ValueError where the file is
    neither a table with the columns of `options` nor JSON."""
    return [*stream(raw, name, options)]


def stream(raw: bytes | FileBytes, name: str, options: ReaderOptions = DEFAULT) -> Iterator[Row | ValueError]:
    """`rows`, one at a time; JSON is in memory as a whole nevertheless."""
    text = head(raw, name)
    if is_json(text, options):
        found = objects(decode(bytes(raw), name), name, "objects")
        filled = [one for one in found if isinstance(one, dict)]
        header = ["id"] if filled and all("id" in one for one in filled) else []
    else:
        found, header = table(raw, name, text, options)
    id = id_column(options, header, ("id",))
    for number, one in enumerate(found, start=1):
        yield one if isinstance(one, ValueError) else Row(number, one, id)


def is_json(text: str, options: ReaderOptions) -> bool:
    return options.separator == "auto" and JSON.match(text) is not None


def separator(text: str, options: ReaderOptions) -> str:
    """The one that was given, or a comma where the first line holds one and no TAB; a TAB, too, where it has one column
    only, so that commas of its texts separate nothing. Another one where the columns stand in the header by that."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    usual = "," if "," in first and "\t" not in first else "\t"
    needed = [column(options, "text"), *filter(None, [column(options, "text_pair")])] if options.header else []
    return separator_of(text, options, usual, needed)


def table(
    raw: bytes | FileBytes, name: str, text: str, options: ReaderOptions
) -> tuple[Iterator[dict[str, str] | ValueError], list[str]]:
    """The rows by the names of their columns, and these names."""
    mark = separator(text, options)
    content = (fields for _, fields in records(raw, name, mark, options.quoting))
    if options.header:
        header = next(content, [])
        needed = [
            *filter(None, (column(options, "text"), column(options, "text_pair"), id_column(options, header, ())))
        ]
        advice = "name yours by data.columns.text and its like; for a file without names, data.header false"
        check_header(name, header, needed, [column(options, LABEL)], advice)
    else:
        first = next(content, [])
        content = chain([first], content)
        header = [str(number) for number in range(1, len(first) + 1)]
        check_numbers(name, len(first), options)
    found = named(content, header)
    return map(unmerged, found) if mark == "\t" else found, header


def check_numbers(name: str, width: int, options: ReaderOptions) -> None:
    """Raises ValueError where a column is no number of one."""
    for key in KEYS:
        given = column(options, key)
        if given and not (key == "id" and given == ROW) and given not in map(str, range(1, width + 1)):
            raise ValueError(
                f"{name}: data.columns.{key} is {given!r}, expected a number from 1 to {width}: the file is read "
                f"without a header, and its first row has {width} columns; data.separator says what they stand apart by"
            )


def column(options: ReaderOptions, key: str) -> str:
    """The name of a column, empty where there is none."""
    return options.column(key, {"text": "text", "label": LABEL}.get(key, ""))


def place(raw: bytes | FileBytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    text = head(raw, name)
    if is_json(text, options):
        return line_of(decode(bytes(raw), name), number)
    content = records(raw, name, separator(text, options), options.quoting)
    return f"row {number} {place_of(content, number - 1 + options.header)}"


def example(row: Row, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    values = row.values
    if not isinstance(values, Mapping):
        raise ValueError(f"found {type(values).__name__} {shown(values)}, expected an object")
    columns = {key: column(options, key) for key in KEYS} | {"id": row.id}
    found = {key: value_of(values, name) for key, name in columns.items() if name}
    for key in ("text", "text_pair", "id"):
        if found.get(key) is ABSENT:
            raise ValueError(f"no key {columns[key]}; found {listed([*values])}; data.columns.{key} names another")
        if key != "id" and key in found and not isinstance(found[key], str):
            raise ValueError(f"{columns[key]} is {shown(found[key])}, expected a text")
    if "text_pair" in found and not found["text_pair"].strip():
        raise ValueError(f"{columns['text_pair']} is empty")
    identity = written(found["id"], row.id) if "id" in found else str(row.number)
    if not identity.strip():
        raise ValueError(f"{row.id} is empty")
    notes = () if row.id else (NUMBERED,)
    return Example(
        identity, found["text"], found.get("text_pair"), label=label_of(found["label"], options), notes=notes
    )


def label_of(value: Any, options: ReaderOptions) -> str | None:
    if value is ABSENT:
        return None
    text = str(value).lower() if isinstance(value, bool) else written(value, column(options, "label"))
    return text or None


def from_python(row: Mapping | str, number: int, options: ReaderOptions = DEFAULT) -> Example:
    """What a user hands to a `Predictor` as an Example: an object, or a text.

    Its number, from 1, is its id where it has none.
    """
    if isinstance(row, str):
        return Example(str(number), row)
    id = id_column(options, row, ("id",))
    return example(Row(number, dict(row), id if id in row else ""), options)


def label(row: Row, options: ReaderOptions = DEFAULT) -> str | None:
    """The label of a row that `example` refuses, if it can be told."""
    return label_in(row.values, column(options, "label"))
