"""What `engine/compose/` makes of a configuration: its data, the parts that `engine/loop.py` works with, the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from accelerate import Accelerator
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from data.encode import Encoder
    from data.store.rows import Rows
    from data.store.token_store import TokenStore
    from engine.checkpoint.checkpoints import Checkpoints
    from engine.checkpoint.folder import RunFolder
    from engine.config import Config
    from engine.distributed.heartbeat import Heartbeat
    from engine.distributed.signals import StopSignal
    from engine.evaluate import Evaluation, NoEvaluation
    from engine.guard import FiniteGuard, OverflowGuard
    from engine.loader import Loader
    from engine.speed import Speed
    from engine.state import State
    from engine.tracking.tracker import Silent, Tracker


@dataclass(frozen=True)
class Parts:
    """The parts of a run. Model and optimizer are prepared by the accelerator; loader and schedule are ours."""

    accelerator: Accelerator
    model: nn.Module
    loss_fn: nn.Module
    optimizer: object
    loader: Loader
    total: int
    """Updates of the whole run; the schedule ends there."""
    guard: FiniteGuard | OverflowGuard
    evaluation: Evaluation | NoEvaluation
    tracker: Tracker | Silent
    checkpoints: Checkpoints
    speed: Speed
    stop: StopSignal
    no_bar: bool | None
    """tqdm's `disable`: True on all processes but one, None (quiet without a terminal) there."""


@dataclass(frozen=True)
class Data:
    """What the data files and the tokenizer give."""

    labels: list[str]
    negative: int | None
    """Number of the negative class, which micro-F1 leaves out."""
    tokenizer: PreTrainedTokenizerBase
    new: dict[str, str | None]
    """The tokens that were added, each with what describes it."""
    encoder: Encoder
    stores: dict[str, TokenStore | Rows]
    """The parts train and dev."""
    files: dict[str, TokenStore]
    """The whole files that the parts come from."""
    identities: dict[str, dict[str, str]]
    """What a resumed run must find again, for each part."""
    facts: dict
    """See `compose.hold_out.part_facts`, with the `files` that were read; for report.json."""
    prior: np.ndarray | None
    notes: list[str]
    """Lines about the parts, for the summary."""


@dataclass(frozen=True)
class Run:
    """Everything of a run besides its progress."""

    config: Config
    data: Data
    parts: Parts
    state: State
    folder: Path
    lock: RunFolder
    heartbeat: Heartbeat
    precision: str
    summary: str
