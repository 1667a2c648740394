"""Values, names and near misses as messages show them."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


def shown(value: Any, most: int = 80) -> str:
    """A value of a file as a message shows it: on one line, at most `most` characters."""
    return repr(value)[:most]


def listed(names: list[str]) -> str:
    """Column names or keys of a file as a message shows them: on one line, at most 200 characters."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in ", ".join(names)[:200]) or "nothing"


def names_of(location: str | Sequence[str]) -> str:
    """One file or several, as an option names them."""
    return location if isinstance(location, str) else ", ".join(location)


def nearest(word: str, choices: Iterable[str]) -> str:
    """A hint at the name of `choices` that is meant by `word`, or nothing."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
