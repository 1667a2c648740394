"""What `engine/compose/run.py` makes of a configuration and `engine/loop.py` works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import nn

    from engine.checkpoint.checkpoints import Checkpoints
    from engine.distributed.heartbeat import Heartbeat
    from engine.distributed.signals import StopSignal
    from engine.evaluate import Evaluation
    from engine.guard import FiniteGuard, OverflowGuard
    from engine.loader import Loader
    from engine.speed import Speed
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
    evaluation: Evaluation
    tracker: Tracker | Silent
    checkpoints: Checkpoints
    speed: Speed
    stop: StopSignal
    heartbeat: Heartbeat
    no_bar: bool | None
    """tqdm's `disable`: True on all processes but one, None (quiet without a terminal) there."""
