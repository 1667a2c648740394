"""Focal loss: examples that are right already count less."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.base import ClassWeights, Loss, rate


class Focal(Loss):
    """Examples that are right already count less.

    (1 - p)^gamma * -log p of the label, p = softmax(logits)[label] of this example alone, class weights outside.
    Lin et al. 2017, arXiv 1708.02002, equation 4, with softmax for sigmoid. With `smoothing` it is the sum over classes
    c of q_c (1 - p_c)^gamma * -log p_c, q being the target of label_smoothing. gamma 0 gives cross-entropy.
    """

    def __init__(
        self,
        class_counts: Tensor,
        gamma: float = 2.0,
        smoothing: float = 0.0,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        gamma: how much less, 0 or more; 0 gives cross-entropy.
        smoothing: as in label_smoothing, 0 up to below 1.
        """
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        self.gamma = rate("gamma", gamma)
        self.smoothing = rate("smoothing", smoothing, below=1)

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        own = self.focus(-F.cross_entropy(logits, labels, reduction="none"))  # (B,)
        if not self.smoothing:  # most of the time is spent on the other classes
            return own
        return (1 - self.smoothing) * own + self.smoothing * self.focus(logits.log_softmax(dim=1)).mean(dim=1)

    def focus(self, log_p: Tensor) -> Tensor:
        """(1 - p)^gamma * -log p, of any shape."""
        # 1 - p without cancellation; above 0, where the derivative of a root is finite
        distance = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny)
        return distance**self.gamma * -log_p
