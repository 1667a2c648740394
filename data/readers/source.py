"""Where rows come from: a file, the bundled sample, a data set of the hub. All of them end as the bytes of a file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from data import sample
from data.messages import shown
from data.readers import FORMATS
from data.readers.arrow import hub_bytes, is_table, table_bytes
from data.readers.classes import Classes, class_of, with_class
from data.readers.content import LARGE, FileBytes, read, sha256
from data.readers.ids import FirstUse
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.row_ids import ROW, USED_TWICE
from data.schema import Example, RowError


@dataclass(frozen=True)
class Source:
    """The raw bytes of one part of the data and the name that its messages carry; `classes`: the label set that its
    rows are read for, where it is known; `notes`: what was done to get the bytes, see `Example.notes`."""

    name: str
    raw: bytes | FileBytes
    format: str
    options: ReaderOptions = DEFAULT
    classes: Classes | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def identity(self) -> dict[str, str]:
        """What is read and how: SHA-256 of the bytes, the format, options that are not as by default."""
        changed = {name: str(value) for name, value in self.options.changed().items()}
        if changed.get("columns.id") == ROW:  # what rows are called changes nothing that is trained on
            del changed["columns.id"]
        return {"sha256": sha256(self.raw), "format": self.format} | changed

    @property
    def ids(self) -> str:
        """The option that says what rows are called, for what keeps their ids."""
        return str(self.options.columns.id)

    @property
    def has_header(self) -> bool:
        """Whether the first line is none of the rows, where the file is a table."""
        return self.options.header

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.raw)

    def without_bytes(self) -> "Source":
        """What reads rows that are cut already."""
        return replace(self, raw=b"")

    @property
    def has_placeholder(self) -> bool:
        """Whether a label 100 may stand for none."""
        return getattr(FORMATS[self.format], "PLACEHOLDER", False)

    @property
    def label_hint(self) -> str:
        """Where the label of a row was looked for; to be put after a message."""
        reader = FORMATS[self.format]
        if "columns.label" not in getattr(reader, "READS", ()):
            return ""
        column = self.options.column("label", getattr(reader, "LABEL", "label"))
        return f"; looked for in {shown(column)}, data.columns.label names another"

    def examples(self) -> Iterator[tuple[int, Example | ValueError]]:
        """(row number from 1, Example or ValueError) for each row. Raises ValueError where the file itself is wrong."""
        first_use = FirstUse()
        for number, row in self.rows():
            yield number, self.unrepeated(number, row, self.example(row), first_use)

    def rows(self) -> Iterator[tuple[int, Any]]:
        """(number from 1, row as the reader cuts it or ValueError). Raises ValueError as `examples` does."""
        reader = FORMATS[self.format]
        if hasattr(reader, "stream"):
            rows = reader.stream(self.raw, self.name, self.options)
        else:
            rows = reader.rows(bytes(self.raw), self.name, self.options)
        number = 0
        for number, row in enumerate(rows, start=1):
            yield number, row
        if not number:
            raise ValueError(f"{self.name}: holds no rows")

    def example(self, row: Any) -> Example | ValueError:
        """A row as an Example, or what is wrong with it."""
        try:
            if isinstance(row, ValueError):
                return row
            example = FORMATS[self.format].example(row, self.options)
            example = with_class(example, self.classes, self.has_placeholder)
            return replace(example, notes=(*example.notes, *self.notes)) if self.notes else example
        except ValueError as error:
            return RowError(str(error), self.label_of_bad(row))

    def unrepeated(
        self, number: int, row: Any, example: Example | ValueError, first_use: FirstUse
    ) -> Example | ValueError:
        """The example of a row, or what is wrong where its id was used before."""
        earlier = first_use.earlier(example.id, number) if isinstance(example, Example) else None
        return example if earlier is None else self.repeated(number, row, example, earlier, first_use)

    def repeated(self, number: int, row: Any, example: Example, earlier: int, first_use: FirstUse) -> RowError:
        """What becomes of a row whose id the row `earlier` has, too."""
        reads = getattr(FORMATS[self.format], "READS", ())
        advice = USED_TWICE if "columns.id" in reads else ""
        return RowError(f"id {shown(example.id)} was already used in row {earlier}{advice}", example.label)

    def label_of_bad(self, row: Any) -> str | None:
        reader = FORMATS[self.format]
        text = reader.label(row, self.options) if hasattr(reader, "label") else None
        return None if text is None else class_of(text, self.classes, self.has_placeholder)[0]

    def where(self, number: int) -> str:
        """The file and place of row `number`, to begin a message."""
        return f"{self.name}, {self.place(number)}"

    def place(self, number: int) -> str:
        """Where row `number` stands, as messages say it; a format may know the line, too."""
        reader = FORMATS[self.format]
        if not hasattr(reader, "place"):
            return f"row {number}"
        raw = self.raw if hasattr(reader, "stream") else bytes(self.raw)
        return reader.place(raw, self.name, number, self.options)


def open_source(location: str, format: str, part: str, key: str, options: ReaderOptions = DEFAULT) -> Source:
    """Read what `location` names: a path, `sample:train`, `sample:dev`, `hub:<data set>:<configuration>[:<split>]`; see
    `arrow.py` for paths that are no files of text.

    `part` is "train" or "dev", the split of a hub data set when none is given; `key` names the option in messages.
    """
    if location.startswith("sample:"):
        return Source(location, sample.json_bytes(location.removeprefix("sample:")), "klue")
    if location.startswith("hub:"):
        return of_table(location, hub_bytes(location, part, key), format, options)
    path = Path(location)
    try:
        raw = b"" if (table := is_table(path)) else read(path)
    except FileNotFoundError:
        raise ValueError(f"{key}: no file {location}") from None
    except IsADirectoryError:
        packed = getattr(FORMATS.get(format), "packed", None)
        if packed is None:
            raise ValueError(f"{key}: {location} is a folder, expected a file, or several: [a.json, b.json]") from None
        raw = packed(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{key}: cannot read {location!r:.200} ({reason})") from None
    if table:
        return of_table(location, table_bytes(path, part, key), format, options)
    return Source(location, raw, detect(raw[:LARGE]) if format == "auto" else format, options)


def of_table(location: str, table: tuple[bytes, str], format: str, options: ReaderOptions) -> Source:
    """The rows of `hub_bytes` or `table_bytes`."""
    raw, how = table
    format = "klue" if format in ("auto", "boostcamp") else format
    return Source(location, raw, format, options, notes=(f"read by the package datasets: {how}",))


def detect(raw: bytes) -> str:
    """JSON starts with a bracket; everything else is taken for CSV, whose header is then checked."""
    return "klue" if raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{") else "boostcamp"
