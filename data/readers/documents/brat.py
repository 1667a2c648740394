"""brat's standoff: a folder of texts, each `name.txt` with its annotations in `name.ann` beside it.

    T1	ORG 0 4	Daon             entity: type, first character, one after the last, its words
    R1	founded_by Arg1:T1 Arg2:T2   relation; Arg1 is the subject

The text of a row is the line that holds both entities, or the lines from the one to the other. Folders inside the
folder count. What is no relation of two entities (events, attributes, normalisations, equivalences, notes) is counted
and told. Where no file of the folder holds a relation, nobody looked for any. Stenetorp et al. 2012,
https://aclanthology.org/E12-2021.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from data.messages import listed, shown
from data.readers.decoding import decode
from data.readers.documents import pairs
from data.readers.documents.pairs import Passage, PlacedError, Relation, Row, passage_rows
from data.readers.documents.records import collected, from_python, place_of
from data.readers.documents.spans import added, same, span_of
from data.readers.options import DEFAULT, ReaderOptions
from data.schema import Span

__all__ = ["example", "from_python", "label", "packed", "place", "rows"]

READS = ("negatives",)
FOLDER = "expected a folder of texts (name.txt) with their annotations (name.ann)"
LINE_ENDS = "offsets count a line end of two characters as one, and were read so"
OTHERS = {
    "E": "event(s) (E)", "A": "attribute(s) (A, M)", "M": "attribute(s) (A, M)", "N": "normalisation(s) (N)",
    "*": "equivalence(s) (*)", "#": "note(s) (#)",
}  # fmt: skip
ENTITY = re.compile(r"(T\S*)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
OTHER = re.compile(r"([EAMN*#])\S*\t.*")
RELATION = re.compile(r"(R\S*)\t(\S+) (\S+?):(\S+) (\S+?):(\S+)\s*")
example, label = pairs.example, pairs.label


def packed(folder: Path) -> bytes:
    """The texts and annotations of a folder as one JSON object, by name. Raises ValueError where it has none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".txt", ".ann") and path.is_file())
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    if not any(name.endswith(".ann") for name in files):
        raise ValueError(f"{folder}: holds no file name.ann; {FOLDER}")
    texts = {}
    for name, path in sorted(files.items()):
        raw = path.read_bytes()
        texts[name] = decode(raw, f"{folder}/{name}") if raw.strip() else ""
    return json.dumps(texts, ensure_ascii=False).encode()


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | PlacedError]:
    """The rows of the folder `name`, which `packed` made bytes of. Raises ValueError where it is none."""
    try:
        files = json.loads(decode(raw, name))
    except (json.JSONDecodeError, RecursionError):
        files = None
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise ValueError(f"{name}: found a file; {FOLDER}")
    stems = [file.removesuffix(".ann") for file in files if file.endswith(".ann")]
    if lonely := [stem for stem in stems if f"{stem}.txt" not in files]:
        raise ValueError(f"{name}: {listed(lonely[:1])}.ann has no text (.txt) of that name beside it")
    counts = Counter({"text(s) without a file name.ann": len(files) - 2 * len(stems)})
    related = any(re.search(r"^R", files[f"{stem}.ann"], flags=re.MULTILINE) for stem in stems)
    found = [
        (number, listed([f"{stem}.ann"]), {"id": stem, "text": files[f"{stem}.txt"], "lines": files[f"{stem}.ann"]})
        for number, stem in enumerate(stems, start=1)
    ]
    return collected(found, name, partial(document_rows, options, related), counts)


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    return place_of(rows, raw, name, number, options)


def document_rows(
    options: ReaderOptions, related: bool, number: int, where: str, document: dict, counts: Counter
) -> Iterator[Row | PlacedError]:
    lines = [
        (f"{where}, line {count}", line.rstrip("\r"))
        for count, line in enumerate(document["lines"].split("\n"), start=1)
        if line.strip()
    ]
    marked = [(here, match) for here, line in lines if (match := ENTITY.fullmatch(line))]
    text, notes = as_counted(document["text"], [match for _, match in marked])
    entities: dict[str, Span | ValueError] = {}
    for _, match in marked:
        notes = (*notes, *added(entities, match[1], partial(entity, match, text)))
    relations = []
    for here, line in lines:
        if match := RELATION.fullmatch(line):
            relations.append((here, relation(match)))
        elif match := OTHER.fullmatch(line):
            counts[OTHERS[match[1]]] += 1
        elif not ENTITY.fullmatch(line):
            yield PlacedError(
                f"found {shown(line)}, expected T1, TAB, type, start, end, TAB, words, or R1, TAB, ...", here
            )
    if not text.strip():
        return
    passage = Passage(document["id"], text, where, entities, [one for _, one in relations] if related else None, notes)
    # a relation a row, in this order; pairs follow
    places = iter([here for here, _ in relations])
    for row in passage_rows(passage, options, counts, partial(one_line, text)):
        here = next(places, where)
        if isinstance(row, PlacedError):
            yield PlacedError(str(row), here, row.label)
        else:
            yield narrowed(row)._replace(where=here)


def entity(match: re.Match, text: str) -> tuple[Span, str]:
    id, kind, offsets, words = match.groups()
    if ";" in offsets:
        raise ValueError(f"entity {id} is in several pieces ({shown(offsets)}), which a span cannot be")
    return span_of(text, *numbers(offsets), kind, f"entity {id}", words)


def numbers(offsets: str) -> list[int]:
    return [int(number[:12]) for number in offsets.split()]  # more digits than any text has characters


def relation(match: re.Match) -> Relation:
    id, kind, *ends = match.groups()
    arguments = [(ends[0], ends[1]), (ends[2], ends[3])]
    if {role for role, _ in arguments} == {"Arg1", "Arg2"}:
        arguments.sort()
    return Relation(id, *(target for _, target in arguments), kind)


def as_counted(text: str, marked: list[re.Match]) -> tuple[str, tuple[str, ...]]:
    """The text that the offsets count, and a note: where its line ends have two characters, they may count one."""
    other = text.replace("\r\n", "\n")

    def fitting(text: str) -> int:
        pieces = [(numbers(match[3]), match[4]) for match in marked if match[4] and ";" not in match[3]]
        return sum(same(text[start:end], words) for (start, end), words in pieces)

    return (other, (LINE_ENDS,)) if other != text and fitting(other) > fitting(text) else (text, ())


def one_line(text: str, first: Span, second: Span) -> bool:
    """Whether both stand in the same line."""
    return "\n" not in text[min(first.start, second.start) : max(first.end, second.end)]


def narrowed(row: Row) -> Row:
    """The row with the lines that hold its entities in place of the whole text."""
    start = row.text.rfind("\n", 0, min(row.subject.start, row.object.start)) + 1
    end = row.text.find("\n", max(row.subject.end, row.object.end))
    text = row.text[start : end if end >= 0 else None].rstrip("\r")
    subject, object = (
        span if span is None else Span(span.start - start, span.end - start, span.text, span.type)
        for span in (row.subject, row.object)
    )
    return row._replace(text=text, subject=subject, object=object)
