"""Dice loss, self-adjusting: close to F1, and easy examples fade."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.base import ClassWeights, Loss, number, rate


class Dice(Loss):
    """Close to F1; easy examples fade.

    Sum over classes of 1 - (2 a y + smooth) / (a + y + smooth), a = (1 - p)^alpha p and y = 1 for the label, else 0.
    Li et al. 2020, arXiv 1911.02855, equation 11 for each class, p = softmax(logits). It is bounded and hardly
    falls where p of the label is small: start from weights that know something already. `alpha` is 0.01 in the authors'
    scripts. Near 1 it trains backwards: (1 - p) p is the same for p and 1 - p, so that a sure mistake scores like a
    sure hit, and the gradient lowers p of the label.
    """

    def __init__(
        self,
        class_counts: Tensor,
        alpha: float = 0.01,
        smooth: float = 1.0,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        alpha: how fast easy examples fade, 0 or more; near 1 it trains backwards.
        smooth: added above and below the line, above 0.
        """
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        self.alpha = rate("alpha", alpha)
        # 0 / 0 for a class without probability
        self.smooth = number("smooth", smooth, "a number above 0", lambda value: value > 0)

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        p = logits.softmax(dim=1)  # (B, C)
        top = p.argmax(dim=1, keepdim=True)  # (B, 1): its 1 - p would be rounding; the others' sum has all digits
        distance = (1 - p).scatter(1, top, p.scatter(1, top, 0.0).sum(dim=1, keepdim=True))  # (B, C), 1 - p
        adjusted = distance.clamp_min(torch.finfo(p.dtype).tiny) ** self.alpha * p  # (B, C)
        target = F.one_hot(labels, logits.shape[1])
        overlap = (2 * adjusted * target + self.smooth) / (adjusted + target + self.smooth)
        return (1 - overlap).sum(dim=1)  # (B,)
