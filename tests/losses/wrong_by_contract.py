"""Wrong losses that are easy to write under our contract, see `wrong.py`."""

import math

import torch
from torch.nn import functional as F

from losses.adjusted import BalancedSoftmax, LogitAdjustment
from losses.counts import at_least_one
from losses.cross_entropy import CrossEntropy
from losses.focal import Focal
from losses.noisy import GeneralizedCrossEntropy, SymmetricCrossEntropy
from losses.poly1 import Poly1
from losses.r_drop import RDrop
from losses.supervised_contrastive import SupervisedContrastive
from tests.losses import proofs
from tests.losses.cases import COUNTS
from tests.losses.wrong import INVERSE, Planted, finite, paper, split


class BatchMean(CrossEntropy):
    """Divided by the examples at hand: the gradient depends on the micro-batches."""

    def values(self, logits, labels):
        return F.cross_entropy(logits, labels, reduction="none") / len(labels)


class WeightsOfTheBatch(CrossEntropy):
    """Weights scaled to mean 1 in each micro-batch."""

    def forward(self, output, labels):
        weights = self.weight(labels)
        return weights / weights.mean() * self.values(output.logits, labels)


class AcrossGroups(SupervisedContrastive):
    """Every row of the micro-batch is seen."""

    def contrast(self, features, labels):
        group, self.group = self.group, len(labels)
        try:
            return super().contrast(features, labels)
        finally:
            self.group = group


class SeesItself(SupervisedContrastive):
    """The anchor stays in its own denominator."""

    def contrast(self, features, labels):
        z = F.normalize(features, dim=1)
        return super().contrast(features, labels) + (z @ z.T).logsumexp(dim=1) / len(z)


class UnweightedAgreement(RDrop):
    """The base loss is weighted, the agreement is not."""

    def forward(self, output, labels):
        weights = self.weight(labels[::2])
        base = self.base(output, labels).view(-1, 2).mean(dim=1)
        return base + (super().forward(output, labels) - base) / weights


class OtherSign(LogitAdjustment):
    """The prior subtracted in training: that is the rule of prediction."""

    def values(self, logits, labels):
        return F.cross_entropy(logits - self.shift, labels, reduction="none")


class InverseCounts(BalancedSoftmax):
    """exp(logit) / n."""

    def values(self, logits, labels):
        return F.cross_entropy(logits - at_least_one(COUNTS).log(), labels, reduction="none")


class PlusP(Poly1):
    """epsilon * p."""

    def values(self, logits, labels):
        losses = F.cross_entropy(logits, labels, reduction="none")
        return losses + self.epsilon * torch.exp(-losses)


class NoQ(GeneralizedCrossEntropy):
    """Not divided by q."""

    def values(self, logits, labels):
        return self.q * super().values(logits, labels)


class ClampedLabels(SymmetricCrossEntropy):
    """log 1e-7 for A, as one-hot labels are clamped: -16.1 for -4."""

    def values(self, logits, labels):
        self.log_zero = math.log(1e-7)
        return super().values(logits, labels)


class CancelledRoot(Focal):
    """(1 - p)^gamma without care: an infinite slope at p = 1 for gamma below 1."""

    def values(self, logits, labels):
        log_p = -F.cross_entropy(logits, labels, reduction="none")
        return -((1 - log_p.exp()) ** self.gamma) * log_p


BY_CONTRACT = {
    "mean of the micro-batch": Planted(BatchMean, "cross_entropy", split("cross_entropy")),
    "mean hidden, seen without a loader": Planted(
        BatchMean, "cross_entropy", lambda make: proofs.each_example_alone(make, {})
    ),
    "weights of the micro-batch": Planted(WeightsOfTheBatch, "cross_entropy", split("cross_entropy", **INVERSE)),
    "contrast across groups": Planted(
        AcrossGroups, "supervised_contrastive", split("supervised_contrastive", group=4)
    ),
    "an anchor that sees itself": Planted(SeesItself, "supervised_contrastive", paper("supervised_contrastive")),
    "agreement without weight": Planted(
        UnweightedAgreement, "r_drop", lambda make: proofs.equals_the_paper(make, "r_drop", {"base_options": INVERSE})
    ),
    "prior subtracted": Planted(OtherSign, "logit_adjustment", paper("logit_adjustment")),
    "inverse counts": Planted(InverseCounts, "balanced_softmax", paper("balanced_softmax")),
    "epsilon * p": Planted(PlusP, "poly1", paper("poly1")),
    "not divided by q": Planted(NoQ, "generalized_cross_entropy", paper("generalized_cross_entropy")),
    "clamped labels": Planted(ClampedLabels, "symmetric_cross_entropy", paper("symmetric_cross_entropy")),
    "infinite slope at p = 1": Planted(CancelledRoot, "focal", finite(torch.float32, gamma=0.5)),
}  # fmt: skip
