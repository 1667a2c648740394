"""Bytes of a data file to text: UTF-8, with one clear message where they are something else."""

import codecs
import warnings


def decode(raw: bytes, name: str) -> str:
    """The text of the file `name`; a byte-order mark is skipped with a notice.

    Line ends are kept as they are, since offsets count them. Raises ValueError for an empty file, other encodings
    (with the line and byte) and NUL characters (with the line).
    """
    if raw.startswith(codecs.BOM_UTF8):
        warnings.warn(f"{name}: starts with a byte-order mark, which was skipped", stacklevel=2)
        raw = raw[len(codecs.BOM_UTF8) :]
    if not raw.strip():
        raise ValueError(f"{name}: the file is empty")
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
