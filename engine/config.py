"""The configuration: frozen dataclasses by section, from YAML and the command line through jsonargparse.

`loss.*` besides `loss.name` are the options of that loss's constructor. Every problem is one line that names the key,
the value, what was expected and the nearest key; several problems are told at once.
"""

import dataclasses
import difflib
import inspect
import re
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from data.markers import TYPES
from losses import LOSSES

DEFAULT = Path(__file__).resolve().parent.parent / "configs" / "sample.yaml"


@dataclass(frozen=True)
class RunConfig:
    name: str | None = None
    """Folder of the run inside run.dir; the same name continues a run. null = configuration file's name + time."""
    dir: str = "runs"
    """Where run folders live."""
    seed: int = 42
    """Initial weights, order of examples and dropout follow from it."""
    resume: Literal["auto", "never", "force"] = "auto"
    """auto: continue a run of the same name; never: refuse to; force: continue although the configuration changed."""
    threads: int | None = None
    """CPU threads a process uses. null = cores divided by the processes of this machine."""


@dataclass(frozen=True)
class DataConfig:
    format: Literal["auto", "klue", "boostcamp"] = "auto"
    """klue: KLUE-RE JSON; boostcamp: its CSV; auto: decided for each file."""
    train: str = "sample:train"
    """A file, sample:train, or hub:<data set>:<configuration>[:<split>] (needs the extra `hub`)."""
    dev: str | None = "sample:dev"
    """As data.train. null = train on everything, keep the last weights."""
    max_length: int = 256
    """Tokens of an example with its markers and query; longer sentences are cut around both entities."""
    marker: Literal["none", "entity", "entity_punct", "typed", "typed_punct"] = "typed_punct"
    """How entities are marked, see data/markers.py."""
    query: Literal["none", "relation", "question"] = "none"
    """A second segment: `x와 y의 관계` (relation) or `x와 y의 관계는 무엇입니까?` (question)."""
    type_words: Literal["korean", "english"] = "korean"
    """Language of the type words of typed_punct."""
    types: list[str] = field(default_factory=lambda: list(TYPES))
    """Entity types that occur in the data."""
    labels: str = "klue"
    """klue or boostcamp (the same names in two orders), or a file: a JSON list or one label a line."""
    negative_label: str | None = "no_relation"
    """The class that micro-F1 leaves out. null = none."""
    on_bad_row: Literal["error", "skip"] = "error"
    """What a bad training row does; a bad dev row is always an error."""
    cache_dir: str | None = None
    """Where encoded corpora are kept. null = plainloop in the user's cache folder."""


@dataclass(frozen=True)
class ScratchConfig:
    hidden_size: int = 128
    """Width of a backbone trained from nothing."""
    layers: int = 2
    """Its layers."""
    heads: int = 2
    """Its attention heads."""


@dataclass(frozen=True)
class ModelConfig:
    name: str = "relation"
    """The model, see models/__init__.py."""
    backbone: str | None = None
    """A folder or hub name of a pretrained encoder. null = a small BERT from nothing, see model.scratch."""
    tokenizer: str | None = None
    """A folder or hub name, or `sample`. null = the backbone's own."""
    pooling: str = "entity_start"
    """Which states stand for the sentence, see models/pooling.py."""
    head: str = "mlp"
    """What makes logits of them, see models/heads.py."""
    dropout: float | None = None
    """Every dropout of backbone and head; 0 switches all off. null = the backbone's own, 0.1 in the head."""
    attention: Literal["auto", "padded"] = "auto"
    """How sentences of a batch are kept apart: padded inside the backbone (auto does the same today)."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Settings of a pretrained backbone's configuration to change, e.g. {hidden_dropout_prob: 0.2}."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    scratch: ScratchConfig = field(default_factory=ScratchConfig)
    """The sizes of a backbone that is trained from nothing."""


@dataclass(frozen=True)
class LossConfig:
    name: str = "cross_entropy"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OptimConfig:
    lr: float = 3e-5
    """Highest learning rate (AdamW)."""
    head_lr: float | None = None
    """That of everything outside the backbone. null = optim.lr."""
    layer_decay: float = 1.0
    """Each layer below the top learns at this multiple of the one above; 1 = all alike."""
    weight_decay: float = 0.01
    """Decoupled weight decay; biases and norms are left out."""
    warmup: float = 0.1
    """Share of the updates in which the learning rate rises; then it falls to 0 on a line."""


@dataclass(frozen=True)
class TrainConfig:
    epochs: int = 3
    """Passes over the training data."""
    max_updates: int | None = None
    """Stop after so many updates; the schedule ends there too. null = no limit."""
    batch_size: int = 32
    """Examples of an update, over all processes."""
    micro_batch_size: int | None = None
    """Most examples of a forward pass of one process; smaller ones are accumulated. null = no cutting."""
    precision: Literal["fp32", "bf16", "fp16"] | None = None
    """Mixed precision. null = what the launcher says."""
    max_grad_norm: float | None = 1.0
    """The gradient is scaled down to this norm. null = not clipped."""
    log_every: int = 10
    """Updates between two training lines of metrics.jsonl and TensorBoard."""
    save_every: int | None = None
    """Updates between two checkpoints. null = epoch end."""


@dataclass(frozen=True)
class EvalConfig:
    every: int | None = None
    """Updates between two evaluations. null = epoch end."""
    metric: Literal["micro_f1", "auprc", "accuracy", "macro_f1"] = "micro_f1"
    """The score that chooses the best weights and that patience watches."""
    patience: int | None = None
    """Stop after so many evaluations without a better score. null = never."""
    batch_size: int = 64
    """Examples of a forward pass in evaluation."""


@dataclass(frozen=True)
class TrackConfig:
    tensorboard: bool = True
    """Write TensorBoard files beside metrics.jsonl."""


@dataclass(frozen=True)
class Config:
    run: RunConfig = field(default_factory=RunConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    track: TrackConfig = field(default_factory=TrackConfig)

    def as_dict(self) -> dict:
        """Nested plain values, as a YAML file holds them."""
        values = dataclasses.asdict(self)
        values["loss"] = {"name": self.loss.name, **self.loss.options}
        return values

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.as_dict(), allow_unicode=True, sort_keys=False)


SECTIONS = {f.name: f.default_factory for f in dataclasses.fields(Config)}
NOT_LOSS_OPTIONS = {"self", "class_counts"}  # given by the build, not by the user


def parse(argv: Sequence[str]) -> tuple[Config, Path, list[str]]:
    """The configuration of a command line, the file it started from, and notices about it.

    Raises ValueError with one line a problem. `--help` prints every key and exits.
    """
    path, given, problems = command_line(argv)
    values = read_yaml(path)
    loss = given.get("loss.name") or (values.get("loss") or {}).get("name") or LossConfig.name
    if loss not in LOSSES:
        raise ValueError(f"loss.name: got {loss!r}, expected one of {', '.join(LOSSES)}{nearest(str(loss), LOSSES)}")
    values, notices = drop_replaced_loss(values, loss, "loss.name" in given)

    known = known_keys(loss)
    flat = dict(flatten(values, known))
    given = group_dict_keys(given, known)
    problems += [unknown_key(key, known) for key in [*flat, *given] if not is_known(key, known)]
    if problems:
        raise ValueError("\n".join(dict.fromkeys(problems)))

    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(
        prog="train.py", exit_on_error=False, allow_abbrev=False, description="Train a sentence classifier."
    )
    parser.add_argument("--config", help=f"YAML file to start from (without it: configs/{DEFAULT.name})")
    for name, section in SECTIONS.items():
        if name != "loss":
            parser.add_argument(f"--{name}", type=section, default=section())
    parser.add_argument("--loss.name", type=Literal[tuple(LOSSES)], default=loss, help="The loss, see losses/.")
    parser.add_class_arguments(LOSSES[loss], "loss", skip=NOT_LOSS_OPTIONS - {"self"})
    if "--help" in argv or "-h" in argv:
        parser.print_help()
        raise SystemExit(0)

    problems = []
    merged: dict[str, Any] = {}
    for key, value in (flat | given).items():
        try:  # one key at a time, so that all problems are told at once
            merged[key] = parse_value(parser, key, value, from_file=not isinstance(value, str) or key not in given)
        except (ArgumentError, TypeError, ValueError) as error:
            problems.append(f"{key}: got {shown(value)}, expected {expected(known[key], error)}")
    if problems:
        raise ValueError("\n".join(problems))
    config = assemble(merged, loss, known)
    check(config)
    return config, path, notices


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
    except yaml.YAMLError as error:
        raise ValueError(f"--config: {path} is no valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise ValueError(f"--config: {path} holds {type(content).__name__}, expected the sections {', '.join(SECTIONS)}")
    for name, section in content.items():
        if section is not None and not isinstance(section, dict) and name in SECTIONS:
            raise ValueError(f"--config: section {name} of {path} is {section!r}, expected keys and values")
    return {str(name): section or {} for name, section in content.items()}


def drop_replaced_loss(values: dict, loss: str, chosen: bool) -> tuple[dict, list[str]]:
    """Options that the file gives to another loss than the command line's are dropped, with a notice."""
    section = dict(values.get("loss") or {})
    written = section.get("name", LossConfig.name)
    if not chosen or written == loss:
        return values, []
    own = loss_options(loss)
    dropped = [key for key in section if key != "name" and key not in own]
    kept = {key: value for key, value in section.items() if key not in dropped}
    notice = [f"loss.{', loss.'.join(dropped)} of {written} dropped: the loss is {loss}"] if dropped else []
    return values | {"loss": kept | {"name": loss}}, notice


def loss_options(name: str) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(LOSSES[name].__init__).parameters
    return {key: parameter for key, parameter in parameters.items() if key not in NOT_LOSS_OPTIONS}


def known_keys(loss: str) -> dict[str, Any]:
    """Dotted key -> type."""
    known: dict[str, Any] = {}

    def add(prefix: str, section: type) -> None:
        hints = typing.get_type_hints(section)
        for key in dataclasses.fields(section):
            if dataclasses.is_dataclass(hints[key.name]):
                add(f"{prefix}.{key.name}", hints[key.name])
            else:
                known[f"{prefix}.{key.name}"] = hints[key.name]

    for name, section in SECTIONS.items():
        if name != "loss":
            add(name, section)
    known["loss.name"] = Literal[tuple(LOSSES)]
    hints = typing.get_type_hints(LOSSES[loss].__init__)
    known |= {f"loss.{key}": hints.get(key, Any) for key in loss_options(loss)}
    return known


def flatten(values: dict, known: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested dicts to dotted keys; a key whose value is a dict stays whole."""
    flat = []
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, dict) and dotted not in known:
            flat += flatten(value, known, f"{dotted}.")
        else:
            flat.append((dotted, value))
    return flat


def is_known(key: str, known: dict[str, Any]) -> bool:
    return key in known or any(key.startswith(f"{name}.") for name in known if typing.get_origin(known[name]) is dict)


def group_dict_keys(given: dict[str, str], known: dict[str, Any]) -> dict[str, Any]:
    """`--model.overrides.a 1` to {"model.overrides": {"a": 1}}."""
    grouped: dict[str, Any] = {}
    for key, value in given.items():
        owner = next((name for name in known if key.startswith(f"{name}.") and is_known(key, known)), None)
        if owner is None:
            grouped[key] = value
        else:
            grouped.setdefault(owner, {})[key.removeprefix(f"{owner}.")] = yaml.safe_load(value)
    return grouped


def unknown_key(key: str, known: dict[str, Any]) -> str:
    section = key.split(".")[0]
    if section not in SECTIONS:
        return f"{key}: unknown section {section!r}; sections are {', '.join(SECTIONS)}{nearest(key, known)}"
    hint = nearest(key, known)
    if not hint:
        hint = f"; keys of {section}: {', '.join(name for name in known if name.startswith(section + '.'))}"
    return f"{key}: unknown key{hint}"


def nearest(word: str, choices) -> str:
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


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


def shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def expected(hint: Any, error: Exception) -> str:
    """A type in words: a whole number, one of a, b, or null."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(expected(part, error) for part in typing.get_args(hint))
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "null"}
    if hint in words:
        return words[hint]
    if typing.get_origin(hint) is list:
        return "a list such as [a, b]"
    if typing.get_origin(hint) is dict:
        return "keys and values such as {a: 1}"
    return re.sub(r"\s+", " ", str(error))[:200]


def assemble(flat: dict[str, Any], loss: str, known: dict[str, Any]) -> Config:
    """Checked dotted values over the defaults."""
    nested: dict[str, dict] = {name: {} for name in SECTIONS}
    for key, value in flat.items():
        section, _, rest = key.partition(".")
        name, _, inner = rest.partition(".")
        if not inner:
            nested[section][name] = value
        else:
            nested[section].setdefault(name, {})[inner] = value
    options = nested.pop("loss")
    options.pop("name", None)
    defaults = {k: p.default for k, p in loss_options(loss).items() if p.default is not inspect.Parameter.empty}
    sections = {}
    for name, values in nested.items():
        section = SECTIONS[name]
        for key, hint in typing.get_type_hints(section).items():
            if dataclasses.is_dataclass(hint):
                values[key] = hint(**values.get(key, {}))
        sections[name] = section(**values)
    return Config(loss=LossConfig(loss, defaults | options), **sections)


def check(config: Config) -> None:
    """Ranges and combinations that types cannot say; all problems at once."""
    problems = []

    def require(condition: bool, key: str, wanted: str) -> None:
        if not condition:
            section, name = key.split(".", 1)
            value = getattr(config, section)
            for part in name.split("."):
                value = getattr(value, part)
            problems.append(f"{key}: got {shown(value)}, expected {wanted}")

    for key in ("train.epochs", "train.batch_size", "train.log_every", "eval.batch_size"):
        section, name = key.split(".")
        require(getattr(getattr(config, section), name) >= 1, key, "1 or more")
    for key in (
        "run.threads", "train.max_updates", "train.micro_batch_size", "train.save_every", "eval.every", "eval.patience",
    ):  # fmt: skip
        section, name = key.split(".")
        value = getattr(getattr(config, section), name)
        require(value is None or value >= 1, key, "1 or more, or null")
    for name in ("hidden_size", "layers", "heads"):
        require(getattr(config.model.scratch, name) >= 1, f"model.scratch.{name}", "1 or more")
    require(config.data.max_length >= 8, "data.max_length", "8 or more")
    require(config.run.seed >= 0, "run.seed", "0 or more")
    require(config.optim.lr > 0, "optim.lr", "a number above 0")
    require(config.optim.head_lr is None or config.optim.head_lr > 0, "optim.head_lr", "a number above 0, or null")
    require(0 < config.optim.layer_decay <= 1, "optim.layer_decay", "a number above 0, up to 1")
    require(config.optim.weight_decay >= 0, "optim.weight_decay", "0 or more")
    require(0 <= config.optim.warmup <= 1, "optim.warmup", "a share of the updates, 0 to 1")
    require(
        config.train.max_grad_norm is None or config.train.max_grad_norm > 0,
        "train.max_grad_norm",
        "a number above 0, or null",
    )
    require(config.model.dropout is None or 0 <= config.model.dropout < 1, "model.dropout", "0 up to below 1, or null")
    require(len(set(config.data.types)) == len(config.data.types) > 0, "data.types", "different names")
    name = config.run.name
    require(
        name is None or (name not in ("", ".", "..") and not set(name) & set("/\\\0")),
        "run.name",
        "a folder name without slashes, or null",
    )
    if config.model.backbone is None and config.model.tokenizer is None:
        problems.append("model.tokenizer: a backbone from nothing (model.backbone null) needs one: a folder, or sample")
    if config.model.backbone is None and config.model.overrides:
        problems.append("model.overrides: has no effect without model.backbone; sizes are under model.scratch")
    if problems:
        raise ValueError("\n".join(problems))
