"""The loader: an epoch as the processes compute it, whole, cut, resumed and evaluated."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.batch import collate
from data.store.token_store import TokenStore
from engine.loader import Loader
from engine.plan import Plan, evaluation_batches

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=40).map(np.array)


def store_of(lengths: np.ndarray) -> TokenStore:
    """A store where each token says whose it is: examples of `lengths` tokens, token t of example n is 1000 n + t."""
    none = np.zeros(0, dtype=np.int32)
    return TokenStore(
        tokens=np.concatenate([1000 * number + np.arange(length) for number, length in enumerate(lengths)]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        second=lengths,
        spans=np.full((len(lengths), 2, 3, 2), -1),
        types=np.zeros((len(lengths), 2), dtype=np.int8),
        labels=np.arange(len(lengths)),
        sentences=np.arange(len(lengths)),
        id_bytes=none,
        id_offsets=none,
        extra={},
        facts={},
    )


@st.composite
def plans(draw) -> Plan:
    group = draw(st.integers(1, 3))
    return Plan(
        lengths=draw(LENGTHS),
        seed=draw(st.integers(0, 99)),
        batch_size=group * draw(st.integers(1, 5)),
        micro_batch_size=draw(st.none() | st.integers(group, 8)),
        processes=draw(st.integers(1, 9)),
        group=group,
        views=draw(st.integers(1, 2)),
        micro_tokens=draw(st.none() | st.integers(1, 60)),
    )


def weight(labels: torch.Tensor) -> torch.Tensor:
    """Another weight for each example, so that a denominator of other examples is seen."""
    return 1.0 + labels


def computed(plan: Plan, epoch: int, first: int) -> list[list[int]]:
    """The examples that all processes compute in each update from `first` on, with what they show of themselves."""
    store = store_of(plan.lengths)
    worlds = [
        Loader(store, plan, process, pin=False).updates(epoch, first, weight) for process in range(plan.processes)
    ]
    updates = []
    for parts in zip(*worlds, strict=True):
        rows, shares = [], 0.0
        for part in parts:
            assert part.examples.tolist() == parts[0].examples.tolist()
            assert [micro.last for micro in part.micro_batches] == [False] * (len(part.micro_batches) - 1) + [True]
            for micro in part.micro_batches:
                found, labels = micro.to(torch.device("cpu"))
                index = found.index.reshape(-1, plan.views)
                assert (index == index[:, :1]).all(), "views of an example are neighbours"
                assert torch.equal(labels, found.index)
                assert torch.equal(
                    found.tokens, 1000 * found.index.repeat_interleave(found.offsets.diff()) + found.positions
                )
                if micro.scale:
                    rows += index[:, 0].tolist()
                    shares += micro.scale * float(weight(index[:, 0]).sum())
        assert len({len(part.micro_batches) for part in parts}) == 1, "collective calls need partners"
        assert abs(shares / plan.processes - 1) < 1e-9, "the mean of an update is over its own examples"
        assert sorted(rows) == sorted(parts[0].examples.tolist())
        assert parts[0].tokens == plan.lengths[parts[0].examples].sum()
        updates.append(rows)
    return updates


@settings(max_examples=50, deadline=None)
@given(plans(), st.integers(0, 2), st.integers(1, 9), st.data())
def test_no_example_is_lost_or_repeated(plan, epoch, other_processes, data):
    """In an epoch of any lengths, sizes and world; after a resume at any update in another world; in an evaluation."""
    updates = computed(plan, epoch, 0)
    everything = list(range(len(plan.lengths)))
    assert sorted(row for update in updates for row in update) == everything
    assert len(updates) == plan.updates_per_epoch

    first = data.draw(st.integers(0, len(updates)), label="first")
    resumed = computed(replace(plan, processes=other_processes), epoch, first)
    assert [sorted(update) for update in resumed] == [sorted(update) for update in updates[first:]]
    assert sorted(row for update in updates[:first] + resumed for row in update) == everything

    store = store_of(plan.lengths)
    dealt = evaluation_batches(plan.lengths, plan.batch_size, plan.processes)
    assert len({len(shares) for shares in dealt}) == 1
    batches = [collate(store, share.index)[0] for shares in dealt for share in shares if share.real]
    assert sorted(row for batch in batches for row in batch.index.tolist()) == everything


@pytest.mark.parametrize("processes", range(1, 10))
def test_worlds_of_all_sizes_compute_the_same_updates(processes):
    """Fewer, as many and more processes than an update has examples; each computes some where there are enough."""
    lengths = np.random.default_rng(0).integers(1, 9, size=30)
    for batch_size, micro in ((7, None), (9, 2), (64, 3)):
        plan = Plan(lengths, seed=5, batch_size=batch_size, micro_batch_size=micro, processes=processes)
        found = computed(plan, 1, 0)
        alone = computed(replace(plan, processes=1), 1, 0)
        assert [sorted(update) for update in found] == [sorted(update) for update in alone]
        assert sorted(row for update in found for row in update) == list(range(30))
        assert min(plan.account()[0]) > 0 or batch_size < processes
