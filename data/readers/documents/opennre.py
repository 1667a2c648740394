"""OpenNRE's JSON, an object a line or a list: a text, and characters of two entities in it.

    {"text": "Han leads Daon.", "h": {"name": "Han", "id": "Q1", "pos": [0, 3]}, "t": {..}, "relation": "leads"}

Ends are exclusive unless `data.offsets` says otherwise, `h` is the subject, names are checked against the text. Rows
with `token` in place of `text` are read as `tacred.py` does. Han et al. 2019, https://aclanthology.org/D19-3029.
"""

from collections.abc import Mapping
from typing import Any

from data.messages import shown
from data.readers import tacred
from data.readers.documents import records
from data.readers.documents.records import key_text, needed
from data.readers.objects import ABSENT, value_of, written
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.row_ids import NUMBERED, id_column
from data.schema import Example, Span, elsewhere

READS, LABEL = tacred.READS, tacred.LABEL
OTHER = {"inclusive": "exclusive", "exclusive": "inclusive"}
rows, place, label = tacred.rows, tacred.place, tacred.label


def example(row: tacred.Row, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example; one without an id has its number. Raises ValueError with what is wrong in it."""
    values = row.values
    if not isinstance(values, dict) or "token" in values or "text" not in values:
        return tacred.example(row, options)
    text = values["text"]
    if not isinstance(text, str):
        raise ValueError(f"text is {shown(text)}, expected a text")
    id, label_column = id_column(options, values, ("id",)), options.column("label", LABEL)
    identity, kind = value_of(values, id) if id else row.number, value_of(values, label_column)
    if identity is ABSENT:
        raise ValueError(f"no key {id}; data.columns.id names another")
    offsets = options.offsets or "exclusive"
    places = [tacred.head({role: needed(values, role)}, role) for role in ("h", "t")]
    if problem := next(filter(None, (misfit(text, one, offsets) for one in places)), ""):
        better = not any(misfit(text, one, OTHER[offsets]) for one in places)
        raise ValueError(f"{problem}{f'; data.offsets {OTHER[offsets]} fits it' if better else ''}")
    subject, object = (span(text, one, offsets) for one in places)
    notes = () if id else (NUMBERED,)
    kind = None if kind is ABSENT else written(kind, label_column) or None
    return Example(key_text(identity, id or "id"), text, subject=subject, object=object, label=kind, notes=notes)


def span(text: str, place: tacred.Place, offsets: str) -> Span:
    end = place.end + (offsets == "inclusive")
    return Span(place.start, end, text[place.start : end], place.type)


def misfit(text: str, place: tacred.Place, offsets: str) -> str:
    """What is wrong with a place that is read that way; empty where the entity's name stands there, but for blanks and
    case."""
    end = place.end + (offsets == "inclusive")
    where = f"characters {shown(place.start)} to {shown(place.end)} ({offsets})"
    if not 0 <= place.start < end <= len(text):
        return f"entity {shown(place.name)} at {where} is not inside the text of {len(text)} characters"
    found = text[place.start : end]
    if place.name and tacred.bare(place.name) != tacred.bare(found):
        return f"entity is {shown(place.name)}, but {where} are {shown(found)}{elsewhere(place.name, text)}"
    return ""


def from_python(row: Any, number: int, options: ReaderOptions = DEFAULT) -> Example:
    """What a user hands to a `Predictor`: a row with h and t, or what `records.from_python` takes."""
    if isinstance(row, Mapping) and "h" in row:
        return example(tacred.Row(number, dict(row)), options)
    return records.from_python(row, number, options)
