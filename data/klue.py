"""KLUE-RE JSON: a list of objects with guid, sentence, subject_entity, object_entity, label, source.

Entity offsets of the files are INCLUSIVE (`sentence[start_idx:end_idx + 1] == word`); spans are made exclusive here.
"""

import json
from collections.abc import Mapping
from typing import Any

from data.schema import Example, Span
from data.text import decode

COLUMNS = ("guid", "sentence", "subject_entity", "object_entity")
ENTITY_KEYS = ("word", "start_idx", "end_idx", "type")
UNLABELLED = (None, "", "100", 100)  # 100 is the placeholder of Boostcamp's test file


def rows(raw: bytes, name: str) -> list[dict]:
    """The rows of the file `name`. Raises ValueError where it is no JSON list of objects with KLUE's keys."""
    text = decode(raw, name)
    try:
        content = json.loads(text)
    except ValueError as error:  # JSONDecodeError, and numbers of thousands of digits
        raise ValueError(f"{name}: no valid JSON ({error}); expected a list of KLUE-RE rows") from None
    except RecursionError:
        raise ValueError(f"{name}: JSON nested too deeply; expected a list of KLUE-RE rows") from None
    if not isinstance(content, list):
        raise ValueError(f"{name}: found a JSON {type(content).__name__}, expected a list of KLUE-RE rows")
    for number, row in enumerate(content, start=1):
        if not isinstance(row, dict):
            raise ValueError(f"{name}, row {number}: found {type(row).__name__} {row!r:.80}, expected an object")
        missing = [key for key in COLUMNS if key not in row]
        if missing:
            raise ValueError(
                f"{name}, row {number}: no key {', '.join(missing)}; found {', '.join(map(str, row))}; "
                f"expected {', '.join(COLUMNS)}, label"
            )
    return content


def example(row: Mapping[str, Any]) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    if not isinstance(row["sentence"], str):
        raise ValueError(f"sentence is {row['sentence']!r:.80}, expected a text")
    if row["guid"] in (None, ""):
        raise ValueError("guid is empty")
    label = row.get("label")
    if isinstance(label, (list, dict, float, bool)):
        raise ValueError(f"label is {label!r:.80}, expected a label name")
    return Example(
        id=str(row["guid"]),
        text=row["sentence"],
        subject=entity(row["subject_entity"], "subject_entity"),
        object=entity(row["object_entity"], "object_entity"),
        label=None if label in UNLABELLED else str(label),
        source=str(row.get("source") or ""),
    )


def entity(value: Any, column: str) -> Span:
    """A span from {word, start_idx, end_idx (inclusive), type}."""
    if not isinstance(value, dict) or any(key not in value for key in ENTITY_KEYS):
        raise ValueError(f"{column} is {value!r:.120}, expected an object with {', '.join(ENTITY_KEYS)}")
    word, start, end, kind = (value[key] for key in ENTITY_KEYS)
    for key, offset in (("start_idx", start), ("end_idx", end)):
        if type(offset) is not int:
            raise ValueError(f"{column}: {key} is {offset!r:.80}, expected a whole number")
    if not isinstance(word, str) or not isinstance(kind, str) or not kind:
        raise ValueError(f"{column}: word is {word!r:.80} and type is {kind!r:.80}, expected two texts")
    if start > end:
        raise ValueError(f"{column}: start_idx {start} comes after end_idx {end} (both inclusive)")
    return Span(start=start, end=end + 1, text=word, type=kind)
