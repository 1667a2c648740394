"""LDAM: a margin for each class, the larger the rarer it is."""

from torch import Tensor
from torch.nn import functional as F

from losses.base import ClassWeights, Loss, rate
from losses.counts import at_least_one


class Ldam(Loss):
    """A margin for each class, larger for rare ones.

    Cross-entropy after the label's logit gave up scale * margin, margins proportional to n^(-1/4).
    Cao et al. 2019, arXiv 1906.07413, equations 12-13: the largest margin is `max_margin`, and the logits are `scale`
    times cosines, which is what the head `cosine` gives; both scales must be the same. Its schedule: class_weights
    class_balanced with drw_epoch. max_margin 0 gives cross-entropy.
    """

    needs_counts = True

    def __init__(
        self,
        class_counts: Tensor,
        max_margin: float = 0.5,
        scale: float = 30.0,
        class_weights: ClassWeights = "none",
        beta: float | None = None,
        drw_epoch: int | None = None,
    ):
        """
        max_margin: the margin of the rarest class, as a cosine; 0 gives cross-entropy.
        scale: of the cosines; the same as model.head_options.scale of the head cosine.
        """
        super().__init__(class_counts, class_weights, beta, drw_epoch)
        self.scale = rate("scale", scale)
        margins = at_least_one(class_counts) ** -0.25  # (C,)
        present = margins[class_counts > 0]
        largest = present.max() if len(present) else margins.max()  # an absent class has no say in the others' margins
        margins = rate("max_margin", max_margin) * (margins / largest).clamp_max(1)
        self.register_buffer("margins", margins, persistent=False)

    def values(self, logits: Tensor, labels: Tensor) -> Tensor:
        own = self.scale * self.margins.to(logits.dtype)[labels]  # (B,)
        return F.cross_entropy(logits - own[:, None] * F.one_hot(labels, logits.shape[1]), labels, reduction="none")
