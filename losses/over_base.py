"""Losses that stand on another one: how that is made, and exchanged from epoch to epoch."""

import copy
import inspect
import warnings

from torch import Tensor, nn

from losses.pointwise import POINTWISE


class OverBase(nn.Module):
    """A loss over another one, `base`, with that one's own options; class weights are the base's."""

    def __init__(self, class_counts: Tensor, base: str, base_options: dict | None):
        """
        base: the loss that this one stands on.
        base_options: its options.
        """
        super().__init__()
        self.base = make_base(base, base_options or {}, class_counts)
        self.needs_counts = self.base.needs_counts

    def weight(self, labels: Tensor) -> Tensor:
        """The weight of each example's class, (B,)."""
        return self.base.weight(labels)

    def at(self, epoch: int) -> "OverBase":
        """The loss of an epoch: over that of its base."""
        base = self.base.at(epoch)
        if base is self.base:
            return self
        other = copy.deepcopy(self)
        other.base = base
        return other


def make_base(name: str, options: dict, class_counts: Tensor) -> nn.Module:
    """The base `name` with its own options. Raises ValueError for names and options unknown, and for a base that
    looks at more than one example.
    """
    if name not in POINTWISE:
        raise ValueError(f"loss.base: got {name!r}, expected one of {', '.join(POINTWISE)} (losses/pointwise.py)")
    parameters = inspect.signature(POINTWISE[name].__init__).parameters
    known = [key for key in parameters if key not in ("self", "class_counts")]
    if unknown := [key for key in options if key not in known]:
        raise ValueError(
            f"loss.base_options.{unknown[0]}: the loss {name} has no such option; it has {', '.join(known)}"
        )
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            base = POINTWISE[name](class_counts=class_counts, **options)
    except ValueError as error:
        raise ValueError(str(error).replace("loss.", "loss.base_options.", 1)) from None
    for warning in caught:  # they name an option as if it stood for itself
        warnings.warn(str(warning.message).replace("loss.", "loss.base_options."), stacklevel=4)
    if (base.views, base.group) != (1, 1):
        raise ValueError(
            f"loss.base: {name} has views {base.views} and group {base.group}, expected 1 and 1: its line belongs in "
            "losses/__init__.py, not in losses/pointwise.py"
        )
    return base
