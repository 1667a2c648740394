"""`train.py --help`: every key by section, with what it takes, its default and its text, for 80 columns.

The texts stand under the fields of the dataclasses; those of a loss, pooling or head in the docstring of its
constructor, or of one that it inherits from, an option a paragraph: `gamma: how much less ...`.
"""

import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple
from unicodedata import east_asian_width

import docstring_parser
import yaml

from engine.arguments.constructors import CHOICES, Choice, choices
from engine.command import WIDTH
from engine.config import Config

INDENT = " " * 6  # of a text below its option
WORDS = {int: "INT", float: "NUMBER", str: "TEXT", bool: "true|false", type(None): "null", dict: "{key: value}"}
ABOUT = (
    "Train a sentence classifier. The same options stand in a YAML file, by section; those of the command line win. A "
    "default holds where neither says something. Lists are written [a, b], dictionaries {key: value}."
)


class Entry(NamedTuple):
    """An option: its dotted key, the type, the default (inspect.Parameter.empty: none) and what it is."""

    key: str
    hint: Any
    default: Any
    text: str


def train_help(chosen: dict[str, str], config: str) -> str:
    """All options of train.py; `chosen` names loss, pooling and head, `config` the file without --config."""
    lines = ["usage: train.py [--config FILE] [--SECTION.KEY VALUE ...]", "", *wrapped(ABOUT), ""]
    lines += [*option(Entry("config", str, config, "YAML file to start from.")), *option_line("help", "", "")]
    for section in dataclasses.fields(Config):
        lines += ["", section.name, *section_lines(section.name, chosen)]
    return "\n".join(lines)


def section_lines(name: str, chosen: dict[str, str], with_defaults: bool = True) -> list[str]:
    """The options of a section; after the name of a part those of that part."""
    section = next(field.default_factory for field in dataclasses.fields(Config) if field.name == name)
    shown, lines = choices(chosen["loss.name"]), []
    parts = {choice.key: choice for choice in shown}
    for entry in entries(section, name):
        if entry.key == "loss.options":  # they stand beside the name
            continue
        lines += option(entry if with_defaults else entry._replace(default=inspect.Parameter.empty))
        if entry.key in parts:
            lines += part_lines(parts[entry.key], chosen)
    if name == "loss" and len(shown) > len(CHOICES):
        lines += part_lines(shown[-1], chosen)
    return lines


def entries(section: type, prefix: str) -> Iterator[Entry]:
    """The fields of a dataclass, those of a nested one in its place."""
    texts = {part.arg_name: part.description for part in docstring_parser.parse_from_object(section).params}
    hints = typing.get_type_hints(section)
    for field in dataclasses.fields(section):
        key, hint = f"{prefix}.{field.name}", hints[field.name]
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if dataclasses.is_dataclass(hint):
            yield from entries(hint, key)
        else:
            yield Entry(key, hint, default, texts.get(field.name) or "")


def part_lines(choice: Choice, chosen: dict[str, str]) -> list[str]:
    """The names that can be chosen, a line each, and the options of the chosen one."""
    width = max(map(len, choice.registry)) + 2
    lines = [""]
    for name, part in choice.registry.items():
        first, *more = wrapped(first_sentence(part), " " * (len(INDENT) + width))
        lines += [f"{INDENT}{name:<{width}}{first.lstrip()}", *more]
    name = chosen[choice.key]
    options = list(part_entries(choice, name))
    title = f"Options of {name}" if options else f"{name} has no options"
    other = next(key for key in choice.registry if key != name)
    more = wrapped(f"{title}; those of another, such as {other}: train.py --{choice.key} {other} --help", "  ")
    return [*lines, "", *more, *(line for entry in options for line in option(entry)), ""]


def part_entries(choice: Choice, name: str) -> Iterator[Entry]:
    """The options of a loss, pooling or head."""
    hints, texts = choice.known(name), option_texts(choice.registry[name])
    for key, parameter in choice.parameters(name).items():
        dotted = f"{choice.prefix}.{key}"
        yield Entry(dotted, hints[dotted], parameter.default, texts.get(key, ""))


def option_texts(part: type) -> dict[str, str]:
    """Option -> text, from the docstrings of the constructors; the part's own before those it inherits."""
    texts: dict[str, str] = {}
    for kind in reversed(part.__mro__):
        key = ""
        for line in inspect.cleandoc(vars(kind).get("__init__", kind).__doc__ or "").splitlines():
            if found := re.match(r"\s*(\w+): (.+)", line):
                key, texts[found[1]] = found[1], found[2]
            elif not line.strip():
                key = ""
            elif key:
                texts[key] += f" {line.strip()}"
    return texts


def first_sentence(part: type) -> str:
    """What a part is, from its docstring."""
    text = " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split())
    return re.split(r"(?<!et al)\.(?= |$)", text)[0] + "."


def option(entry: Entry) -> list[str]:
    """An option with what it takes and its default, its text below."""
    empty = entry.default is inspect.Parameter.empty
    default = "" if empty else f"  (default: {in_yaml(entry.default)})"
    word, text = kind(entry.hint), entry.text
    if len(f"  --{entry.key} {word}{default}") > WIDTH:
        word, text = "NAME", f"{text} One of {word.replace('|', ', ')}."
    return [*option_line(entry.key, word, default), *wrapped(text, INDENT)]


def option_line(key: str, word: str, default: str) -> list[str]:
    return [f"  --{key} {word}".rstrip() + default]


def kind(hint: Any) -> str:
    """What an option takes, in a word: INT, TEXT|null, mean|learned."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "|".join(map(str, inner))
    if list in (hint, origin):
        return "[a, b]"
    if dict in (hint, origin):
        return WORDS[dict]
    return "|".join(map(kind, inner)) if inner else WORDS.get(hint, "VALUE")


def in_yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000)
    return text.removesuffix("...\n").strip()


def wrapped(text: str, indent: str = "") -> list[str]:
    """`text` in lines of at most WIDTH columns."""
    lines = []
    for word in text.split():
        if lines and columns(f"{lines[-1]} {word}") <= WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(indent + word)
    return lines


def columns(text: str) -> int:
    """Columns of a terminal that a text takes: Hangul takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
