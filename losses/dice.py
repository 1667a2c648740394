"""Dice loss, self-adjusting: close to F1, and easy examples fade."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.loss import ClassWeights, Loss, rate


class Dice(Loss):
    """Sum over classes of 1 - (2 a y + smooth) / (a + y + smooth), a = (1 - p)^alpha p and y = 1 for the label, else 0.

    Li et al. 2020, arXiv 1911.02855, equation 11 for each class, p = softmax(logits). It is bounded: start from weights
    that know something already.
    """

    def __init__(
        self,
        class_counts: Tensor,
        alpha: float = 1.0,
        smooth: float = 1.0,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        self.alpha = rate("alpha", alpha)
        self.smooth = rate("smooth", smooth)
        if smooth == 0:
            raise ValueError("loss.smooth: got 0, expected a number above 0 (0 / 0 for a class without probability)")

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_p = logits.log_softmax(dim=1)  # (B, C)
        distance = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny)
        adjusted = distance**self.alpha * log_p.exp()  # (B, C)
        target = F.one_hot(labels, logits.shape[1])
        overlap = (2 * adjusted * target + self.smooth) / (adjusted + target + self.smooth)
        return (1 - overlap).sum(dim=1)  # (B,)
