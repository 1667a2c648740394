"""Logits that are told in training how frequent their classes are, and are left alone in prediction."""

from torch import Tensor
from torch.nn import functional as F

from losses.base import ClassWeights, Loss, rate
from losses.counts import at_least_one


class LogitAdjustment(Loss):
    """Logits are told how frequent each class is.

    Cross-entropy of logits + tau * log prior, prior_c = n_c / N.
    Menon et al. 2021, arXiv 2007.07314, equation 10: what is learned is right for classes that are all as frequent.
    tau 0 gives cross-entropy.
    """

    needs_counts = True

    def __init__(
        self,
        class_counts: Tensor,
        tau: float = 1.0,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        tau: how much of the log prior is added, 0 or more; 0 gives cross-entropy.
        """
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        counts = at_least_one(class_counts)
        self.register_buffer("shift", rate("tau", tau) * (counts / counts.sum()).log(), persistent=False)  # (C,)

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits + self.shift.to(logits.dtype), labels, reduction="none")  # (B,)


class BalancedSoftmax(LogitAdjustment):
    """logit_adjustment with tau 1.

    n_c exp(logit_c) for exp(logit_c): Ren et al. 2020, arXiv 2007.10740.
    """

    def __init__(
        self,
        class_counts: Tensor,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        super().__init__(class_counts, 1.0, class_weights, beta, drw_epoch)
