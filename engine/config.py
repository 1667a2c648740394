"""The configuration: frozen dataclasses by section, plain values. `engine/arguments/parse.py` fills them."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from data.duplicates import HANDLING
from data.markers import MARKERS, QUERIES, TYPE_WORDS, TYPES
from data.readers.options import Columns, ReaderOptions
from engine.notify.deliver import OUTCOMES
from engine.scores.titles import SCORES


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
    Task 8; tacred: JSON with token positions; inline: CSV, TSV or JSON with marks inside the text; text: the same
    without entities. doccano, label_studio, brat (a folder), conll04, scierc, docred: documents with several relations,
    a row each; fewrel, opennre. See data/__init__.py."""
    train: str | list[str] = "sample:train"
    """A file, sample:train, or hub:<data set>:<configuration>[:<split>] (needs the extra `hub`); [a.csv, b.csv] =
    several, one after the other."""
    dev: str | list[str] | None = "sample:dev"
    """As data.train. null = train on everything, keep the last weights; or see data.hold_out and data.folds."""
    hold_out: float | None = None
    """Share of data.train that becomes the dev part (data.dev null): grouped by sentence, stratified by label, drawn
    by run.seed. null = none."""
    folds: int | None = None
    """Cut data.train into so many parts in the same way; data.fold becomes the dev part (data.dev null). null = no."""
    fold: int | None = None
    """Which of data.folds, from 0."""
    max_length: int = 256
    """Tokens of an example with its markers and query; longer sentences are cut around both entities."""
    marker: Literal[MARKERS] = "typed_punct"
    """How entities are marked, see data/markers.py."""
    query: Literal[QUERIES] = "none"
    """A second segment: `x와 y의 관계` (relation) or `x와 y의 관계는 무엇입니까?` (question)."""
    type_words: Literal[tuple(TYPE_WORDS)] = "korean"
    """Language of the type words that typed_punct writes and that the tokens of typed start from."""
    columns: Columns = field(default_factory=Columns)
    """Where things stand in a row, see data/readers/options.py."""
    header: bool = True
    """Whether a CSV or TSV file names its columns in its first line (format text)."""
    separator: Literal["auto", "tab", "comma", "semicolon"] = "auto"
    """What separates columns (formats text, inline, boostcamp). auto: what the names of the columns in the first line
    stand apart by, else a TAB where it holds one, else a comma."""
    quoting: bool = True
    """Whether quotes in CSV and TSV files hold fields together. false = they are text."""
    offsets: Literal["inclusive", "exclusive", "find"] | None = None
    """Whether an entity's end is its last character (token) or one after. null = as the format has it; find (klue,
    boostcamp): decided for each row by the entity's word, and counted."""
    negatives: str | None = None
    """Formats of documents with several relations: the label of rows that are made of every ordered pair of entities of
    a text without a relation. null = no such rows."""
    types: list[str] | Literal["learned"] = field(default_factory=lambda: list(TYPES))
    """Entity types that occur in the data; learned: those of the training rows, sorted."""
    labels: str = "klue"
    """klue or boostcamp (the same names in two orders); a file: a JSON list, a JSON object with numbers from 0, or one
    label a line; learned: those of the training rows, sorted."""
    negative_label: str | None = "no_relation"
    """The class that micro-F1 and semeval leave out. null = none; micro-F1 is the accuracy then."""
    on_bad_row: Literal["error", "skip"] = "error"
    """What a bad training row does: end the start, or be left out, which is counted by reason and label."""
    on_bad_dev_row: Literal["error", "skip"] = "error"
    """The same for a bad dev row: scores are those of the others then."""
    max_skipped: float = 0.1
    """Share of a file's rows that may be left out; more of them is an error."""
    duplicates: Literal[HANDLING] = "keep"
    """Training rows with the sentence and the entities of another: drop_exact keeps the first of those with the same
    label; drop_conflicting does, too, and drops all those with different labels."""
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
    added_tokens: dict[str, str | None] | list[str] = field(default_factory=dict)
    """Ordinary words to add: [a, b], or {a: text} to start a's row from those of a text that describes it."""
    dropout: float | None = None
    """Every dropout of backbone, pooling and head; 0 switches all off. null = the backbone's own, the parts' own."""
    attention: Literal["auto", "packed", "padded"] = "auto"
    """packed: no arithmetic on padding, by flash attention on a GPU in half precision; padded inside the backbone;
    auto: packed where the GPU and the backbone can."""
    compile: Literal["off", "regional", "full"] = "off"
    """torch.compile: regional = each layer of the backbone, full = the whole model. Lengths do not compile anew."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Settings to change in a pretrained backbone's configuration, e.g. {hidden_dropout_prob: 0.2}, or the model's."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, one more forward pass."""
    scratch: ScratchConfig = field(default_factory=ScratchConfig)
    """The sizes of a backbone that is trained from nothing."""


@dataclass(frozen=True)
class LossConfig:
    name: str = "cross_entropy"
    """What is minimised, see losses/__init__.py."""
    options: dict[str, Any] = field(default_factory=dict)
    """Those of its constructor; in YAML and on the command line they stand beside the name."""


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
    micro_tokens: int | None = None
    """Most tokens of a forward pass of one process, padding counted (examples x longest). null = no limit."""
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
    metric: Literal[tuple(SCORES)] = "micro_f1"
    """The score that chooses the best weights and that patience watches. semeval: that of SemEval-2010 Task 8;
    those ending in _prior: see eval.label_prior."""
    label_prior: str = "none"
    """How labels are distributed where the model will be used: klue_dev (the official dev set of KLUE-RE), uniform, or
    a file with a JSON object (label: share or count). Scores weighted to it stand beside the plain ones. none = no such
    scores."""
    resamples: int = 1000
    """Bootstrap resamples of the last evaluation, for the 95 % intervals of its scores. 0 = no intervals."""
    patience: int | None = None
    """Stop after so many evaluations without a better score. null = never."""
    batch_size: int = 64
    """Examples of a forward pass in evaluation."""


@dataclass(frozen=True)
class TrackConfig:
    tensorboard: bool = True
    """Write TensorBoard files beside metrics.jsonl."""
    errors: bool = True
    """Leave errors/ at the end: tables, texts and pictures of what the best weights get wrong; some seconds."""


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

    @property
    def has_dev(self) -> bool:
        """Whether there is something to evaluate on."""
        return self.data.dev is not None or self.holds_out

    @property
    def holds_out(self) -> bool:
        """Whether the dev part comes out of data.train."""
        return self.data.hold_out is not None or self.data.folds is not None

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
    return ReaderOptions(data.columns, data.header, data.separator, data.quoting, data.offsets, data.negatives)


def prediction_settings(config: Config, precision: str) -> dict:
    """best/prediction.json: what `engine/predict/predictor.py` reads beside labels and encoding."""
    return {
        "format": config.data.format,
        "reader": reader_options(config.data).flat(),
        "numbered": config.data.labels != "learned",
        "negative_label": config.data.negative_label,
        "label_prior": config.eval.label_prior,
        "resamples": config.eval.resamples,
        "batch_size": config.eval.batch_size,
        "precision": precision,
    }


def shown(value: Any) -> str:
    return "null" if value is None else repr(value)
