"""The proofs prove something: each fails on the wrong loss it was made for, and holds for the right one."""

import pytest

from losses import LOSSES
from tests.losses.wrong import FOCAL
from tests.losses.wrong_by_contract import BY_CONTRACT
from tests.losses.wrong_others import OTHERS

PLANTED = {f"focal: {name}": one for name, one in FOCAL.items()} | OTHERS | BY_CONTRACT


def test_how_many_are_planted():
    assert (len(FOCAL), len(OTHERS), len(BY_CONTRACT)) == (14, 26, 12)
    assert len({one.wrong for one in PLANTED.values()}) == 14 + 26 + 11


@pytest.mark.parametrize("name", PLANTED)
def test_caught(name):
    """With the message of a proof; a wrong loss that only crashes must crash as it did where it was found."""
    planted = PLANTED[name]
    with pytest.raises(planted.raises) as caught:
        planted.proof(planted.wrong)
    assert caught.type is planted.raises


@pytest.mark.parametrize("name", {(one.right, one.proof): name for name, one in PLANTED.items()}.values())
def test_right_one_passes(name):
    """Each proof once."""
    PLANTED[name].proof(LOSSES[PLANTED[name].right])
