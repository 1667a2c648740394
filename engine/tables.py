"""Tables for a terminal, as Markdown and as CSV, by one writer: Hangul takes two columns of a terminal, ids may hold |.

A table is the names of its columns and lines of as many cells. A column whose name begins with a blank holds numbers,
set to the right. Importing it costs nothing.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from unicodedata import category, east_asian_width, normalize


def display_width(text: str) -> int:
    """Columns of a terminal that a text takes: two a letter of Hangul, however it is composed, none an accent."""
    letters = [letter for letter in normalize("NFC", text) if category(letter) not in ("Mn", "Me", "Cf")]
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in letters)


def aligned(columns: Sequence[str], lines: Iterable[Sequence]) -> list[str]:
    """The lines of a table whose columns stand below each other in a terminal, two blanks between them.

    Without any name of a column there is no line of names.
    """
    names = [name.strip() for name in columns]
    rows = [*([names] if any(names) else []), *([one_line(str(cell)) for cell in line] for line in lines)]
    assert all(len(row) == len(columns) for row in rows)
    widths = [max(map(display_width, cells)) for cells in zip(*rows, strict=True)]

    right = [column.startswith(" ") for column in columns]
    return ["  ".join(map(padded, row, widths, right)).rstrip() for row in rows]


def padded(text: str, width: int, right: bool = False) -> str:
    """A text and the blanks, before it where it stands to the `right`, that make it so many columns wide."""
    blanks = " " * (width - display_width(text))
    return blanks + text if right else text + blanks


def markdown(columns: Sequence[str], lines: Iterable[Sequence]) -> str:
    """The same as Markdown; cells are Markdown already, see `escaped`."""
    rules = ["---:" if column.startswith(" ") else "---" for column in columns]
    rows = [[escaped(column.strip()) for column in columns], rules, *lines]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows) + "\n"


def as_csv(lines: Sequence[Mapping]) -> str:
    """Lines with the same keys, which become the header."""
    content = io.StringIO(newline="")
    writer = csv.DictWriter(content, list(lines[0]) if lines else [])
    writer.writeheader()
    writer.writerows(lines)
    return content.getvalue()


def one_line(text: str) -> str:
    return re.sub(r"[\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]+", " ", text)


def escaped(text: str) -> str:
    """As Markdown that shows the text itself, also inside a table."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"[\\`*\[\]#|]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    return text.replace("~~", "&#126;&#126;")
