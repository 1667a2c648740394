"""Cross-entropy, plain."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CrossEntropy(nn.Module):
    """-log softmax(logits)[label], one value an example.

    Legend: B examples, C classes.
    """

    views = 1  # how many times an example stands in its micro-batch
    group = 1  # how many examples must see each other

    def __init__(self, class_counts: Tensor):
        super().__init__()

    def forward(self, output, labels: Tensor) -> Tensor:
        """output.logits (B, C), labels (B,) -> (B,) in float32 (float64 stays)."""
        logits = output.logits
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        return F.cross_entropy(logits, labels, reduction="none")  # (B,)

    def weight(self, labels: Tensor) -> Tensor:
        """Every example counts once."""
        return torch.ones(len(labels), dtype=torch.float64)

    def at(self, epoch: int) -> "CrossEntropy":
        return self
