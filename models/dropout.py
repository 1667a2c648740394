"""Dropout that draws quickly on a CPU: torch takes longer to draw its mask than an encoder's layer to multiply.

benchmarks/NOTES.md has the numbers. On other devices it is torch's own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHARES = 2**16  # p is rounded to a multiple of 1 / SHARES, and what is kept grows by exactly that
LOWEST = torch.iinfo(torch.int64).min


def dropout(states: Tensor, p: float) -> Tensor:
    """states * mask / (1 - p), each place of the mask 0 with probability p, else 1 (Srivastava et al. 2014)."""
    limit = round(p * SHARES)
    if states.device.type != "cpu" or not 0 < limit < SHARES or torch.compiler.is_compiling():
        return F.dropout(states, p)
    # torch draws 64 bits at a time; each 16 of them are a number of their own
    drawn = torch.empty((states.numel() + 3) // 4, dtype=torch.int64).random_(LOWEST, None)
    keep = drawn.view(torch.int16)[: states.numel()] >= limit - SHARES // 2
    return states * keep.view(states.shape).to(states.dtype).mul_(SHARES / (SHARES - limit))


class Dropout(nn.Dropout):
    """`nn.Dropout` by the function above."""

    def forward(self, states: Tensor) -> Tensor:
        return dropout(states, self.p) if self.training and self.p > 0 else states


def draw_quickly(model: nn.Module) -> None:
    """Exchange every `nn.Dropout` of a model; it has no weights, so nothing that is saved changes."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
