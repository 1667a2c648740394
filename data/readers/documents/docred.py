"""DocRED: facts of whole documents, as far as one sentence holds both entities.

    {"title": "Han", "sents": [["Han", "leads", ..], ..], "vertexSet": [[{"name": "Han", "pos": [0, 1], "sent_id": 0,
     "type": "PER"}, ..], ..], "labels": [{"h": 0, "t": 1, "r": "P169", "evidence": [0]}, ..]}

A row is a fact, in the first sentence of its evidence that holds both entities, else in the first one that does; of
several mentions there, the two that are nearest to each other. Facts of which no sentence holds both are counted and
told. Names of relations are the file's own (P169). Yao et al. 2019, https://aclanthology.org/P19-1074.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import permutations, product
from typing import Any

from data.messages import shown
from data.readers.documents import pairs
from data.readers.documents.pairs import SEVERAL, PlacedError, Row
from data.readers.documents.records import (
    collected,
    documents,
    from_python,
    identity,
    items,
    needed,
    place_of,
    relation_label,
    whole,
)
from data.readers.documents.spans import Words
from data.readers.options import DEFAULT, ReaderOptions
from data.schema import Span

__all__ = ["example", "from_python", "label", "place", "rows"]

READS = ("columns.id", "negatives")
IDS = ("title", "id")
OVER_SENTENCES = "fact(s) of which no sentence holds both entities"
UNREAD = "mention(s) that do not fit their sentence"
KEYS = {"h": ("h", "head"), "t": ("t", "tail"), "r": ("r", "relation_id", "relation_text")}  # the others: of the hub
example, label = pairs.example, pairs.label

Mentions = list[dict[int, list[Span]]]  # of each entity: sentence -> spans


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | PlacedError]:
    """The rows of the file `name`. Raises ValueError where it cannot be read as a whole, or makes no row."""
    found = documents(raw, name, "objects with sents, vertexSet, labels")
    return collected(found, name, partial(document_rows, options))


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return place_of(rows, raw, name, number, options)


def document_rows(
    options: ReaderOptions, number: int, where: str, document: dict, counts: Counter
) -> Iterator[Row | PlacedError]:
    id, notes = identity(document, number, options, IDS)
    sentences = needed(document, "sents")
    if not isinstance(sentences, list):
        raise ValueError(f"sents is {shown(sentences)}, expected a list of lists of words")
    words = [Words(one, f"sentence {place}") for place, one in enumerate(sentences)]
    problems: dict[int, ValueError] = {}
    mentions = mentions_of(document, words, counts, problems)
    facts = items(document["labels"], "labels") if "labels" in document else []
    ends = [tuple(str(first_of(one, KEYS[end])) for end in "ht") for one in facts]
    times = Counter(ends)
    for place, (one, pair) in enumerate(zip(facts, ends, strict=True)):
        kind = relation_label(one, next((key for key in KEYS["r"] if key in one), "r"))
        try:
            subject, object = (entity(mentions, end, problems) for end in pair)
            if isinstance(kind, ValueError):
                raise kind
        except ValueError as error:
            yield PlacedError(f"fact {place}: {error}", where, None if isinstance(kind, ValueError) else kind)
            continue
        shared = [sentence for sentence in range(len(words)) if sentence in subject and sentence in object]
        evidence = one.get("evidence")
        shared.sort(key=lambda sentence: isinstance(evidence, list) and sentence not in evidence)
        if not shared:
            counts[OVER_SENTENCES] += 1
            continue
        more = (SEVERAL,) if times[pair] > 1 else ()
        sentence = shared[0]
        spans = nearest(subject[sentence], object[sentence])
        yield Row(f"{id}:{place}", words[sentence].text, *spans, kind, where, (*notes, *more))
    if "labels" not in document or options.negatives is not None:
        kind = options.negatives if "labels" in document else None
        yield from pair_rows(id, where, words, mentions, set(times), kind, notes, counts)
    elif not facts:
        counts[pairs.WITHOUT] += 1


def first_of(one: dict, keys: Sequence[str]) -> Any:
    return next((one[key] for key in keys if key in one), None)


def mentions_of(document: dict, words: list[Words], counts: Counter, problems: dict[int, ValueError]) -> Mentions:
    """The mentions of each entity by sentence. `problems` takes what is wrong with one that has no other mention."""
    vertices = needed(document, "vertexSet")
    if not isinstance(vertices, list):
        raise ValueError(f"vertexSet is {shown(vertices)}, expected a list of lists of mentions")
    found: Mentions = []
    for number, vertex in enumerate(vertices):
        spans: dict[int, list[Span]] = {}
        wrong = [error for one in items(vertex, f"entity {number}") if (error := mention(one, number, words, spans))]
        if spans:
            counts[UNREAD] += len(wrong)
        elif wrong:
            problems[number] = wrong[0]
        found.append(spans)
    return found


def mention(one: dict, number: int, words: list[Words], spans: dict[int, list[Span]]) -> ValueError | None:
    """Put a mention into its sentence, or say what is wrong with it."""
    try:
        sentence, position = whole(one.get("sent_id"), "sent_id"), one.get("pos")
        if not 0 <= sentence < len(words):
            raise ValueError(f"entity {number}: sent_id is {shown(sentence)}, but there are {len(words)} sentences")
        if not isinstance(position, list) or len(position) != 2:
            raise ValueError(f"entity {number}: pos is {shown(position)}, expected [start, end]")
        span, _ = words[sentence].span(*position, one.get("type"), f"entity {number}")
    except ValueError as error:
        return error
    spans.setdefault(sentence, []).append(span)
    return None


def entity(mentions: Mentions, number: str, problems: dict[int, ValueError]) -> dict[int, list[Span]]:
    if not number.isdecimal() or int(number) >= len(mentions):
        raise ValueError(f"names entity {shown(number)}, which its document does not have")
    if int(number) in problems:
        raise problems[int(number)]
    return mentions[int(number)]


def nearest(subjects: list[Span], objects: list[Span]) -> tuple[Span, Span]:
    """The two mentions that do not overlap and have least between them; any two where all overlap."""

    def distance(pair: tuple[Span, Span]) -> tuple[bool, int]:
        first, second = sorted(pair, key=lambda span: span.start)
        return first.overlaps(second), second.start - first.end

    return min(product(subjects, objects), key=distance)


def pair_rows(
    id: str,
    where: str,
    words: list[Words],
    mentions: Mentions,
    taken: set[tuple[str, str]],
    kind: str | None,
    notes: tuple[str, ...],
    counts: Counter,
) -> Iterator[Row]:
    """A row of each ordered pair without a fact, in the first sentence that holds both."""
    for (first, subject), (second, object) in permutations(enumerate(mentions), 2):
        sentence = min(subject.keys() & object.keys(), default=None)
        if (str(first), str(second)) in taken or sentence is None:
            continue
        spans = nearest(subject[sentence], object[sentence])
        if spans[0].overlaps(spans[1]):
            counts[pairs.APART] += 1
            continue
        yield Row(f"{id}:{first}>{second}", words[sentence].text, *spans, kind, where, notes)
