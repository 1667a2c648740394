"""Boostcamp CSV of KLUE-RE: id, sentence, subject_entity, object_entity, label, source.

Entities are Python dicts written as text.
"""

import ast
import csv
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from data import klue
from data.options import DEFAULT, ReaderOptions
from data.schema import Example
from data.text import decode, listed, shown

READS = klue.READS
COLUMNS = ("id", "sentence", "subject_entity", "object_entity")
LONGEST_ENTITY = 2000  # characters: an entity column is a small dict, anything longer is not one


def records(raw: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line where it starts, fields) of the header and of each row. Raises ValueError where the file is no CSV."""
    # newline="" keeps line ends inside quoted sentences, so that offsets stay right
    reader = csv.reader(io.StringIO(decode(raw, name), newline=""), strict=True)
    number = 0
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            where = f"row {number} (line {line})" if number else f"line {line}"
            raise ValueError(f"{name}, {where}: no valid CSV ({error}; is a quote open or not doubled?)") from None
        if fields is None:
            return
        if fields:
            yield line, fields
            number += 1


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[dict | ValueError]:
    """The rows of the file `name`; a ValueError stands for one of another width. Raises ValueError where the file is
    no CSV with Boostcamp's columns."""
    content = (fields for _, fields in records(raw, name))
    header = next(content, [])
    expected = f"found {listed(header)}; expected {', '.join(COLUMNS)}, label, separated by commas"
    if missing := [column for column in COLUMNS if column not in header]:
        raise ValueError(f"{name}: no column {', '.join(missing)}; {expected}")
    if repeated := [column for column in (*COLUMNS, "label") if header.count(column) > 1]:
        raise ValueError(f"{name}: column {', '.join(repeated)} stands twice; {expected}")
    return [
        dict(zip(header, fields, strict=True))
        if len(fields) == len(header)
        else ValueError(f"found {len(fields)} columns, expected {len(header)}")
        for fields in content
    ]


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it; its sentence may run over several lines."""
    line, _ = next(islice(records(raw, name), number, None))  # the header is number 0
    return f"row {number} (line {line})"


def example(row: Mapping[str, str], options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    return klue.example(
        {
            "guid": row["id"],
            "sentence": row["sentence"],
            "subject_entity": entity_dict(row["subject_entity"], "subject_entity"),
            "object_entity": entity_dict(row["object_entity"], "object_entity"),
            "label": row.get("label"),
            "source": row.get("source"),
        }
    )


def entity_dict(text: str, column: str) -> Any:
    """The dict written in an entity column: literals only, nothing is evaluated. See `klue.unrepeated`."""
    if len(text) > LONGEST_ENTITY:
        raise ValueError(f"{column} holds {len(text)} characters, expected a dict of {LONGEST_ENTITY} at most")
    try:
        tree = ast.parse(text.lstrip(" \t"), mode="eval")
        value = ast.literal_eval(tree)
        keys = tree.body.keys if isinstance(tree.body, ast.Dict) else []
        return klue.unrepeated([(key, value[key]) for key in map(ast.literal_eval, keys)]) if keys else value
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(
            f"{column} is {shown(text, 120)}, expected a dict such as {{'word': 'A', 'start_idx': 0, ...}}"
        ) from None
