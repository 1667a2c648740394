"""From a configuration to the parts of a run; build_*.py, constructors.py and train.py name concrete parts, too."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from transformers import PreTrainedTokenizerBase

from data.encode import Encoder
from data.labels import LABELS, LEARNED, label_list, learned_labels, negative_number
from data.messages import nearest
from data.readers import FORMATS
from data.readers.source import Source, open_source
from data.store.packed import TokenStore, prepare
from engine.checkpoint.checkpoints import Checkpoints
from engine.checkpoint.folder import RunFolder
from engine.checkpoint.resume import open_run, run_facts, run_name
from engine.compose.corpus import known_language, rows_without_entities, something_to_embed, words_that_occur
from engine.compose.duplicates import drop_repeats, repeat_lines
from engine.compose.hold_out import Store, hold_out, part_facts, split_lines
from engine.compose.loss import make_loss, tell_idle
from engine.compose.model import check_parts, make_encoder, make_model, pooling_of, prepare_backbone
from engine.compose.summary import describe
from engine.config import Config, reader_options
from engine.distributed.device import choose_precision, make_accelerator, set_threads
from engine.distributed.heartbeat import Heartbeat, meeting
from engine.distributed.sharded import name_units
from engine.distributed.signals import StopSignal
from engine.evaluate import Evaluation, NoEvaluation
from engine.guard import make_guard
from engine.loader import Loader
from engine.optim import make_optimizer
from engine.parts import Parts
from engine.plan import Plan, total_updates
from engine.scores.metrics import require_directions
from engine.scores.prior import NONE, PRIORS, UNIFORM, check_prior, label_prior, prior_line
from engine.speed import Speed
from engine.state import State
from engine.tracking.hparams import main_options
from engine.tracking.tracker import Silent, Tracker
from models import MODELS


@dataclass(frozen=True)
class Run:
    """Everything of a run besides its progress."""

    config: Config
    parts: Parts
    state: State
    folder: Path
    lock: RunFolder
    tokenizer: PreTrainedTokenizerBase
    labels: list[str]
    encoding: dict
    precision: str
    skipped: list
    summary: str
    data: dict


@dataclass(frozen=True)
class Data:
    """What the data files and the tokenizer give. `new`: the tokens that were added, each with what describes it;
    `stores`: the parts; `files`: the whole files that they come from; `facts`: see `hold_out.part_facts`,
    with the `files` that were read; `notes`: lines about the dev part."""

    labels: list[str]
    negative: int | None
    tokenizer: PreTrainedTokenizerBase
    new: dict[str, str | None]
    encoder: Encoder
    stores: dict[str, Store]
    files: dict[str, TokenStore]
    identities: dict[str, dict[str, str]]
    facts: dict
    prior: np.ndarray | None
    notes: list[str]


def build(config: Config, config_path: Path, stop: StopSignal | None = None) -> Run:
    """Make all parts. Whatever can be wrong with the input is found here, before the run folder is made.

    `stop` listens to signals already (train.py); without it nobody does. Raises ValueError with one message that names
    the file, row or key.
    """
    stop = stop or StopSignal()
    quiet = int(os.environ.get("RANK", 0)) != 0
    precision = choose_precision(config.train.precision)
    threads = set_threads(config.run.threads)
    check_names(config)

    # data first: it needs no other process, so nobody waits in a collective call while one of them tokenises
    data = read_data(config, quiet)
    with meeting():
        accelerator = make_accelerator(precision)
        stop.join(accelerator)
        heartbeat = Heartbeat(accelerator)
    torch.manual_seed(config.run.seed)  # the same first weights on every process
    train = data.stores["train"]
    notes = [*data.notes]
    model = make_model(config, data.tokenizer, data.new, len(data.labels), notes)
    notes += prepare_backbone(model, config.model, accelerator.device, precision)
    counts = torch.bincount(torch.from_numpy(train.labels[:].copy()), minlength=len(data.labels))
    loss_fn = make_loss(config, counts, data.labels).to(accelerator.device)
    loader = make_loader(config, train, loss_fn, accelerator)
    total = total_updates(loader.updates_per_epoch, config.train.epochs, config.train.max_updates)
    tell_idle(loss_fn, model, loader.updates_per_epoch, total)
    described = describe(config, data.files, data.labels, loader, total, model, accelerator, precision, threads, notes)

    name_units(accelerator, model)
    # scheduler and data stay ours: accelerate would step the first once a process and reshuffle the second
    model, optimizer = accelerator.prepare(model, make_optimizer(model, config.optim))
    folder = RunFolder(Path(config.run.dir) / run_name(config, config_path, accelerator))
    checkpoints = make_checkpoints(config, data, folder.path, accelerator, precision, threads)
    state, notices = open_run(folder, checkpoints, config, model, optimizer, accelerator)
    if notices and accelerator.is_main_process:
        print("\n".join(notices), flush=True)

    no_bar = None if accelerator.is_main_process else True
    parts = Parts(
        accelerator=accelerator,
        model=model,
        loss_fn=loss_fn,
        optimizer=optimizer,
        loader=loader,
        total=total,
        guard=make_guard(accelerator, optimizer),
        evaluation=make_evaluation(config, data, accelerator, no_bar, stop),
        tracker=make_tracker(config, folder.path, state) if accelerator.is_main_process else Silent(),
        checkpoints=checkpoints,
        speed=Speed(accelerator.device, loader.padding_share, state.tokens, state.seconds),
        stop=stop,
        heartbeat=heartbeat,
        no_bar=no_bar,
    )
    return Run(
        config=config,
        parts=parts,
        state=state,
        folder=folder.path,
        lock=folder,
        tokenizer=data.tokenizer,
        labels=data.labels,
        encoding=data.encoder.options.as_dict(),
        precision=precision,
        skipped=data.files["train"].facts["skipped"],
        summary=described,
        data=data.facts,
    )


def read_data(config: Config, quiet: bool) -> Data:
    """Labels, tokenizer and the encoded corpora. Raises ValueError for whatever is wrong in files and rows."""
    learned = config.data.labels == LEARNED
    sources = {"train": open_part(config, "train", config.data.train)}
    labels = learned_labels(sources["train"], config.data.on_bad_row) if learned else label_list(config.data.labels)
    negative = negative_number(config.data.negative_label, labels)
    if config.eval.metric == "semeval":
        require_directions(labels, negative)
    tokenizer, encoder, new = make_encoder(config)
    if config.data.dev is not None:
        sources["dev"] = open_part(config, "dev", config.data.dev)
    cache = Path(config.data.cache_dir) if config.data.cache_dir else default_cache()
    stores = {}
    for part, source in sources.items():
        on_bad_row = config.data.on_bad_row if part == "train" else "error"
        stores[part] = prepare(source, encoder, labels, cache, on_bad_row, quiet=quiet, learned=learned)
        known_language(f"data.{part}", stores[part])
        if pooling_of(config.model).needs_entities:
            rows_without_entities(f"data.{part}", stores[part], config.model.pooling)
    something_to_embed(config.model.entity_embeddings, stores["train"])
    identities = {part: source.identity for part, source in sources.items()}
    words_that_occur(tokenizer, config.model.added_tokens, stores["train"])
    parts = stores
    if config.holds_out:
        parts, identities["dev"] = hold_out(config.data, stores["train"], labels, config.run.seed)
    train, dropped = drop_repeats(config.data.duplicates, sources["train"], stores["train"], parts["train"])
    if dropped is not None:
        parts, identities["train"] = parts | {"train": train}, identities["train"] | {"duplicates": dropped["handling"]}
    facts = part_facts(parts, labels, identities["dev"]["held_out"] if config.holds_out else None)
    facts["duplicates"] = dropped
    notes = [*split_lines(facts), *repeat_lines(dropped)]
    prior = label_prior(config.eval.label_prior, labels) if "dev" in parts else None
    if prior is not None:
        check_prior(prior, parts["dev"].labels, labels)
        notes.append(prior_line(config.eval.label_prior, prior, parts["dev"].labels))
    facts["files"] = read_files(config, sources)
    return Data(labels, negative, tokenizer, new, encoder, parts, stores, identities, facts, prior, notes)


def open_part(config: Config, part: str, location: str) -> Source:
    return open_source(location, config.data.format, part, f"data.{part}", reader_options(config.data))


def read_files(config: Config, sources: dict[str, Source]) -> dict[str, dict[str, str]]:
    """Option -> identity of the file it names: the data, and labels and label prior where they are files."""
    files = {f"data.{part}": source.identity for part, source in sources.items()}
    named = {"data.labels": config.data.labels not in (*LABELS, LEARNED)}
    named["eval.label_prior"] = config.has_dev and config.eval.label_prior not in (NONE, UNIFORM, *PRIORS)
    return files | {key: {"sha256": file_identity(config, key)["sha256"]} for key, is_file in named.items() if is_file}


def file_of(config: Config, key: str) -> str:
    """What an option such as data.train names."""
    section, _, option = key.partition(".")
    return getattr(getattr(config, section), option)


def file_identity(config: Config, key: str) -> dict[str, str]:
    """`Source.identity` of the file that an option names, as it is now. Raises ValueError where there is none."""
    part = key.partition(".")[2]
    return open_source(file_of(config, key), config.data.format, part, key, reader_options(config.data)).identity


def check_names(config: Config) -> None:
    """Raises ValueError for a format or model that nobody registered, and for parts that do not go together."""
    for key, name, registry in (
        ("data.format", config.data.format, {"auto": None} | FORMATS),
        ("model.name", config.model.name, MODELS),
    ):
        if name not in registry:
            raise ValueError(f"{key}: got {name!r}, expected one of {', '.join(registry)}{nearest(name, registry)}")
    check_parts(config.model, config.data.marker)


def make_loader(config: Config, store: Store, loss_fn: nn.Module, accelerator: Accelerator) -> Loader:
    plan = Plan(
        lengths=store.lengths,
        seed=config.run.seed,
        batch_size=config.train.batch_size,
        micro_batch_size=config.train.micro_batch_size,
        processes=accelerator.num_processes,
        group=loss_fn.group,
        views=loss_fn.views,
        micro_tokens=config.train.micro_tokens,
    )
    if above := plan.above_micro_tokens():
        together = f" as {plan.atom_rows} rows that nothing separates (loss.group, views)" * (plan.atom_rows > 1)
        warnings.warn(
            f"train.micro_tokens: got {plan.micro_tokens}, but the longest example takes "
            f"{plan.atom_rows * int(store.lengths.max()):,}{together}; {above:,} of {len(store):,} examples take more "
            "than the limit, and get forward passes of their own",
            stacklevel=2,
        )
    return Loader(store, plan, accelerator.process_index, pin=accelerator.device.type == "cuda")


def make_checkpoints(
    config: Config, data: Data, folder: Path, accelerator: Accelerator, precision: str, threads: int
) -> Checkpoints:
    """Checkpoints that know what run they belong to."""
    encoding = {**data.encoder.options.as_dict(), "fingerprint": data.encoder.fingerprint}
    facts = run_facts(
        config, data.identities, data.labels, data.prior, encoding, precision, threads, accelerator.num_processes
    )
    return Checkpoints(folder / "checkpoints", accelerator, facts)


def make_evaluation(
    config: Config, data: Data, accelerator: Accelerator, no_bar: bool | None, stop: StopSignal
) -> Evaluation | NoEvaluation:
    if (dev := data.stores.get("dev")) is None:
        return NoEvaluation()
    return Evaluation(accelerator, dev, data.labels, data.negative, config.eval.batch_size, no_bar, stop, data.prior)


def make_tracker(config: Config, folder: Path, state: State) -> Tracker:
    tracker = Tracker(folder, state.step, state.owes_evaluation, config.track.tensorboard)
    tracker.text("configuration", "    " + config.to_yaml().replace("\n", "\n    "))
    tracker.options(main_options(config))
    return tracker


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plainloop"
