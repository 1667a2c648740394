"""Options: what is refused and how it is named, what has no effect and says so, what begins later."""

import warnings

import pytest
import torch

from engine.arguments.parse import parse
from losses import LOSSES
from losses.base import Loss
from losses.pointwise import POINTWISE
from tests.losses import proofs
from tests.losses.cases import COUNTS, draw, make

BALANCED = {"class_weights": "class_balanced", "beta": 0.9}
REFUSED = {
    "focal gamma below 0": ("focal", {"gamma": -1.0}, "loss.gamma: got -1.0, expected a number from 0"),
    "focal gamma not a number": ("focal", {"gamma": float("nan")}, "loss.gamma: got nan"),
    "focal gamma infinite": ("focal", {"gamma": float("inf")}, "loss.gamma: got inf"),
    "smoothing 1": ("label_smoothing", {"smoothing": 1.0}, "loss.smoothing: got 1.0, expected a number from 0 up to"),
    "smoothing of focal": ("focal", {"smoothing": -0.1}, "loss.smoothing: got -0.1"),
    "smoothing of class_balanced": ("class_balanced", {"smoothing": 2.0}, "loss.smoothing: got 2.0"),
    "beta 1": ("class_balanced", {"beta": 1.0}, "loss.beta: got 1.0, expected a number from 0 up to below 1"),
    "beta below 0": ("cross_entropy", {"class_weights": "class_balanced", "beta": -0.1}, "loss.beta: got -0.1"),
    "drw_epoch below 0": ("inverse_frequency", {"drw_epoch": -1}, "loss.drw_epoch: got -1, expected an epoch"),
    "class_weights": ("focal", {"class_weights": "inverse"}, "loss.class_weights: got 'inverse', expected one of none"),
    "max_margin": ("ldam", {"max_margin": -0.5}, "loss.max_margin: got -0.5"),
    "scale": ("ldam", {"scale": -30.0}, "loss.scale: got -30.0"),
    "tau": ("logit_adjustment", {"tau": -1.0}, "loss.tau: got -1.0"),
    "epsilon": ("poly1", {"epsilon": -1.5}, "loss.epsilon: got -1.5, expected a number from -1"),
    "dice alpha": ("dice", {"alpha": -1.0}, "loss.alpha: got -1.0"),
    "dice smooth 0": ("dice", {"smooth": 0.0}, "loss.smooth: got 0.0, expected a number above 0"),
    "q 0": ("generalized_cross_entropy", {"q": 0.0}, "loss.q: got 0.0, expected a number above 0, up to 1"),
    "q above 1": ("generalized_cross_entropy", {"q": 1.5}, "loss.q: got 1.5"),
    "reverse": ("symmetric_cross_entropy", {"reverse": -1.0}, "loss.reverse: got -1.0"),
    "log_zero": ("symmetric_cross_entropy", {"log_zero": 0.0}, "loss.log_zero: got 0.0, expected a number below 0"),
    "log_zero without end": ("symmetric_cross_entropy", {"log_zero": float("-inf")}, "loss.log_zero: got -inf"),
    "half an epoch": ("inverse_frequency", {"drw_epoch": 1.5}, "loss.drw_epoch: got 1.5, expected an epoch"),
    "true for an epoch": ("inverse_frequency", {"drw_epoch": True}, "loss.drw_epoch: got True, expected an epoch"),
    "true for a number": ("focal", {"gamma": True}, "loss.gamma: got True, expected a number"),
    "word for q": ("generalized_cross_entropy", {"q": "high"}, "loss.q: got 'high', expected a number above 0"),
    "r_drop alpha": ("r_drop", {"alpha": -1.0}, "loss.alpha: got -1.0"),
    "temperature": ("supervised_contrastive", {"temperature": 0.0}, "loss.temperature: got 0.0"),
    "factor": ("supervised_contrastive", {"factor": -1.0}, "loss.factor: got -1.0"),
    "group of one row": ("supervised_contrastive", {"group": 1, "views": 1}, "loss.group, loss.views: got 1 and 1"),
    "three views": ("supervised_contrastive", {"views": 3}, "loss.group, loss.views: got 8 and 3"),
    "unknown base": ("r_drop", {"base": "focall"}, "loss.base: got 'focall', expected one of cross_entropy, label"),
    "base with views": ("supervised_contrastive", {"base": "r_drop"}, "loss.base: got 'r_drop'"),
    "base with a group": ("r_drop", {"base": "supervised_contrastive"}, "loss.base: got 'supervised_contrastive'"),
    "base of itself": ("r_drop", {"base": "r_drop"}, "loss.base: got 'r_drop'"),
    "option of no base": (
        "r_drop", {"base_options": {"gamma": 1.0}},
        "loss.base_options.gamma: the loss cross_entropy has no such option; it has class_weights",
    ),
    "class counts by option": ("r_drop", {"base_options": {"class_counts": 1}}, "loss.base_options.class_counts: the"),
    "bad option of a base": (
        "supervised_contrastive", {"base": "focal", "base_options": {"gamma": -2.0}},
        "loss.base_options.gamma: got -2.0",
    ),
    "class_weights of a base": (
        "r_drop", {"base_options": {"class_weights": "balanced"}}, "loss.base_options.class_weights: got 'balanced'"
    ),
    "word for a number in a base": (
        "r_drop", {"base": "focal", "base_options": {"gamma": "high"}}, "loss.base_options.gamma: got 'high'"
    ),
    "word for beta in a base": (
        "r_drop", {"base": "class_balanced", "base_options": {"beta": "high"}}, "loss.base_options.beta: got 'high'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    name, options, message = REFUSED[what]
    with pytest.raises(ValueError) as caught:
        make(name, options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"beta": 0.9}, "loss.beta has no effect: loss.class_weights is not class_balanced"),
        ({"beta": 0.9, "class_weights": "inverse_frequency"}, "loss.beta has no effect"),
        ({"drw_epoch": 3}, "loss.drw_epoch has no effect: loss.class_weights is none"),
    ],
)
def test_options_without_effect_are_told(options, message):
    with pytest.warns(UserWarning, match=message):
        make("focal", options)


@pytest.mark.parametrize("name", LOSSES)
def test_defaults_warn_of_nothing(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(name, {})


@pytest.mark.parametrize(
    "name, options, reads",
    [(name, {}, name in {"class_balanced", "inverse_frequency", "ldam", "balanced_softmax", "logit_adjustment"})
     for name in LOSSES]
    + [("focal", {"class_weights": "inverse_frequency"}, True), ("r_drop", {"base": "ldam"}, True),
       ("supervised_contrastive", {"base_options": BALANCED}, True)],
)  # fmt: skip
def test_a_loss_knows_whether_it_reads_class_counts(name, options, reads):
    loss = make(name, options)
    assert loss.needs_counts is reads
    output, labels = draw(loss.views)
    others = make(name, options, COUNTS.flip(0))(output, labels)
    assert torch.equal(loss(output, labels), others) is not reads


# bases ------------------------------------------------------------------------------------------------------------


class Halved(Loss):
    """A user's own."""

    def values(self, logits, labels):
        return (logits.logsumexp(dim=1) - logits.gather(1, labels[:, None])[:, 0]) / 2


def test_every_loss_of_one_example_can_be_a_base_and_no_other():
    assert {name for name, loss in LOSSES.items() if loss.views == loss.group == 1} == set(POINTWISE), (
        "a loss of one example at a time belongs in losses/pointwise.py, another one in losses/__init__.py"
    )
    assert POINTWISE.items() <= LOSSES.items()


@pytest.mark.parametrize("outer", ["r_drop", "supervised_contrastive"])
def test_one_line_makes_a_users_own_loss_a_base(monkeypatch, outer):
    monkeypatch.setitem(POINTWISE, "halved", Halved)
    silent = {"r_drop": {"alpha": 0.0}, "supervised_contrastive": {"factor": 0.0}}[outer]
    output, labels = draw(2)
    mine = make(outer, silent | {"base": "halved", "base_options": BALANCED})(output, labels)
    torch.testing.assert_close(mine, make(outer, silent | {"base_options": BALANCED})(output, labels) / 2)
    options = parse([f"--loss.name={outer}", "--loss.base=halved", "--loss.base_options.beta=0.9",
                     "--loss.base_options.class_weights=class_balanced"])[0].loss.options  # fmt: skip
    assert (options["base"], options["base_options"]) == ("halved", BALANCED | {"drw_epoch": None})


@pytest.mark.parametrize("needs", [{"views": 2}, {"group": 4}])
def test_a_base_that_looks_at_more_than_one_example_is_refused(monkeypatch, needs):
    monkeypatch.setitem(POINTWISE, "wide", type("Wide", (Halved,), needs))
    with pytest.raises(ValueError, match=r"loss\.base: wide has views \d and group \d, expected 1 and 1"):
        make("r_drop", {"base": "wide"})


# deferred re-weighting --------------------------------------------------------------------------------------------

DEFERRED = {
    "cross_entropy": ("cross_entropy", {}),
    "focal": ("focal", {"gamma": 1.0}),
    "ldam": ("ldam", {"scale": 3.0}),
    "dice": ("dice", {}),
    "logit_adjustment": ("logit_adjustment", {}),
}


def over(outer: str | None, name: str, options: dict):
    """The loss, alone or as a base."""
    return make(name, options) if outer is None else make(outer, {"base": name, "base_options": options})


@pytest.mark.parametrize("outer", [None, "r_drop", "supervised_contrastive"])
@pytest.mark.parametrize("name", DEFERRED)
def test_class_weights_begin_with_drw_epoch(outer, name):
    """Epochs count from 0; what else the loss does, margins too, is there from the start."""
    name, options = DEFERRED[name]
    deferred = options | BALANCED | {"drw_epoch": 2}
    proofs.weights_begin_late(
        LOSSES[outer or name],
        {"base": name, "base_options": deferred} if outer else deferred,
        over(outer, name, options),
        over(outer, name, options | BALANCED),
    )
    loss = over(outer, name, deferred)
    assert loss.at(2) is loss


@pytest.mark.parametrize("name", ["inverse_frequency", "class_balanced"])
def test_shorthands_are_deferred_too(name):
    loss = make(name, {"drw_epoch": 1})
    labels = torch.tensor([0, 1, 2])
    assert loss.at(0).weight(labels).tolist() == [1, 1, 1]
    assert torch.equal(loss.at(1).weight(labels), make(name, {}).weight(labels))


def test_the_weights_of_an_early_epoch_follow_to_another_device():
    early = make("focal", BALANCED | {"drw_epoch": 1}).to("meta").at(0)
    assert early.weight(torch.tensor([1], device="meta")).device.type == "meta"
    assert early.weight(torch.tensor([1])).tolist() == [1]
