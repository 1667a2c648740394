"""A file of documents: from bytes to rows, where a row stands, and what a document has under which key."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from data.messages import listed, shown
from data.readers.decoding import decode
from data.readers.documents.pairs import PlacedError, Relation, Row
from data.readers.objects import ABSENT, filled_lines, is_lines, item_of, listed_objects, loaded, value_of, written
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.row_ids import id_column
from data.schema import Example, Span

NO_ID = "no id of documents: their number, from 1, stands for it"


def documents(raw: bytes, name: str, what: str) -> list[tuple[int, str, Any]]:
    """(number from 1, where it stands, content) of each document of a JSON list, or of JSON lines; a ValueError stands
    for one that cannot be read. Raises ValueError where the file is neither."""
    text = decode(raw, name)
    if text.lstrip().startswith("["):
        found = listed_objects(text, name, what)
        return [(number, f"document {number}", one) for number, one in enumerate(found, start=1)]
    if not is_lines(text):
        return [(1, "document 1", loaded(text, name, f"expected a list of {what}, or an object a line"))]
    filled = enumerate(filled_lines(text), start=1)
    return [(number, f"line {line}", item_of(content)) for number, (line, content) in filled]


def collected(
    found: Iterable[tuple[int, str, Any]],
    name: str,
    read: Callable[[int, str, dict, Counter], Iterable[Row | PlacedError]],
    counts: Counter | None = None,
) -> list[Row | PlacedError]:
    """The rows that `read(number, where, document, counts)` makes of each document, or a bad one; what makes none is
    told. Raises ValueError where no document makes one."""
    counts = Counter() if counts is None else counts
    rows: list[Row | PlacedError] = []
    number = 0
    for number, where, document in found:
        try:
            if isinstance(document, ValueError):
                raise document
            if not isinstance(document, dict):
                raise ValueError(f"found {type(document).__name__} {shown(document)}, expected an object")
            rows += read(number, where, document, counts)
        except ValueError as error:
            rows.append(PlacedError(str(error), where))
    lines = [f"{times:,} {what}" for what, times in counts.items() if times]
    if number and not rows:
        reasons = "; ".join(lines) or "none has two entities"
        raise ValueError(f"{name}: no row is made of its {number:,} document(s): {reasons}")
    for line in lines:
        warnings.warn(f"{name}: no row is made of {line}", stacklevel=3)
    return rows


def place_of(rows: Callable, raw: bytes, name: str, number: int, options: ReaderOptions) -> str:
    """Where row `number` (from 1) of the function `rows` stands, as messages say it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return f"row {number} ({rows(raw, name, options)[number - 1].where})"


def from_python(row: Mapping | str, number: int, options: ReaderOptions = DEFAULT) -> Example:
    """What a user hands to a `Predictor` as an Example: a text, or an object with text, subject and object, which have
    start, end (exclusive) and perhaps type. Its number, from 1, is its id where it has none."""
    if isinstance(row, str):
        return Example(str(number), row)
    content = dict(row)
    text = text_of(content, options)
    pair = [content.get(role) for role in ("subject", "object")]
    if pair == [None, None]:
        return Example(written(content.get("id", number), "id"), text)
    spans = []
    for role, value in zip(("subject", "object"), pair, strict=True):
        if not isinstance(value, Mapping) or not {"start", "end"} <= value.keys():
            raise ValueError(f"{role} is {shown(value)}, expected an object with start, end (exclusive) and type")
        start, end = (whole(value[key], f"{role}: {key}") for key in ("start", "end"))
        kind = value.get("type") or ""
        if not isinstance(kind, str):
            raise ValueError(f"{role}: type is {shown(kind)}, expected a text")
        word = value.get("word", value.get("text", text[max(start, 0) : max(end, 0)]))
        spans.append(Span(start, end, word, kind))
    return Example(written(content.get("id", number), "id"), text, subject=spans[0], object=spans[1])


def identity(document: Mapping, number: int, options: ReaderOptions, usual: Sequence[str]) -> tuple[str, tuple]:
    """The id of a document, and a note where that is its number."""
    key = id_column(options, document, usual)
    value = value_of(document, key) if key else number
    if value is ABSENT:
        raise ValueError(f"no key {key}; found {listed([*document])}; data.columns.id names another")
    if not (id := written(value, key)).strip():
        raise ValueError(f"{key} is empty")
    return id, (() if key or options.columns.id is not None else (NO_ID,))


def needed(document: Mapping, key: str) -> Any:
    """What stands under a key that every document has. Raises ValueError with the keys of one that does not."""
    if key not in document:
        raise ValueError(f"no key {key}; found {listed([*document])}; data.format says what the file is")
    return document[key]


def text_of(document: Mapping, options: ReaderOptions, usual: Sequence[str] = ("text",)) -> str:
    """The text of a document: under the key that was named, or the first of `usual` that it has."""
    named = options.columns.text is not None
    keys = [options.column("text", "")] if named else [key for key in usual if key in document]
    value = value_of(document, keys[0]) if keys else ABSENT
    if value is ABSENT:
        wanted = keys[0] if named else " or ".join(usual)
        raise ValueError(f"no key {wanted}; found {listed([*document])}; data.columns.text names another")
    if not isinstance(value, str):
        raise ValueError(f"{keys[0]} is {shown(value)}, expected a text")
    return value


def items(value: Any, what: str) -> list[dict]:
    """A list of objects; what `datasets` makes of one, an object of lists of one length, is read as that list."""
    columns = [*value.values()] if isinstance(value, dict) else []
    if columns and all(isinstance(one, list) and len(one) == len(columns[0]) for one in columns):
        value = [dict(zip(value, one, strict=True)) for one in zip(*columns, strict=True)]
    if not isinstance(value, list):
        raise ValueError(f"{what} is {shown(value)}, expected a list of objects")
    for one in value:
        if isinstance(one, ValueError):
            raise ValueError(f"{what}: {one}")
        if not isinstance(one, dict):
            raise ValueError(f"{what} holds {shown(one)}, expected objects")
    return value


def whole(value: Any, what: str) -> int:
    if type(value) is not int:
        raise ValueError(f"{what} is {shown(value)}, expected a whole number")
    return value


def key_text(value: Any, what: str) -> str:
    """The id of an entity or relation as a text."""
    if type(value) not in (int, str) or not str(value).strip():
        raise ValueError(f"{what} is {shown(value)}, expected an id")
    return str(value)


def relation_of(one: Mapping, place: int, ends: tuple[str, str], kind: str) -> Relation:
    """A relation with its id, or its number; what is wrong with one stands in place of its label."""
    id = str(place)
    try:
        id = key_text(one.get("id", place), "the id of a relation")
        return Relation(id, *(key_text(one.get(end), end) for end in ends), only_label(one.get(kind), kind))
    except ValueError as error:
        return Relation(id, "", "", error)


def relation_label(relation: Mapping, key: str) -> str | ValueError | None:
    """The label of a relation, or what is wrong with it."""
    try:
        return only_label(relation.get(key), key)
    except ValueError as error:
        return error


def only_label(value: Any, what: str) -> str | None:
    """The label of a row: a text, a number, or a list of at most one. Raises ValueError for several."""
    if isinstance(value, list):
        if len(value) > 1:
            raise ValueError(f"{what} holds {len(value)} labels, {shown(value)}: multi-label data are not supported")
        value = value[0] if value else None
    return written(value, what) or None
