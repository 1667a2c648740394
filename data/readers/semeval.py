"""SemEval-2010 Task 8: sentences with inline `<e1>` and `<e2>`, English, 9 relations with direction and Other.

Two forms. Lines of `relation TAB sentence`, as many repositories pass it on; ids are row numbers. The original release:

    8001<TAB>"The most common <e1>audits</e1> were about <e2>waste</e2> and recycling."
    Message-Topic(e1,e2)
    Comment: Assuming an audit = an audit document.

`<e1>` becomes the subject, `<e2>` the object, without types; the direction stays part of the label. The test file
without answers has the numbered lines only. Hendrickx et al. 2010, https://aclanthology.org/S10-1006.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from data.messages import shown
from data.readers import klue
from data.readers.decoding import decode
from data.readers.options import DEFAULT, ReaderOptions
from data.schema import Example, Span

READS = ()
NUMBERED = re.compile(r'(\d+)\t(".*)')
TAGS = ("<e1>", "</e1>", "<e2>", "</e2>")


class Row(NamedTuple):
    id: str
    sentence: str
    label: str | None


def rows(raw: bytes, name: str, options: ReaderOptions = DEFAULT) -> list[Row | ValueError]:
    """The rows of the file `name`; a ValueError stands for one that cannot be cut."""
    filled = filled_lines(raw, name)
    if filled and NUMBERED.match(filled[0][1]):
        return numbered(filled)
    return [tabbed(line, count) for count, (_, line) in enumerate(filled, start=1)]


def filled_lines(raw: bytes, name: str) -> list[tuple[int, str]]:
    """(number from 1, line) of each line that is not empty."""
    lines = [line.removesuffix("\r") for line in decode(raw, name).split("\n")]
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def tabbed(line: str, count: int) -> Row | ValueError:
    label, tab, sentence = line.partition("\t")
    if not tab or not label.strip():
        return ValueError(f"found {shown(line)}, expected relation, TAB, sentence")
    return Row(str(count), sentence, label.strip())


def numbered(filled: list[tuple[int, str]]) -> list[Row | ValueError]:
    """The original release: a numbered sentence, its relation, a comment."""
    found: list[Row | ValueError] = []
    for number, line in filled:
        if match := NUMBERED.match(line):
            sentence = match[2].strip()
            quoted = len(sentence) > 1 and sentence[0] == sentence[-1] == '"'
            found.append(Row(match[1], sentence[1:-1] if quoted else sentence, None))
        elif line.startswith("Comment"):
            continue
        elif isinstance(found[-1], Row) and found[-1].label is None:
            found[-1] = found[-1]._replace(label=line.strip())
        elif isinstance(found[-1], Row):
            found[-1] = ValueError(f"line {number} is {shown(line)}, expected a comment or the next numbered sentence")
    return found


def place(raw: bytes, name: str, number: int, options: ReaderOptions = DEFAULT) -> str:
    """Where row `number` (from 1) stands, as messages say it."""
    filled = filled_lines(raw, name)
    if NUMBERED.match(filled[0][1]):
        filled = [(line, text) for line, text in filled if NUMBERED.match(text)]
    line, _ = filled[number - 1]
    return f"row {number} (line {line})" if line != number else f"row {number}"


def example(row: Row, options: ReaderOptions = DEFAULT) -> Example:
    """One row as an Example. Raises ValueError with what is wrong in it."""
    counts = {tag: row.sentence.count(tag) for tag in TAGS}
    if wrong := [f"{tag} {count} times" for tag, count in counts.items() if count != 1]:
        raise ValueError(f"found {', '.join(wrong)} in {shown(row.sentence)}, expected {' '.join(TAGS)} once each")
    text, spans = untagged(row.sentence)
    return Example(row.id, text, subject=spans["e1"], object=spans["e2"], label=row.label)


def untagged(sentence: str) -> tuple[str, dict[str, Span]]:
    """The sentence without its tags, and the span of each entity.

    Blanks inside the tags belong to the markup (`<e2> chairs </e2>.` was `chairs.`), but no two words are joined.
    """
    pieces = re.split(r"<(/?e[12])>", sentence)  # text, tag, text, tag, ..., text
    tags = pieces[1::2]
    if tags[1] != f"/{tags[0]}" or tags[3] != f"/{tags[2]}":
        raise ValueError(f"the tags stand in the order {' '.join(f'<{tag}>' for tag in tags)}, one inside the other")
    text = pieces[0]
    spans = {}
    for tag, inner, after in zip(tags[::2], pieces[2::4], pieces[4::4], strict=True):
        words = inner.strip()
        if not words:
            raise ValueError(f"<{tag}> holds no word in {shown(sentence)}")
        text += joint(text, words, inner[:1].isspace())
        spans[tag] = Span(len(text), len(text) + len(words), words)
        text += words
        text += joint(words, after, inner[-1:].isspace()) + after
    return text, spans


def joint(left: str, right: str, blank: bool) -> str:
    """What stands between two pieces that had a blank of the markup between them."""
    return " " if blank and left[-1:].isalnum() and right[:1].isalnum() else ""


def from_python(row: Mapping | str, number: int, options: ReaderOptions = DEFAULT) -> Example:
    """What a user hands to a `Predictor` as an Example: a text with its tags, or an object as KLUE has them.

    Its number, from 1, is its id where it has none.
    """
    return example(Row(str(number), row, None)) if isinstance(row, str) else klue.from_python(row, number, options)


def label(row: Row, options: ReaderOptions = DEFAULT) -> str | None:
    """The label of a row that `example` refuses."""
    return row.label
