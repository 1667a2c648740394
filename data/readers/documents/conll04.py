"""CoNLL04 as SpERT has it: JSON, a list or an object a line, of words, entities and relations between them.

    {"tokens": ["Han", "leads", "Daon"], "entities": [{"type": "Peop", "start": 0, "end": 1}, ..],
     "relations": [{"type": "Work_For", "head": 0, "tail": 1}], "orig_id": 5178}

Ends are exclusive; head and tail are numbers of entities from 0, head is the subject. The sentence is the words with
blanks between. Roth and Yih 2004, https://aclanthology.org/W04-2401; Eberts and Ulges 2020, arXiv 1909.07755.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial

from data.readers.documents import pairs
from data.readers.documents.pairs import Passage, PlacedError, Row, passage_rows
from data.readers.documents.records import (
    collected,
    documents,
    from_python,
    identity,
    items,
    needed,
    place_of,
    relation_of,
)
from data.readers.documents.spans import Words, added
from data.readers.options import DEFAULT, ReaderOptions

__all__ = ["example", "from_python", "label", "place", "rows"]

READS = ("columns.id", "negatives")
IDS = ("orig_id", "id")
example, label = pairs.example, pairs.label


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | PlacedError]:
    """The rows of the file `name`. Raises ValueError where it cannot be read as a whole, or makes no row."""
    found = documents(raw, name, "objects with tokens, entities, relations")
    return collected(found, name, partial(document_rows, options))


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return place_of(rows, raw, name, number, options)


def document_rows(
    options: ReaderOptions, number: int, where: str, document: dict, counts: Counter
) -> Iterator[Row | PlacedError]:
    id, notes = identity(document, number, options, IDS)
    words = Words(needed(document, "tokens"), "tokens")
    entities = {}
    for place, one in enumerate(items(document.get("entities", []), "entities")):
        span = partial(words.span, one.get("start"), one.get("end"), one.get("type"), f"entity {place}")
        notes = (*notes, *added(entities, str(place), span))
    relations = None
    if "relations" in document:
        found = items(document["relations"], "relations")
        relations = [relation_of(one, place, ("head", "tail"), "type") for place, one in enumerate(found)]
    yield from passage_rows(Passage(id, words.text, where, entities, relations, notes), options, counts)
