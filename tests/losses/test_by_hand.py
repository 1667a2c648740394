"""Cases that fit on paper, and what torch and scikit-learn say where they know the loss."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from losses.counts import class_balanced, inverse_frequency
from tests.losses.cases import COUNTS, C, Output, draw, make

LOG = math.log
# two classes with 16 and 1 examples; p of the label is 1/4, that of the other class 3/4
QUARTER = [0.0, LOG(3)]
BY_HAND = {
    "cross_entropy": ({}, LOG(4)),
    "label_smoothing": ({"smoothing": 0.2}, 0.9 * LOG(4) + 0.1 * LOG(4 / 3)),
    "focal": ({"gamma": 2.0}, 9 / 16 * LOG(4)),
    "focal-smoothing": ({"gamma": 1.0, "smoothing": 0.2}, 0.9 * 3 / 4 * LOG(4) + 0.1 / 4 * LOG(4 / 3)),
    # 1/16 and 1, of mean 17/32
    "inverse_frequency": ({}, 2 / 17 * LOG(4)),
    # effective numbers 2 - 2^-15 and 1 for beta 1/2
    "class_balanced": ({"beta": 0.5}, 2 / (3 - 2**-15) * LOG(4)),
    # 16^(-1/4) is half of 1^(-1/4): a margin of 0.1, 0.1 * 10 = 1 off the label's logit
    "ldam": ({"max_margin": 0.2, "scale": 10.0}, LOG(1 + 3 * math.e)),
    # 16 e^0 against 1 e^log 3
    "balanced_softmax": ({}, LOG(19 / 16)),
    # 4 e^0 against 1 e^log 3
    "logit_adjustment": ({"tau": 0.5}, LOG(7 / 4)),
    "poly1": ({"epsilon": 2.0}, LOG(4) + 1.5),
    # a = 3/16 for both classes: 1 - (3/8 + 1) / (3/16 + 2), 1 - 1 / (3/16 + 1)
    "dice": ({"alpha": 1.0}, 1 - 22 / 35 + 1 - 16 / 19),
    "generalized_cross_entropy": ({"q": 0.5}, (1 - 0.5) / 0.5),
    "symmetric_cross_entropy": ({"alpha": 0.5, "reverse": 2.0, "log_zero": -4.0}, 0.5 * LOG(4) + 2 * 4 * 3 / 4),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case):
    options, expected = BY_HAND[case]
    loss = make(case.partition("-")[0], options, torch.tensor([16, 1]))
    value = loss(Output(torch.tensor([QUARTER], dtype=torch.float64), None), torch.tensor([0]))
    assert value.item() == pytest.approx(expected, abs=1e-14)


def test_by_hand_r_drop():
    """p is (1/4, 3/4) and (1/2, 1/2): both KL together are the differences times the differences of the logarithms."""
    logits = torch.tensor([QUARTER, [0.0, 0.0]], dtype=torch.float64)
    value = make("r_drop", {"alpha": 2.0}, torch.tensor([16, 1]))(Output(logits, None), torch.tensor([0, 0]))
    assert value.item() == pytest.approx((LOG(4) + LOG(2)) / 2 + 2 * LOG(3) / 4 / 2, abs=1e-14)


def test_by_hand_supervised_contrastive():
    """Two pairs of equal directions at right angles: each anchor has its partner at 1 and two others at 0."""
    features = torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.0, 9.0]], dtype=torch.float64)
    labels, logits = torch.tensor([0, 0, 1, 1]), torch.zeros(4, 2, dtype=torch.float64)
    expected = LOG(2) + 3 * -LOG(math.exp(2) / (math.exp(2) + 2))
    for options in ({"group": 4, "views": 1}, {"group": 2, "views": 2}):
        loss = make("supervised_contrastive", {"factor": 3.0, "temperature": 0.5} | options, torch.tensor([2, 2]))
        values = loss(Output(logits, features), labels)
        assert values.tolist() == pytest.approx([expected] * (4 // options["views"]), abs=1e-14)


# other people's code ----------------------------------------------------------------------------------------------


def test_torch_cross_entropy_with_weights():
    """The sum over the weights' sum is torch's weighted mean."""
    output, labels = draw(1)
    loss = make("inverse_frequency", {})
    mean = loss(output, labels).sum() / loss.weight(labels).sum()
    weights = inverse_frequency(COUNTS)
    assert mean.item() == pytest.approx(F.cross_entropy(output.logits, labels, weight=weights).item(), abs=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_torch_label_smoothing(smoothing):
    output, labels = draw(1)
    expected = F.cross_entropy(output.logits, labels, label_smoothing=smoothing, reduction="none")
    for name in ("label_smoothing", "focal"):
        options = {"smoothing": smoothing} | ({"gamma": 0.0} if name == "focal" else {})
        torch.testing.assert_close(make(name, options)(output, labels), expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize("name", ["inverse_frequency", "class_balanced"])
def test_sklearn_log_loss_with_sample_weights(name):
    output, labels = draw(1, examples=40)
    loss = make(name, {})
    weights = loss.weight(labels)
    mean = loss(output, labels).sum() / weights.sum()
    p = output.logits.softmax(dim=1).numpy()
    assert mean.item() == pytest.approx(
        log_loss(labels.numpy(), p, sample_weight=weights.numpy(), labels=range(C)), abs=1e-12
    )


def test_sklearn_balanced_class_weights():
    """Inverse frequency is scikit-learn's `balanced` over the classes that occur, up to a factor."""
    present = torch.nonzero(COUNTS).flatten()
    y = np.repeat(np.arange(C), COUNTS.numpy())
    theirs = torch.from_numpy(compute_class_weight("balanced", classes=present.numpy(), y=y))
    mine = inverse_frequency(COUNTS)[present]
    torch.testing.assert_close(mine / mine.sum(), theirs / theirs.sum(), atol=1e-15, rtol=1e-14)


# class counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [inverse_frequency, lambda counts: class_balanced(counts, 0.9999)])
def test_class_weights(weights):
    """Mean 1 over the classes that occur, the rarer the larger; an absent class weighs like one of one example."""
    found = weights(COUNTS)
    assert found[COUNTS > 0].mean().item() == pytest.approx(1, abs=1e-15)
    assert found[3] == found[1]
    order = COUNTS.clamp_min(1).argsort()
    assert bool((found[order].diff() <= 0).all())
    assert bool(torch.isfinite(weights(torch.zeros(4, dtype=torch.long))).all())


def test_an_absent_class_changes_no_other_weight():
    """Weights are of class numbers: whoever counts only what is there shifts them all."""
    there, gap = inverse_frequency(torch.tensor([9, 2, 5])), inverse_frequency(torch.tensor([9, 0, 2, 5]))
    torch.testing.assert_close(gap[[0, 2, 3]], there, atol=1e-15, rtol=0)


def test_class_balanced_near_beta_1_keeps_its_digits():
    """1 - beta^n for beta = 1 - 1e-12 is n 1e-12 but for rounding; written plainly it has four digits."""
    torch.testing.assert_close(class_balanced(COUNTS, 1 - 1e-12), inverse_frequency(COUNTS), atol=0, rtol=1e-10)


def test_ldam_margins():
    """Proportional to n^(-1/4), the rarest class that occurs has the largest; an absent one does not lower them."""
    loss = make("ldam", {"max_margin": 0.6}, torch.tensor([81, 16, 0, 256]))
    assert loss.margins.tolist() == pytest.approx([0.4, 0.6, 0.6, 0.3], abs=1e-15)


def test_ldam_wants_the_scale_of_its_head():
    """With scaled cosines a margin of m is one of angles: the same gradient as the paper's code, which scales last."""
    cosines = torch.linspace(-1, 1, 4 * C, dtype=torch.float64).view(4, C).requires_grad_()
    labels = torch.tensor([0, 1, 2, 4])
    loss = make("ldam", {})
    values = loss(Output(30 * cosines, None), labels)
    with_margin = cosines - loss.margins[labels][:, None] * F.one_hot(labels, C)
    torch.testing.assert_close(values, F.cross_entropy(30 * with_margin, labels, reduction="none"), atol=1e-12, rtol=0)
