"""For labels that are wrong now and then: an example that the model finds absurd cannot pull without end."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.base import ClassWeights, Loss, number, rate


class GeneralizedCrossEntropy(Loss):
    """Between cross-entropy and mean absolute error.

    (1 - p^q) / q of the label: between cross-entropy (q to 0) and the mean absolute error (q 1).
    Zhang and Sabuncu 2018, arXiv 1805.07836, equation 6.
    """

    def __init__(
        self,
        class_counts: Tensor,
        q: float = 0.7,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        q: above 0, up to 1; small: nearly cross-entropy; 1: the mean absolute error.
        """
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        self.q = number("q", q, "a number above 0, up to 1", lambda value: 0 < value <= 1)

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_p = -F.cross_entropy(logits, labels, reduction="none")  # (B,)
        return -torch.expm1(self.q * log_p) / self.q  # (B,), right for small q, too


class SymmetricCrossEntropy(Loss):
    """Cross-entropy plus its bounded reverse.

    alpha * cross-entropy + reverse * (1 - p) * -log_zero: the second term is cross-entropy with prediction and label
    exchanged, the logarithm of 0 taken to be `log_zero`.
    Wang et al. 2019, arXiv 1908.06112, equations 6-8 (its beta is `reverse` here). alpha 1, reverse 0 is cross-entropy.
    alpha 6 and reverse 0.1 are the authors' for 100 classes (CIFAR-100) and train the 30 of KLUE-RE; theirs for 10,
    alpha 0.1 and reverse 1, hardly begin to.
    """

    def __init__(
        self,
        class_counts: Tensor,
        alpha: float = 6.0,
        reverse: float = 0.1,
        log_zero: float = -4.0,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        alpha: weight of cross-entropy, 0 or more.
        reverse: weight of the reverse term, 0 or more (beta in the paper); 0 and alpha 1 give cross-entropy.
        log_zero: what stands for the logarithm of 0 in it, below 0.
        """
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        self.alpha, self.reverse = rate("alpha", alpha), rate("reverse", reverse)
        self.log_zero = number("log_zero", log_zero, "a number below 0", lambda value: value < 0)

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, reduction="none")  # (B,)
        others = -torch.expm1(-losses)  # 1 - p
        return self.alpha * losses - self.reverse * self.log_zero * others
