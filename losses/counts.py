"""From the training examples of each class to weights. A class without an example counts as if it had one.

Legend: C classes.
"""

import torch
from torch import Tensor


def at_least_one(counts: Tensor) -> Tensor:
    """Counts (C,) as float64, 0 as 1: no logarithm or quotient of an absent class can fail, and it stays the rarest."""
    return counts.to(torch.float64).clamp_min(1)


def inverse_frequency(counts: Tensor) -> Tensor:
    """Weights (C,) proportional to 1 / n, with mean 1 over the classes that occur."""
    return mean_one(1 / at_least_one(counts), counts)


def class_balanced(counts: Tensor, beta: float) -> Tensor:
    """Weights (C,) proportional to (1 - beta) / (1 - beta^n), with mean 1 over the classes that occur.

    The inverse of the effective number of samples, Cui et al. 2019, arXiv 1901.05555, equation 2; beta 0 weights none.
    """
    n = at_least_one(counts)
    # 1 - beta^n without cancellation where beta is near 1
    effective = -torch.expm1(n * torch.log(torch.tensor(beta, dtype=torch.float64))) / (1 - beta)
    return mean_one(1 / effective, counts)


def mean_one(weights: Tensor, counts: Tensor) -> Tensor:
    present = counts > 0
    return weights / weights[present].mean() if bool(present.any()) else torch.ones_like(weights)
