"""The gradient of an update is the same however it is cut, for every loss, and it is that of the formula."""

import pytest
import torch

from engine.plan import Plan
from losses import LOSSES
from tests.losses import splits
from tests.losses.cases import CASES


@pytest.mark.parametrize("case", CASES)
def test_split_exact(case):
    name, options = CASES[case]
    splits.do_not_matter(LOSSES[name], name, options)


def test_updates_and_cuts_are_what_they_are_meant_to_be():
    plan = Plan(splits.STORE.lengths, seed=3, batch_size=splits.UPDATE)
    assert sorted(map(len, plan.updates(0))) == [11, 16]
    assert {(1, 1, None), (1, None, None), (2, 1, None), (2, 5, None), (3, 8, 90)} < set(splits.cuts(1))
    assert {(1, 4, None), (1, 15, None), (1, None, None), (2, 4, None), (2, None, 30)} < set(splits.cuts(4))


def test_the_last_group_of_a_short_update_is_short_and_last():
    """11 examples in groups of 4: where the short group stood before others, a loss would count from a wrong place."""
    plan = Plan(splits.STORE.lengths, seed=3, batch_size=splits.UPDATE, micro_batch_size=8, group=4, views=2)
    [update] = [update for update in plan.updates(0) if len(update) == 11]
    passes = plan.cut(update)[0]
    assert [len(share.index) for share in passes] == [8 * 2, 3 * 2]
    assert passes[-1].index[::2].tolist() == update[-3:].tolist()


@pytest.mark.parametrize(
    "given, message",
    [
        ({"batch_size": 18}, "train.batch_size 18 is no multiple of loss.group 4"),
        ({"batch_size": 16, "micro_batch_size": 3}, "train.micro_batch_size 3 is below loss.group 4"),
    ],
)
def test_a_batch_that_would_cut_groups_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Plan(splits.STORE.lengths, seed=0, group=4, **given)


def test_views_of_the_reference_model_differ():
    """Else r_drop would have nothing to say and its split would prove nothing."""
    logits = splits.Words(2).whole(range(splits.N)).logits
    assert float((logits[0::2] - logits[1::2]).detach().abs().amax(dim=1).min()) > 0.01
    assert bool(torch.isfinite(logits).all())
