"""KLUE-RE JSON: a list of objects with guid, sentence, subject_entity, object_entity, label, source.

Entity offsets of the files are INCLUSIVE (`sentence[start_idx:end_idx + 1] == word`); spans are made exclusive here.
"""

import json
from collections import Counter
from typing import Any

from data.options import DEFAULT, ReaderOptions
from data.schema import Example, Span
from data.text import decode, listed, shown

READS = ("columns.id", "columns.text", "columns.label", "columns.subject", "columns.object", "offsets")
COLUMNS = ("guid", "sentence", "subject_entity", "object_entity")
ENTITY_KEYS = ("word", "start_idx", "end_idx", "type")
UNLABELLED = ("", "100")  # 100 is the placeholder of Boostcamp's test file


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list:
    """The rows of the file `name`; a ValueError stands for one with a key twice. Raises ValueError where the file is
    no JSON list."""
    text = decode(raw, name)
    try:
        content = json.loads(text, object_pairs_hook=unrepeated)
    except ValueError as error:  # JSONDecodeError, and numbers of thousands of digits
        if str(error).startswith("Extra data") and text.lstrip().startswith("{"):
            raise ValueError(f"{name}: found JSON Lines, an object a line; expected one list of KLUE-RE rows") from None
        raise ValueError(f"{name}: no valid JSON ({error}); expected a list of KLUE-RE rows") from None
    except RecursionError:
        raise ValueError(f"{name}: JSON nested too deeply; expected a list of KLUE-RE rows") from None
    if not isinstance(content, list):
        kind = "dict" if isinstance(content, ValueError) else type(content).__name__
        raise ValueError(f"{name}: found a JSON {kind}, expected a list of KLUE-RE rows")
    return content


def unrepeated(pairs: list[tuple[str, Any]]) -> dict | ValueError:
    """An object of the file. One with a key twice becomes its error: json alone would keep the last, unseen."""
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    return ValueError(f"key {shown(Counter(key for key, _ in pairs).most_common(1)[0][0])} stands twice in an object")


def example(row: Any, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    if not isinstance(row, dict):
        raise ValueError(f"found {type(row).__name__} {shown(row)}, expected an object")
    if missing := [key for key in COLUMNS if key not in row]:
        raise ValueError(f"no key {', '.join(missing)}; found {listed([*row])}; expected {', '.join(COLUMNS)}, label")
    sentence, source = row["sentence"], row.get("source")
    guid, label = (written(row.get(key), key) for key in ("guid", "label"))
    if not isinstance(sentence, str):
        raise ValueError(f"sentence is {shown(sentence)}, expected a text")
    if not guid.strip():
        raise ValueError("guid is empty")
    return Example(
        id=guid,
        text=sentence,
        subject=entity(row["subject_entity"], "subject_entity"),
        object=entity(row["object_entity"], "object_entity"),
        label=None if label in UNLABELLED else label,
        source=source if isinstance(source, str) else "",
    )


def written(value: Any, column: str) -> str:
    """An id or label as text, empty where there is none; some files number their rows and labels."""
    if value is not None and type(value) not in (str, int):
        raise ValueError(f"{column} is {shown(value)}, expected a text or a whole number")
    return "" if value is None else str(value)


def entity(value: Any, column: str) -> Span:
    """A span from {word, start_idx, end_idx (inclusive), type}."""
    if isinstance(value, ValueError):
        raise ValueError(f"{column}: {value}")
    if not isinstance(value, dict) or any(key not in value for key in ENTITY_KEYS):
        raise ValueError(f"{column} is {shown(value, 120)}, expected an object with {', '.join(ENTITY_KEYS)}")
    word, start, end, kind = (value[key] for key in ENTITY_KEYS)
    for key, offset in (("start_idx", start), ("end_idx", end)):
        if type(offset) is not int:
            raise ValueError(f"{column}: {key} is {shown(offset)}, expected a whole number")
    if not isinstance(word, str) or not isinstance(kind, str) or not kind:
        raise ValueError(f"{column}: word is {shown(word)} and type is {shown(kind)}, expected two texts")
    if start > end:
        raise ValueError(f"{column}: start_idx {shown(start)} comes after end_idx {shown(end)} (both inclusive)")
    return Span(start=start, end=end + 1, text=word, type=kind)
