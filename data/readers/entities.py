"""An entity as an object of a row writes it: {word, start_idx, end_idx, type}, and what people call these keys instead.

Ends of KLUE's files are INCLUSIVE (`sentence[start_idx:end_idx + 1] == word`), others are exclusive (`data.offsets`).
`find` decides for each entity, by its word: the one reading at which the word stands; else one number by which both
entities of the row are shifted, as offsets into a document are; else the nearest place of the word, if it is the only
one so near. What was decided is a note of the row.
"""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

from data.messages import listed, shown
from data.readers.options import DEFAULT, ReaderOptions
from data.schema import Span, elsewhere

KEYS = {"word": "word", "start": "start_idx", "end": "end_idx", "type": "type"}  # data.columns.<name> -> KLUE's key
ALIASES = {
    "word": ("text", "name", "entity", "mention", "surface"),
    "start": ("start", "start_index", "start_offset", "begin", "begin_idx"),
    "end": ("end", "end_index", "end_offset"),
    "type": ("entity_type", "ner", "tag", "label"),
}
READS = tuple(f"columns.{name}" for name in KEYS)
NO_START = "the start of an entity is missing and is where its word stands, once"
NO_END = "the end of an entity is missing and follows from its start and its word"
NUMBERS = "offsets are texts or decimals, read as whole numbers"
FOUND = {
    "inclusive": "data.offsets find: ends are inclusive",
    "exclusive": "data.offsets find: ends are exclusive",
    "shifted": "data.offsets find: both entities are shifted by one number",
    "nearest": "data.offsets find: the nearest place of the word, which stands elsewhere",
}


class Entity(NamedTuple):
    """As the row has it: `start` or `end` is None where it has none."""

    word: str
    start: int | None
    end: int | None
    type: str


def spans(
    values: Sequence[Any], columns: Sequence[str], sentence: str, options: ReaderOptions
) -> tuple[Span, Span, tuple[str, ...]]:
    """Subject and object of a row, and notes of how they were read. Raises ValueError."""
    notes: dict[str, None] = {}
    pair = [entity(value, column, options, notes) for value, column in zip(values, columns, strict=True)]
    if options.offsets == "find":
        subject, object = found(pair, columns, sentence, notes)
    else:
        subject, object = (
            placed(one, column, sentence, options.offsets == "exclusive", notes)
            for one, column in zip(pair, columns, strict=True)
        )
    return subject, object, tuple(notes)


def entity(value: Any, column: str, options: ReaderOptions = DEFAULT, notes: dict | None = None) -> Entity:
    """The parts of an entity; `notes` takes what was done on its own."""
    notes = {} if notes is None else notes
    if isinstance(value, ValueError):
        raise ValueError(f"{column}: {value}")
    needed = ", ".join(options.column(name, key) for name, key in KEYS.items())
    if not isinstance(value, dict):
        raise ValueError(f"{column} is {shown(value, 120)}, expected an object with {needed}")
    keys = {name: key_of(value, name, options, column) for name in KEYS}
    if keys["word"] is None or (keys["start"] is None and keys["end"] is not None):
        raise ValueError(f"{column} is {shown(value, 120)}, expected an object with {needed}")
    word, kind = value[keys["word"]], value.get(keys["type"])
    start, end = (number(value.get(keys[name]), column, keys[name], notes) for name in ("start", "end"))
    if not isinstance(word, str) or not isinstance(kind, str | None):
        raise ValueError(f"{column}: word is {shown(word)} and type is {shown(kind)}, expected two texts")
    if others := [f"{keys[n]} ({n})" for n, own in KEYS.items() if keys[n] not in (None, options.column(n, own))]:
        notes[f"keys of entities: {', '.join(others)}"] = None
    return Entity(word, start, end, kind or "")


def key_of(value: Mapping, name: str, options: ReaderOptions, column: str) -> str | None:
    """Under which key an entity has its word, start, end or type: the one that was named, KLUE's, or the only one of
    `ALIASES`; None where there is none. Raises ValueError where several could be meant."""
    if (given := getattr(options.columns, name)) is not None:
        if str(given) not in value:
            raise ValueError(f"{column} has no {given} (data.columns.{name}); found {listed(list(map(str, value)))}")
        return str(given)
    if KEYS[name] in value:
        return KEYS[name]
    alike = [key for key in ALIASES[name] if key in value]
    if len(alike) > 1:
        raise ValueError(f"{column} has {' and '.join(alike)}; data.columns.{name} says which is the {name}")
    return alike[0] if alike else None


def number(value: Any, column: str, key: str | None, notes: dict) -> int | None:
    """An offset; None where there is none."""
    if value is None:
        return None
    if isinstance(value, Integral) and not isinstance(value, bool):  # NumPy's are whole numbers, too
        return int(value)
    try:
        whole = int(value) if isinstance(value, str) else int(value) if isinstance(value, Real) else None
        if whole is not None and not isinstance(value, bool) and float(value) == whole:
            notes[NUMBERS] = None
            return whole
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{column}: {key} is {shown(value)}, expected a whole number")


def placed(one: Entity, column: str, sentence: str, exclusive: bool, notes: dict) -> Span:
    """The span that the offsets say; `exclusive`: the end is one after the last character."""
    start, end = one.start, one.end
    if start is None:
        notes[NO_START] = None
        return only_place(one, column, sentence)
    if end is None:
        notes[NO_END] = None
        return Span(start, start + len(one.word), one.word, one.type)
    if exclusive and start >= end:
        raise ValueError(
            f"{column}: start_idx {shown(start)} does not come before end_idx {shown(end)} (data.offsets exclusive)"
        )
    if start > end:
        raise ValueError(f"{column}: start_idx {shown(start)} comes after end_idx {shown(end)} (both inclusive)")
    return Span(start, end if exclusive else end + 1, one.word, one.type)


def only_place(one: Entity, column: str, sentence: str) -> Span:
    starts = places(one.word, sentence)
    if not starts:
        raise ValueError(f"{column}: {shown(one.word)} is not in the sentence{elsewhere(one.word, sentence)}")
    if len(starts) != 1:
        raise ValueError(f"{column} has no start, and {shown(one.word)} stands {len(starts)} times in the sentence")
    return Span(starts[0], starts[0] + len(one.word), one.word, one.type)


def places(word: str, sentence: str) -> list[int]:
    """Where a word begins, overlapping places included."""
    starts, start = [], sentence.find(word)
    while start >= 0:
        starts.append(start)
        start = sentence.find(word, start + 1)
    return starts


def reading(one: Entity, sentence: str) -> str | None:
    """How the end must be read for the word to stand there: inclusive, exclusive (also where there is none), or not at
    all."""
    if one.start is None or one.start < 0 or not sentence.startswith(one.word, one.start):
        return None
    ends = {one.start + len(one.word) - 1: "inclusive", one.start + len(one.word): "exclusive"}
    return "exclusive" if one.end is None else ends.get(one.end)


def found(pair: Sequence[Entity], columns: Sequence[str], sentence: str, notes: dict) -> list[Span]:
    """The spans of `data.offsets find`. Raises ValueError where they cannot be told."""
    starts: list[int | None] = []
    kinds = [reading(one, sentence) for one in pair]
    if not any(kinds) and None not in (pair[0].start, pair[1].start):
        starts = shifted(pair, sentence)
    for place, (one, column, kind) in enumerate(zip(pair, columns, kinds, strict=True)):
        if one.end is None and one.start is not None:
            notes[NO_END] = None
        if kind is not None:
            notes[FOUND[kind]] = None
            kinds[place] = one.start
        elif starts:
            notes[FOUND["shifted"]] = None
            kinds[place] = starts[place]
        else:
            notes[NO_START if one.start is None else FOUND["nearest"]] = None
            kinds[place] = nearest(one, column, sentence)
    return [Span(start, start + len(one.word), one.word, one.type) for one, start in zip(pair, kinds, strict=True)]


def shifted(pair: Sequence[Entity], sentence: str) -> list[int]:
    """Where both words stand if one number is taken from both starts; empty where no or more than one number fits."""
    first, second = ({one.start - start for start in places(one.word, sentence)} for one in pair)
    shifts = (first & second) - {0}
    return [one.start - shift for shift in shifts for one in pair] if len(shifts) == 1 else []


def nearest(one: Entity, column: str, sentence: str) -> int:
    """The place of the word that is nearest to where it should start."""
    starts = places(one.word, sentence)
    if one.start is None or not starts:
        return only_place(one, column, sentence).start
    distances = sorted((abs(start - one.start), start) for start in starts)
    if len(distances) > 1 and distances[0][0] == distances[1][0]:
        raise ValueError(
            f"{column}: {shown(one.word)} does not start at {one.start}, and stands at {distances[0][1]} and "
            f"{distances[1][1]}, equally far from it"
        )
    return distances[0][1]


def advice(values: Sequence[Any], columns: Sequence[str], sentence: str, options: ReaderOptions) -> str:
    """Which data.offsets would read a row that is refused, to be put after the message; or nothing."""
    for offsets in ("inclusive", "exclusive", "find"):
        if offsets != (options.offsets or "inclusive") and fits(values, columns, sentence, options, offsets):
            others = "" if offsets == "find" else ", find decides for each row"
            return f"; data.offsets {offsets} fits it{others}"
    return ""


def fits(values: Iterable, columns: Sequence[str], sentence: str, options: ReaderOptions, offsets: str) -> bool:
    try:
        pair = spans([*values], columns, sentence, options.with_offsets(offsets))[:2]
    except (ValueError, RecursionError):
        return False
    inside = all(0 <= span.start < span.end <= len(sentence) for span in pair)
    return (
        inside and all(sentence[span.start : span.end] == span.text for span in pair) and not pair[0].overlaps(pair[1])
    )
