"""Where rows come from: a file, the bundled sample, a data set of the hub. All of them end as the bytes of a file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from data import sample
from data.messages import shown
from data.readers import FORMATS
from data.readers.classes import Classes, class_of, with_class
from data.readers.content import LARGE, FileBytes, read, sha256
from data.readers.ids import FirstUse
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.row_ids import ROW, USED_TWICE
from data.schema import Example, RowError


@dataclass(frozen=True)
class Source:
    """The raw bytes of one part of the data and the name that its messages carry; `classes`: the label set that its
    rows are read for, where it is known."""

    name: str
    raw: bytes | FileBytes
    format: str
    options: ReaderOptions = DEFAULT
    classes: Classes | None = None

    @cached_property
    def identity(self) -> dict[str, str]:
        """What is read and how: SHA-256 of the bytes, the format, options that are not as by default."""
        changed = {name: str(value) for name, value in self.options.changed().items()}
        if changed.get("columns.id") == ROW:  # what rows are called changes nothing that is trained on
            del changed["columns.id"]
        return {"sha256": sha256(self.raw), "format": self.format} | changed

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
            example = self.example(row)
            repeated = first_use.problem(example.id, number) if isinstance(example, Example) else None
            yield number, example if repeated is None else self.repeated(repeated, example)

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
            return with_class(example, self.classes, self.has_placeholder)
        except ValueError as error:
            return RowError(str(error), self.label_of_bad(row))

    def repeated(self, problem: ValueError, example: Example) -> RowError:
        """What is wrong with a row whose id was used before."""
        reads = getattr(FORMATS[self.format], "READS", ())
        return RowError(f"{problem}{USED_TWICE if 'columns.id' in reads else ''}", example.label)

    def label_of_bad(self, row: Any) -> str | None:
        reader = FORMATS[self.format]
        text = reader.label(row, self.options) if hasattr(reader, "label") else None
        return None if text is None else class_of(text, self.classes, self.has_placeholder)[0]

    def place(self, number: int) -> str:
        """Where row `number` stands, as messages say it; a format may know the line, too."""
        reader = FORMATS[self.format]
        if not hasattr(reader, "place"):
            return f"row {number}"
        raw = self.raw if hasattr(reader, "stream") else bytes(self.raw)
        return reader.place(raw, self.name, number, self.options)


def open_source(location: str, format: str, part: str, key: str, options: ReaderOptions = DEFAULT) -> Source:
    """Read what `location` names: a path, `sample:train`, `sample:dev` or `hub:<data set>:<configuration>[:<split>]`.

    `part` is "train" or "dev", the split of a hub data set when none is given; `key` names the option in messages.
    """
    if location.startswith("sample:"):
        return Source(location, sample.json_bytes(location.removeprefix("sample:")), "klue")
    if location.startswith("hub:"):
        format = "klue" if format in ("auto", "boostcamp") else format
        return Source(location, hub_bytes(location, part, key), format, options)
    path = Path(location)
    try:
        raw = read(path)
    except FileNotFoundError:
        raise ValueError(f"{key}: no file {location}") from None
    except IsADirectoryError:
        packed = getattr(FORMATS.get(format), "packed", None)
        if packed is None:
            raise ValueError(f"{key}: {location} is a folder, expected a file") from None
        raw = packed(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{key}: cannot read {location!r:.200} ({reason})") from None
    return Source(location, raw, detect(raw[:LARGE]) if format == "auto" else format, options)


def detect(raw: bytes) -> str:
    """JSON starts with a bracket; everything else is taken for CSV, whose header is then checked."""
    return "klue" if raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{") else "boostcamp"


def hub_bytes(location: str, part: str, key: str) -> bytes:
    """A data set of the hub as the bytes of a JSON file, classes by name (needs the extra `hub`)."""
    try:
        import datasets
    except ImportError:
        raise ValueError(f'{key}: {location} needs the extra: pip install -e ".[hub]"') from None
    name, _, rest = location.removeprefix("hub:").partition(":")
    configuration, _, split = rest.partition(":")
    split = split or {"train": "train", "dev": "validation"}[part]
    try:
        rows = datasets.load_dataset(name, configuration or None, split=split)
    except Exception as error:  # the hub client raises many types; all of them mean: not to be had
        raise ValueError(
            f"{key}: cannot load {location} from the hub ({type(error).__name__}: {error!s:.200}); "
            "download the files once and give their path instead"
        ) from None
    names = {column: kind.names for column, kind in rows.features.items() if getattr(kind, "names", None)}

    def named(row: dict, column: str) -> str | None:
        # -1 is the hub's placeholder for "no label", and names[-1] would be the last class
        number = row[column]
        return names[column][number] if number is not None and number >= 0 else None

    converted = [{**row, **{column: named(row, column) for column in names}} for row in rows]
    return json.dumps(converted, ensure_ascii=False).encode()
