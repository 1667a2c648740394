"""Bytes of a data file to text: UTF-8, with one clear message where they are something else."""

import codecs
import warnings
from typing import Any

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


def shown(value: Any, most: int = 80) -> str:
    """A value of a file as a message shows it: on one line, at most `most` characters."""
    return repr(value)[:most]


def listed(names: list[str]) -> str:
    """Column names or keys of a file as a message shows them: on one line, at most 200 characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in ", ".join(names)[:200]) or "nothing"
