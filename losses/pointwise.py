"""The losses that look at one example at a time: each can stand alone, and under one that stands on a base.

Adding one = one file + one import and one line here. A loss that needs views or neighbours goes to LOSSES of
`losses/__init__.py`.
"""

from losses.adjusted import BalancedSoftmax, LogitAdjustment
from losses.cross_entropy import ClassBalanced, CrossEntropy, InverseFrequency, LabelSmoothing
from losses.dice import Dice
from losses.focal import Focal
from losses.ldam import Ldam
from losses.noisy import GeneralizedCrossEntropy, SymmetricCrossEntropy
from losses.poly1 import Poly1

POINTWISE = {
    "cross_entropy": CrossEntropy,
    "label_smoothing": LabelSmoothing,
    "focal": Focal,
    "class_balanced": ClassBalanced,
    "inverse_frequency": InverseFrequency,
    "ldam": Ldam,
    "balanced_softmax": BalancedSoftmax,
    "logit_adjustment": LogitAdjustment,
    "poly1": Poly1,
    "dice": Dice,
    "generalized_cross_entropy": GeneralizedCrossEntropy,
    "symmetric_cross_entropy": SymmetricCrossEntropy,
}
