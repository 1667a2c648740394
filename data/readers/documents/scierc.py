"""SciERC and DyGIE++: JSON Lines, or a list, of documents cut into sentences, with offsets into the document.

    {"doc_key": "X96", "sentences": [["We", "train", ..], ..], "ner": [[[4, 5, "Method"]], ..],
     "relations": [[[4, 5, 9, 9, "USED-FOR"]], ..], "clusters": ..}

CrossRE's `sentence`, `ner` and `relations` of one sentence are read, too (Bassignana and Plank 2022, arXiv 2210.09345).
Words are counted through the document, ends are inclusive. A sentence is a text of its own. Coreference clusters are
not read. Luan et al. 2018, https://aclanthology.org/D18-1360; Wadden et al. 2019, https://aclanthology.org/D19-1585.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from typing import Any

from data.messages import shown
from data.readers.documents import pairs
from data.readers.documents.pairs import Passage, PlacedError, Relation, Row, passage_rows
from data.readers.documents.records import collected, documents, from_python, identity, needed, place_of, whole
from data.readers.documents.spans import Words, span_of
from data.readers.objects import written
from data.readers.options import DEFAULT, ReaderOptions
from data.schema import Span

__all__ = ["example", "from_python", "label", "place", "rows"]

READS = ("columns.id", "negatives")
IDS = ("doc_key", "id")
TYPES = "an entity of the sentence has several types, of which the first is read"
EVENTS = "event(s), which are no relations of two entities"
example, label = pairs.example, pairs.label


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | PlacedError]:
    """The rows of the file `name`. Raises ValueError where it cannot be read as a whole, or makes no row."""
    found = documents(raw, name, "objects with sentences, ner, relations")
    return collected(found, name, partial(document_rows, options))


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return place_of(rows, raw, name, number, options)


def whole_document(document: dict) -> dict:
    """One of a single sentence (CrossRE) as one of several: there, relations go on with remarks of the annotators."""
    if "sentences" in document or not isinstance(document.get("sentence"), list):
        return document
    relations = document.get("relations", [])
    found = (
        [one[:5] if isinstance(one, list) else one for one in relations] if isinstance(relations, list) else relations
    )
    own = {"sentences": [document["sentence"]], "relations": [found]} | (
        {"ner": [document["ner"]]} if "ner" in document else {}
    )
    return {key: value for key, value in document.items() if key != "sentence"} | own


def document_rows(
    options: ReaderOptions, number: int, where: str, document: dict, counts: Counter
) -> Iterator[Row | PlacedError]:
    id, notes = identity(document, number, options, IDS)
    document = whole_document(document)
    sentences = needed(document, "sentences")
    if not isinstance(sentences, list):
        raise ValueError(f"sentences is {shown(sentences)}, expected a list of lists of words")
    lengths = [len(one) if isinstance(one, list) else 0 for one in sentences]
    starts = [0, *accumulate(lengths)]
    listed_entities = "ner" in document
    parts = {key: by_sentence(document, key, len(sentences)) for key in ("ner", "relations", "events")}
    counts[EVENTS] += sum(map(len, parts["events"]))
    relation = 0
    for place, words in enumerate(sentences):
        here = f"{where}, sentence {place}"
        try:
            ner = parts["ner"][place] if listed_entities else None
            read = sentence(words, starts[place], ner, parts["relations"][place], relation)
        except ValueError as error:
            yield PlacedError(f"sentence {place}: {error}", here)
        else:
            text, entities, relations, more = read
            relations = relations if "relations" in document else None
            yield from passage_rows(Passage(id, text, here, entities, relations, (*notes, *more)), options, counts)
        relation += len(parts["relations"][place])


def by_sentence(document: dict, key: str, sentences: int) -> list[list]:
    """What stands under a key, a list for each sentence."""
    value = document.get(key, [[]] * sentences)
    if not isinstance(value, list) or len(value) != sentences or not all(isinstance(one, list) for one in value):
        raise ValueError(f"{key} is {shown(value)}, expected a list for each of {sentences} sentences")
    return value


def sentence(
    words: Any, first: int, ner: list | None, related: list, number: int
) -> tuple[str, dict[str, Span | ValueError], list[Relation], tuple[str, ...]]:
    """Text, entities by `start-end`, relations and notes of a sentence; `first`: the number of its first word in the
    document, `number`: that of its first relation. Without `ner` the relations say where entities are."""
    text = Words(words, "a sentence")
    entities, notes = {}, ()
    for one in ner or ():
        if not isinstance(one, list) or len(one) < 3:
            raise ValueError(f"ner holds {shown(one)}, expected [start, end, type]")
        key = f"{one[0]}-{one[1]}"
        if key in entities:
            notes = (TYPES,)
            continue
        try:
            entities[key] = placed(text, one[0], one[1], one[2], first)
        except ValueError as error:
            entities[key] = error
    relations = []
    for place, one in enumerate(related, start=number):
        if not isinstance(one, list) or len(one) < 5:
            raise ValueError(f"relations hold {shown(one)}, expected [start, end, start, end, label]")
        try:
            kind: Any = written(one[4], "label") or None
        except ValueError as error:
            kind = error
        relations.append(Relation(str(place), f"{one[0]}-{one[1]}", f"{one[2]}-{one[3]}", kind))
        if ner is None:
            for start, end in (one[:2], one[2:4]):
                try:
                    entities[f"{start}-{end}"] = placed(text, start, end, None, first)
                except ValueError as error:
                    entities[f"{start}-{end}"] = error
    return text.text, entities, relations, notes


def placed(text: Words, start: Any, end: Any, kind: Any, first: int) -> Span:
    """The entity at words `start` to `end` of the document."""
    what = f"entity {shown(start)}-{shown(end)}"
    low, high = whole(start, f"{what}: start") - first, whole(end, f"{what}: end") - first + 1
    words = len(text.starts) - 1
    if not 0 <= low < high <= words:
        raise ValueError(
            f"{what} is not in its sentence, which has words {first} to {first + words - 1} of the document"
        )
    return span_of(text.text, text.starts[low], text.starts[high] - 1, kind, what)[0]
