"""The parts that a user picks by name and whose options are the constructor's own: loss, pooling, head.

The name is read first, then the options of that constructor: an option that it does not have is an error that lists
those it has, and the options of a replaced part in the file are dropped with a notice.
"""

import dataclasses
import inspect
import typing
from dataclasses import dataclass
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from data.messages import nearest
from engine.config import shown
from losses import LOSSES
from losses.pointwise import POINTWISE
from models.heads import HEADS
from models.pooling import POOLINGS


@dataclass(frozen=True)
class Choice:
    """A part chosen by `key`; its options stand under `prefix`. `given` are the arguments that the build supplies."""

    key: str
    prefix: str
    registry: dict[str, type]
    given: frozenset[str]
    default: str

    @property
    def word(self) -> str:
        """What it is: loss, pooling, head."""
        return self.key.replace(".name", "").rpartition(".")[2]

    def parameters(self, name: str) -> dict[str, inspect.Parameter]:
        """The options of the part called `name`."""
        signature = inspect.signature(self.registry[name].__init__)
        return {key: value for key, value in signature.parameters.items() if key not in self.given | {"self"}}

    def known(self, name: str) -> dict[str, Any]:
        """Dotted option -> type."""
        hints = typing.get_type_hints(self.registry[name].__init__)
        return {f"{self.prefix}.{key}": hints.get(key, Any) for key in self.parameters(name)}

    def needed(self, name: str) -> list[str]:
        """Dotted options without a default."""
        empty = inspect.Parameter.empty
        return [f"{self.prefix}.{key}" for key, value in self.parameters(name).items() if value.default is empty]

    def defaults(self, name: str) -> dict[str, Any]:
        empty = inspect.Parameter.empty
        return {key: value.default for key, value in self.parameters(name).items() if value.default is not empty}

    def add_to(self, parser: ArgumentParser, name: str) -> None:
        parser.add_class_arguments(self.registry[name], self.prefix, skip=set(self.given))


CHOICES = (
    Choice("loss.name", "loss", LOSSES, frozenset({"class_counts"}), "cross_entropy"),
    Choice("model.pooling", "model.pooling_options", POOLINGS, frozenset({"hidden_size"}), "entity_start"),
    Choice("model.head", "model.head_options", HEADS, frozenset({"features", "hidden_size", "classes"}), "mlp"),
)
OPTIONS = {"loss.base_options", "model.pooling_options", "model.head_options"}  # keys that hold a part's options


def choices(loss: str) -> tuple[Choice, ...]:
    """What is chosen in a run with this loss: one that stands on another one (`base`) has that one's options, too."""
    own, *others = CHOICES
    if not {"base", "base_options"} <= own.parameters(loss).keys():
        return CHOICES
    base = Choice("loss.base", "loss.base_options", POINTWISE, own.given, own.defaults(loss)["base"])
    return (dataclasses.replace(own, given=own.given | {"base_options"}), *others, base)


def choose(choice: Choice, values: dict, given: dict[str, Any]) -> tuple[str, list[str]]:
    """The name of a part, the command line's before the file's, and a notice about options of the file that went with
    the replaced one: they are taken out of `values`.
    """
    section, key = choice.key.split(".")
    inside = dict(values.get(section) or {})
    written = inside.get(key, choice.default)
    name = given.get(choice.key, written)
    if not isinstance(name, str) or name not in choice.registry:
        names = ", ".join(choice.registry)
        raise ValueError(
            f"{choice.key}: got {shown(name)}, expected one of {names}{nearest(str(name), choice.registry)}"
        )
    below = choice.prefix.partition(".")[2]  # "" where the options stand beside the name
    options = inside if not below else inside.get(below)
    if name == written or not isinstance(options, dict):
        return name, []
    # also those of the same name, which meant another part; a saved configuration holds every default
    values[section] = {key: name} if not below else inside | {below: {}}
    before = choice.defaults(written) if isinstance(written, str) and written in choice.registry else {}
    dropped = [o for o, value in options.items() if (below or o != key) and (o not in before or before[o] != value)]
    listed = ", ".join(f"{choice.prefix}.{option}" for option in dropped)
    return name, [f"{listed} of {written} dropped: the {choice.word} is {name}"] if dropped else []


def spread_options(given: dict[str, str]) -> dict[str, Any]:
    """`--model.head_options "{layers: 2}"` as the single options that it holds."""
    spread: dict[str, Any] = {}
    for prefix in OPTIONS & set(given):
        text = given.pop(prefix)
        try:
            options = yaml.safe_load(text)
        except yaml.YAMLError:
            options = text
        if not isinstance(options, dict):
            raise ValueError(f"{prefix}: got {text!r}, expected keys and values such as {{a: 1}}")
        if twice := [key for key in options if f"{prefix}.{key}" in given]:
            raise ValueError(f"{prefix}.{twice[0]}: {prefix} is given as a whole, too; use one of both")
        spread |= {
            f"{prefix}.{key}": yaml.safe_dump(value).removesuffix("...\n").strip() for key, value in options.items()
        }
    return spread
