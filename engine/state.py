"""What a run must remember between two updates."""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class State:
    """The position of a run. Epoch, place in the epoch, learning rate and randomness all follow from `step`."""

    step: int = 0
    """Optimizer updates done."""
    best_score: float | None = None
    best_step: int | None = None
    stale: int = 0
    """Evaluations since the best one."""
    last_score: float | None = None
    last_scored: int | None = None
    """The newest evaluation and its update: a checkpoint of that update tells how good it is, best or not."""
    stopped: bool = False
    """Patience ran out."""
    owes_evaluation: bool = False
    """The evaluation of update `step` is still to come: a signal broke it off."""
    updates_since_log: int = 0
    seconds: float = 0.0
    """Time spent in updates up to here, over all starts of the program."""
    tokens: int = 0
    """Tokens of those updates."""
    loss: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    """Sum of the updates' losses since the last log, on the device; the mean over processes is the run's."""

    def finished(self, total: int) -> bool:
        return self.stopped or self.step >= total

    def forget_loss(self) -> None:
        self.loss, self.updates_since_log = torch.zeros_like(self.loss), 0

    def compare(self, score: float | None, patience: int | None) -> bool:
        """Take note of an evaluation; True where it is the best so far. Without a score the newest is the best."""
        self.last_score, self.last_scored = score, self.step
        if score is None or self.best_score is None or score > self.best_score:
            self.best_score, self.best_step, self.stale = score, self.step, 0
            return True
        self.stale += 1
        self.stopped = patience is not None and self.stale >= patience
        return False
