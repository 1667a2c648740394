"""Texts of a configuration stay what they are: jsonargparse 4.53 reads one once more, as YAML.

What YAML called a text is that text, also "NULL", "~", "#3" and "no"; on the command line every word is itself, and
only null is null.
"""

import datetime
import re
import types
import typing
from typing import Any

import yaml

UNREAD = object()  # no text: jsonargparse reads it
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")  # 1e-6, a text in YAML 1.1, which wants 1.0e-6
BOOLEANS = {True: "yes, on and true as true", False: "no, off and false as false"}


def members(hint: Any) -> tuple:
    """The parts of a union, or the type alone."""
    return typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)


def as_text(value: Any, hint: Any, from_file: bool) -> Any:
    """The value of a key of type `hint` where it is a text, or is made of texts; else UNREAD. Raises TypeError where
    texts were wanted and YAML made something else of them."""
    parts = members(hint)
    if isinstance(value, str) and str in parts:
        if from_file:
            return value
        if value == "null" and type(None) in parts:
            return None
        if list[str] in parts and value.startswith("[") and value.endswith("]"):  # several files
            return as_text(yaml.safe_load(value), hint, from_file=True)
        return int(value) if int in parts and value == str(number(value)) else value
    if isinstance(value, str) and not from_file and holds_texts(parts):
        try:
            return as_text(yaml.safe_load(value), hint, from_file=True)
        except yaml.YAMLError:
            return UNREAD
    if isinstance(value, list) and list[str] in parts:
        return all_texts(value, value)
    if isinstance(value, dict) and (dict[str, Any] in parts or dict[str, str | None] in parts):
        all_texts([*value], value)
        if dict[str, Any] in parts:
            return {key: float(one) if is_number(one) else one for key, one in value.items()}
        return all_texts([one for one in value.values() if one is not None], value)
    return UNREAD


def holds_texts(parts: tuple) -> bool:
    return any(part in parts for part in (list[str], dict[str, Any], dict[str, str | None]))


def all_texts(values: list, whole: Any) -> Any:
    """`whole`, of which `values` are texts. Raises TypeError."""
    if all(isinstance(one, str) for one in values):
        return whole
    raise TypeError("texts were expected")


def is_number(value: Any) -> bool:
    return isinstance(value, str) and EXPONENT.fullmatch(value) is not None


def number(text: str) -> int | None:
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() else None


def one_of_many(text: str, hint: Any) -> Any:
    """The value behind `--model.added_tokens.a text`, one key of a dictionary of type `hint`. Raises YAMLError."""
    if dict[str, str | None] in members(hint):
        return None if text == "null" else text
    return yaml.safe_load(text)


def hint_at(value: Any, hint: Any) -> str:
    """What YAML made of a text that was wanted, to be put after a message; empty where it made nothing of it."""
    if isinstance(value, str):
        try:
            value = yaml.safe_load(value) if holds_texts(members(hint)) else value
        except yaml.YAMLError:
            return ""
    wants = str in members(hint) or holds_texts(members(hint))
    inside = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else [value]
    for one in inside if wants else ():
        if isinstance(one, bool):
            return f'; YAML reads {BOOLEANS[one]}: put it in "quotes"'
        if isinstance(one, int | float | datetime.date):
            return '; YAML reads a number or a date there: put it in "quotes"'
        if one is None:
            return '; YAML reads null, NULL, ~ and nothing at all as null: put it in "quotes"'
    return ""
