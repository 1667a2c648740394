"""From a configuration to the loss of a run, and what the run should know of it."""

import warnings

import numpy as np
import torch
from torch import nn

from data.messages import listed
from engine.config import Config
from engine.plan import Plan
from losses import LOSSES
from losses.ldam import Ldam


def make_loss(config: Config, counts: torch.Tensor, labels: list[str]) -> nn.Module:
    """The loss, with warnings about classes without training examples and an unfit head. Raises ValueError."""
    loss_fn = LOSSES[config.loss.name](class_counts=counts, **config.loss.options)
    absent = [labels[number] for number in torch.nonzero(counts == 0).flatten().tolist()]
    if absent and getattr(loss_fn, "needs_counts", False):
        warnings.warn(
            f"loss.name: {config.loss.name} reads how many training examples each class has; {len(absent)} of "
            f"{len(labels)} have none and count as if they had one: {listed(absent)}",
            stacklevel=2,
        )
    inner = getattr(loss_fn, "base", loss_fn)
    if not isinstance(inner, Ldam):
        return loss_fn
    if config.model.head != "cosine":
        warnings.warn(
            f"loss.name: the margins of ldam are meant for cosines, which the head {config.model.head} does not give; "
            "--model.head cosine does",
            stacklevel=2,
        )
    elif inner.scale != (scale := config.model.head_options["scale"]):
        raise ValueError(
            f"{place(loss_fn)}.scale: got {inner.scale}, but model.head_options.scale is {scale}; expected the same"
        )
    return loss_fn


def check_loss(config: Config) -> None:
    """Raises ValueError for a loss that no data could make right: before any is read, with made-up class counts."""
    loss_fn = make_loss(config, torch.ones(2, dtype=torch.long), ["", ""])
    batches = {"batch_size": config.train.batch_size, "micro_batch_size": config.train.micro_batch_size}
    Plan(np.ones(1, dtype=np.int64), config.run.seed, **batches, group=loss_fn.group, views=loss_fn.views)


def tell_idle(loss_fn: nn.Module, model: nn.Module, per_epoch: int, total: int) -> None:
    """Warnings about class weights that never begin, and views that are the same. `per_epoch`, `total`: updates."""
    begins = getattr(getattr(loss_fn, "base", loss_fn), "drw_epoch", None)
    if begins is not None and begins * per_epoch >= total:
        warnings.warn(
            f"{place(loss_fn)}.drw_epoch has no effect: got {begins}, but the last of {total:,} updates is in epoch "
            f"{(total - 1) // per_epoch}, counted from 0",
            stacklevel=2,
        )
    if loss_fn.views > 1 and not drops_out(model):
        warnings.warn(
            f"loss.name: {loss_fn.views} views of an example are all the same, since every dropout is 0; they take "
            "their time for nothing",
            stacklevel=2,
        )


def place(loss_fn: nn.Module) -> str:
    """Where the options of the loss stand that looks at logits: a base's under it."""
    return "loss.base_options" if hasattr(loss_fn, "base") else "loss"


def drops_out(model: nn.Module) -> bool:
    """Whether any module draws a mask, by itself or by a share that it hands to a function."""
    shares = [
        value
        for module in model.modules()
        for key, value in vars(module).items()
        if "dropout" in key or (key == "p" and "Dropout" in type(module).__name__)
    ]
    return any(isinstance(share, (int, float)) and share > 0 for share in shares)
