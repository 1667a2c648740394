"""Which examples form which update, micro-batch and process: pure functions, no state.

An update is `batch_size` examples over all processes. Which ones it holds follows from (seed, epoch, lengths, batch
size, group) alone; micro-batches and processes are cut from it afterwards, so no number of either changes it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

WINDOW = 64  # updates whose examples are sorted by length together: large enough for little padding, small for chance
SAMPLE = 2000  # updates that are cut to estimate the padding where cuts differ from update to update


@dataclass(frozen=True)
class Share:
    """The rows of one forward pass. `real` is False for a filler: a process needs partners in collective calls."""

    index: np.ndarray
    real: bool


@dataclass(frozen=True, eq=False)
class Updates(Sequence[np.ndarray]):
    """The updates of an epoch: update k is slice number `turns[k]`, of `size` rows, of `order` (N,). No copies, so that
    an epoch of ten million rows costs little more than its order."""

    order: np.ndarray
    turns: np.ndarray
    size: int

    def __len__(self) -> int:
        return len(self.turns)

    def __getitem__(self, number):
        if isinstance(number, slice):
            return Updates(self.order, self.turns[number], self.size)
        start = self.turns[number] * self.size
        return self.order[start : start + self.size]


@dataclass(frozen=True)
class Plan:
    """The plan of a training run. `lengths` (N,): tokens of each example.

    `micro_batch_size`: most examples of a forward pass of one process (None = an update's share in one pass).
    `group` examples must see each other: they are neighbours that no cut separates. `views`: each example stands that
    many times, next to itself.
    `micro_tokens`: most padded positions of a forward pass of one process, rows x longest (None = no limit). Memory
    follows positions where the backbone pads and tokens where it runs packed; positions are the upper bound of both,
    hardly above the tokens for rows of like length, and the cut is the same on every device. An atom (`group` examples
    with their views) above it is a pass of its own.
    """

    lengths: np.ndarray
    seed: int
    batch_size: int
    micro_batch_size: int | None = None
    processes: int = 1
    group: int = 1
    views: int = 1
    micro_tokens: int | None = None

    def __post_init__(self):
        if self.batch_size % self.group:
            raise ValueError(f"train.batch_size {self.batch_size} is no multiple of loss.group {self.group}")
        if self.micro_batch_size is not None and self.micro_batch_size < self.group:
            raise ValueError(f"train.micro_batch_size {self.micro_batch_size} is below loss.group {self.group}")

    @property
    def updates_per_epoch(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def updates(self, epoch: int) -> Updates:
        """The examples of each update of an epoch: every example once, the last short update somewhere among them.

        Examples of similar length meet inside windows of a shuffled order; then the updates are shuffled. The first
        epoch begins with the updates that need the most memory: it runs out at once, or hardly ever. Later epochs do
        not: their largest are about as large, and long examples should not always be learned first.
        """
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.lengths))
        lengths = narrow(self.lengths)
        for start in range(0, len(order), self.batch_size * WINDOW):
            window = order[start : start + self.batch_size * WINDOW]
            window[:] = window[np.argsort(lengths[window], kind="stable")]
        turns = random.permutation(self.updates_per_epoch)
        if epoch == 0:
            largest = self.largest(lengths[order])
            turns = np.concatenate([largest, turns[~np.isin(turns, largest)]])
        return Updates(order, turns, self.batch_size)

    def largest(self, lengths: np.ndarray) -> list[int]:
        """Which slices of `lengths` (N,), in the order of an epoch, may need the most memory, at most three: the most
        padded positions (a padded backbone), the most tokens (a packed one), the longest example (either, cut into
        micro-batches; it may be in the short update). The same for every cut, as updates do not depend on it."""
        starts = np.arange(0, len(lengths), self.batch_size)
        longest = np.maximum.reduceat(lengths, starts).astype(np.int64)
        tokens = np.add.reduceat(lengths, starts, dtype=np.int64)
        positions = longest * np.diff(starts, append=len(lengths))
        by = [(tokens, positions), (positions, tokens), (tokens, positions, longest)]  # the last decides, then others
        return list(dict.fromkeys(int(np.lexsort(keys)[-1]) for keys in by))

    def cut(self, update: np.ndarray) -> list[list[Share]]:
        """The forward passes of each process: `cut(update)[process]`, equally many for all of them.

        Atoms (runs of `group` examples) are dealt by falling length, forth and back, so that processes get the same
        tokens; what a process got is cut into passes of similar length, as few as the limits allow.
        """
        first_rows = np.arange(0, len(update), self.group)
        tokens = np.add.reduceat(self.lengths[update], first_rows)  # of each atom
        order = np.argsort(-tokens, kind="stable")
        turn = np.arange(len(order)) % (2 * self.processes)
        owner = np.minimum(turn, 2 * self.processes - 1 - turn)
        dealt = [order[owner == process] for process in range(self.processes)]
        if len(update) % self.group:  # the short atom ends its pass: a loss counts its groups from the front
            short = len(order) - 1
            dealt = [np.append(mine[mine != short], mine[mine == short]) for mine in dealt]

        atoms_a_pass = max(1, (self.micro_batch_size or len(update)) // self.group)
        if self.micro_tokens is None:
            passes = math.ceil(max(map(len, dealt)) / atoms_a_pass)
            parts = [np.array_split(mine, passes) for mine in dealt]
        else:
            longest = np.maximum.reduceat(self.lengths[update], first_rows)
            positions = longest.astype(np.int64) * self.group * self.views  # of each atom
            parts = within(self.micro_tokens, positions, dealt, atoms_a_pass)
        filler = Share(self.rows(update, order[:1]), real=False)
        return [[Share(self.rows(update, part), real=True) if len(part) else filler for part in mine] for mine in parts]

    def rows(self, update: np.ndarray, atoms: np.ndarray) -> np.ndarray:
        """The examples of some atoms of an update, each as many times as it has views."""
        places = (atoms[:, None] * self.group + np.arange(self.group)).ravel()
        return np.repeat(update[places[places < len(update)]], self.views)

    def account(self) -> tuple[list[int], float]:
        """Of the first epoch: examples that each process computes, and padding positions as a share of all positions,
        were each forward pass padded to its longest example (from a sample of the updates where `estimated`)."""
        updates = self.updates(0)
        full = updates.order[: len(updates.order) // self.batch_size * self.batch_size].reshape(-1, self.batch_size)
        rest = updates.order[full.size :]
        examples, slots = np.zeros(self.processes, dtype=int), 0
        # full updates rise in length, so one cut of rising numbers says which places each of their passes holds
        rising = np.arange(self.batch_size)
        alike = replace(self, lengths=rising + 1, micro_tokens=None).cut(rising)
        for process, shares in enumerate(alike):
            for share in (share for share in shares if share.real):
                examples[process] += len(share.index) * len(full)
                slots += len(share.index) * int(self.lengths[full[:, share.index.max()]].sum())
        for process, shares in enumerate(self.cut(rest) if len(rest) else ()):
            examples[process] += sum(len(share.index) for share in shares if share.real)
            slots += self.slots(shares)
        tokens = int(self.lengths.sum())
        if self.micro_tokens is not None:  # the cuts follow the lengths
            sample = updates[:: math.ceil(len(updates) / SAMPLE)]
            tokens = sum(int(self.lengths[update].sum()) for update in sample)
            slots = sum(self.slots(shares) for update in sample for shares in self.cut(update))
        return (examples // self.views).tolist(), 1 - tokens * self.views / slots

    @property
    def estimated(self) -> bool:
        """Whether the account's padding is that of a sample."""
        return self.micro_tokens is not None and self.updates_per_epoch > SAMPLE

    def slots(self, shares: list[Share]) -> int:
        """Padded positions of forward passes, without fillers."""
        return sum(len(share.index) * int(self.lengths[share.index].max()) for share in shares if share.real)

    def above_micro_tokens(self) -> int:
        """Examples whose atom alone is above `micro_tokens`."""
        return 0 if self.micro_tokens is None else int((self.lengths > self.micro_tokens // self.atom_rows).sum())

    @property
    def atom_rows(self) -> int:
        return self.group * self.views


def narrow(lengths: np.ndarray) -> np.ndarray:
    """The same numbers in 16 bits where they fit: numpy sorts those by radix, in linear time."""
    return lengths.astype(np.uint16) if lengths.max() < 2**16 else lengths


def within(limit: int, positions: np.ndarray, dealt: list[np.ndarray], most: int) -> list[list[np.ndarray]]:
    """The atoms of each process as passes of at most `limit` padded positions and `most` atoms, equally many passes for
    all processes. `positions` of each atom; longest first, a pass takes all that fit, so that the first pass of a large
    update needs about as much memory as any pass will; a process with too few passes halves its widest."""
    begins = []
    for mine in dealt:
        # what a pass pads an atom to, if the atom is its first: the largest that follows
        sizes = np.maximum.accumulate(positions[mine][::-1])[::-1].tolist()
        starts, place = [], 0
        while place < len(sizes):
            starts.append(place)
            place += max(1, min(most, limit // sizes[place]))
        begins.append(starts)
    passes = max(map(len, begins))
    parts = []
    for mine, starts in zip(dealt, begins, strict=True):
        while len(starts) < min(passes, len(mine)):
            atoms = np.diff(starts, append=len(mine))
            starts.insert(atoms.argmax() + 1, starts[atoms.argmax()] + atoms.max() // 2)
        mine = np.split(mine, starts[1:])
        parts.append(mine + [mine[0][:0]] * (passes - len(mine)))
    return parts


def evaluation_batches(lengths: np.ndarray, batch_size: int, processes: int) -> list[list[Share]]:
    """Batches of similar length, longest first, cut before they are dealt, so that no number of processes changes them.

    `batches[process]`, equally many for all; fillers repeat the last batch.
    """
    order = np.argsort(narrow(lengths.max() - lengths), kind="stable")
    batches = [Share(index, real=True) for index in np.split(order, np.arange(batch_size, len(order), batch_size))]
    fillers = [Share(batches[-1].index, real=False)] * (-len(batches) % processes)
    return [(batches + fillers)[process::processes] for process in range(processes)]


def total_updates(per_epoch: int, epochs: int, max_updates: int | None) -> int:
    """Where the run and its schedule end."""
    return min(per_epoch * epochs, max_updates or per_epoch * epochs)


def due(step: int, every: int, always: bool) -> bool:
    """Whether something that happens every so many updates happens after update `step`."""
    return always or step % every == 0
