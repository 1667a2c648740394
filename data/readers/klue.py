"""KLUE-RE JSON: a list of objects with guid, sentence, subject_entity, object_entity, label, source.

Entity offsets of the files are INCLUSIVE (`sentence[start_idx:end_idx + 1] == word`), those of some others are not
(`data.offsets`); spans are made exclusive here.
"""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from data.messages import listed, shown
from data.readers.objects import ABSENT, label_in, listed_objects, value_of, written
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.text import decode
from data.schema import Example, Span

READS = ("columns.id", "columns.text", "columns.label", "columns.subject", "columns.object", "offsets")
LABEL = "label"
COLUMNS = ("guid", "sentence", "subject_entity", "object_entity")
ENTITY_KEYS = ("word", "start_idx", "end_idx", "type")
PLACEHOLDER = True  # 100 stands for no label in Boostcamp's test file


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list:
    """The rows of the file `name`; a ValueError stands for one with a key twice. Raises ValueError where the file is
    no JSON list."""
    return listed_objects(decode(raw, name), name, "KLUE-RE rows")


def names(options: ReaderOptions, defaults: Sequence[str] = COLUMNS) -> list[str]:
    """The columns of id, sentence, subject, object and label."""
    return list(map(options.column, ("id", "text", "subject", "object", "label"), (*defaults, LABEL)))


def example(row: Any, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    if not isinstance(row, dict):
        raise ValueError(f"found {type(row).__name__} {shown(row)}, expected an object")
    columns = names(options)
    *needed, label = columns
    values = [value_of(row, key) for key in needed]
    if missing := [key for key, value in zip(needed, values, strict=True) if value is ABSENT]:
        raise ValueError(f"no key {', '.join(missing)}; found {listed([*row])}; expected {', '.join(columns)}")
    return relation(values, value_of(row, label), row.get("source"), columns, options)


def relation(values: Sequence[Any], label: Any, source: Any, columns: Sequence[str], options: ReaderOptions) -> Example:
    """An Example of `values`: id, sentence, subject and object; `columns` are their names and that of the label."""
    sentence = values[1]
    guid, label = written(values[0], columns[0]), written(None if label is ABSENT else label, columns[4])
    if not isinstance(sentence, str):
        raise ValueError(f"{columns[1]} is {shown(sentence)}, expected a text")
    if not guid.strip():
        raise ValueError(f"{columns[0]} is empty")
    exclusive = options.offsets == "exclusive"
    try:
        subject, object = (
            entity(value, column, exclusive) for value, column in zip(values[2:], columns[2:4], strict=True)
        )
        return Example(
            id=guid,
            text=sentence,
            subject=subject,
            object=object,
            label=label or None,
            source=source if isinstance(source, str) else "",
        )
    except ValueError as error:
        if all(fits(value, sentence, not exclusive) for value in values[2:]):
            raise ValueError(f"{error}; data.offsets {'inclusive' if exclusive else 'exclusive'} fits it") from None
        raise


def entity(value: Any, column: str, exclusive: bool = False) -> Span:
    """A span from {word, start_idx, end_idx, type}; `exclusive` says that end_idx is one after the last character."""
    if isinstance(value, ValueError):
        raise ValueError(f"{column}: {value}")
    if not isinstance(value, dict) or any(key not in value for key in ENTITY_KEYS):
        raise ValueError(f"{column} is {shown(value, 120)}, expected an object with {', '.join(ENTITY_KEYS)}")
    word, start, end, kind = (value[key] for key in ENTITY_KEYS)
    for key, offset in (("start_idx", start), ("end_idx", end)):
        if isinstance(offset, bool) or not isinstance(offset, Integral):  # NumPy's are whole numbers, too
            raise ValueError(f"{column}: {key} is {shown(offset)}, expected a whole number")
    if not isinstance(word, str) or not isinstance(kind, str) or not kind:
        raise ValueError(f"{column}: word is {shown(word)} and type is {shown(kind)}, expected two texts")
    if exclusive and start >= end:
        raise ValueError(
            f"{column}: start_idx {shown(start)} does not come before end_idx {shown(end)} (data.offsets exclusive)"
        )
    if start > end:
        raise ValueError(f"{column}: start_idx {shown(start)} comes after end_idx {shown(end)} (both inclusive)")
    return Span(start=int(start), end=int(end if exclusive else end + 1), text=word, type=kind)


def fits(value: Any, sentence: str, exclusive: bool) -> bool:
    """Whether an entity's word stands where its offsets say, read that way."""
    try:
        span = entity(value, "", exclusive)
    except ValueError:
        return False
    return span.start >= 0 and sentence[span.start : span.end] == span.text


def from_python(row: Mapping | str, number: int, options: ReaderOptions = DEFAULT) -> Example:
    """What a user hands to a `Predictor` as an Example: an object, or a text without entities.

    Its number, from 1, is its id where it has none.
    """
    if isinstance(row, str):
        return Example(str(number), row)
    return example({options.column("id", COLUMNS[0]): str(number)} | dict(row), options)


def label(row: Any, options: ReaderOptions = DEFAULT) -> str | None:
    """The label of a row that `example` refuses, if it can be told."""
    return label_in(row, options.column("label", LABEL))
