"""Keeps non-finite gradients out of weights and moments, without waiting for the device in a healthy step."""

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from data.batch import collate
from engine.distributed.sharded import full
from engine.loader import Loader
from engine.randomness import seed_update

MOST_OVERFLOWS = 20  # in a row, under fp16: by then the loss scale has fallen by 2 ** 20


class NonFiniteError(RuntimeError):
    """Training met values that are not finite; the message names update, epoch and examples."""

    code = 3


class FiniteGuard:
    """Watches the norm of the reduced gradient, which is the same on all processes.

    The first non-finite norm sets a sticky flag on the device that fused AdamW reads as `found_inf`: from then on no
    step changes anything, so that the update can be computed once more and its examples named.
    """

    def __init__(self, accelerator: Accelerator, optimizer):
        self.optimizer = optimizer.optimizer if hasattr(optimizer, "optimizer") else optimizer
        self.bad_step = torch.full((), -1, dtype=torch.int64, device=accelerator.device)

    def watch(self, norm: Tensor, step: int) -> None:
        """Call between clipping and `optimizer.step()`."""
        first = (self.bad_step < 0) & ~torch.isfinite(norm).to(self.bad_step.device)
        self.bad_step = torch.where(first, step, self.bad_step)
        self.optimizer.found_inf = (self.bad_step >= 0).to(torch.float32)

    def bad_update(self) -> int | None:
        """The update that went wrong; waits for the device, so ask when numbers are read anyway."""
        step = int(self.bad_step)
        return None if step < 0 else step


class OverflowGuard:
    """fp16: the loss scale falls after an overflow and the step is left out; only a row of them is an error."""

    def __init__(self, accelerator: Accelerator, optimizer):
        self.row = torch.zeros((), dtype=torch.int64, device=accelerator.device)
        self.step = 0

    def watch(self, norm: Tensor, step: int) -> None:
        self.row = torch.where(torch.isfinite(norm).to(self.row.device), 0, self.row + 1)
        self.step = step

    def bad_update(self) -> int | None:
        return self.step if int(self.row) >= MOST_OVERFLOWS else None


def make_guard(accelerator: Accelerator, optimizer) -> FiniteGuard | OverflowGuard:
    return (OverflowGuard if accelerator.mixed_precision == "fp16" else FiniteGuard)(accelerator, optimizer)


def name_examples(
    accelerator: Accelerator, model: nn.Module, loss_fn: nn.Module, loader: Loader, seed: int, step: int
) -> str:
    """Compute update `step` once more, with the weights and randomness it had, and say which examples are to blame.

    All processes take part. First the losses are looked at, then, where they are finite, each example's own gradient.
    """
    epoch, number = divmod(step, loader.updates_per_epoch)
    criterion = loss_fn.at(epoch)  # the host may look an epoch later, when the loss is another one
    update = loader.load(loader.plan.updates(epoch)[number], criterion.weight)
    model = accelerator.unwrap_model(model)
    model.train()
    seed_update(seed, step, accelerator.process_index)
    flagged = set()
    for micro in update.micro_batches:
        batch, labels = micro.to(accelerator.device)
        with torch.no_grad():
            losses = criterion(model(batch), labels)  # (B,)
        flagged |= set(batch.index[:: criterion.views][~torch.isfinite(losses)].tolist())
    rows = update.examples.tolist()
    found = anywhere(accelerator, [row in flagged for row in rows])
    if not any(found):  # the same answer everywhere: a sharded model computes on all processes or on none
        found = anywhere(accelerator, [not finite_gradient(loader, model, criterion, row) for row in rows])
    ids = [loader.store.id(row) for row, bad in zip(rows, found, strict=True) if bad]
    blame = f"examples {', '.join(ids[:20])}" if ids else f"no single example of {len(update.examples)} alone"
    return (
        f"values that are not finite in update {step + 1} (epoch {epoch + 1}): {blame}; weights and optimizer are "
        "those before it, the last checkpoint is kept"
    )


def anywhere(accelerator: Accelerator, flags: list[bool]) -> list[bool]:
    """For each place whether any process has a flag there."""
    counts = accelerator.reduce(torch.tensor(flags, device=accelerator.device).float(), "sum")
    return [count > 0 for count in counts.tolist()]


def finite_gradient(loader: Loader, model: nn.Module, criterion: nn.Module, row: int) -> bool:
    """Whether one example's gradient is finite."""
    batch, labels = collate(loader.store, np.repeat(row, criterion.views))
    model.zero_grad()
    device = next(model.parameters()).device
    criterion(model(batch.to(device)), labels.to(device)).sum().backward()
    finite = all(p.grad is None or bool(torch.isfinite(full(p.grad)).all()) for p in model.parameters())
    model.zero_grad()
    return finite
