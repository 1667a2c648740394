"""Every loss: the paper's formula, the slope, what it degenerates to, what must not change it, numbers that hold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from losses import LOSSES
from tests.losses import proofs
from tests.losses.cases import CASES, COUNTS, C, Output, draw, make

every_case = pytest.mark.parametrize("case", CASES)
every_loss = pytest.mark.parametrize("name", [name for name in LOSSES if name in CASES])
few = settings(max_examples=4, deadline=None, derandomize=True, database=None)
seeds = st.integers(0, 2**20)


def of(case: str) -> tuple:
    """How the loss of a case is made, and its options."""
    name, options = CASES[case]
    return LOSSES[name], options


def test_every_loss_has_a_case():
    """A loss that only the registry knows would go through none of these tests."""
    missing = set(LOSSES) - (set(CASES) & {name for name, _ in CASES.values()})
    assert not missing, (
        f"{', '.join(sorted(missing))}: expected a case of that name in CASES of tests/losses/cases.py, and "
        "the formula in FORMULAS of tests/losses/paper.py"
    )


# formulas ---------------------------------------------------------------------------------------------------------


@every_case
def test_reference(case):
    """Values, weights and gradients of the paper's formula as a loop, with a class that has no example."""
    proofs.equals_the_paper(of(case)[0], *CASES[case])


@every_case
def test_gradcheck(case):
    proofs.gradient_is_the_slope(*of(case))


@pytest.mark.parametrize("spread", [False, True], ids=["one_wrong_class", "spread"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_sure_mistake_is_unlearned(name, spread):
    """With default options every loss pulls the label's logit up where its probability is small."""
    for classes in (2, 5, 30):
        loss = make(name, {}, torch.arange(classes) + 1)
        for p in (0.01, 0.05, 0.2):
            wrong = torch.zeros(classes, dtype=torch.float64)
            wrong[1:] = (1 - p) / (classes - 1) if spread else 1e-9
            wrong[1] += 1 - p - wrong.sum()
            wrong[0] = p
            logits = wrong.log().repeat(loss.views, 1).requires_grad_()
            features = torch.ones(loss.views, 3, dtype=torch.float64)
            values = loss(Output(logits, features), torch.zeros(loss.views, dtype=torch.long))
            assert bool((proofs.slope(values, logits)[0][:, 0] < 0).all()), (classes, p)


# identities -------------------------------------------------------------------------------------------------------

PLAIN, EQUAL = ("cross_entropy", {}), torch.full((C,), 7)
SMOOTHED = ("label_smoothing", {"smoothing": 0.3})
BALANCED = {"class_weights": "class_balanced", "beta": 0.9}
# loss and what is said of it: options, the loss that it then is, the class counts
IDENTITIES = {
    "cross_entropy-equal_counts_weigh_none": (
        "cross_entropy", {"class_weights": "inverse_frequency"}, PLAIN, EQUAL
    ),
    "cross_entropy-beta_0_weighs_none": (
        "cross_entropy", {"class_weights": "class_balanced", "beta": 0.0}, PLAIN, COUNTS
    ),
    "label_smoothing-smoothing_0": ("label_smoothing", {"smoothing": 0.0}, PLAIN, COUNTS),
    "focal-gamma_0": ("focal", {"gamma": 0.0}, PLAIN, COUNTS),
    "focal-gamma_0_smoothing": ("focal", {"gamma": 0.0, "smoothing": 0.3}, SMOOTHED, COUNTS),
    "focal-gamma_0_weighted": ("focal", {"gamma": 0.0} | BALANCED, ("cross_entropy", BALANCED), COUNTS),
    "class_balanced-beta_0": ("class_balanced", {"beta": 0.0}, PLAIN, COUNTS),
    "class_balanced-equal_counts": ("class_balanced", {}, PLAIN, EQUAL),
    "class_balanced-short_for": ("class_balanced", {"beta": 0.9}, ("cross_entropy", BALANCED), COUNTS),
    "class_balanced-beta_to_1_is_inverse_frequency": (
        "class_balanced", {"beta": 1 - 1e-15}, ("inverse_frequency", {}), COUNTS
    ),
    "inverse_frequency-equal_counts": ("inverse_frequency", {}, PLAIN, EQUAL),
    "inverse_frequency-short_for": (
        "inverse_frequency", {}, ("cross_entropy", {"class_weights": "inverse_frequency"}), COUNTS
    ),
    "ldam-max_margin_0": ("ldam", {"max_margin": 0.0}, PLAIN, COUNTS),
    "ldam-scale_0": ("ldam", {"scale": 0.0}, PLAIN, COUNTS),
    "balanced_softmax-equal_counts": ("balanced_softmax", {}, PLAIN, EQUAL),
    "balanced_softmax-logit_adjustment_tau_1": ("balanced_softmax", {}, ("logit_adjustment", {"tau": 1.0}), COUNTS),
    "logit_adjustment-tau_0": ("logit_adjustment", {"tau": 0.0}, PLAIN, COUNTS),
    "logit_adjustment-equal_counts": ("logit_adjustment", {"tau": 3.0}, PLAIN, EQUAL),
    "poly1-epsilon_0": ("poly1", {"epsilon": 0.0}, PLAIN, COUNTS),
    "generalized_cross_entropy-q_to_0": ("generalized_cross_entropy", {"q": 1e-14}, PLAIN, COUNTS),
    "symmetric_cross_entropy-alpha_1_reverse_0": (
        "symmetric_cross_entropy", {"alpha": 1.0, "reverse": 0.0}, PLAIN, COUNTS
    ),
    "symmetric_cross_entropy-as_poly1": (
        "symmetric_cross_entropy", {"alpha": 1.0, "reverse": 0.5, "log_zero": -4.0}, ("poly1", {"epsilon": 2.0}), COUNTS
    ),
    "r_drop-alpha_0": ("r_drop", {"alpha": 0.0}, PLAIN, COUNTS),
    "r_drop-alpha_0_is_its_base": (
        "r_drop", {"alpha": 0.0, "base": "focal", "base_options": BALANCED}, ("focal", BALANCED), COUNTS
    ),
    "supervised_contrastive-factor_0": ("supervised_contrastive", {"factor": 0.0}, PLAIN, COUNTS),
    "supervised_contrastive-factor_0_is_its_base": (
        "supervised_contrastive", {"factor": 0.0, "base": "focal", "base_options": BALANCED}, ("focal", BALANCED),
        COUNTS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("identity", IDENTITIES)
def test_identity(identity):
    """To 1e-12 in float64: values, weights and gradients."""
    name, options, (other, other_options), counts = IDENTITIES[identity]
    limits = {"atol": 1e-11, "rtol": 1e-11} if "beta_to_1" in identity else {}
    proofs.equals_another(LOSSES[name], options, make(other, other_options, counts), counts, **limits)


def test_identity_dice_alpha_0():
    """Plain soft Dice of softmax probabilities: no adjustment."""
    output, labels = draw(1)
    p = output.logits.softmax(dim=1)
    y = torch.nn.functional.one_hot(labels, C)
    expected = (1 - (2 * p * y + 1) / (p + y + 1)).sum(dim=1)
    proofs.close(make("dice", {"alpha": 0.0})(output, labels), expected, "values")


def test_identity_generalized_cross_entropy_q_1():
    """Half the mean absolute error between probabilities and one-hot labels."""
    output, labels = draw(1)
    expected = (output.logits.softmax(dim=1) - torch.nn.functional.one_hot(labels, C)).abs().sum(dim=1) / 2
    proofs.close(make("generalized_cross_entropy", {"q": 1.0})(output, labels), expected, "values")


@pytest.mark.parametrize("base", ["cross_entropy", "focal", "ldam"])
def test_identity_r_drop_equal_views(base):
    """Views that agree are not punished, whatever alpha."""
    output, labels = draw(1)
    twice = type(output)(*(tensor.repeat_interleave(2, dim=0) for tensor in output)), labels.repeat_interleave(2)
    values = make("r_drop", {"alpha": 9.0, "base": base})(*twice)
    proofs.close(values, make(base, {})(output, labels), "values")


def test_identity_supervised_contrastive_no_partner():
    """One view and every label once: nothing is pulled together, the base is left."""
    output, _ = draw(1, examples=C)
    labels = torch.arange(C)
    loss = make("supervised_contrastive", {"factor": 5.0, "views": 1})
    proofs.close(loss(output, labels), make("cross_entropy", {})(output, labels), "values")


# invariances ------------------------------------------------------------------------------------------------------


@every_case
@few
@given(seed=seeds)
def test_permuting_classes(case, seed):
    proofs.permuting_classes_changes_nothing(*of(case), seed)


@every_case
@few
@given(seed=seeds)
def test_permuting_the_batch(case, seed):
    proofs.permuting_the_batch_permutes_the_values(*of(case), seed)


@every_case
def test_shifted_logits(case):
    proofs.shifting_logits_changes_nothing(*of(case))


@every_case
def test_no_example_depends_on_others(case):
    """Outside of its group: no mean over a batch is hidden inside."""
    proofs.each_example_alone(*of(case))


# numbers ----------------------------------------------------------------------------------------------------------


@every_case
def test_extreme_logits(case):
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        proofs.stays_finite(*of(case), dtype)


@every_case
def test_one_class_or_one_example(case):
    for classes, examples in ((1, 10), (2, 1), (1, 1)):
        proofs.stays_finite(*of(case), torch.float32, classes, examples)


@every_case
def test_digits_of_float32(case):
    proofs.keeps_the_digits_of_float32(*of(case))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
@every_case
def test_half_types_are_raised(case, half):
    """The very values of the same numbers in float32."""
    loss = make(*CASES[case])
    output, labels = draw(loss.views)
    output = type(output)(*(4 * tensor.to(half) for tensor in output))
    values = loss(output, labels)
    assert values.dtype == torch.float32
    assert torch.equal(values, loss(type(output)(*(tensor.float() for tensor in output)), labels))


@every_loss
def test_compile(name):
    proofs.compiles(*of(name))


# contract ---------------------------------------------------------------------------------------------------------


@every_loss
def test_contract(name):
    loss = make(*CASES[name])
    assert list(loss.parameters()) == []
    assert loss.state_dict() == {}  # nothing of it is saved: counts come from the data
    assert loss.weight(torch.tensor([], dtype=torch.long)).shape == (0,)
    assert (LOSSES[name].views, LOSSES[name].group) == {"r_drop": (2, 1), "supervised_contrastive": (2, 8)}.get(
        name, (1, 1)
    )
    assert loss.at(0) is loss
    assert loss.at(9) is loss
    assert loss.to("cpu") is loss


@every_case
def test_weights_are_on_the_labels_device(case):
    proofs.weights_follow_the_labels(*of(case))
