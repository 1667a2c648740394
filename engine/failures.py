"""Why a run ended, in one line: what can go wrong that is no mistake in somebody's code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch
from torch.distributed import DistError

from engine.agreement import FailedElsewhereError, exit_code
from engine.checkpoint import CheckpointError
from engine.folder import FolderBusyError
from engine.guard import NonFiniteError
from engine.signals import StopSignal, name

if TYPE_CHECKING:
    from engine.build import Run

LOST = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "Broken pipe")


def explain(error: Exception, run: Run | None, stop: StopSignal) -> tuple[str, int, bool] | None:
    """Message, exit code, and whether the error is this process's own; None where a traceback says more.

    `run` is None while the run is being built. The message is empty where another process speaks.
    """
    several = int(os.environ.get("WORLD_SIZE", 1)) > 1
    process = f"process {os.environ.get('RANK', 0)}: " if several else ""
    if isinstance(error, FailedElsewhereError):
        return "", error.code, False
    if isinstance(error, (NonFiniteError, FolderBusyError)) or (run is not None and isinstance(error, CheckpointError)):
        return str(error), exit_code(error), False
    if run is None and isinstance(error, (ValueError, OSError)):
        return str(error), 2, False
    if is_out_of_memory(error):
        advice = memory_advice(error, run) if run is not None else first_line(error)
        return f"{process}{advice}", 1, several
    if several and is_lost_process(error):
        kept = "the same command continues from the last checkpoint"
        if stop.number:
            return f"{process}{name(stop.number)}, and another process was gone; {kept}", 128 + stop.number, True
        return f"{process}another process is gone; {kept}", 1, True
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return (
            f"{process}cannot read or write{where} ({error.strerror or error}); the last checkpoint stays",
            1,
            several,
        )
    return None


def is_lost_process(error: Exception) -> bool:
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in LOST)
    )


def is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["out of memory"])[0][:200]


def memory_advice(error: Exception, run: Run) -> str:
    """The shapes of the forward pass that was too large, and the size to try."""
    reason, parts = first_line(error), run.parts
    if not parts.model.training:
        size = run.config.eval.batch_size
        return (
            f"out of memory in evaluation, with {size} examples of at most {parts.evaluation.store.lengths.max()} "
            f"tokens at a time ({reason}); try --eval.batch_size {max(1, size // 2)}; the last checkpoint stays"
        )
    batches = [micro.batch for micro in parts.loader.current.micro_batches]
    largest = max(batches, key=lambda batch: len(batch) * batch.longest)
    plan = parts.loader.plan
    smaller = len(largest) // plan.views // 2 // plan.group * plan.group
    advice = (
        f"--train.micro_batch_size {smaller}, which gives the same gradient"
        if smaller
        else "--model.gradient_checkpointing true, a lower data.max_length or a smaller model"
    )
    return (
        f"out of memory in a forward and backward pass of {len(largest)} examples of at most {largest.longest} tokens "
        f"({reason}); try {advice}; the last checkpoint stays"
    )
