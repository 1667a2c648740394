"""FewRel: a JSON object of relations, each with instances of words and the positions of two entities.

    {"P931": [{"tokens": ["Han", "serves", "Daon", ..], "h": ["han", "Q1", [[0]]], "t": ["daon", "Q2", [[2, 3]]]}, ..]}

The relation is the label, `h` the subject. Positions are numbers of words from 0; of several mentions the first is
read. A list of instances, and one a line with the keys `relation`, `head`, `tail` as the hub has them, are read, too.
Han et al. 2018, https://aclanthology.org/D18-1514.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from data.messages import listed, shown
from data.readers.decoding import decode
from data.readers.documents import pairs, records
from data.readers.documents.pairs import PlacedError, Row
from data.readers.documents.records import collected, documents, place_of, relation_label, whole
from data.readers.documents.spans import Words
from data.readers.objects import unrepeated
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.tacred import bare
from data.schema import Example, Span

READS = ()
FIRST = "an entity has several mentions, of which the first is read"
KEYS = {"h": ("h", "head"), "t": ("t", "tail")}  # FewRel's own, and those of the hub
example, label = pairs.example, pairs.label


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | PlacedError]:
    """The rows of the file `name`. Raises ValueError where it cannot be read as a whole, or makes no row."""
    instances = by_relation(decode(raw, name), name)
    if instances is None:
        found = [(str(number), None, where, one) for number, where, one in documents(raw, name, "instances")]
    else:
        found = [
            (f"{relation}:{number}", relation, f"{listed([relation])}, instance {number}", one)
            for relation, each in instances.items()
            for number, one in enumerate(each)
        ]

    def read(number: int, where: str, document: dict, counts: Counter) -> Iterator[Row]:
        id, relation, *_ = found[number - 1]
        yield instance(id, relation, where, document)

    return collected([(number, where, one) for number, (*_, where, one) in enumerate(found, start=1)], name, read)


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return place_of(rows, raw, name, number, options)


def by_relation(text: str, name: str) -> dict[str, list] | None:
    """Relation -> instances; None where the file is a list or JSON lines."""
    try:
        content = json.loads(text, object_pairs_hook=unrepeated)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, ValueError):
        raise ValueError(f"{name}: {content}")
    if not isinstance(content, dict) or "tokens" in content:
        return None
    if wrong := [key for key, value in content.items() if not isinstance(value, list)]:
        raise ValueError(f"{name}: {listed(wrong)} holds no list, expected an object of relations with their instances")
    return content


def instance(id: str, relation: str | None, where: str, one: Mapping) -> Row:
    if "meta_train" in one:
        raise ValueError("an episode of few-shot training (meta_train), expected an instance with tokens, h, t")
    words = Words(one.get("tokens"), "tokens")
    kind = relation_label(one, "relation") if relation is None else relation
    if isinstance(kind, ValueError):
        raise kind
    notes: dict[str, None] = {}
    subject, object = (entity(one, end, words, notes) for end in ("h", "t"))
    return Row(id, words.text, subject, object, kind, where, tuple(notes))


def entity(one: Mapping, end: str, words: Words, notes: dict[str, None]) -> Span:
    value = next((one[key] for key in KEYS[end] if key in one), None)
    if isinstance(value, dict):
        value = [value.get("text"), value.get("type"), value.get("indices")]
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[2], list) or not value[2]:
        raise ValueError(f"{end} is {shown(value, 120)}, expected [name, id, lists of positions]")
    name, _, mentions = value
    if not isinstance(mentions[0], list) or not mentions[0]:
        raise ValueError(f"{end}: its positions are {shown(mentions)}, expected lists of numbers of words")
    numbers = [whole(number, f"{end}: a position") for number in mentions[0]]
    if numbers != [*range(numbers[0], numbers[0] + len(numbers))]:
        raise ValueError(f"{end}: its positions are {shown(numbers)}, expected neighbours: a span has no gaps")
    span, _ = words.span(numbers[0], numbers[-1] + 1, None, end)
    if isinstance(name, str) and name and bare(name) != bare(span.text):
        raise ValueError(f"{end} is {shown(name)}, but the words at its positions are {shown(span.text)}")
    if len(mentions) > 1:
        notes[FIRST] = None
    return span


def from_python(row: Any, number: int, options: ReaderOptions = DEFAULT) -> Example:
    """What a user hands to a `Predictor`: an instance, or what `records.from_python` takes."""
    if isinstance(row, Mapping) and "tokens" in row:
        return example(instance(str(number), None, "", row))
    return records.from_python(row, number, options)
