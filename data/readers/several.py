"""Several files as one source (`data.train: [a.csv, b.csv]`): their rows one after the other, numbered through.

An id that an earlier file used is told apart by its own file's name: `b.csv:17`. Inside one file it stays an error.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePath
from typing import Any, NamedTuple

from data.readers.classes import Classes
from data.readers.ids import FirstUse
from data.readers.options import DEFAULT, ReaderOptions
from data.readers.source import Source, open_source
from data.schema import Example, RowError

RENAMED = "the id stands in an earlier file, too: it is FILE:ID here"


class FileRow(NamedTuple):
    """A row as its reader cuts it; `file`: number of its file, whose first row is the row `first` of the whole."""

    file: int
    first: int
    values: Any


@dataclass(frozen=True)
class SeveralFiles:
    """What `Source` is for one file. `names`: of the files, short and different from each other."""

    files: tuple[Source, ...]
    names: tuple[str, ...]
    classes: Classes | None = None

    @property
    def name(self) -> str:
        return ", ".join(file.name for file in self.files)

    @property
    def identity(self) -> dict[str, str]:
        """As that of a `Source`; the order of the files is a part of it, and their names, which ids may carry."""
        each = [file.identity for file in self.files]
        content = hashlib.sha256("\n".join(one["sha256"] for one in each).encode()).hexdigest()
        formats = ", ".join(one["format"] for one in each)
        return each[0] | {"sha256": content, "format": formats, "files": ", ".join(self.names)}

    @property
    def ids(self) -> str:
        return self.files[0].ids

    @property
    def has_header(self) -> bool:
        return self.files[0].has_header

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def has_placeholder(self) -> bool:
        return any(file.has_placeholder for file in self.files)

    @property
    def label_hint(self) -> str:
        return next(filter(None, (file.label_hint for file in self.files)), "")

    def without_bytes(self) -> "SeveralFiles":
        return replace(self, files=tuple(file.without_bytes() for file in self.files))

    examples = Source.examples
    unrepeated = Source.unrepeated

    def rows(self) -> Iterator[tuple[int, FileRow]]:
        number = 0
        for place, file in enumerate(self.files):
            first = number + 1
            for number, (_, row) in enumerate(file.rows(), start=first):
                yield number, FileRow(place, first, row)

    def example(self, row: FileRow) -> Example | ValueError:
        example = replace(self.files[row.file], classes=self.classes).example(row.values)
        if isinstance(example, ValueError):
            return example
        return replace(example, notes=(*example.notes, f"from {self.names[row.file]}"))

    def repeated(
        self, number: int, row: FileRow, example: Example, earlier: int, first_use: FirstUse
    ) -> Example | RowError:
        """What becomes of a row whose id the row `earlier` has, too."""
        if earlier < row.first:
            named = f"{self.names[row.file]}:{example.id}"
            earlier = first_use.earlier(named, number)
            example = replace(example, id=named, notes=(*example.notes, RENAMED))
            if earlier is None:
                return example
        own = earlier - row.first + 1 if earlier >= row.first else earlier
        return self.files[row.file].repeated(number, row.values, example, own, first_use)

    def where(self, number: int) -> str:
        """The file and place of row `number`, to begin a message."""
        _, row = next(islice(self.rows(), number - 1, None))
        return self.files[row.file].where(number - row.first + 1)


def short_names(locations: Sequence[str]) -> tuple[str, ...]:
    """The last parts of each location, as many as it takes to tell them apart."""
    parts = [PurePath(location).parts or (location,) for location in locations]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len({*names}) == len(names):
            return tuple(names)
    return tuple(locations)


def open_files(
    location: str | Sequence[str], format: str, part: str, key: str, options: ReaderOptions = DEFAULT
) -> Source | SeveralFiles:
    """What `open_source` opens, or several of these. Raises ValueError."""
    if isinstance(location, str):
        return open_source(location, format, part, key, options)
    if not location:
        raise ValueError(f"{key}: got [], expected a file, or a list of files such as [a.csv, b.csv]")
    whole = [str(PurePath(one)) for one in location]
    if twice := [one for one in whole if whole.count(one) > 1]:
        raise ValueError(f"{key}: {twice[0]} is given twice")
    files = tuple(open_source(one, format, part, key, options) for one in location)
    return files[0] if len(files) == 1 else SeveralFiles(files, short_names(location))
