"""Poly-1: the first term of cross-entropy's series counts more."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.base import ClassWeights, Loss, rate


class Poly1(Loss):
    """Cross-entropy whose first term counts more.

    -log p + epsilon * (1 - p) of the label.
    Leng et al. 2022, arXiv 2204.12511, equation 5. epsilon 0 gives cross-entropy; it may be down to -1.
    """

    def __init__(
        self,
        class_counts: Tensor,
        epsilon: float = 1.0,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        epsilon: weight of the term 1 - p, -1 or more; 0 gives cross-entropy.
        """
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        self.epsilon = rate("epsilon", epsilon, least=-1)

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, reduction="none")  # (B,)
        return losses - self.epsilon * torch.expm1(-losses)
