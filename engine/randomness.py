"""Randomness as a function of (seed, update, process): nothing about it needs saving."""

import random

import numpy as np
import torch


def seed_of(seed: int, step: int, process: int) -> int:
    """One 64-bit seed of (seed, update, process)."""
    return int(np.random.SeedSequence([seed, step, process]).generate_state(1, np.uint64)[0])


def seed_update(seed: int, step: int, process: int) -> None:
    """Seed PyTorch on all devices, and Python and NumPy for models that draw from those."""
    value = seed_of(seed, step, process)
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)
