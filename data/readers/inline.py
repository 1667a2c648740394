"""Marks inside the text and the label in a column beside it: CSV, TSV or JSON, cut as `table.py` does.

    text,label                                              marks that are known: <e1> </e1> <e2> </e2>, [[ ]] << >>,
    [[가람전자]]는 <<나래시>>에 있다.,org:place              [E1] [/E1] [E2] [/E2], <subj> </subj> <obj> </obj> ...

The entity of the first kind of mark is the subject, wherever it stands. Entities have no types; blanks inside the
marks are put beside the entity, which is told.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from data.messages import shown
from data.readers import table
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.semeval import TAGS, untagged
from data.schema import Example

READS, LABEL = table.READS, table.LABEL
MARKS = (
    TAGS,
    ("[[", "]]", "<<", ">>"),
    ("[E1]", "[/E1]", "[E2]", "[/E2]"),
    ("[e1]", "[/e1]", "[e2]", "[/e2]"),
    ("<subj>", "</subj>", "<obj>", "</obj>"),
    ("[SUBJ]", "[/SUBJ]", "[OBJ]", "[/OBJ]"),
    ("<S>", "</S>", "<O>", "</O>"),
)
INSIDE = re.compile(r"<e[12]>\s|\s</e[12]>")
BLANKS = "blanks inside the marks are put beside the entity"
rows, stream, place, label = table.rows, table.stream, table.place, table.label


def example(row: table.Row, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    return with_spans(table.example(row, options))


def with_spans(example: Example) -> Example:
    """The example without its marks, and with the spans between them."""
    text = example.text
    known = [marks for marks in MARKS if all(text.count(mark) == 1 for mark in marks)]
    if not known:
        several = [marks for marks in MARKS if all(mark in text for mark in marks)]
        counts = ", ".join(f"{mark} {text.count(mark)} times" for mark in (several or MARKS)[0])
        others = "" if several else f", or other marks such as {' '.join(MARKS[1])}"
        raise ValueError(f"found {counts} in {shown(text)}, expected each once{others}")
    for mark, tag in zip(known[0], TAGS, strict=True):
        text = text.replace(mark, tag)
    plain, spans = untagged(text)
    notes = example.notes if not INSIDE.search(text) else (*example.notes, BLANKS)
    return replace(example, text=plain, subject=spans["e1"], object=spans["e2"], notes=notes)


def from_python(row: Mapping | str, number: int, options: ReaderOptions = DEFAULT) -> Any:
    """What a user hands to a `Predictor`, see `table.from_python`."""
    return with_spans(table.from_python(row, number, options))
