"""Bytes of a data file to text: UTF-8, with one clear message where they are something else."""

import codecs
import io
import warnings
from collections.abc import Iterator

from data.readers.content import FileBytes

BLOCK = 1 << 20  # bytes of a large file that are text at a time

# what is often given instead of a data file: its first bytes, ASCII letters in lower case
SIGNATURES = {
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x1f\x8b": "a gzip archive",
    b"pk\x03\x04": "a ZIP archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"par1": "a Parquet file",
    b"%pdf": "a PDF document",
    b"\x89png": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML document",
    b"version https://git-lfs": "a Git LFS pointer, not the file it stands for (git lfs pull)",
}


def decode(raw: bytes, name: str) -> str:
    """The text of the file `name`; a byte-order mark is skipped with a notice.

    Line ends are kept as they are, since offsets count them. Raises ValueError for an empty file, for known files that
    are no data, other encodings (with the line and byte) and NUL characters (with the line).
    """
    if raw.startswith(codecs.BOM_UTF8):
        warnings.warn(f"{name}: starts with a byte-order mark, which was skipped", stacklevel=2)
        raw = raw[len(codecs.BOM_UTF8) :]
    if not raw.strip():
        raise ValueError(f"{name}: the file is empty")
    start = raw[:200].lstrip().lower()
    for signature, what in SIGNATURES.items():
        if start.startswith(signature):
            raise ValueError(f"{name}: found {what}, expected a JSON or CSV file in UTF-8")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{name}, line {line}: byte 0x{raw[error.start]:02x} at position {error.start} is not UTF-8; "
            "save the file as UTF-8 (Korean Windows programs often write CP949)"
        ) from None
    if "\0" in text:
        raise ValueError(f"{name}, line {text.count(chr(10), 0, text.index(chr(0))) + 1}: holds a NUL character")
    return text


def lines(raw: bytes | FileBytes, name: str) -> Iterator[str]:
    """The lines of the file `name` with their ends as they are. The whole file is looked through before the first one;
    raises ValueError as `decode` does. It is never text as a whole."""
    head(raw, name)
    for end, block in line_blocks(raw):
        try:
            bad = "\0" in block.decode("utf-8")
        except UnicodeDecodeError:
            bad = True
        if bad:
            decode(raw[:end], name)  # says where it stands
    return streamed(raw)


def streamed(raw: bytes | FileBytes) -> Iterator[str]:
    encoding = "utf-8-sig"
    for _, block in line_blocks(raw):
        yield from io.StringIO(block.decode(encoding), newline="")
        encoding = "utf-8"


def line_blocks(raw: bytes | FileBytes) -> Iterator[tuple[int, bytes]]:
    """(where it ends, bytes) of pieces that end with a line; a line feed is never part of another character."""
    end = 0
    while end < len(raw):
        block = raw[end : end + BLOCK]
        while b"\n" not in block and end + len(block) < len(raw):
            block += raw[end + len(block) : end + len(block) + BLOCK]
        if end + len(block) < len(raw):
            block = block[: block.rindex(b"\n") + 1]
        end += len(block)
        yield end, block


def head(raw: bytes | FileBytes, name: str) -> str:
    """The beginning of the file `name`, with the first line that is not empty; raises ValueError as `decode` does."""
    filled = (end for end, block in line_blocks(raw) if block.strip())
    return decode(raw[: next(filled, 0)], name)
