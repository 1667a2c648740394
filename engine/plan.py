"""Which examples form which update, micro-batch and process: pure functions, no state.

An update is `batch_size` examples over all processes. Which ones it holds follows from (seed, epoch, lengths, batch
size, group) alone; micro-batches and processes are cut from it afterwards, so no number of either changes it.
"""

import math
from dataclasses import dataclass

import numpy as np

WINDOW = 64  # updates whose examples are sorted by length together: large enough for little padding, small for chance


@dataclass(frozen=True)
class Share:
    """The rows of one forward pass. `real` is False for a filler: a process needs partners in collective calls."""

    index: np.ndarray
    real: bool


@dataclass(frozen=True)
class Plan:
    """The plan of a training run. `lengths` (N,): tokens of each example.

    `micro_batch_size`: most examples of a forward pass of one process (None = an update's share in one pass).
    `group` examples must see each other: they are neighbours that no cut separates. `views`: each example stands that
    many times, next to itself.
    """

    lengths: np.ndarray
    seed: int
    batch_size: int
    micro_batch_size: int | None = None
    processes: int = 1
    group: int = 1
    views: int = 1

    def __post_init__(self):
        if self.batch_size % self.group:
            raise ValueError(f"train.batch_size {self.batch_size} is no multiple of loss.group {self.group}")
        if self.micro_batch_size is not None and self.micro_batch_size < self.group:
            raise ValueError(f"train.micro_batch_size {self.micro_batch_size} is below loss.group {self.group}")

    @property
    def updates_per_epoch(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def updates(self, epoch: int) -> list[np.ndarray]:
        """The examples of each update of an epoch: every example once, the last short update somewhere among them.

        Examples of similar length meet inside windows of a shuffled order; then the updates are shuffled.
        """
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.lengths))
        window = np.arange(len(order)) // (self.batch_size * WINDOW)
        order = order[np.lexsort((self.lengths[order], window))]
        updates = np.split(order, np.arange(self.batch_size, len(order), self.batch_size))
        return [updates[number] for number in random.permutation(len(updates))]

    def cut(self, update: np.ndarray) -> list[list[Share]]:
        """The forward passes of each process: `cut(update)[process]`, equally many for all of them.

        Atoms (runs of `group` examples) are dealt by falling length, forth and back, so that processes get the same
        tokens; what a process got is cut into passes of similar length.
        """
        first_rows = np.arange(0, len(update), self.group)
        tokens = np.add.reduceat(self.lengths[update], first_rows)  # of each atom
        order = np.argsort(-tokens, kind="stable")
        if len(update) % self.group:  # the short atom ends its pass: a loss counts its groups from the front
            order = np.append(order[order != len(order) - 1], len(order) - 1)
        turn = np.arange(len(order)) % (2 * self.processes)
        owner = np.minimum(turn, 2 * self.processes - 1 - turn)
        dealt = [order[owner == process] for process in range(self.processes)]

        atoms_a_pass = max(1, (self.micro_batch_size or len(update)) // self.group)
        passes = math.ceil(max(map(len, dealt)) / atoms_a_pass)
        filler = Share(self.rows(update, order[:1]), real=False)
        return [
            [
                Share(self.rows(update, part), real=True) if len(part) else filler
                for part in np.array_split(mine, passes)
            ]
            for mine in dealt
        ]

    def rows(self, update: np.ndarray, atoms: np.ndarray) -> np.ndarray:
        """The examples of some atoms of an update, each as many times as it has views."""
        places = (atoms[:, None] * self.group + np.arange(self.group)).ravel()
        return np.repeat(update[places[places < len(update)]], self.views)

    def account(self) -> tuple[list[int], float]:
        """Of the first epoch: examples that each process computes, and padding positions as a share of all positions,
        were each forward pass padded to its longest example."""
        examples, slots = np.zeros(self.processes, dtype=int), 0
        for update in self.updates(0):
            for process, shares in enumerate(self.cut(update)):
                for share in shares:
                    examples[process] += len(share.index) * share.real
                    slots += len(share.index) * int(self.lengths[share.index].max()) * share.real
        tokens = int(self.lengths.sum()) * self.views
        return (examples // self.views).tolist(), 1 - tokens / slots


def evaluation_batches(lengths: np.ndarray, batch_size: int, processes: int) -> list[list[Share]]:
    """Batches of similar length, longest first, cut before they are dealt, so that no number of processes changes them.

    `batches[process]`, equally many for all; fillers repeat the last batch.
    """
    order = np.argsort(-lengths, kind="stable")
    batches = [Share(index, real=True) for index in np.split(order, np.arange(batch_size, len(order), batch_size))]
    fillers = [Share(batches[-1].index, real=False)] * (-len(batches) % processes)
    return [(batches + fillers)[process::processes] for process in range(processes)]


def total_updates(per_epoch: int, epochs: int, max_updates: int | None) -> int:
    """Where the run and its schedule end."""
    return min(per_epoch * epochs, max_updates or per_epoch * epochs)


def due(step: int, every: int, always: bool) -> bool:
    """Whether something that happens every so many updates happens after update `step`."""
    return always or step % every == 0
