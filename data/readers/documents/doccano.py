"""doccano's exports: JSON Lines, or a list, of texts with entities and relations, or with a class.

    {"id": 1, "text": "..", "entities": [{"id": 7, "label": "ORG", "start_offset": 0, "end_offset": 4}, ..],
     "relations": [{"id": 3, "from_id": 7, "to_id": 8, "type": "founded_by"}, ..]}
    {"id": 1, "text": "..", "label": ["sports"]}

Ends are exclusive; doccano keeps no words of entities, so that only the text's length and blanks can contradict them.
Older exports write `data` for text, `labels` or `annotations` for label, and entities as [start, end, label]; these
hold no relations, so that their pairs are rows without a label.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from data.messages import listed, shown
from data.readers.documents import pairs
from data.readers.documents.pairs import Passage, PlacedError, Row, passage_rows
from data.readers.documents.records import (
    collected,
    documents,
    from_python,
    identity,
    items,
    key_text,
    only_label,
    place_of,
    relation_of,
    text_of,
)
from data.readers.documents.spans import added, span_of
from data.readers.options import DEFAULT, ReaderOptions

__all__ = ["example", "from_python", "label", "place", "rows"]

READS = ("columns.id", "columns.text", "negatives")
LABELS = ("label", "labels", "annotations", "cats")
example, label = pairs.example, pairs.label


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | PlacedError]:
    """The rows of the file `name`. Raises ValueError where it cannot be read as a whole, or makes no row."""
    found = documents(raw, name, "objects with text, and entities and relations or label")
    return collected(found, name, partial(document_rows, options))


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return place_of(rows, raw, name, number, options)


def document_rows(
    options: ReaderOptions, number: int, where: str, document: dict, counts: Counter
) -> Iterator[Row | PlacedError]:
    id, notes = identity(document, number, options, ("id",))
    text = text_of(document, options, ("text", "data"))
    if isinstance(document.get("label"), dict) and "entities" in document["label"]:
        document = document | document["label"]
    marked = entities_of(document)
    if marked is None:
        yield Row(id, text, None, None, class_of(document), where, notes)
        return
    entities = {}
    for one in marked:
        try:
            key = key_text(one.get("id"), "the id of an entity")
        except ValueError as error:
            yield PlacedError(str(error), where)
            continue
        span = partial(
            span_of, text, one.get("start_offset"), one.get("end_offset"), kind_of(one), f"entity {listed([key])}"
        )
        notes = (*notes, *added(entities, key, span))
    relations = None
    if "relations" in document:
        found = items(document["relations"], "relations")
        relations = [relation_of(one, place, ("from_id", "to_id"), "type") for place, one in enumerate(found)]
    yield from passage_rows(Passage(id, text, where, entities, relations, notes), options, counts)


def kind_of(entity: Mapping) -> str | None:
    """Its type; the number of one, as the oldest exports have it, is read as a text."""
    kind = entity.get("label")
    return str(kind) if type(kind) is int else kind


def entities_of(document: Mapping) -> list[dict] | None:
    """The entities of a document as today's exports write them; None where it has a class instead."""
    if "entities" in document:
        return items(document["entities"], "entities")
    for key in LABELS:
        value = document.get(key)
        if not isinstance(value, list) or not value:
            continue
        if all(isinstance(one, list) and len(one) == 3 for one in value):
            return [
                {"id": place, "start_offset": start, "end_offset": end, "label": kind}
                for place, (start, end, kind) in enumerate(value)
            ]
        if all(isinstance(one, dict) and "start_offset" in one for one in value):
            return [{"id": place} | one for place, one in enumerate(value)]
    return None


def class_of(document: Mapping) -> str | None:
    """The class of a text: a list of one, a text, or annotations that agree. None where it has none."""
    if "relations" in document:
        raise ValueError(f"relations without entities; found {listed([*document])}")
    key = next((key for key in LABELS if key in document), None)
    if key is None:
        return None
    value: Any = document[key]
    if isinstance(value, list) and value and all(isinstance(one, dict) and "label" in one for one in value):
        value = [*dict.fromkeys(str(one["label"]) for one in value)]  # one of each annotator
    if value == ["entities"]:
        raise ValueError(
            f"{key} is {shown(value)}, which doccano wrote in place of entities where it was told to export classes; "
            "export as JSONL(relation)"
        )
    return only_label(value, key)
