"""CSV and TSV files: from bytes to rows of named columns."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from data.messages import listed
from data.readers.content import FileBytes
from data.readers.decoding import lines
from data.readers.options import ReaderOptions

SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";"}
QUOTES = "is a quote open or not doubled? data.quoting false reads quotes as text"


def separator_of(text: str, options: ReaderOptions, usual: str, needed: Sequence[str] = ()) -> str:
    """The one that was given; else `usual`, unless the first line of `text` holds the columns `needed` by another."""
    if options.separator != "auto":
        return SEPARATORS[options.separator]
    first = text.lstrip("\r\n").splitlines()[0] if text.strip("\r\n") else ""
    for mark in (usual, *SEPARATORS.values()):
        header = [field.strip('"') for field in first.split(mark)] if options.quoting else first.split(mark)
        if needed and set(needed) <= {*header}:
            return mark
    return usual


def records(
    raw: bytes | FileBytes, name: str, separator: str = ",", quoting: bool = True, advice: str = QUOTES
) -> Iterator[tuple[int, list[str]]]:
    """(line where it starts, fields) of each row that is not empty. Raises ValueError, which ends with `advice`, where
    the file is no CSV."""
    reader = csv.reader(
        lines(raw, name), delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE, strict=True
    )
    number = 0
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            where = f"row {number} (line {line})" if number else f"line {line}"
            raise ValueError(f"{name}, {where}: no valid CSV ({listed([str(error)])}; {advice})") from None
        if fields is None:
            return
        if fields:
            yield line, fields
            number += 1


def check_header(name: str, header: list[str], needed: Sequence[str], optional: Sequence[str], expected: str) -> None:
    """Raises ValueError where a column is missing or one that is read stands twice; `expected` ends its message."""
    found = f"found {listed(header)}; {expected}"
    if missing := [column for column in needed if column not in header]:
        raise ValueError(f"{name}: no column {', '.join(missing)}; {found}")
    if repeated := [column for column in (*needed, *optional) if header.count(column) > 1]:
        raise ValueError(f"{name}: column {', '.join(repeated)} stands twice; {found}")


def named(content: Iterable[list[str]], header: list[str]) -> Iterator[dict[str, str] | ValueError]:
    """Rows by the names of `header`; a ValueError stands for one of another width, and for the header once more."""
    for fields in content:
        if fields == header:
            yield ValueError("repeats the header: two files were put together")
        elif len(fields) == len(header):
            yield dict(zip(header, fields, strict=True))
        else:
            yield ValueError(f"found {len(fields)} columns, expected {len(header)}")


def unmerged(row: dict[str, str] | ValueError) -> dict[str, str] | ValueError:
    """A TSV row, or its error where an odd quote made one field of several rows."""
    if isinstance(row, ValueError) or not any("\t" in field and "\n" in field for field in row.values()):
        return row
    return ValueError("a quoted field holds a TAB and runs over several lines; data.quoting false reads quotes as text")


def place_of(content: Iterator[tuple[int, list[str]]], number: int) -> str:
    """Where record `number` (from 0; a header counts) stands; a row may run over several lines."""
    line, _ = next(islice(content, number, None))
    return f"(line {line})"
