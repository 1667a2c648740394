"""What a reader is told besides the bytes of a file: which columns to read, how they are cut, what offsets mean."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Columns:
    """Where things stand in a row: names of columns or keys, or numbers from 1 in a file without a header.

    `labels.binary-label` names a key inside an object. null = as the format calls it, see its reader.
    """

    id: str | int | None = None
    """What tells rows apart, written to predictions; row = the row's number, from 1. null = guid or id where there is
    one, else the number."""
    text: str | int | None = None
    """The sentence. null = text in format text, sentence in klue and boostcamp."""
    text_pair: str | int | None = None
    """A second text (format text). null = none."""
    label: str | int | None = None
    """null = label, and relation in format tacred."""
    subject: str | int | None = None
    """null = subject_entity (klue, boostcamp)."""
    object: str | int | None = None
    """null = object_entity (klue, boostcamp)."""
    word: str | None = None
    """Key of an entity's word inside subject and object (klue, boostcamp). null = word, or text, name, ..."""
    start: str | None = None
    """Key of its first character. null = start_idx, or start, begin, ..."""
    end: str | None = None
    """Key of its last character, or of one after it, see data.offsets. null = end_idx, or end, ..."""
    type: str | None = None
    """Key of its type. null = type, or entity_type, ner, tag, label."""


@dataclass(frozen=True)
class ReaderOptions:
    """Given to `rows`, `example` and `place` of every reader; each states in READS which of them it looks at."""

    columns: Columns = field(default_factory=Columns)
    header: bool = True
    separator: Literal["auto", "tab", "comma", "semicolon"] = "auto"
    quoting: bool = True
    offsets: Literal["inclusive", "exclusive", "find"] | None = None
    negatives: str | None = None

    def changed(self) -> dict[str, Any]:
        """Dotted names and values of what is not as it is by default."""
        return {name: value for name, value in self.flat().items() if value != DEFAULT.flat()[name]}

    def flat(self) -> dict[str, Any]:
        columns = {f"columns.{f.name}": getattr(self.columns, f.name) for f in fields(Columns)}
        return columns | {f.name: getattr(self, f.name) for f in fields(self) if f.name != "columns"}

    @classmethod
    def from_flat(cls, flat: Mapping[str, Any]) -> "ReaderOptions":
        """Back from `flat`, of which other keys are left out; what is not there is as by default."""
        columns = {f.name: flat[key] for f in fields(Columns) if (key := f"columns.{f.name}") in flat}
        own = {f.name: flat[f.name] for f in fields(cls) if f.name != "columns" and f.name in flat}
        return cls(Columns(**columns), **own)

    def with_offsets(self, offsets: str) -> "ReaderOptions":
        return replace(self, offsets=offsets)

    def column(self, name: str, default: str) -> str:
        """The name of the column `name`, that of the format where none is given."""
        given = getattr(self.columns, name)
        return default if given is None else str(given)


DEFAULT = ReaderOptions()


def unread(options: ReaderOptions, given: Iterable[str], reads: Iterable[str]) -> list[str]:
    """Options of readers that were set, here or among the dotted keys `given`, and that no one looks at."""
    names = [name for name in options.flat() if name in options.changed() or f"data.{name}" in given]
    return [f"data.{name}" for name in names if name not in set(reads)]
