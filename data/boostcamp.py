"""Boostcamp CSV of KLUE-RE: id, sentence, subject_entity, object_entity, label, source.

Entities are Python dicts written as text.
"""

import ast
import csv
import io
from collections.abc import Mapping

from data import klue
from data.schema import Example
from data.text import decode

COLUMNS = ("id", "sentence", "subject_entity", "object_entity")
LONGEST_ENTITY = 2000  # characters: an entity column is a small dict, anything longer is not one


def rows(raw: bytes, name: str) -> list[dict]:
    """The rows of the file `name`. Raises ValueError where it is no CSV with Boostcamp's columns."""
    # newline="" keeps line ends inside quoted sentences, so that offsets stay right
    reader = csv.reader(io.StringIO(decode(raw, name), newline=""), strict=True)
    content = []
    try:
        header = next(reader, [])
        missing = [column for column in COLUMNS if column not in header]
        if missing:
            raise ValueError(
                f"{name}: no column {', '.join(missing)}; found {', '.join(header)[:200] or 'nothing'}; "
                f"expected {', '.join(COLUMNS)}, label"
            )
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise ValueError(
                    f"{name}, row {len(content) + 1} (line {reader.line_num}): found {len(fields)} columns, "
                    f"expected {len(header)}"
                )
            content.append(dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        raise ValueError(f"{name}, row {len(content) + 1} (line {reader.line_num}): no valid CSV ({error})") from None
    return content


def example(row: Mapping[str, str]) -> Example:
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


def entity_dict(text: str, column: str) -> dict:
    """The dict written in an entity column: literals only, nothing is evaluated."""
    try:
        if len(text) > LONGEST_ENTITY:
            raise ValueError
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(
            f"{column} is {text!r:.120}, expected a dict such as {{'word': 'A', 'start_idx': 0, ...}}"
        ) from None
