"""Supervised contrastive: states of the same class together, of other classes apart."""

import torch
from torch import Tensor
from torch.nn import functional as F

from losses.base import number, rate, wide
from losses.over_base import OverBase


class SupervisedContrastive(OverBase):
    """States of a class together, others apart.

    The base loss + factor * contrast of the features, times the example's weight.
    The contrast of an anchor i is the mean over the rows j of its group with its label of
    -log (exp(z_i z_j / temperature) / sum over all other rows k of the group of exp(z_i z_k / temperature)), z being
    features of length 1: Khosla et al. 2020, arXiv 2004.11362, equation 2, added to cross-entropy as in Gunel et al.
    2021, arXiv 2011.01403. A row that has no partner has no contrast. `group` examples, each `views` times under
    another dropout mask, see each other; no micro-batch and no process cuts them. factor 0 gives the base loss.
    """

    views = 2  # of the class, too: what a loss needs is known before it is made
    group = 8

    def __init__(
        self,
        class_counts: Tensor,
        factor: float = 0.1,
        temperature: float = 0.1,
        group: int = 8,
        views: int = 2,
        base: str = "cross_entropy",
        base_options: dict | None = None,
    ):
        """
        factor: weight of the contrast, 0 or more; 0 gives the base loss.
        temperature: divides the cosines, above 0; smaller: the nearest rows decide.
        group: examples that see each other; train.batch_size is a multiple of it.
        views: passes of each example under another dropout mask, 1 or 2.
        """
        super().__init__(class_counts, base, base_options)
        self.factor = rate("factor", factor)
        self.temperature = number("temperature", temperature, "a number above 0", lambda value: value > 0)
        if group < 1 or views not in (1, 2) or group * views < 2:
            raise ValueError(f"loss.group, loss.views: got {group} and {views}, expected at least 2 rows, 1 or 2 views")
        self.group, self.views = group, views

    def forward(self, output, labels: Tensor) -> Tensor:
        """output.logits (R, C), output.features (R, F), labels (R,) -> (B,); R = B * views rows, group after group."""
        losses = self.base(output, labels).view(-1, self.views).mean(dim=1)  # (B,)
        contrast = self.contrast(wide(output.features), labels).view(-1, self.views).mean(dim=1)  # (B,)
        weights = self.weight(labels[:: self.views]).to(losses.dtype)
        return losses + self.factor * weights * contrast.to(losses.dtype)

    def contrast(self, features: Tensor, labels: Tensor) -> Tensor:
        """features (R, F), labels (R,) -> (R,)."""
        size = self.group * self.views  # rows of a group; the last one may be short
        directions = F.normalize(features, dim=1)
        rows, missing = len(labels), -len(labels) % size
        z = torch.cat([directions, directions.new_zeros(missing, features.shape[1])])
        z = z.view(-1, size, features.shape[1])  # (G, size, F)
        label = torch.cat([labels, labels.new_full((missing,), -1)]).view(-1, size)  # (G, size)
        similar = z @ z.transpose(1, 2) / self.temperature  # (G, size, size)
        itself = torch.eye(size, dtype=torch.bool, device=labels.device)
        others = (label >= 0)[:, None] & ~itself  # rows that an anchor sees
        partners = others & (label[:, :, None] == label[:, None])
        # a row alone keeps itself, so that its logarithm is finite
        seen = others | itself & ~others.any(dim=2, keepdim=True)
        log_share = similar - similar.masked_fill(~seen, -torch.inf).logsumexp(dim=2, keepdim=True)
        summed = log_share.masked_fill(~partners, 0.0).sum(dim=2)
        return -(summed / partners.sum(dim=2).clamp_min(1)).flatten()[:rows]  # (R,)
