"""What all losses share: float32, the weights of classes, and when they begin.

Legend: B examples, C classes.
"""

import copy
import math
import warnings
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from losses.counts import class_balanced, inverse_frequency

ClassWeights = Literal["none", "inverse_frequency", "class_balanced"]
BETA = 0.9999


class Loss(nn.Module):
    """weight[label] * values(logits, label), one value an example.

    `class_counts` (C,): training examples of each class; one without any counts as one. Deferred re-weighting: Cao et
    al. 2019, arXiv 1906.07413, section 3.3.
    """

    views = 1  # how many times an example stands in its micro-batch
    group = 1  # how many examples must see each other
    needs_counts = False

    def __init__(
        self,
        class_counts: Tensor,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        class_weights: how much more rare classes count; inverse_frequency: 1 / n; class_balanced: by the effective
            number of samples; see losses/counts.py.
        beta: of class_balanced, 0 up to below 1; the nearer to 1, the more rare classes count. null = 0.9999.
        drw_epoch: class weights begin with this epoch, counted from 0 (deferred re-weighting). null = at once.
        """
        super().__init__()
        if class_weights not in get_args(ClassWeights):
            kinds = ", ".join(get_args(ClassWeights))
            raise ValueError(f"loss.class_weights: got {class_weights!r}, expected one of {kinds}")
        if beta is not None:
            rate("beta", beta, below=1)
        if drw_epoch is not None:
            number("drw_epoch", drw_epoch, "an epoch, counted from 0", lambda epoch: epoch >= 0 and epoch == int(epoch))
        if beta is not None and class_weights != "class_balanced":
            warnings.warn("loss.beta has no effect: loss.class_weights is not class_balanced", stacklevel=2)
        if drw_epoch is not None and class_weights == "none":
            warnings.warn("loss.drw_epoch has no effect: loss.class_weights is none", stacklevel=2)
        if class_weights == "inverse_frequency":
            weights = inverse_frequency(class_counts)
        elif class_weights == "class_balanced":
            weights = class_balanced(class_counts, BETA if beta is None else beta)
        else:
            weights = torch.ones(len(class_counts), dtype=torch.float64)
        self.drw_epoch = drw_epoch
        self.needs_counts = self.needs_counts or class_weights != "none"
        self.register_buffer("class_weight", weights, persistent=False)  # (C,)
        self.on_host = weights  # no buffer: the loader asks for weights of labels that are on no device yet

    def forward(self, output, labels: Tensor) -> Tensor:
        """output.logits (B, C), labels (B,) -> (B,) in float32 (float64 stays)."""
        values = self.values(wide(output.logits), labels)  # (B,)
        return self.class_weight[labels].to(values.dtype) * values  # not self.weight: who overrides both counts once

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits (B, C) in float32 or float64 -> (B,), without class weights."""
        raise NotImplementedError

    def weight(self, labels: Tensor) -> Tensor:
        """The weight of each example's class, (B,)."""
        return (self.on_host if labels.device.type == "cpu" else self.class_weight)[labels]

    def at(self, epoch: int) -> "Loss":
        """The loss of an epoch: before `drw_epoch` without class weights."""
        if self.drw_epoch is None or epoch >= self.drw_epoch:
            return self
        early = copy.deepcopy(self)
        early.class_weight, early.on_host = torch.ones_like(self.class_weight), torch.ones_like(self.on_host)
        return early


def wide(logits: Tensor) -> Tensor:
    """Half types as float32: their largest number and smallest step are too small for exponentials and sums."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def rate(name: str, value: float, least: float = 0.0, below: float | None = None) -> float:
    """`value`, checked. Raises ValueError that names the option `loss.<name>`."""
    wanted = f"a number from {least:g}" + (f" up to below {below:g}" if below is not None else "")
    return number(name, value, wanted, lambda value: least <= value < (math.inf if below is None else below))


def number(name: str, value: float, wanted: str, fits: Callable[[float], bool]) -> float:
    """`value`, which must be a finite number that `fits`. Raises ValueError that names the option `loss.<name>`."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not fits(value):
        raise ValueError(f"loss.{name}: got {value!r}, expected {wanted}")
    return value
