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

import docstring_parser
import yaml

from data.readers.options import ReaderOptions
from engine.arguments.constructors import Choice, choices
from engine.command import WIDTH
from engine.config import Config, DataConfig
from engine.tables import display_width, padded

INDENT = " " * 6  # of a text below its option
WORDS = {int: "INT", float: "NUMBER", str: "TEXT", bool: "true|false", type(None): "null", dict: "{key: value}"}
ABOUT = (
    "Train a sentence classifier. The same options stand in a YAML file, by section; those of the command line win. A "
    "default holds where neither says something. Lists are written [a, b], dictionaries {key: value}.",
    "Loss, pooling and head have options of their own. Here are those of the chosen ones: --loss.name focal --help "
    "shows those of focal.",
)


class Entry(NamedTuple):
    """An option: its dotted key, the type, the default (inspect.Parameter.empty: none) and what it is."""

    key: str
    hint: Any
    default: Any
    text: str


def train_help(chosen: dict[str, str], config: str) -> str:
    """All options of train.py; `chosen` names loss, pooling and head, `config` the file without --config."""
    lines = ["usage: train.py [--config FILE] [--SECTION.KEY VALUE ...]"]
    lines += [line for paragraph in ABOUT for line in ("", *wrapped(paragraph))]
    lines += ["", f"  --config FILE  (default: {config})", *wrapped("YAML file to start from.", INDENT)]
    lines += ["  --help", *wrapped("Show this and exit.", INDENT)]
    for section in dataclasses.fields(Config):
        lines += ["", f"{section.name}:", *section_lines(section.name, chosen)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def section_lines(name: str, chosen: dict[str, str]) -> list[str]:
    """The options of a section; those of a loss, pooling or head where its constructor's stand in the configuration."""
    section = next(field.default_factory for field in dataclasses.fields(Config) if field.name == name)
    parts = [choice for choice in choices(chosen["loss.name"]) if choice.key.startswith(f"{name}.")]
    lines = []
    for entry in entries(section, name):
        if entry.key != "loss.options":  # they stand beside the name
            lines += option(entry, parts)
        for part in parts:
            if entry.key in (part.prefix, "loss.options"):
                lines += part_lines(part, chosen[part.key], parts)
    return lines


def data_lines() -> list[str]:
    """The options of the section data, with its name."""
    return ["data:", *(line for entry in entries(DataConfig, "data") for line in option(entry, []))]


def reader_lines() -> list[str]:
    """The options that say how a file is read, without defaults."""
    names = {"data.format", *(f"data.{name}" for name in ReaderOptions().flat())}
    chosen = [entry for entry in entries(DataConfig, "data") if entry.key in names]
    return [line for entry in chosen for line in option(entry._replace(default=inspect.Parameter.empty), [])]


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


def part_lines(choice: Choice, name: str, parts: list[Choice]) -> list[str]:
    """The options of the chosen loss, pooling or head."""
    options = list(part_entries(choice, name))
    other = next((key for key in choice.registry if key != name and choice.parameters(key)), name)
    title = f"Options of {name}" if options else f"{name} has no options"
    lines = ["", f"  {title}; those of another:", f"{INDENT}--{choice.key} {other} --help"]
    return [*lines, *(line for entry in options for line in option(entry, parts)), ""]


def name_lines(choice: Choice) -> list[str]:
    """The names that can be chosen, and what each is."""
    width = max(map(display_width, choice.registry)) + 2
    lines = []
    for name, part in choice.registry.items():
        first, *more = wrapped(first_sentence(part), " " * (len(INDENT) + width))
        lines += [f"{INDENT}{padded(name, width)}{first.lstrip()}", *more]
    return lines


def part_entries(choice: Choice, name: str) -> Iterator[Entry]:
    """The options of a loss, pooling or head."""
    hints, texts = choice.known(name), option_texts(choice.registry[name])
    for key, parameter in choice.parameters(name).items():
        dotted, text = f"{choice.prefix}.{key}", texts.get(key, "")
        yield Entry(dotted, hints[dotted], parameter.default, text[:1].upper() + text[1:])


def option_texts(part: type) -> dict[str, str]:
    """Option -> text, from the docstrings of class and constructor; the part's own before those that it inherits."""
    texts: dict[str, str] = {}
    for kind in reversed(part.__mro__):
        key = ""
        for text in (kind.__doc__, getattr(vars(kind).get("__init__"), "__doc__", None)):
            for line in [*inspect.cleandoc(text or "").splitlines(), ""]:
                if found := re.match(r"\s*(\w+): (.+)", line):
                    key, texts[found[1]] = found[1], found[2]
                elif key and line.strip():
                    texts[key] += f" {line.strip()}"
                else:
                    key = ""
    return texts


def first_sentence(part: type) -> str:
    """What a part is, from its docstring."""
    text = " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split())
    return re.split(r"(?<!et al)\.(?= |$)", text)[0] + "."


def option(entry: Entry, parts: list[Choice]) -> list[str]:
    """An option with what it takes and its default; below it its text, and the names where it is that of a part."""
    names = [line for part in parts if part.key == entry.key for line in name_lines(part)]
    default = "" if entry.default is inspect.Parameter.empty else f"  (default: {in_yaml(entry.default)})"
    word, text = "NAME" if names else kind(entry.hint), entry.text
    if len(f"  --{entry.key} {word}{default}") > WIDTH:
        word, text = "NAME", f"{text} One of {word.replace('|', ', ')}."
    return [f"  --{entry.key} {word}{default}", *wrapped(text, INDENT), *names]


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
    if isinstance(value, str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=1000)
    return text.removesuffix("...\n").strip()


def wrapped(text: str, indent: str = "") -> list[str]:
    """`text` in lines of at most WIDTH columns."""
    lines = []
    for word in text.split():
        if lines and display_width(f"{lines[-1]} {word}") <= WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(indent + word)
    return lines
