"""The one form every reader produces: a sentence, its two entities, its label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

from data.messages import shown


@dataclass(frozen=True)
class Span:
    """An entity in a text: `text[start:end]`, `end` exclusive, counted in characters (Python string indices).

    `type` is empty where the data names none.
    """

    start: int
    end: int
    text: str
    type: str = ""

    def overlaps(self, other: "Span") -> bool:
        return self.start < other.end and other.start < self.end


class RowError(ValueError):
    """What is wrong with a row; `label`: its label, where that can be told nevertheless."""

    def __init__(self, reason: str, label: str | None = None):
        super().__init__(reason)
        self.label = label


@dataclass(frozen=True)
class Example:
    """One row of a data set, checked when it is made.

    `label` is None where the row has none. `extra` hands a model more inputs: a name, and one int or one int a token of
    the encoded example; it arrives as `batch.extra[name]`. `notes` say what a reader did on its own to read the row;
    the rows of each are counted and told. Raises ValueError where a span does not hold its own words.
    """

    id: str
    text: str
    text_pair: str | None = None
    subject: Span | None = None
    object: Span | None = None
    label: str | None = None
    source: str = ""
    extra: Mapping[str, int | Sequence[int]] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self):
        if not self.text.strip():
            raise ValueError("the sentence is empty")
        try:  # JSON can write such characters, tokenizers and files cannot
            "".join(part or "" for part in (self.id, self.text, self.text_pair, self.label)).encode()
        except UnicodeEncodeError as error:
            character = ord(error.object[error.start])
            raise ValueError(f"character \\u{character:04x} is half of a surrogate pair, no character") from None
        if (self.subject is None) != (self.object is None):
            raise ValueError("one entity is missing: expected a subject and an object, or neither")
        for role, span in self.entities():
            if not 0 <= span.start < span.end <= len(self.text):
                raise ValueError(
                    f"{role} entity at characters {shown(span.start)}..{shown(span.end - 1)} lies outside the "
                    f"sentence of {len(self.text)} characters"
                )
            found = self.text[span.start : span.end]
            if found != span.text:
                raise ValueError(
                    f"{role} entity is {shown(span.text)}, but characters {span.start}..{span.end - 1} of the "
                    f"sentence are {shown(found)}{elsewhere(span.text, self.text)}"
                )
            if not span.text.strip():
                raise ValueError(f"{role} entity holds only blanks")
        if self.subject and self.object and self.subject.overlaps(self.object):
            words = f"subject {shown(self.subject.text)} and object {shown(self.object.text)}"
            raise ValueError(f"{words} overlap in the sentence")

    def entities(self) -> list[tuple[str, Span]]:
        """("subject", span) and ("object", span); empty for a text without entities."""
        if self.subject is None or self.object is None:
            return []
        return [("subject", self.subject), ("object", self.object)]


def elsewhere(word: str, text: str) -> str:
    """What often is the matter with a word that does not stand where it should; to be put after a message."""
    if word and word in text:
        return f"; it stands at {text.index(word)}..{text.index(word) + len(word) - 1}"
    if normalize("NFC", word) in normalize("NFC", text):
        return "; the sentence has it in another Unicode form (NFC, NFD)"
    return ""
