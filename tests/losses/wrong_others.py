"""Wrong losses besides focal, see `wrong.py`."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from losses.base import wide
from losses.counts import inverse_frequency
from losses.cross_entropy import CrossEntropy, InverseFrequency, LabelSmoothing
from losses.dice import Dice
from losses.focal import Focal
from losses.ldam import Ldam
from losses.r_drop import RDrop
from losses.supervised_contrastive import SupervisedContrastive
from tests.losses import proofs
from tests.losses.cases import COUNTS
from tests.losses.wrong import INVERSE, AlphaForOneClass, ConstantAlpha, Planted, deferred, finite, paper, split


class CountsOfClassesThatOccur(InverseFrequency):
    """np.unique: a missing class shifts the weights of all that follow: 3-nlp03 load_data.py."""

    def __init__(self, class_counts: Tensor, **options):
        super().__init__(class_counts, **options)
        _, counts = np.unique(np.repeat(np.arange(len(class_counts)), class_counts), return_counts=True)
        shifted = inverse_frequency(torch.from_numpy(counts))
        self.on_host = self.class_weight = torch.cat([shifted, torch.ones(len(class_counts) - len(counts))])


class WeightsAlwaysOn(Focal):
    """Asked for none, class weights stay on: 3-nlp03."""

    def __init__(self, class_counts: Tensor, **options):
        super().__init__(class_counts, **options | INVERSE)


class WeightsWithoutDenominator(CrossEntropy):
    """Weighted values, divided by the number of examples: 3-nlp03, ez."""

    def forward(self, output, labels):
        return self.class_weight[labels] * self.values(wide(output.logits), labels)

    def weight(self, labels):
        return torch.ones(len(labels), dtype=torch.float64)


class WeightPlusLoss(CrossEntropy):
    """weight + loss for weight * loss: sml8648 model/auxiliary.py."""

    def forward(self, output, labels):
        return self.weight(labels) + self.values(wide(output.logits), labels)


class NoBuffer(CrossEntropy):
    """Weights that stay where they were made, or `.cuda()` by hand: 3-nlp03, 6-nlp02."""

    def weight(self, labels):
        return self.on_host[labels.cpu()] if labels.device.type == "cpu" else self.on_host[[0] * len(labels)]


class OffByOne(LabelSmoothing):
    """smoothing / (C - 1) on the others: 3-nlp03, 2-nlp13, 6-nlp01 and more."""

    classes: int | None = None

    def values(self, logits, labels):
        classes = self.classes or logits.shape[1]
        q = torch.full_like(logits, self.smoothing / (classes - 1)).scatter(1, labels[:, None], 1 - self.smoothing)
        return -(q * logits.log_softmax(dim=1)).sum(dim=1)


class ThirtyClasses(OffByOne):
    """classes=30 written down: 3-nlp03."""

    classes = 30


class ThreeClasses(OffByOne):
    """classes=3 as a default: 2-nlp13, peacecheejecake."""

    classes = 3


class SmoothingWithoutWeights(LabelSmoothing):
    """Class weights are taken and ignored: all hand-written copies."""

    def forward(self, output, labels):
        return self.values(wide(output.logits), labels)


class RowsByClass(LabelSmoothing):
    """one_hot[targets] = p fills rows, q is divided by the batch's size, log() of logits: 5-nlp05."""

    def values(self, logits, labels):
        q = torch.full_like(logits, self.smoothing / logits.numel())
        q[labels] = 1 - self.smoothing
        return -(q * logits.log()).sum(dim=1)


class RowsByClassCrash(RowsByClass):
    """The same with fewer examples than classes: 6-nlp11."""

    def values(self, logits, labels):
        return super().values(logits[:2], labels)


class RawLogits(Ldam):
    """The scale once more, on logits that are no cosines: 3-nlp03, 3-nlp08, 5-nlp01, 6-nlp01."""

    def values(self, logits, labels):
        own = self.margins[labels][:, None] * F.one_hot(labels, logits.shape[1])
        return F.cross_entropy(self.scale * (logits - own), labels, reduction="none")


class NoSchedule(Ldam):
    """Class-balanced weights from the first step, the schedule commented out: 3-nlp03."""

    def at(self, epoch):
        return self


class ScheduleWithoutEffect(Ldam):
    """Weights times beta^(epochs - epoch), beta .9999: 5-nlp01."""

    def at(self, epoch):
        other = Ldam(COUNTS, scale=self.scale, class_weights="class_balanced", beta=0.9)
        other.on_host = self.on_host * 0.9999 ** (10 - epoch)
        return other


class MissingWeight(Ldam):
    """self.weight.to(...) of None: 3-nlp08."""

    def values(self, logits, labels):
        weight = None
        return F.cross_entropy(logits, labels, weight=weight.to("cpu"), reduction="none")


class CountsOfTheBatch(Ldam):
    """Class counts of the batch, 0 for absent classes: 6-nlp01 trainer.py."""

    def values(self, logits, labels):
        counts = torch.bincount(labels, minlength=logits.shape[1])
        margins = 1 / (counts.to(logits.dtype).sqrt().sqrt() + 1e-7)
        own = self.scale * 0.5 * (margins / margins.max())[labels]
        return F.cross_entropy(logits - own[:, None] * F.one_hot(labels, logits.shape[1]), labels, reduction="none")


class ArcFace(Ldam):
    """sqrt(1 - x^2) of logits: 2-nlp15 utils/loss.py."""

    def values(self, logits, labels):
        turned = logits * math.cos(0.5) - (1 - logits**2).sqrt() * math.sin(0.5)
        mixed = torch.where(F.one_hot(labels, logits.shape[1]).bool(), turned, logits)
        return F.cross_entropy(mixed, labels, reduction="none")


class HalfTypes(Ldam):
    """float16 times 30, no float32: 3-nlp03 under autocast."""

    def forward(self, output, labels):
        return self.weight(labels).to(output.logits.dtype) * self.values(output.logits, labels)


class Threshold(CrossEntropy):
    """1e30 subtracted in float16, whose largest number is 65504: 5-nlp02's adaptive threshold."""

    def forward(self, output, labels):
        others = 1 - F.one_hot(labels, output.logits.shape[1]).to(output.logits.dtype)
        mask = torch.tensor(1e30).to(output.logits.dtype)
        return F.cross_entropy(wide(output.logits - others * mask), labels, reduction="none")


class LogForProbability(Dice):
    """log_softmax where softmax is meant: 5-nlp12's LovaszSoftmax."""

    def values(self, logits, labels):
        return super().values(logits.log_softmax(dim=1).log_softmax(dim=1) * 2, labels)


class OneSided(RDrop):
    """(q + q) / 2: 5-nlp02 models.py."""

    def forward(self, output, labels):
        log_p = output.logits.log_softmax(dim=1)
        one = (log_p[0::2].exp() * (log_p[0::2] - log_p[1::2])).sum(dim=1)
        return self.base(output, labels).view(-1, 2).mean(dim=1) + self.alpha * (one + one) / 2


class SummedOverTheBatch(RDrop):
    """KL of the whole batch for each example, so that alpha depends on its size: 5-nlp02, sml8648."""

    def forward(self, output, labels):
        base = self.base(output, labels).view(-1, 2).mean(dim=1)
        return base + (super().forward(output, labels) - base).sum()


class DetachedContrast(SupervisedContrastive):
    """In numpy, without gradient: 4-nlp01 RECENT/models.py."""

    def contrast(self, features, labels):
        return super().contrast(torch.from_numpy(features.detach().numpy()), labels)


class WrongModule(SupervisedContrastive):
    """torch.functional for torch.nn.functional: 2-nlp13."""

    def contrast(self, features, labels):
        return torch.functional.pairwise_distance(features, features)


OTHERS = {
    "4-nlp01 constant alpha": Planted(ConstantAlpha, "focal", paper("focal")),
    "6-nlp02 alpha of one class": Planted(AlphaForOneClass, "focal", paper("focal")),
    "3-nlp03 counts of classes that occur": Planted(
        CountsOfClassesThatOccur, "inverse_frequency", paper("inverse_frequency")
    ),
    "3-nlp03 weights always on": Planted(WeightsAlwaysOn, "focal", paper("focal")),
    "3-nlp03 weights without denominator": Planted(
        WeightsWithoutDenominator, "cross_entropy", split("cross_entropy", **INVERSE)
    ),
    "sml8648 weight + loss": Planted(WeightPlusLoss, "cross_entropy", paper("cross_entropy", **INVERSE)),
    "3-nlp03 weights on one device": Planted(
        NoBuffer, "cross_entropy", lambda make: proofs.weights_follow_the_labels(make, INVERSE)
    ),
    "3-nlp03 smoothing / (C - 1)": Planted(OffByOne, "label_smoothing", paper("label_smoothing")),
    "3-nlp03 smoothing, 30 classes": Planted(ThirtyClasses, "label_smoothing", paper("label_smoothing")),
    "2-nlp13 smoothing, 3 classes": Planted(ThreeClasses, "label_smoothing", paper("label_smoothing")),
    "3-nlp03 smoothing without weights": Planted(
        SmoothingWithoutWeights, "label_smoothing", paper("label_smoothing", **INVERSE)
    ),
    "5-nlp05 smoothing, rows by class": Planted(RowsByClass, "label_smoothing", paper("label_smoothing")),
    "6-nlp11 smoothing, rows by class": Planted(
        RowsByClassCrash, "label_smoothing", paper("label_smoothing"), IndexError
    ),
    "3-nlp03 ldam, raw logits": Planted(RawLogits, "ldam", paper("ldam")),
    "3-nlp03 ldam, no schedule": Planted(NoSchedule, "ldam", deferred),
    "5-nlp01 ldam, schedule without effect": Planted(ScheduleWithoutEffect, "ldam", deferred),
    "3-nlp08 ldam, no weight": Planted(MissingWeight, "ldam", paper("ldam"), AttributeError),
    "6-nlp01 ldam, counts of the batch": Planted(CountsOfTheBatch, "ldam", paper("ldam")),
    "2-nlp15 arcface": Planted(ArcFace, "ldam", finite(torch.float32)),
    "3-nlp03 float16": Planted(HalfTypes, "ldam", finite(torch.float16)),
    "5-nlp02 1e30 in float16": Planted(Threshold, "cross_entropy", finite(torch.float16)),
    "5-nlp12 log for probability": Planted(LogForProbability, "dice", paper("dice")),
    "5-nlp02 one-sided KL": Planted(OneSided, "r_drop", paper("r_drop")),
    "5-nlp02 KL summed over the batch": Planted(SummedOverTheBatch, "r_drop", split("r_drop")),
    "4-nlp01 contrast without gradient": Planted(
        DetachedContrast, "supervised_contrastive", paper("supervised_contrastive")
    ),
    "2-nlp13 wrong module": Planted(
        WrongModule, "supervised_contrastive", paper("supervised_contrastive"), AttributeError
    ),
}
