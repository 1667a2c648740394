"""Everything that draws numbers in an update starts from (seed, update, process)."""

import random

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.randomness import seed_of, seed_update


def drawn() -> tuple:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_python_numpy_and_torch_follow_the_update():
    seed_update(42, 7, 1)
    first = drawn()
    drawn()
    seed_update(42, 7, 1)
    assert drawn() == first
    for other in ((43, 7, 1), (42, 8, 1), (42, 7, 0)):
        seed_update(*other)
        assert not set(drawn()) & set(first)


@settings(max_examples=30)
@given(st.integers(0, 2**62), st.integers(0, 10**6), st.integers(0, 500))
def test_any_seed_can_be_used(seed, step, process):
    seed_update(seed, step, process)
    assert 0 <= seed_of(seed, step, process) < 2**64
