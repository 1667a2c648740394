"""Losses as they were found in public code for this task, each with the proof that must fail on it.

The bugs are those of a survey of 46 repositories for KLUE-RE (teams are named as year-nlp-number), written anew under
our contract: (B,) values that contain the weight, and `weight(labels)`. Here focal; `wrong_others.py` has the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch.nn import functional as F

from losses.counts import inverse_frequency
from losses.dice import Dice
from losses.focal import Focal
from tests.losses import proofs, splits
from tests.losses.cases import COUNTS, make

INVERSE = {"class_weights": "inverse_frequency"}


@dataclass(frozen=True)
class Planted:
    """A wrong loss, the right one of this name, the proof, and what a wrong one that crashes raises."""

    wrong: type
    right: str
    proof: Callable[[proofs.Make], None]
    raises: type[Exception] = AssertionError


@cache  # the same proof is the same object, so that the right loss goes through it once
def paper(name: str, **options) -> Callable:
    return lambda make: proofs.equals_the_paper(make, name, options)


@cache
def split(name: str, **options) -> Callable:
    return lambda make: splits.do_not_matter(make, name, options)


@cache
def finite(dtype: torch.dtype, **options) -> Callable:
    return lambda make: proofs.stays_finite(make, options, dtype)


def deferred(make_wrong: proofs.Make) -> None:
    options = {"scale": 3.0, "class_weights": "class_balanced", "beta": 0.9}
    plain = make("ldam", {"scale": 3.0})
    proofs.weights_begin_late(make_wrong, options | {"drw_epoch": 2}, plain, make("ldam", options))


def ce(logits, labels, **options):
    return F.cross_entropy(logits, labels, **options)


# focal: 14 of 33 copies -------------------------------------------------------------------------------------------


class MeanP(Focal):
    """One p for the batch, so that no example is told from another: 2-nlp13."""

    def values(self, logits, labels):
        mean = ce(logits, labels)
        return ((1 - torch.exp(-mean)) ** self.gamma * mean).expand(len(labels))


class MeanPTimesEach(Focal):
    """That p with each example's own cross-entropy: sml8648."""

    def values(self, logits, labels):
        return (1 - torch.exp(-ce(logits, labels))) ** self.gamma * ce(logits, labels, reduction="none")


class MeanPOfWeights(Focal):
    """The base class reduces with its weights before p is taken: 4-nlp09."""

    def values(self, logits, labels):
        mean = ce(logits, labels, weight=inverse_frequency(COUNTS))
        return ((1 - torch.exp(-mean)) ** self.gamma * mean).expand(len(labels))


class MeanPNll(Focal):
    """The same through log_softmax and a mean nll_loss: 4-nlp13."""

    def values(self, logits, labels):
        mean = F.nll_loss(logits.log_softmax(dim=1), labels)
        return (1 - (-mean).exp()).pow(self.gamma).mul(mean).expand(len(labels))


class MeanPAlpha(Focal):
    """The same with alpha .25 and gamma 5: 5-nlp08."""

    def values(self, logits, labels):
        mean = ce(logits, labels)
        return (0.25 * (1 - torch.exp(-mean)) ** 5 * mean).expand(len(labels))


class AllClasses(Focal):
    """(B, 1) against (B, C): every class's log-probability is pulled up: 5-nlp05."""

    def values(self, logits, labels):
        log_p = logits.log_softmax(dim=1)
        p = log_p.exp().gather(1, labels[:, None])
        return (-((1 - p) ** self.gamma) * log_p).mean(dim=1)


class AllClassesAlpha(AllClasses):
    """Its copy with a factor: 6-nlp11."""

    def values(self, logits, labels):
        return 0.8 * len(logits[0]) * super().values(logits, labels)


class WeightInsideP(Focal):
    """exp(-w CE) is no probability: 3-nlp03."""

    def values(self, logits, labels):
        weighted = ce(logits, labels, weight=inverse_frequency(COUNTS), reduction="none")
        return (1 - torch.exp(-weighted)) ** self.gamma * weighted / self.weight(labels)


class WeightInsideLogP(Focal):
    """Weights times log-probabilities before p is taken from them: 5-nlp12."""

    def values(self, logits, labels):
        log_p = self.weight(labels) * logits.log_softmax(dim=1).gather(1, labels[:, None])[:, 0]
        return -((1 - log_p.exp()) ** self.gamma) * log_p / self.weight(labels)


class WeightInsidePlainMean(WeightInsideP):
    """The same, and divided by the number of examples: ez."""

    def forward(self, output, labels):
        return self.class_weight[labels] * self.values(output.logits, labels)

    def weight(self, labels):
        return torch.ones(len(labels), dtype=torch.float64)

    def values(self, logits, labels):
        weighted = self.class_weight[labels] * ce(logits, labels, reduction="none")
        return (1 - torch.exp(-weighted)) ** self.gamma * weighted / self.class_weight[labels]


class SigmoidAlphaOne(Focal):
    """Sigmoid focal, alpha 1: the term of all other classes is multiplied by 0: 5-nlp12."""

    def values(self, logits, labels):
        y, alpha = F.one_hot(labels, logits.shape[1]).to(logits.dtype), 1.0
        p = logits.sigmoid()
        p_true = p * y + (1 - p) * (1 - y)
        bce = F.binary_cross_entropy_with_logits(logits, y, reduction="none")
        return ((alpha * y + (1 - alpha) * (1 - y)) * (1 - p_true) ** self.gamma * bce).sum(dim=1)


class BinaryAlpha(Focal):
    """A table [alpha, 1 - alpha] read by class number: 2-nlp14 solution/utils/loss.py."""

    def values(self, logits, labels):
        return torch.tensor([0.25, 0.75])[labels] * super().values(logits, labels)


class BinaryAlphaWrongDim(Focal):
    """log_softmax over the batch, and the same table, wrapped round: 2-nlp14 ptr/code_script/utils.py."""

    def values(self, logits, labels):
        log_p = logits.log_softmax(dim=0).gather(1, labels[:, None])[:, 0]
        return -torch.tensor([0.25, 0.75])[labels.clamp_max(1)] * (1 - log_p.exp()) ** self.gamma * log_p


class WrongSuper(Focal):
    """super() of a class that it is none of: 3-nlp08."""

    def __init__(self, class_counts, **options):
        super(Dice, self).__init__(class_counts, **options)


class ConstantAlpha(Focal):
    """alpha .25 for every class only rescales: 4-nlp01, 4-nlp06, 6-nlp05 (not among the 14)."""

    def values(self, logits, labels):
        return 0.25 * super().values(logits, labels)


class AlphaForOneClass(Focal):
    """.25 for the first class, .75 for others, missing in the denominator: 6-nlp02 (not among the 14)."""

    def values(self, logits, labels):
        return torch.where(labels == 0, 0.25, 0.75) * super().values(logits, labels)


FOCAL = {
    "2-nlp13 one p a batch": Planted(MeanP, "focal", paper("focal")),
    "sml8648 one p a batch": Planted(MeanPTimesEach, "focal", paper("focal")),
    "4-nlp09 reduction of the base class": Planted(MeanPOfWeights, "focal", paper("focal")),
    "4-nlp13 mean nll_loss": Planted(MeanPNll, "focal", paper("focal")),
    "5-nlp08 one p, alpha, gamma 5": Planted(MeanPAlpha, "focal", paper("focal", gamma=5.0)),
    "5-nlp05 all classes": Planted(AllClasses, "focal", paper("focal", gamma=3.0)),
    "6-nlp11 all classes, alpha": Planted(AllClassesAlpha, "focal", paper("focal")),
    "3-nlp03 weight inside p": Planted(WeightInsideP, "focal", paper("focal", **INVERSE)),
    "5-nlp12 weight inside log p": Planted(WeightInsideLogP, "focal", paper("focal", **INVERSE)),
    "ez weight inside p, plain mean": Planted(WeightInsidePlainMean, "focal", paper("focal", **INVERSE)),
    "5-nlp12 sigmoid, alpha 1": Planted(SigmoidAlphaOne, "focal", paper("focal")),
    "2-nlp14 binary alpha": Planted(BinaryAlpha, "focal", paper("focal"), IndexError),
    "2-nlp14 ptr, wrong dim": Planted(BinaryAlphaWrongDim, "focal", paper("focal")),
    "3-nlp08 wrong super": Planted(WrongSuper, "focal", paper("focal"), TypeError),
}
