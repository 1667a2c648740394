"""The configuration: frozen dataclasses by section, plain values. `engine/arguments.py` fills them."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from data.markers import MARKERS, QUERIES, TYPE_WORDS, TYPES
from data.options import Columns, ReaderOptions
from engine.deliver import OUTCOMES, VARIABLE, address


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
    format: str = "auto"
    """klue: KLUE-RE JSON; boostcamp: its CSV; auto: one of these two, decided for each file; semeval: SemEval-2010
    Task 8; tacred: JSON with token positions; text: CSV, TSV or JSON without entities. See data/__init__.py."""
    train: str = "sample:train"
    """A file, sample:train, or hub:<data set>:<configuration>[:<split>] (needs the extra `hub`)."""
    dev: str | None = "sample:dev"
    """As data.train. null = train on everything, keep the last weights."""
    max_length: int = 256
    """Tokens of an example with its markers and query; longer sentences are cut around both entities."""
    marker: Literal[MARKERS] = "typed_punct"
    """How entities are marked, see data/markers.py."""
    query: Literal[QUERIES] = "none"
    """A second segment: `x와 y의 관계` (relation) or `x와 y의 관계는 무엇입니까?` (question)."""
    type_words: Literal[tuple(TYPE_WORDS)] = "korean"
    """Language of the type words that typed_punct writes and that the tokens of typed start from."""
    columns: Columns = field(default_factory=Columns)
    """Where things stand in a row, see data/options.py."""
    header: bool = True
    """Whether a CSV or TSV file names its columns in its first line (format text)."""
    separator: Literal["auto", "tab", "comma", "semicolon"] = "auto"
    """What separates columns (format text). auto: a TAB where the first line holds one, else a comma."""
    quoting: bool = True
    """Whether quotes in CSV and TSV files hold fields together (format text). false = they are text."""
    offsets: Literal["inclusive", "exclusive"] | None = None
    """Whether an entity's end is its last character (token) or one after. null = as the format has it."""
    types: list[str] = field(default_factory=lambda: list(TYPES))
    """Entity types that occur in the data."""
    labels: str = "klue"
    """klue or boostcamp (the same names in two orders); a file: a JSON list, a JSON object with numbers from 0, or one
    label a line; learned: those of the training rows, sorted."""
    negative_label: str | None = "no_relation"
    """The class that micro-F1 and semeval leave out. null = none; micro-F1 is the accuracy then."""
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
    pooling_options: dict[str, Any] = field(default_factory=dict)
    """Options of that pooling's constructor, e.g. {layers: 4} of last_layers."""
    with_cls: bool | None = None
    """Put the state of [CLS] in front of what is pooled. null = as the pooling does by itself: entity_* do."""
    head: str = "mlp"
    """What makes logits of them, see models/heads.py. bilstm, bigru and cnn read the whole sentence: pooling cls."""
    head_options: dict[str, Any] = field(default_factory=dict)
    """Options of that head's constructor, e.g. {layers: 2} of bilstm."""
    entity_embeddings: list[Literal["role", "type"]] = field(default_factory=list)
    """Added to the word embeddings, zero at first: role (none, subject, object), type (of data.types), both or none."""
    freeze: Literal["none", "embeddings", "all"] | int = "none"
    """Weights of the backbone that do not learn: embeddings; a number = them and so many first layers; all."""
    reinit: int = 0
    """So many top layers of the backbone start anew (Zhang et al. 2021, arXiv 2006.05987)."""
    added_tokens: dict[str, Any] | list[str] = field(default_factory=dict)
    """Ordinary words to add: [a, b], or {a: text} to start a's row from those of a text that describes it."""
    dropout: float | None = None
    """Every dropout of backbone, pooling and head; 0 switches all off. null = the backbone's own, the parts' own."""
    attention: Literal["auto", "padded"] = "auto"
    """How sentences of a batch are kept apart: padded inside the backbone (auto does the same today)."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Settings to change in a pretrained backbone's configuration, e.g. {hidden_dropout_prob: 0.2}, or the model's."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, one more forward pass."""
    scratch: ScratchConfig = field(default_factory=ScratchConfig)
    """The sizes of a backbone that is trained from nothing."""


@dataclass(frozen=True)
class LossConfig:
    name: str = "cross_entropy"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OptimConfig:
    lr: float | None = None
    """Highest learning rate (AdamW). null = 2e-5 for a pretrained backbone, 1e-3 for one from nothing."""
    head_lr: float | None = None
    """That of everything outside the backbone. null = optim.lr."""
    entity_lr: float | None = None
    """That of model.entity_embeddings. null = optim.head_lr."""
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
    metric: Literal["micro_f1", "auprc", "accuracy", "macro_f1", "semeval"] = "micro_f1"
    """The score that chooses the best weights and that patience watches. semeval: that of SemEval-2010 Task 8."""
    patience: int | None = None
    """Stop after so many evaluations without a better score. null = never."""
    batch_size: int = 64
    """Examples of a forward pass in evaluation."""


@dataclass(frozen=True)
class TrackConfig:
    tensorboard: bool = True
    """Write TensorBoard files beside metrics.jsonl."""


@dataclass(frozen=True)
class NotifyConfig:
    when: list[str] = field(default_factory=lambda: list(OUTCOMES))
    """Ends of a run that are told to the addresses in PLAINLOOP_NOTIFY: finished, stopped, failed; [] = none."""


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
    notify: NotifyConfig = field(default_factory=NotifyConfig)

    def resolved(self) -> "Config":
        """With the values that follow from others in place of null."""
        lr = self.optim.lr or (1e-3 if self.model.backbone is None else 2e-5)
        return dataclasses.replace(self, optim=dataclasses.replace(self.optim, lr=lr))

    def as_dict(self) -> dict:
        """Nested plain values, as a YAML file holds them."""
        values = dataclasses.asdict(self)
        values["loss"] = {"name": self.loss.name, **self.loss.options}
        return values

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.as_dict(), allow_unicode=True, sort_keys=False)


def reader_options(data: DataConfig) -> ReaderOptions:
    return ReaderOptions(data.columns, data.header, data.separator, data.quoting, data.offsets)


def without_effect(config: Config, given) -> list[str]:
    """A warning for every key of `given` (those of the command line) that does nothing in this configuration."""
    idle = {
        "model.scratch.": (config.model.backbone is not None, "model.backbone is set"),
        "eval.": (config.data.dev is None, "data.dev is null"),
        "notify.": (not address(), f"{VARIABLE} is not set"),
        "optim.entity_lr": (not config.model.entity_embeddings, "model.entity_embeddings is empty"),
        "data.marker": (
            config.data.format == "text" and config.data.marker != "none",
            "data.format text has no entities",
        ),
        "data.query": (
            config.data.format == "text" and config.data.query != "none",
            "data.format text has no entities",
        ),
        "data.types": (config.data.format in ("text", "semeval"), f"data.format {config.data.format} has no types"),
        "data.type_words": (config.data.marker not in ("typed", "typed_punct"), f"data.marker is {config.data.marker}"),
    }
    return [
        f"warning: {key} has no effect: {reason}"
        for key in given
        for prefix, (unused, reason) in idle.items()
        if unused and key.startswith(prefix)
    ]


def shown(value: Any) -> str:
    return "null" if value is None else repr(value)


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
    require(8 <= config.data.max_length <= 65536, "data.max_length", "8 to 65536")
    require(config.run.seed >= 0, "run.seed", "0 or more")
    require(config.optim.lr is None or config.optim.lr > 0, "optim.lr", "a number above 0, or null")
    require(config.optim.head_lr is None or config.optim.head_lr > 0, "optim.head_lr", "a number above 0, or null")
    require(
        config.optim.entity_lr is None or config.optim.entity_lr > 0, "optim.entity_lr", "a number above 0, or null"
    )
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
    require(set(config.notify.when) <= set(OUTCOMES), "notify.when", f"a list of {', '.join(OUTCOMES)}")
    name = config.run.name
    require(
        name is None or (name not in ("", ".", "..") and not set(name) & set("/\\\0") and len(name.encode()) <= 200),
        "run.name",
        "a folder name without slashes, at most 200 bytes long, or null",
    )
    words = config.model.added_tokens
    texts = [*words, *words.values()] if isinstance(words, dict) else words
    require(all(t is None or isinstance(t, str) for t in texts), "model.added_tokens", "words, and texts or null")
    if config.model.backbone is None and config.model.tokenizer is None:
        problems.append("model.tokenizer: a backbone from nothing (model.backbone null) needs one: a folder, or sample")
    problems += check_model(config.model)
    if config.model.backbone is None and config.model.overrides:
        problems.append("model.overrides: has no effect without model.backbone; sizes are under model.scratch")
    if problems:
        raise ValueError("\n".join(problems))


def check_model(model: ModelConfig) -> list[str]:
    """What is wrong between the options of the model."""
    problems = []
    for part in ("pooling_options", "head_options"):
        share = getattr(model, part).get("dropout")
        if share is not None and not 0 <= share < 1:
            problems.append(f"model.{part}.dropout: got {share}, expected 0 up to below 1")
        if None not in (share, model.dropout) and share != model.dropout:
            problems.append(
                f"model.{part}.dropout: got {share}, but model.dropout, which is for all, is {model.dropout}"
            )
    if isinstance(model.freeze, int) and (isinstance(model.freeze, bool) or model.freeze < 1):
        problems.append(f"model.freeze: got {model.freeze}, expected none, embeddings, all or a number of layers")
    if model.reinit < 0:
        problems.append(f"model.reinit: got {model.reinit}, expected 0 or more layers")
    if len(set(model.entity_embeddings)) < len(model.entity_embeddings):
        problems.append(f"model.entity_embeddings: got {model.entity_embeddings}, expected each kind once")
    if model.freeze == "all" and model.reinit:
        problems.append("model.reinit: new layers would never learn under model.freeze all")
    if model.backbone is None:
        unused = {"model.freeze": model.freeze != "none", "model.reinit": model.reinit > 0}
        problems += [
            f"{key}: a backbone from nothing (model.backbone null) has nothing to keep" for key in unused if unused[key]
        ]
    return problems
