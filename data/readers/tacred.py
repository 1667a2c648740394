"""TACRED-like JSON, a list or an object a line: words and the positions of two entities in them. Two forms:

    {"id": .., "token": [..], "subj_start": 0, "subj_end": 1, "obj_start": .., "subj_type": .., "relation": ..}
    {"token": [..], "h": {"name": "new york", "pos": [3, 5]}, "t": {..}, "relation": ..}

The first is TACRED's own (ends inclusive), the second that of PTR and KnowPrompt (ends exclusive); `data.offsets` is
for files that differ. `h` and subj make the subject. The sentence is the words with blanks between, brackets of the
Penn Treebank (-LRB-) as they were. Types are optional. Zhang et al. 2017, https://aclanthology.org/D17-1004.
"""

import warnings
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from data.messages import listed, shown
from data.readers.decoding import decode
from data.readers.objects import ABSENT, label_in, line_of, objects, value_of, written
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.row_ids import NUMBERED, id_column
from data.schema import Example, Span

READS = ("columns.id", "columns.label", "offsets")
LABEL = "relation"
BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]", "-lcb-": "{", "-rcb-": "}"}
ENOUGH = 20  # entities of a file; of real ones more than half are one word long
OWN = ("subj_start", "subj_end", "obj_start", "obj_end")


class Row(NamedTuple):
    number: int
    values: Any


class Place(NamedTuple):
    """Words `start` to `end`, as the file counts them; `name` and `type` are empty where it has none."""

    start: int
    end: int
    name: str
    type: str


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | ValueError]:
    """The rows of the file `name`; a ValueError stands for one that cannot be read. Raises ValueError where the file
    cannot be read as a whole: see `check_ends`."""
    if options.offsets == "find":
        raise ValueError(f"{name}: data.offsets find reads klue and boostcamp; expected inclusive or exclusive")
    found = objects(decode(raw, name), name, "objects with token, subj_start, ... or token, h, t")
    if options.offsets is None:
        check_ends(name, [one for one in found if isinstance(one, dict)])
    return [one if isinstance(one, ValueError) else Row(number, one) for number, one in enumerate(found, start=1)]


def check_ends(name: str, found: list[dict]) -> None:
    """Raises ValueError where TACRED's own form has exclusive ends, as public copies have: read as inclusive, no entity
    of the whole file would be one word long."""
    pairs = [(one.get(f"{role}_start"), one.get(f"{role}_end")) for one in found for role in ("subj", "obj")]
    lengths = [end - start for start, end in pairs if type(start) is int and type(end) is int]
    if not lengths or min(lengths) < 1:
        return
    told = (
        f"{name}: read as TACRED's own files, whose ends are inclusive, none of {len(lengths):,} entities is one word "
        "long; public copies have exclusive ends"
    )
    if len(lengths) >= ENOUGH:
        raise ValueError(f"{told}: set data.offsets exclusive, or inclusive where the file is like that")
    warnings.warn(f"{told}, which data.offsets exclusive reads", stacklevel=2)


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return line_of(decode(raw, name), number)


def example(row: Row, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example; one without an id has its number. Raises ValueError with what is wrong in it."""
    values = row.values
    if not isinstance(values, dict):
        raise ValueError(f"found {type(values).__name__} {shown(values)}, expected an object")
    words = values.get("token")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"token is {shown(words)}, expected a list of words; found {listed([*values])}")
    own = all(key in values for key in OWN)
    if not own and not ("h" in values and "t" in values):
        raise ValueError(f"found {listed([*values])}, expected {', '.join(OWN)}, or h and t")
    offsets = options.offsets or ("inclusive" if own else "exclusive")
    places = [own_place(values, "subj"), own_place(values, "obj")] if own else [head(values, "h"), head(values, "t")]
    id, label_column = id_column(options, values, ("id",)), options.column("label", LABEL)
    identity, label = value_of(values, id) if id else row.number, value_of(values, label_column)
    if identity is ABSENT:
        raise ValueError(f"no key {id}; found {listed([*values])}; data.columns.id names another")
    identity = written(identity, id)
    if not identity.strip():
        raise ValueError(f"{id} is empty")
    label = "" if label is ABSENT else written(label, label_column)
    text, spans = sentence(words, places, offsets)
    other = {"inclusive": "exclusive", "exclusive": "inclusive"}[offsets]
    if spans[0].overlaps(spans[1]) and not any(misfit(words, one, other) for one in places):
        spans_by_other = sentence(words, places, other)[1]
        if not spans_by_other[0].overlaps(spans_by_other[1]):
            raise ValueError(
                f"subject {shown(spans[0].text)} and object {shown(spans[1].text)} overlap in the sentence; "
                f"data.offsets {other} fits it"
            )
    return Example(
        identity, text, subject=spans[0], object=spans[1], label=label or None, notes=() if id else (NUMBERED,)
    )


def own_place(values: dict, role: str) -> Place:
    kind = values.get(f"{role}_type", "")
    if not isinstance(kind, str):
        raise ValueError(f"{role}_type is {shown(kind)}, expected a text")
    start, end = (whole(values[f"{role}_{side}"], f"{role}_{side}") for side in ("start", "end"))
    return Place(start, end, "", kind)


def head(values: dict, role: str) -> Place:
    value = values[role]
    if isinstance(value, ValueError):
        raise ValueError(f"{role}: {value}")
    position = value.get("pos") if isinstance(value, dict) else None
    if not isinstance(position, list) or len(position) != 2:
        raise ValueError(f"{role} is {shown(value, 120)}, expected an object with name and pos, two positions")
    name, kind = value.get("name", ""), value.get("type", "")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise ValueError(f"{role}: name is {shown(name)} and type is {shown(kind)}, expected two texts")
    start, end = (whole(number, f"{role}: pos") for number in position)
    return Place(start, end, name, kind)


def whole(value: Any, what: str) -> int:
    if type(value) is not int:
        raise ValueError(f"{what} is {shown(value)}, expected a whole number")
    return value


def sentence(words: list[str], places: list[Place], offsets: str) -> tuple[str, list[Span]]:
    """The words as one text, and the spans of the places in characters.

    Raises ValueError where a place lies outside the sentence, or the words there are not the entity's name.
    """
    for role, place in zip(("subject", "object"), places, strict=True):
        if problem := misfit(words, place, offsets):
            other = {"inclusive": "exclusive", "exclusive": "inclusive"}[offsets]
            better = not any(misfit(words, place, other) for place in places)
            raise ValueError(f"{role} entity {problem}{f'; data.offsets {other} fits it' if better else ''}")
    text, starts = joined(words)
    spans = []
    for place in places:
        start, end = starts[place.start], starts[place.end + (offsets == "inclusive")] - 1
        spans.append(Span(start, end, text[start:end], place.type))
    return text, spans


def joined(words: list[str]) -> tuple[str, list[int]]:
    """The words as one text, and where each starts in it, and one more after the last."""
    words = [BRACKETS.get(word.casefold(), word) for word in words]
    return " ".join(words), [0, *accumulate(len(word) + 1 for word in words)]


def misfit(words: list[str], place: Place, offsets: str) -> str:
    """What is wrong with a place that is read that way; empty where the words there are the entity's name, but for
    blanks and case, or it has none."""
    end = place.end + (offsets == "inclusive")
    where = f"words {shown(place.start)} to {shown(place.end)} ({offsets})"
    if not 0 <= place.start < end <= len(words):
        return f"at {where} is not inside the sentence of {len(words)} words"
    found = words[place.start : end]
    if place.name and bare(place.name) != bare("".join(found)):
        return f"is {shown(place.name)}, but {where} are {shown(' '.join(found))}"
    return ""


def bare(text: str) -> str:
    return "".join(text.split()).casefold()


def from_python(row: Mapping | str, number: int, options: ReaderOptions = DEFAULT) -> Example:
    """What a user hands to a `Predictor` as an Example: an object, or a text without entities.

    Its number, from 1, is its id where it has none.
    """
    return Example(str(number), row) if isinstance(row, str) else example(Row(number, dict(row)), options)


def label(row: Row, options: ReaderOptions = DEFAULT) -> str | None:
    """The label of a row that `example` refuses, if it can be told."""
    return label_in(row.values, options.column("label", LABEL))
