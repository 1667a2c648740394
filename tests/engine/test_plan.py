"""The plan: every example once, the same updates however they are cut, fair shares, little padding."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import plan as planning
from engine.plan import Plan, due, evaluation_batches, total_updates
from engine.randomness import seed_of

LENGTHS = st.lists(st.integers(1, 300), min_size=1, max_size=150).map(np.array)
# on both sides of 16 bits
LONG = st.lists(st.integers(1, 9) | st.integers(65_500, 65_600), min_size=1, max_size=150).map(np.array)


@st.composite
def plans(draw, most_processes: int = 9) -> Plan:
    """Any plan; there may be more processes than examples in an update."""
    group = draw(st.integers(1, 4))
    return Plan(
        lengths=draw(LENGTHS),
        seed=draw(st.integers(0, 2**40)),
        batch_size=group * draw(st.integers(1, 12)),
        micro_batch_size=draw(st.none() | st.integers(group, 20)),
        processes=draw(st.integers(1, most_processes)),
        group=group,
        views=draw(st.integers(1, 3)),
        micro_tokens=draw(st.none() | st.integers(1, 3000)),
    )


def atoms_of(update: np.ndarray, group: int) -> list[tuple[int, ...]]:
    return [tuple(update[start : start + group].tolist()) for start in range(0, len(update), group)]


def positions(share, lengths: np.ndarray) -> int:
    return len(share.index) * int(lengths[share.index].max())


def as_first_written(plan: Plan, epoch: int) -> list[list[int]]:
    """The updates of an epoch without regard to memory, in a few plain lines."""
    random = np.random.default_rng([plan.seed, epoch])
    order = random.permutation(len(plan.lengths))
    window = np.arange(len(order)) // (plan.batch_size * 64)
    order = order[np.lexsort((plan.lengths[order], window))]
    updates = np.split(order, np.arange(plan.batch_size, len(order), plan.batch_size))
    return [updates[number].tolist() for number in random.permutation(len(updates))]


def examples_of(share, views: int) -> list[int]:
    """The rows of a forward pass without their repetitions, which must be neighbours."""
    rows = share.index.reshape(-1, views)
    assert (rows == rows[:, :1]).all()
    return rows[:, 0].tolist()


def realistic_lengths(count: int = 8192) -> np.ndarray:
    """Sentences of KLUE-RE with markers: 20 to 240 tokens, 60 on average."""
    drawn = np.random.default_rng(0).lognormal(mean=3.97, sigma=0.5, size=count)
    return drawn.clip(20, 240).round().astype(int)


def padding(lengths: np.ndarray, batches: list[np.ndarray]) -> float:
    """Padding positions as a share of all."""
    slots = sum(len(batch) * lengths[batch].max() for batch in batches)
    return 1 - lengths.sum() / slots


# an epoch ---------------------------------------------------------------------------------------------------------


@given(plans(), st.integers(0, 5))
def test_every_example_is_in_exactly_one_update(plan, epoch):
    updates = plan.updates(epoch)
    assert np.array_equal(np.sort(np.concatenate(updates)), np.arange(len(plan.lengths)))


@given(plans(), st.integers(0, 5))
def test_all_updates_are_full_but_one_that_keeps_the_rest(plan, epoch):
    sizes = sorted(map(len, plan.updates(epoch)))
    full, rest = divmod(len(plan.lengths), plan.batch_size)
    assert sizes == ([rest] if rest else []) + [plan.batch_size] * full
    assert plan.updates_per_epoch == len(sizes)


@given(
    plans(), st.integers(0, 5), st.integers(1, 9), st.integers(1, 3), st.none() | st.integers(4, 9), st.integers(1, 999)
)
def test_updates_do_not_depend_on_how_they_are_cut(plan, epoch, processes, views, micro, micro_tokens):
    other = Plan(plan.lengths, plan.seed, plan.batch_size, micro, processes, plan.group, views, micro_tokens)
    for mine, theirs in zip(plan.updates(epoch), other.updates(epoch), strict=True):
        assert np.array_equal(mine, theirs)


def test_the_same_numbers_give_the_same_updates_whatever_the_global_randomness():
    plan = Plan(realistic_lengths(500), seed=3, batch_size=32)
    np.random.seed(0)
    before = plan.updates(2)
    np.random.seed(1)
    assert all(np.array_equal(a, b) for a, b in zip(before, plan.updates(2), strict=True))


@pytest.mark.parametrize("seed, epoch", [(7, 1), (8, 0), (0, 7)])
def test_another_seed_or_epoch_gives_other_updates_in_another_order(seed, epoch):
    lengths = realistic_lengths(32 * 200)
    first = Plan(lengths, seed=7, batch_size=32).updates(0)
    other = Plan(lengths, seed=seed, batch_size=32).updates(epoch)
    assert not np.array_equal(np.concatenate(first), np.concatenate(other))
    # not the same batches shuffled: chance decides who meets whom
    assert len({frozenset(update.tolist()) for update in first} & {frozenset(u.tolist()) for u in other}) < 5


def test_updates_are_not_sorted_by_length():
    lengths = realistic_lengths(32 * 128)
    means = np.array([lengths[update].mean() for update in Plan(lengths, seed=0, batch_size=32).updates(0)])
    order = means.argsort().argsort()
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.3


@given(LENGTHS | LONG, st.integers(0, 9), st.integers(1, 3), st.integers(0, 2))
def test_only_the_largest_updates_leave_the_order_of_chance_and_only_in_the_first_epoch(lengths, seed, size, epoch):
    plan = Plan(lengths, seed, batch_size=size)
    found, by_chance = [update.tolist() for update in plan.updates(epoch)], as_first_written(plan, epoch)
    if epoch:
        assert found == by_chance
        return
    padded, tokens, longest = (
        lambda update: len(update) * lengths[update].max(),
        lambda update: lengths[update].sum(),
        lambda update: lengths[update].max(),
    )
    assert padded(found[0]) == max(map(padded, by_chance))
    reached = [
        next(n for n, update in enumerate(found, 1) if demand(update) == max(map(demand, by_chance)))
        for demand in (padded, tokens, longest)
    ]
    assert max(reached) <= 3
    assert found[max(reached) :] == [update for update in by_chance if update not in found[: max(reached)]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("options", [{}, {"micro_batch_size": 8}, {"micro_batch_size": 8, "processes": 2}])
def test_no_forward_pass_of_the_first_epoch_is_larger_than_those_of_its_first_three_updates(seed, options):
    """Memory runs out at once or never, also for a long row in the short update: padded, and packed where uncut."""
    lengths = np.random.default_rng(seed).integers(5, 300, size=32 * 70 + 9)
    plan = Plan(lengths, seed=seed, batch_size=32, **options)
    # the short update keeps the longest of the last window: make one of it the longest of all
    [short] = [update for update in plan.updates(0) if len(update) < 32]
    lengths[short[-1]] = 512
    passes = [[s for shares in plan.cut(update) for s in shares] for update in plan.updates(0)]
    demands = [lambda s: positions(s, lengths), lambda s: int(lengths[s.index].sum())]
    for demand in demands[: 1 if options else 2]:
        largest = [max(map(demand, shares)) for shares in passes]
        assert max(largest[3:]) <= max(largest[:3])


def test_updates_are_slices_of_one_order():
    """What keeps an epoch of ten million rows small."""
    updates = Plan(realistic_lengths(500), seed=3, batch_size=32).updates(0)
    assert all(np.shares_memory(update, updates.order) for update in updates)
    assert len(updates[3:]) == len(updates) - 3
    assert all(np.array_equal(a, updates[3 + k]) for k, a in enumerate(updates[3:]))
    with pytest.raises(IndexError):
        updates[len(updates)]


# a cut ------------------------------------------------------------------------------------------------------------


@given(plans(), st.integers(0, 3))
def test_processes_share_an_update_without_loss_or_repetition(plan, epoch):
    for update in plan.updates(epoch):
        processes = plan.cut(update)
        assert len(processes) == plan.processes
        rows = [row for shares in processes for s in shares if s.real for row in examples_of(s, plan.views)]
        assert sorted(rows) == sorted(update.tolist())


@given(plans(), st.integers(0, 3))
def test_every_process_has_equally_many_passes_of_at_most_micro_batch_size_examples(plan, epoch):
    for update in plan.updates(epoch):
        processes = plan.cut(update)
        assert len({len(shares) for shares in processes}) == 1
        assert len(processes[0]) >= 1
        for share in (share for shares in processes for share in shares):
            assert 1 <= len(examples_of(share, plan.views)) <= (plan.micro_batch_size or plan.batch_size)


@given(plans(), st.integers(0, 3))
def test_only_an_atom_alone_is_above_micro_tokens(plan, epoch):
    limit = plan.micro_tokens or math.inf
    for update in plan.updates(epoch):
        for share in (share for shares in plan.cut(update) for share in shares):
            assert positions(share, plan.lengths) <= limit or len(share.index) <= plan.group * plan.views


@given(LENGTHS, st.integers(1, 3000), st.none() | st.integers(1, 20), st.integers(1, 4))
def test_under_micro_tokens_there_are_no_more_passes_than_the_fullest_process_needs(lengths, limit, most, processes):
    plan = Plan(lengths, seed=0, batch_size=24, micro_batch_size=most, processes=processes, micro_tokens=limit)
    for update in plan.updates(0):
        passes = []
        for shares in plan.cut(update):
            needed, rows, first = 0, 0, 0
            falling = sorted((int(lengths[row]) for s in shares if s.real for row in s.index), reverse=True)
            for length in falling:  # row by row: a pass takes the next one while it fits
                if rows and (rows + 1) * first <= limit and rows < (most or 24):
                    rows += 1
                else:
                    needed, rows, first = needed + 1, 1, length
            passes.append(needed)
        assert {len(shares) for shares in plan.cut(update)} == {max(passes)}


@pytest.mark.parametrize("processes", [1, 2])
def test_under_micro_tokens_the_first_update_fills_a_pass_but_for_one_row(processes):
    """So memory that holds it holds every later pass, or lacks a row."""
    lengths = realistic_lengths()
    plan = Plan(lengths, seed=0, batch_size=32, processes=processes, micro_tokens=2000)
    largest = [max(positions(s, lengths) for shares in plan.cut(u) for s in shares) for u in plan.updates(0)]
    assert 2000 - lengths.max() < largest[0] <= max(largest) <= 2000


def test_micro_tokens_cut_long_rows_into_more_passes_than_short_ones():
    plan = Plan(np.array([10] * 8 + [200] * 8), seed=0, batch_size=8, micro_tokens=400)
    long, short = plan.updates(0)
    assert [len(share.index) for share in plan.cut(long)[0]] == [2, 2, 2, 2]
    assert [len(share.index) for share in plan.cut(short)[0]] == [8]
    # a row above the limit is alone; a process that needs fewer passes than another splits its own
    plan = Plan(np.array([10] * 13 + [200]), seed=0, batch_size=14, micro_tokens=100, processes=2)
    assert [[len(share.index) for share in shares] for shares in plan.cut(np.arange(14))] == [[1, 6], [3, 4]]
    assert plan.above_micro_tokens() == 1


@given(plans().map(lambda plan: replace(plan, micro_tokens=None)), st.integers(0, 3))
def test_there_are_no_more_passes_than_the_fullest_process_needs(plan, epoch):
    for update in plan.updates(epoch):
        atoms_on_one = math.ceil(math.ceil(len(update) / plan.group) / plan.processes)
        a_pass = max(1, (plan.micro_batch_size or len(update)) // plan.group)
        assert len(plan.cut(update)[0]) == math.ceil(atoms_on_one / a_pass)


@given(plans(), st.integers(0, 3))
def test_atoms_are_never_separated(plan, epoch):
    for update in plan.updates(epoch):
        found = []
        for share in (share for shares in plan.cut(update) for share in shares if share.real):
            rows = examples_of(share, plan.views)
            place = 0
            while place < len(rows):
                atom = next(a for a in atoms_of(update, plan.group) if a[0] == rows[place])
                assert tuple(rows[place : place + len(atom)]) == atom
                found.append(atom)
                place += len(atom)
        assert sorted(found) == sorted(atoms_of(update, plan.group))


@given(plans(), st.integers(0, 3))
def test_fillers_stand_only_where_a_process_has_fewer_atoms_than_passes(plan, epoch):
    for update in plan.updates(epoch):
        atoms = atoms_of(update, plan.group)
        for shares in plan.cut(update):
            rows = {row for share in shares if share.real for row in examples_of(share, plan.views)}
            own = sum(atom[0] in rows for atom in atoms)
            fillers = [share for share in shares if not share.real]
            assert len(fillers) == max(0, len(shares) - own)
            for share in fillers:  # something that can be computed: a whole atom of the update
                assert tuple(examples_of(share, plan.views)) in atoms


@given(plans(most_processes=1), st.integers(0, 3))
def test_one_process_needs_no_filler(plan, epoch):
    assert all(share.real for update in plan.updates(epoch) for share in plan.cut(update)[0])


def test_five_processes_and_two_examples():
    processes = Plan(np.array([5, 9]), seed=0, batch_size=8, processes=5).cut(np.array([0, 1]))
    assert [[(share.index.tolist(), share.real) for share in shares] for shares in processes] == [
        [([1], True)], [([0], True)], [([1], False)], [([1], False)], [([1], False)],
    ]  # fmt: skip


@given(plans(), st.integers(0, 3))
def test_tokens_are_balanced_over_processes(plan, epoch):
    """Dealt forth and back by falling length, nobody is ahead by more than the longest atom."""
    for update in plan.updates(epoch):
        longest = max(int(plan.lengths[list(atom)].sum()) for atom in atoms_of(update, plan.group))
        tokens = [
            sum(int(plan.lengths[examples_of(share, plan.views)].sum()) for share in shares if share.real)
            for shares in plan.cut(update)
        ]
        assert max(tokens) - min(tokens) <= longest


def test_tokens_are_balanced_where_the_last_group_is_short_and_long():
    """Dealt last, out of its turn, the row of 100 would go to the process that has the group with the row of 99."""
    lengths = np.array([1, 1, 1, 1, 1, 99, 100])
    shares = Plan(lengths, seed=0, batch_size=8, processes=2, group=2).cut(np.arange(7))
    assert [int(lengths[share.index].sum()) for [share] in shares] == [102, 102]


def test_a_full_update_of_similar_lengths_is_balanced_within_their_spread():
    lengths = np.arange(100, 132)
    tokens = [
        sum(int(lengths[share.index].sum()) for share in shares)
        for shares in Plan(lengths, seed=0, batch_size=32, processes=4).cut(np.arange(32))
    ]
    assert tokens == [924] * 4  # 32 numbers of mean 115.5, 8 for each


def test_passes_of_a_process_hold_similar_lengths():
    lengths = np.array([10, 200, 12, 190, 11, 210, 13, 205])
    [shares] = Plan(lengths, seed=0, batch_size=8, micro_batch_size=4).cut(np.arange(8))
    assert [sorted(lengths[share.index].tolist()) for share in shares] == [[190, 200, 205, 210], [10, 11, 12, 13]]


@given(plans())
def test_the_account_counts_each_example_once(plan):
    counts, _ = plan.account()
    assert len(counts) == plan.processes
    assert sum(counts) == len(plan.lengths)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_size": 32, "group": 3}, "train.batch_size 32 is no multiple of loss.group 3"),
        ({"batch_size": 32, "group": 4, "micro_batch_size": 3}, "train.micro_batch_size 3 is below loss.group 4"),
    ],
)
def test_a_group_that_does_not_fit_is_told(options, message):
    with pytest.raises(ValueError, match=message):
        Plan(lengths=np.ones(10, dtype=int), seed=0, **options)


# padding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("processes, micro", [(1, None), (1, 8), (2, None), (2, 8), (4, None)])
def test_grouping_by_length_leaves_little_padding(processes, micro):
    lengths = realistic_lengths()
    assert 58 < lengths.mean() < 62
    plan = Plan(lengths, seed=0, batch_size=32, processes=processes, micro_batch_size=micro)
    assert plan.account()[1] < 0.05
    assert replace(plan, micro_tokens=2048).account()[1] < 0.05


def test_random_order_would_pad_by_more_than_80_percent_of_the_tokens():
    """What the numbers above are to be compared with: padding positions for each 100 tokens."""
    lengths = realistic_lengths()
    batches = np.split(np.random.default_rng(1).permutation(len(lengths)), len(lengths) // 32)
    share = padding(lengths, batches)
    assert share / (1 - share) > 0.80
    grouped = Plan(lengths, seed=0, batch_size=32).account()[1]
    assert grouped / (1 - grouped) < 0.11


@given(plans())
def test_the_account_of_padding_is_that_of_the_first_epochs_passes(plan):
    shares = [s for update in plan.updates(0) for process in plan.cut(update) for s in process if s.real]
    slots = sum(len(share.index) * int(plan.lengths[share.index].max()) for share in shares)
    tokens = sum(int(plan.lengths[share.index].sum()) for share in shares)
    assert plan.account()[1] == pytest.approx(1 - tokens / slots, abs=1e-12)


@pytest.mark.parametrize("options", [{}, {"processes": 2}, {"group": 4, "views": 2, "micro_batch_size": 8}])
def test_under_micro_tokens_the_padding_of_many_updates_is_estimated(monkeypatch, options):
    plan = Plan(realistic_lengths(32 * 200 + 7), seed=0, batch_size=32, micro_tokens=900, **options)
    exact = plan.account()
    assert not plan.estimated
    monkeypatch.setattr(planning, "SAMPLE", 60)
    assert plan.estimated
    about = plan.account()
    assert about[0] == exact[0]
    assert about[1] != exact[1]
    assert about[1] == pytest.approx(exact[1], abs=0.002)
    assert not replace(plan, micro_tokens=None).estimated


# evaluation -------------------------------------------------------------------------------------------------------


@given(LENGTHS, st.integers(1, 40), st.integers(1, 9))
def test_evaluation_covers_each_example_once_with_equally_many_batches_for_all(lengths, batch_size, processes):
    dealt = evaluation_batches(lengths, batch_size, processes)
    assert len(dealt) == processes
    assert len({len(shares) for shares in dealt}) == 1
    rows = np.concatenate([share.index for shares in dealt for share in shares if share.real])
    assert np.array_equal(np.sort(rows), np.arange(len(lengths)))
    batches = math.ceil(len(lengths) / batch_size)
    assert sum(not share.real for shares in dealt for share in shares) == -batches % processes
    assert all(1 <= len(share.index) <= batch_size for shares in dealt for share in shares)


@given(LENGTHS, st.integers(1, 40), st.integers(2, 9))
def test_evaluation_batches_are_the_same_for_any_number_of_processes(lengths, batch_size, processes):
    [alone] = evaluation_batches(lengths, batch_size, 1)
    together = evaluation_batches(lengths, batch_size, processes)
    dealt = [shares[number] for number in range(len(together[0])) for shares in together]
    assert [share.index.tolist() for share in dealt if share.real] == [share.index.tolist() for share in alone]


def test_evaluation_starts_with_the_longest_batch():
    """So that too little memory shows at once."""
    [shares] = evaluation_batches(np.array([3, 9, 5, 7]), 2, 1)
    assert [share.index.tolist() for share in shares] == [[1, 3], [2, 0]]


@given(LENGTHS | LONG)
def test_evaluation_takes_rows_by_falling_length_and_equal_ones_in_their_order(lengths):
    [shares] = evaluation_batches(lengths, 7, 1)
    rows = np.concatenate([share.index for share in shares]).tolist()
    assert rows == sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))


# small things -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "per_epoch, epochs, most, total", [(10, 3, None, 30), (10, 3, 7, 7), (10, 3, 31, 30), (1, 1, 1, 1)]
)
def test_total_updates(per_epoch, epochs, most, total):
    assert total_updates(per_epoch, epochs, most) == total


def test_due_counts_updates_from_one():
    assert [step for step in range(1, 10) if due(step, 3, False)] == [3, 6, 9]
    assert due(7, 3, True)


@settings(max_examples=30)
@given(st.integers(0, 2**62), st.integers(0, 10**6), st.integers(0, 500))
def test_seeds_fit_torch_and_differ_for_each_argument(seed, step, process):
    value = seed_of(seed, step, process)
    assert 0 <= value < 2**64
    assert value == seed_of(seed, step, process)
    neighbours = {seed_of(seed + 1, step, process), seed_of(seed, step + 1, process), seed_of(seed, step, process + 1)}
    assert value not in neighbours
    assert len(neighbours) == 3
    assert seed == step or value != seed_of(step, seed, process)
