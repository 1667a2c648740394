"""YAML and command line to a configuration, through jsonargparse.

The same dotted names in both; the command line wins. The options of a loss, pooling or head are those of its
constructor (`constructors.py`). Every problem is one line that names the key, the value, what was expected and the
nearest key; several problems are told at once.
"""

import dataclasses
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from data.messages import nearest
from data.readers import FORMATS
from data.readers.options import unread
from engine.arguments.checks import check, without_effect
from engine.arguments.constructors import CHOICES, OPTIONS, choices, choose, spread_options
from engine.arguments.help import train_help
from engine.arguments.texts import UNREAD, as_text, hint_at, members, one_of_many
from engine.config import Config, LossConfig, reader_options, shown

DEFAULT = Path(__file__).resolve().parents[2] / "configs" / "sample.yaml"
SECTIONS = {f.name: f.default_factory for f in dataclasses.fields(Config)}


def parse(argv: Sequence[str]) -> tuple[Config, Path, list[str]]:
    """The configuration of a command line, the file it started from, and notices about it.

    Raises ValueError with one line a problem. `--help` prints every key and exits.
    """
    path, given, problems = command_line(argv)
    values = read_yaml(path)
    given |= spread_options(given)
    chosen: dict[str, str] = {}
    chosen["loss.name"], notices = choose(CHOICES[0], values, given)
    for choice in choices(chosen["loss.name"])[1:]:
        chosen[choice.key], notice = choose(choice, values, given)
        notices += notice

    known = known_keys(chosen)
    flat = dict(flatten(values, known))
    given = group_dict_keys(given, known, flat)
    problems += [unknown_key(key, known) for key in [*flat, *given] if not is_known(key, known)]
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))

    if "--help" in argv or "-h" in argv:
        print(train_help(chosen, f"configs/{DEFAULT.name}"))
        raise SystemExit(0)

    parser, own = make_parsers(chosen)
    merged: dict[str, Any] = {}
    options = {key for choice in choices(chosen["loss.name"]) for key in choice.known(chosen[choice.key])}
    problems = [
        f"{key}: the {choice.word} {chosen[choice.key]} needs it"
        for choice in choices(chosen["loss.name"])
        for key in choice.needed(chosen[choice.key])
        if key not in flat | given
    ]
    for key, value in (flat | given).items():
        used = own if key in options else parser
        try:  # one key at a time, so that all problems are told at once
            from_file = not isinstance(value, str) or key not in given
            text = as_text(value, known.get(key, Any), from_file)
            merged[key] = parse_value(used, key, value, from_file) if text is UNREAD else text
            if merged[key] is None and not allows_null(known[key]):  # jsonargparse lets null through everywhere
                raise TypeError("null")
        except (ArgumentError, TypeError, ValueError) as error:
            problems.append(
                f"{key}: got {shown(value)}, expected {expected(known[key], error)}{hint_at(value, known[key])}"
            )
    if problems:
        raise ValueError("\n".join(problems))
    config = assemble(merged, chosen)
    check(config)
    return config.resolved(), path, notices + without_effect(config, given) + unread_options(config, given)


def unread_options(config: Config, given: Sequence[str]) -> list[str]:
    """A warning for every option of readers that was set and that the format does not read."""
    data = config.data
    formats = ("klue", "boostcamp") if data.format == "auto" else (data.format,)
    if not set(formats) <= FORMATS.keys():  # told later, with the names of the others
        return []
    reads = {name for format in formats for name in getattr(FORMATS[format], "READS", ())}
    idle = unread(reader_options(data), given, reads)
    return [f"warning: {key} has no effect: data.format {data.format} does not read it" for key in idle]


def command_line(argv: Sequence[str]) -> tuple[Path, dict[str, str], list[str]]:
    """`--key value` and `--key=value` pairs: the configuration file, the dotted keys, problems."""
    path, given, problems = DEFAULT, {}, []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word in ("--help", "-h"):
            continue
        if not word.startswith("--"):
            problems.append(f"{word}: not understood; options look like --train.epochs 3")
            continue
        key, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            if not words or (words[0].startswith("--") and len(words[0]) > 2):
                problems.append(f"{key}: no value after it")
                continue
            value = words.pop(0)
        if key == "config":
            path = Path(value)
        else:
            given[key] = value
    return path, given, problems


def read_yaml(path: Path) -> dict:
    """The sections of a configuration file."""
    if path.is_dir():
        raise ValueError(f"--config: {path} is a folder, expected a YAML file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"--config: no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"--config: cannot read {path} ({error})") from None
    except RecursionError:
        raise ValueError(f"--config: {path} is nested too deeply") from None
    except yaml.YAMLError as error:
        raise ValueError(f"--config: {path} is no valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise ValueError(
            f"--config: {path} holds {type(content).__name__}, expected the sections {', '.join(SECTIONS)}"
        )
    for name, section in content.items():
        if section is not None and not isinstance(section, dict) and name in SECTIONS:
            raise ValueError(f"--config: section {name} of {path} is {section!r}, expected keys and values")
    return {str(name): section or {} for name, section in content.items()}


def make_parsers(chosen: dict[str, str]) -> tuple[ArgumentParser, ArgumentParser]:
    """One for the keys of the sections, one for the options of the chosen parts."""
    parser = ArgumentParser(prog="", exit_on_error=False, allow_abbrev=False, add_help=False)
    for name, section in SECTIONS.items():
        if name != "loss":
            parser.add_argument(f"--{name}", type=section, default=section())
    losses = Literal[tuple(CHOICES[0].registry)]
    parser.add_argument("--loss.name", type=losses, default=chosen["loss.name"])
    own = ArgumentParser(prog="", exit_on_error=False, allow_abbrev=False, add_help=False)
    for choice in choices(chosen["loss.name"]):
        choice.add_to(own, chosen[choice.key])
    for action in [*parser._actions, *own._actions]:
        action.required = False  # keys are parsed one at a time; what is missing is told with the other problems
    return parser, own


def known_keys(chosen: dict[str, str]) -> dict[str, Any]:
    """Dotted key -> type."""
    known: dict[str, Any] = {}

    def add(prefix: str, section: type) -> None:
        hints = typing.get_type_hints(section)
        for key in dataclasses.fields(section):
            dotted = f"{prefix}.{key.name}"
            if dataclasses.is_dataclass(hints[key.name]):
                add(dotted, hints[key.name])
            elif dotted not in OPTIONS:
                known[dotted] = hints[key.name]

    for name, section in SECTIONS.items():
        if name != "loss":
            add(name, section)
    known["loss.name"] = Literal[tuple(CHOICES[0].registry)]
    for choice in choices(chosen["loss.name"]):
        known |= choice.known(chosen[choice.key])
    return known


def flatten(values: dict, known: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested dicts to dotted keys; a key whose value is a dict stays whole."""
    flat = []
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        if value is None and dotted in OPTIONS:  # a section whose lines are all commented out
            continue
        if isinstance(value, dict) and dotted not in known:
            flat += flatten(value, known, f"{dotted}.")
        else:
            flat.append((dotted, value))
    return flat


def is_known(key: str, known: dict[str, Any]) -> bool:
    return key in known or any(key.startswith(f"{name}.") for name in known if holds_keys(known[name]))


def holds_keys(hint: Any) -> bool:
    """Whether it is a dictionary, or may be one."""
    return any(dict in (part, typing.get_origin(part)) for part in members(hint))


def group_dict_keys(given: dict[str, str], known: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    """`--model.overrides.a 1` to {"model.overrides": {"a": 1}}, beside the other keys that the file has there."""
    grouped: dict[str, Any] = {}
    for key, value in given.items():
        owner = next((name for name in known if key.startswith(f"{name}.") and is_known(key, known)), None)
        if owner is None:
            grouped[key] = value
            continue
        if owner in given:
            raise ValueError(f"{key}: {owner} is given as a whole, too; use one of both")
        try:
            parsed = one_of_many(value, known[owner])
        except yaml.YAMLError:
            raise ValueError(f"{key}: got {value!r}, expected a value as YAML writes it") from None
        before = written.get(owner)
        grouped.setdefault(owner, dict(before) if isinstance(before, dict) else {})
        grouped[owner][key.removeprefix(f"{owner}.")] = parsed
    return grouped


def unknown_key(key: str, known: dict[str, Any]) -> str:
    section = key.split(".")[0]
    if section not in SECTIONS:
        return f"{key}: unknown section {section!r}; sections are {', '.join(SECTIONS)}{nearest(key, known)}"
    below = key.replace("loss.", "loss.base_options.", 1)
    hint = f"; it is an option of the base: {below}" if below in known and section == "loss" else nearest(key, known)
    if not hint:
        hint = f"; keys of {section}: {', '.join(name for name in known if name.startswith(section + '.'))}"
    return f"{key}: unknown key{hint}"


def parse_value(parser: ArgumentParser, key: str, value: Any, from_file: bool) -> Any:
    """`value` checked and converted by jsonargparse."""
    if from_file:
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        parsed = parser.parse_object(nested, defaults=False)
    else:
        parsed = parser.parse_args([f"--{key}={value}"], defaults=False)
    result = parsed[key]
    return result.as_dict() if hasattr(result, "as_dict") else result


def allows_null(hint: Any) -> bool:
    return bool({Any, type(None)} & {*members(hint)})


def expected(hint: Any, error: Exception) -> str:
    """A type in words: a whole number, one of a, b, or null."""
    if len(parts := members(hint)) > 1:
        return " or ".join(expected(part, error) for part in parts)
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
    if hint in words:
        return words[hint]
    if typing.get_origin(hint) is list:
        [part] = typing.get_args(hint) or [Any]
        names = typing.get_args(part) if typing.get_origin(part) is Literal else ()
        return f"a list of {', '.join(names)}" if names else "a list such as [a, b]"
    if typing.get_origin(hint) is dict:
        return "keys and values such as {a: 1}"
    return re.sub(r"\s+", " ", str(error))[:200]


def assemble(flat: dict[str, Any], chosen: dict[str, str]) -> Config:
    """Checked dotted values over the defaults."""
    nested: dict[str, dict] = {name: {} for name in SECTIONS}
    for choice in choices(chosen["loss.name"]):
        section, _, below = choice.prefix.partition(".")
        target = nested[section] if not below else nested[section].setdefault(below, {})
        # model.dropout speaks for a part's own share unless that is given
        target |= {key: value for key, value in choice.defaults(chosen[choice.key]).items() if key != "dropout"}
    for key, value in flat.items():
        section, _, rest = key.partition(".")
        name, _, inner = rest.partition(".")
        if not inner:
            nested[section][name] = value
        else:
            nested[section].setdefault(name, {})[inner] = value
    loss = LossConfig(chosen["loss.name"], {key: value for key, value in nested.pop("loss").items() if key != "name"})
    sections = {}
    for name, values in nested.items():
        section = SECTIONS[name]
        for key, hint in typing.get_type_hints(section).items():
            if dataclasses.is_dataclass(hint):
                values[key] = hint(**values.get(key, {}))
        sections[name] = section(**values)
    return Config(loss=loss, **sections)
