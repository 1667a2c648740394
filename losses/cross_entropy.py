"""Cross-entropy: plain, smoothed, and with weights of classes."""

from torch import Tensor
from torch.nn import functional as F

from losses.base import ClassWeights, Loss, rate


class CrossEntropy(Loss):
    """-log softmax(logits)[label]."""

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, reduction="none")  # (B,)


class LabelSmoothing(Loss):
    """Cross-entropy to a softened target.

    1 - smoothing + smoothing / C on the label and smoothing / C on every other class.
    Szegedy et al. 2016, arXiv 1512.00567, section 7, as torch has it: smoothing / C, not smoothing / (C - 1).
    """

    def __init__(
        self,
        class_counts: Tensor,
        smoothing: float = 0.1,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        smoothing: share of the target that goes to all classes alike, 0 up to below 1; 0 gives cross-entropy.
        """
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        self.smoothing = rate("smoothing", smoothing, below=1)

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, reduction="none", label_smoothing=self.smoothing)  # (B,)


class InverseFrequency(LabelSmoothing):
    """Cross-entropy with class weights 1 / n.

    Short for cross_entropy with class_weights inverse_frequency.
    """

    def __init__(self, class_counts: Tensor, smoothing: float = 0.0, drw_epoch: int | None = None):
        super().__init__(class_counts, smoothing, "inverse_frequency", None, drw_epoch)


class ClassBalanced(LabelSmoothing):
    """Weighted by the effective number of samples.

    Short for cross_entropy with class_weights class_balanced (Cui et al. 2019, arXiv 1901.05555).
    """

    def __init__(
        self, class_counts: Tensor, beta: float = 0.9999, smoothing: float = 0.0, drw_epoch: int | None = None
    ):
        """
        beta: 0 up to below 1; the nearer to 1, the more rare classes count, 0 gives cross-entropy.
        """
        super().__init__(class_counts, smoothing, "class_balanced", beta, drw_epoch)
