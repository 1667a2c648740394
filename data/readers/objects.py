"""JSON files of rows: a list of objects, one object a line, or one object of columns or of rows."""

import json
import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any

from data.messages import shown

ABSENT = object()
LISTS = ("data", "rows", "examples", "instances", "items")  # what the list of rows is called inside an object
UNSUPPORTED = {
    list: "; several labels a row (multi-label) and one a word (tagging) are not supported",
    float: "; numbers to predict (regression) are not supported",
}
LOOKED_AT = 20  # lines of a file that is not whole


def objects(text: str, name: str, what: str) -> list:
    """The rows of a JSON file: a list of objects, an object a line, or one object of columns or of rows (see
    `rows_of`), which is told. A ValueError stands for one that cannot be read.

    Raises ValueError where `text` is none of these.
    """
    if not text.lstrip().startswith("["):
        if is_lines(text):
            return [item_of(line) for _, line in filled_lines(text)]
        expected = f"expected a list of {what}, an object a line, or one object of columns"
        content = loaded(text, name, expected)
        return rows_of(content, name, expected) if isinstance(content, dict) else as_list(content, name, expected)
    return listed_objects(text, name, what)


def listed_objects(text: str, name: str, what: str) -> list:
    """The items of a JSON list of `what`; a ValueError stands for one with a key twice. Raises ValueError where `text`
    is no JSON list."""
    expected = f"expected a list of {what}, or an object a line"
    return as_list(loaded(text, name, expected), name, expected)


def as_list(content: Any, name: str, expected: str) -> list:
    if not isinstance(content, list):
        raise ValueError(f"{name}: found a JSON {type(content).__name__}, {expected}")
    return content


def loaded(text: str, name: str, expected: str) -> Any:
    """What a JSON file holds as a whole. Raises ValueError where it is none."""
    try:
        content = json.loads(text, object_pairs_hook=unrepeated)
    except ValueError as error:  # JSONDecodeError, and numbers of thousands of digits
        raise ValueError(f"{name}: no valid JSON ({error}); {expected}") from None
    except RecursionError:
        raise ValueError(f"{name}: JSON nested too deeply; {expected}") from None
    if isinstance(content, ValueError):
        raise ValueError(f"{name}: {content}; {expected}")
    return content


def rows_of(content: dict, name: str, expected: str) -> list:
    """The rows of one JSON object: a list of them under `data` or the like, columns {name: list} or {name: {index:
    value}}, rows {index: row}, or {columns, data} as pandas splits them. One that is none of these is the only row."""
    values = [*content.values()]
    lists = [key for key, value in content.items() if isinstance(value, list) and all_are(dict, value)]
    lists = lists if len(lists) == 1 else [key for key in LISTS if key in lists]
    names, table = content.get("columns"), content.get("data")
    if isinstance(names, list) and isinstance(table, list) and all_are(list, table):
        if any(len(row) != len(names) for row in table):
            raise ValueError(f"{name}: columns are {len(names)}, but not all rows of data; {expected}")
        return told(name, "columns and data", [dict(zip(names, row, strict=True)) for row in table])
    if len(lists) == 1:
        return told(name, f"the list under {lists[0]!r}", content[lists[0]])
    if all_are(list, values):
        if len({len(one) for one in values}) > 1:
            lengths = ", ".join(f"{key} {len(one)}" for key, one in content.items())[:200]
            raise ValueError(f"{name}: columns are of different lengths ({lengths}); {expected}")
        return told(name, "columns", [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)])
    if all_are(dict, values) and len({(*one,) for one in values}) == 1:
        rows = [*values[0]]
        if all(key.isdecimal() for key in rows):
            return told(name, "columns", [{key: one[row] for key, one in content.items()} for row in rows])
        if all(key.isdecimal() for key in content):
            return told(name, "numbered rows", values)
    return [content]


def all_are(kind: type, values: list) -> bool:
    return bool(values) and all(isinstance(one, kind) for one in values)


def told(name: str, how: str, rows: list) -> list:
    warnings.warn(f"{name}: one JSON object, read as {how}: {len(rows):,} rows", stacklevel=4)
    return rows


def is_lines(text: str) -> bool:
    """Whether a file that is no list has an object a line, though the first may be broken: the file is no JSON value as
    a whole, and either starts with one or has lines that look like some."""
    start = len(text) - len(text.lstrip())
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
        return bool(text[end:].strip())
    except (ValueError, RecursionError):
        lines = [line.strip() for _, line in filled_lines(text)[:LOOKED_AT]]
        return len(lines) > 1 and 2 * sum(line[0] == "{" and line[-1] == "}" for line in lines) >= len(lines)


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
    if text.lstrip().startswith("[") or not is_lines(text):
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
        advice = UNSUPPORTED[type(value)] if type(value) is list or (type(value) is float and value % 1 > 0) else ""
        raise ValueError(f"{column} is {shown(value)}, expected a text or a whole number{advice}")
    return "" if value is None else str(value)


def value_of(row: dict, name: str) -> Any:
    """What stands under a key, or under `a.b` in the object a; ABSENT where there is none.

    Raises ValueError where an object on the way has a key twice, or is a list.
    """
    if name in row:
        return row[name]
    outer, dot, inner = name.partition(".")
    nested = row.get(outer) if dot else None
    if isinstance(nested, ValueError):
        raise ValueError(f"{outer}: {nested}")
    if isinstance(nested, list):
        raise ValueError(
            f"{outer} is a list of {len(nested)}, which have no {inner} as a whole; a row has one: make the items of "
            f"{outer} the rows of the file"
        )
    return value_of(nested, inner) if isinstance(nested, dict) else ABSENT


def label_in(row: Any, name: str) -> str | None:
    """The label of a row that may be bad in whatever way; None where none is to be had."""
    try:
        value = value_of(row, name) if isinstance(row, Mapping) else ABSENT
        return None if value is ABSENT else written(value, name) or None
    except ValueError:
        return None
