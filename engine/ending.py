"""How a run ended: exit code, the one line that is printed last, and word to whoever waits for it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.checkpoint.folder import FolderBusyError
from engine.checkpoint.manifest import CheckpointError
from engine.distributed.agreement import FailedElsewhereError, exit_code
from engine.distributed.signals import StopSignal, name
from engine.failures import file_failure, first_line, is_lost_process, is_out_of_memory, is_told
from engine.guard import NonFiniteError
from engine.notify.deliver import OUTCOMES
from engine.notify.message import notify_end
from engine.stops import CODES

if TYPE_CHECKING:
    from engine.parts import Run


@dataclass
class Ending:
    """Filled in as it becomes known."""

    run: Run | None = None
    """None until it is built."""
    name: str = "train.py"
    when: Sequence[str] = OUTCOMES
    """Which outcomes a person is told of."""
    code: int = 0
    message: str = ""
    """The last line; empty where another process speaks."""
    shared: bool = True
    """All processes end so, not this one alone."""
    report: dict | None = None
    started: float = field(default_factory=time.monotonic)

    def stopped(self, stop: StopSignal, message: str) -> None:
        self.code, self.message = 128 + stop.number, message

    def failed(self, error: Exception, stop: StopSignal) -> bool:
        """Fill in what `error` means; False where a traceback says more."""
        several = int(os.environ.get("WORLD_SIZE", 1)) > 1
        process = f"process {os.environ.get('RANK', 0)}: " if several else ""
        built = self.run is not None
        self.code, self.message = exit_code(error), str(error)
        if isinstance(error, FailedElsewhereError):
            self.message = ""
        elif isinstance(error, (NonFiniteError, FolderBusyError)) or (built and isinstance(error, CheckpointError)):
            pass
        elif not built and (isinstance(error, OSError) or (isinstance(error, ValueError) and is_told(error))):
            self.code = 2
        elif is_out_of_memory(error):
            advice = memory_advice(error, self.run) if built else first_line(error)
            self.code, self.message, self.shared = 1, f"{process}{advice}", not several
        elif several and is_lost_process(error):
            lost = f"{name(stop.number)}, and another process was gone" if stop.number else "another process is gone"
            kept = "the same command continues from the last checkpoint"
            self.message, self.shared = f"{process}{lost} ({first_line(error)}); {kept}", False
        elif isinstance(error, OSError):
            reason = f"{process}{file_failure(error)}; the last checkpoint stays"
            self.code, self.message, self.shared = 1, reason, not several
        else:
            self.code, self.message = 1, type(error).__name__
            return False
        return True

    def tell_person(self) -> None:
        notify_end(self.when, self.name, self.code, time.monotonic() - self.started, self.report, self.message)

    def announce(self) -> None:
        """Tell the person first: what is printed last is the one message."""
        self.tell_person()
        is_error = self.code not in (0, *CODES)
        rank = os.environ.get("LOCAL_RANK" if is_error else "RANK", "0")  # errors once a machine
        if self.message and (rank == "0" or not self.shared):
            text = f"error: {self.message}" if is_error else self.message
            print(text, file=sys.stderr if self.code else sys.stdout, flush=True)


def memory_advice(error: Exception, run: Run) -> str:
    """The shapes of the forward pass that was too large, and the size to try."""
    reason, parts = first_line(error), run.parts
    if not parts.model.training:
        size = run.config.eval.batch_size
        return (
            f"out of memory in evaluation, with {size} examples of at most {parts.evaluation.store.lengths.max()} "
            f"tokens at a time ({reason}); try --eval.batch_size {max(1, size // 2)}; the last checkpoint stays"
        )
    if parts.loader.current is None:
        return f"out of memory before the first update ({reason}); the last checkpoint stays"
    batches = [micro.batch for micro in parts.loader.current.micro_batches]
    largest = max(batches, key=lambda batch: len(batch) * batch.longest)
    plan = parts.loader.plan
    smaller = len(largest) // plan.views // 2 // plan.group * plan.group
    option = (
        f"micro_tokens {len(largest) * largest.longest // 2}" if plan.micro_tokens else f"micro_batch_size {smaller}"
    )
    advice = (
        f"--train.{option}, which gives the same gradient"
        if smaller
        else "--model.gradient_checkpointing true, a lower data.max_length or a smaller model"
    )
    return (
        f"out of memory in a forward and backward pass of {len(largest)} examples of at most {largest.longest} tokens "
        f"({reason}); try {advice}; the last checkpoint stays"
    )
