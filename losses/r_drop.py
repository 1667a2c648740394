"""R-Drop: two passes of the same example under two dropout masks must agree."""

from torch import Tensor

from losses.base import rate, wide
from losses.over_base import OverBase


class RDrop(OverBase):
    """Two passes under two dropout masks must agree.

    Mean of the base loss of both views + alpha * (KL(p1 || p2) + KL(p2 || p1)) / 2, times the example's weight.
    Liang et al. 2021, arXiv 2106.14448, equations 1-3, with the mean of the two base losses as in the authors' code
    (the paper adds them, so its alpha is twice this one). alpha 0 gives the base loss.
    """

    views = 2
    group = 1

    def __init__(
        self, class_counts: Tensor, alpha: float = 1.0, base: str = "cross_entropy", base_options: dict | None = None
    ):
        """
        alpha: weight of their disagreement, 0 or more; 0 gives the base loss.
        """
        super().__init__(class_counts, base, base_options)
        self.alpha = rate("alpha", alpha)

    def forward(self, output, labels: Tensor) -> Tensor:
        """output.logits (2B, C), the views of an example next to each other, labels (2B,) -> (B,)."""
        losses = self.base(output, labels).view(-1, 2).mean(dim=1)  # (B,)
        log_p = wide(output.logits).log_softmax(dim=1)
        first, second = log_p[0::2], log_p[1::2]  # (B, C)
        difference = first - second
        agreement = ((first.exp() - second.exp()) * difference).sum(dim=1) / 2  # (B,): both KL, written as one sum
        return losses + self.alpha * self.weight(labels[::2]).to(losses.dtype) * agreement
