"""JSON files of rows: a list of objects, or one object a line."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from data.messages import shown

ABSENT = object()


def listed_objects(text: str, name: str, what: str) -> list:
    """The items of a JSON list of `what`; a ValueError stands for one with a key twice. Raises ValueError where `text`
    is no JSON list."""
    try:
        content = json.loads(text, object_pairs_hook=unrepeated)
    except ValueError as error:  # JSONDecodeError, and numbers of thousands of digits
        if str(error).startswith("Extra data") and text.lstrip().startswith("{"):
            raise ValueError(f"{name}: found JSON Lines, an object a line; expected one list of {what}") from None
        raise ValueError(f"{name}: no valid JSON ({error}); expected a list of {what}") from None
    except RecursionError:
        raise ValueError(f"{name}: JSON nested too deeply; expected a list of {what}") from None
    if not isinstance(content, list):
        kind = "dict" if isinstance(content, ValueError) else type(content).__name__
        raise ValueError(f"{name}: found a JSON {kind}, expected a list of {what}")
    return content


def objects(text: str, name: str, what: str) -> list:
    """The items of a JSON list, or of JSON lines; a ValueError stands for one that cannot be read."""
    if text.lstrip().startswith("["):
        return listed_objects(text, name, what)
    return [item_of(line) for _, line in filled_lines(text)]


def item_of(line: str) -> Any:
    try:
        return json.loads(line, object_pairs_hook=unrepeated)
    except ValueError as error:
        return ValueError(f"no valid JSON ({error}); expected an object a line, or one list of them")
    except RecursionError:
        return ValueError("JSON nested too deeply; expected an object a line")


def filled_lines(text: str) -> list[tuple[int, str]]:
    """(number from 1, line) of each line that is not empty."""
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def line_of(text: str, number: int) -> str:
    """Where item `number` (from 1) stands, as messages say it."""
    if text.lstrip().startswith("["):
        return f"row {number}"
    line, _ = filled_lines(text)[number - 1]
    return f"row {number} (line {line})" if line != number else f"row {number}"


def unrepeated(pairs: list[tuple[str, Any]]) -> dict | ValueError:
    """An object of the file. One with a key twice becomes its error: json alone would keep the last, unseen."""
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    return ValueError(f"key {shown(Counter(key for key, _ in pairs).most_common(1)[0][0])} stands twice in an object")


def written(value: Any, column: str) -> str:
    """An id or label as text, empty where there is none; some files number their rows and labels."""
    if value is not None and type(value) not in (str, int):
        raise ValueError(f"{column} is {shown(value)}, expected a text or a whole number")
    return "" if value is None else str(value)


def value_of(row: dict, name: str) -> Any:
    """What stands under a key, or under `a.b` in the object a; ABSENT where there is none.

    Raises ValueError where an object on the way has a key twice.
    """
    if name in row:
        return row[name]
    outer, dot, inner = name.partition(".")
    nested = row.get(outer) if dot else None
    if isinstance(nested, ValueError):
        raise ValueError(f"{outer}: {nested}")
    return value_of(nested, inner) if isinstance(nested, dict) else ABSENT


def label_in(row: Any, name: str) -> str | None:
    """The label of a row that may be bad in whatever way; None where none is to be had."""
    try:
        value = value_of(row, name) if isinstance(row, Mapping) else ABSENT
        return None if value is ABSENT else written(value, name) or None
    except ValueError:
        return None
