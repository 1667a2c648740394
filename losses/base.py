"""Losses that stand on another one: how that is made, and exchanged from epoch to epoch."""

import copy
import inspect
import warnings

from torch import Tensor, nn


def make_base(name: str, base: str, options: dict | None, class_counts: Tensor) -> nn.Module:
    """The loss `base` with its own options, under the loss `name`. Raises ValueError for names and options unknown."""
    from losses import LOSSES  # here, because the registry names the losses that call this

    simple = {key: loss for key, loss in LOSSES.items() if getattr(loss, "views", 1) == getattr(loss, "group", 1) == 1}
    if base not in simple:
        raise ValueError(f"loss.base: got {base!r}, expected one of {', '.join(simple)}")
    known = [key for key in inspect.signature(simple[base].__init__).parameters if key not in ("self", "class_counts")]
    if unknown := [key for key in options or {} if key not in known]:
        raise ValueError(
            f"loss.base_options.{unknown[0]}: the loss {base} has no such option; it has {', '.join(known)}"
        )
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            made = simple[base](class_counts=class_counts, **(options or {}))
        for warning in told:  # they name an option as if it stood for itself
            warnings.warn(str(warning.message).replace("loss.", "loss.base_options."), stacklevel=3)
        return made
    except TypeError as error:
        raise ValueError(f"loss.base_options: {error}") from None
    except ValueError as error:
        raise ValueError(str(error).replace("loss.", "loss.base_options.", 1)) from None


def with_base(loss: nn.Module, base: nn.Module) -> nn.Module:
    """The same loss over another base."""
    if base is loss.base:
        return loss
    other = copy.copy(loss)
    other._modules = loss._modules | {"base": base}
    return other
