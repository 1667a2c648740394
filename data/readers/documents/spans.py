"""The span of an entity in its text: by characters, checked against the entity's words, or by words of a list."""

from collections.abc import Callable
from typing import Any

from data.messages import shown
from data.readers.documents.records import whole
from data.readers.tacred import joined
from data.schema import Span

UTF16 = "offsets count UTF-16 units, as JavaScript does, and were read so"


class Words:
    """Words as one text, as `tacred.py` joins them. Raises ValueError where they are no list of words."""

    def __init__(self, words: Any, what: str):
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise ValueError(f"{what} is {shown(words)}, expected a list of words")
        self.text, self.starts = joined(words)

    def span(self, start: Any, end: Any, kind: Any, what: str) -> tuple[Span, str]:
        """The entity of words `start` to `end` (exclusive), as `span_of` gives it."""
        start, end = whole(start, f"{what}: start"), whole(end, f"{what}: end")
        if not 0 <= start < end < len(self.starts):
            count = len(self.starts) - 1
            raise ValueError(f"{what} at words {shown(start)}..{shown(end)} is not in its text of {count} words")
        return span_of(self.text, self.starts[start], self.starts[end] - 1, kind, what)


def span_of(text: str, start: Any, end: Any, kind: Any, what: str, word: Any = None) -> tuple[Span, str]:
    """The entity at characters `start` to `end` (exclusive), and a note of how it was read. Raises ValueError where
    these are none of `text`, or not `word`, where the file has it."""
    start, end = whole(start, f"{what}: start"), whole(end, f"{what}: end")
    if not isinstance(kind, str | None):
        raise ValueError(f"{what}: its type is {shown(kind)}, expected a text")
    if not isinstance(word, str | None):
        raise ValueError(f"{what}: its text is {shown(word)}, expected a text")
    note = ""
    if word is not None and not same(text[max(start, 0) : max(end, 0)], word):
        units = text.encode("utf-16-le", "surrogatepass")
        before, inside = units[: 2 * max(start, 0)], units[2 * max(start, 0) : 2 * max(end, 0)]
        if same(inside.decode("utf-16-le", "replace"), word) and 0 <= start < end:
            start = len(before.decode("utf-16-le", "replace"))
            end, note = start + len(inside.decode("utf-16-le", "replace")), UTF16
    if not 0 <= start < end <= len(text):
        raise ValueError(f"{what} at characters {shown(start)}..{shown(end)} is not in its text of {len(text)}")
    found = text[start:end]
    if not found.strip():
        raise ValueError(f"{what} at characters {start}..{end} holds only blanks")
    if word is not None and not same(found, word):
        raise ValueError(f"{what} is {shown(word)}, but characters {start}..{end} of its text are {shown(found)}")
    return Span(start, end, found, kind or ""), note


def same(found: str, word: str) -> bool:
    """Whether both are the same but for blanks and line ends, which tools write as blanks or as two characters."""
    return found == word or " ".join(found.split()) == " ".join(word.replace("\\n", " ").split()) != ""


def added(entities: dict[str, Span | ValueError], id: str, entity: Callable[[], tuple[Span, str]]) -> tuple[str, ...]:
    """Put an entity under its id, or what is wrong with it; the notes of how it was read."""
    if id in entities:
        entities[id] = ValueError(f"entity {shown(id)} stands twice in its text")
        return ()
    try:
        entities[id], note = entity()
    except ValueError as error:
        entities[id], note = error, ""
    return (note,) if note else ()
