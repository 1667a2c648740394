"""From a configuration to a run: the other files of this folder make its data, model and loss."""

import os
import warnings
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from data.messages import nearest
from data.readers import FORMATS
from engine.checkpoint.checkpoints import Checkpoints
from engine.checkpoint.folder import RunFolder
from engine.checkpoint.resume import open_run, run_facts, run_name
from engine.compose.data import read_data, with_types_of
from engine.compose.hold_out import Store
from engine.compose.loss import make_loss, tell_idle
from engine.compose.model import check_parts, make_model, prepare_backbone
from engine.compose.summary import describe
from engine.config import Config
from engine.distributed.agreement import agree_on
from engine.distributed.device import choose_precision, make_accelerator, set_threads
from engine.distributed.heartbeat import Heartbeat, meeting
from engine.distributed.sharded import name_units
from engine.distributed.signals import StopSignal
from engine.evaluate import Evaluation, NoEvaluation
from engine.guard import make_guard
from engine.loader import Loader
from engine.optim import make_optimizer
from engine.parts import Data, Parts, Run
from engine.plan import Plan, total_updates
from engine.speed import Speed
from engine.state import State
from engine.tracking.hparams import main_options
from engine.tracking.tracker import Silent, Tracker
from models import MODELS

# what a process looks up on its own machine: its content is compared instead
LOCAL = ("run.dir", "run.threads", "data.train", "data.dev", "data.labels", "data.cache_dir", "eval.label_prior")


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
    config = with_types_of(config, data)
    with meeting():
        accelerator = make_accelerator(precision)
        stop.join(accelerator)
        heartbeat = Heartbeat(accelerator)
    facts = facts_of(config, data, accelerator, precision, threads)
    agree_on(accelerator, {"options": shared_options(config), **facts["fixed"], "code": facts["code"]})
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
    described = describe(config, data, loader, total, model, accelerator, precision, threads, notes)

    name_units(accelerator, model)
    # scheduler and data stay ours: accelerate would step the first once a process and reshuffle the second
    model, optimizer = accelerator.prepare(model, make_optimizer(model, config.optim))
    folder = RunFolder(Path(config.run.dir) / run_name(config, config_path, accelerator))
    checkpoints = Checkpoints(folder.path / "checkpoints", accelerator, facts)
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
        no_bar=no_bar,
    )
    return Run(config, data, parts, state, folder.path, folder, heartbeat, precision, described)


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


def shared_options(config: Config) -> dict:
    """The options that are the same on all processes of a run; paths may be others on another machine."""
    values = {name: dict(section) for name, section in config.as_dict().items() if name not in ("track", "notify")}
    for key in LOCAL:
        section, _, name = key.partition(".")
        del values[section][name]
    return values


def facts_of(config: Config, data: Data, accelerator: Accelerator, precision: str, threads: int) -> dict:
    """What a run is: its checkpoints remember it, and all of its processes have the same."""
    encoding = {**data.encoder.options.as_dict(), "fingerprint": data.encoder.fingerprint}
    return run_facts(
        config, data.identities, data.labels, data.prior, encoding, precision, threads, accelerator.num_processes
    )


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
