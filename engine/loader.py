"""The plan's updates as packed batches of one process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.batch import Batch, collate
from data.store.rows import Rows
from data.store.token_store import TokenStore
from engine.plan import Plan


@dataclass(frozen=True)
class MicroBatch:
    """One forward pass. `scale` turns the sum of its losses into its part of the update's mean loss."""

    batch: Batch
    labels: Tensor
    scale: float
    last: bool

    def to(self, device: torch.device) -> tuple[Batch, Tensor]:
        return self.batch.to(device), self.labels.to(device, non_blocking=True)


@dataclass(frozen=True)
class Update:
    """One optimizer step: its examples (rows of the store, all processes), its tokens, this process's micro-batches."""

    examples: np.ndarray
    tokens: int
    micro_batches: list[MicroBatch]


class Loader:
    """Updates of the training data for one process."""

    def __init__(self, store: TokenStore | Rows, plan: Plan, process: int, pin: bool):
        self.store, self.plan, self.process, self.pin = store, plan, process, pin
        self.updates_per_epoch = plan.updates_per_epoch
        self.examples_per_process, self.padding_share = plan.account()
        self.current: Update | None = None  # the one being worked on, for messages

    def updates(self, epoch: int, first: int, weight: Callable[[Tensor], Tensor]) -> Iterator[Update]:
        """The updates of an epoch from number `first` on; `weight(labels)` is the loss's share of the denominator."""
        for examples in self.plan.updates(epoch)[first:]:
            self.current = self.load(examples, weight)
            yield self.current

    def load(self, examples: np.ndarray, weight: Callable[[Tensor], Tensor]) -> Update:
        """An update's batches of this process. The denominator is the weight of ALL its examples.

        DistributedDataParallel averages gradients over processes, so each process's part counts that many times.
        """
        total = float(weight(torch.from_numpy(self.store.labels[examples])).sum())
        shares = self.plan.cut(examples)[self.process]
        micro_batches = []
        for number, share in enumerate(shares):
            batch, labels = collate(self.store, share.index)
            if self.pin:
                batch, labels = batch.pin_memory(), labels.pin_memory()
            scale = self.plan.processes / total if share.real else 0.0
            micro_batches.append(MicroBatch(batch, labels, scale, last=number == len(shares) - 1))
        return Update(examples, int(self.plan.lengths[examples].sum()), micro_batches)
