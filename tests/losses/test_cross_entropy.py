"""Cross-entropy is torch's, one value an example."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from losses import LOSSES
from losses.cross_entropy import CrossEntropy


@pytest.fixture
def loss() -> CrossEntropy:
    return CrossEntropy(class_counts=torch.tensor([5, 0, 2, 9]))


def output(logits: torch.Tensor) -> SimpleNamespace:
    return SimpleNamespace(logits=logits)


def test_it_is_in_the_registry_by_its_name():
    assert LOSSES["cross_entropy"] is CrossEntropy


def test_values_equal_torch_one_for_each_example(loss):
    logits, labels = torch.randn(7, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 3, 0, 1])
    values = loss(output(logits), labels)
    assert values.shape == (7,)
    assert torch.equal(values, F.cross_entropy(logits, labels, reduction="none"))
    assert values.mean().item() == pytest.approx(F.cross_entropy(logits, labels).item(), abs=1e-6)


def test_closed_forms(loss):
    even = loss(output(torch.zeros(1, 4, dtype=torch.float64)), torch.tensor([2]))
    assert even.item() == pytest.approx(math.log(4), abs=1e-15)
    logits = torch.tensor([[1.0, 2.0, 0.0, -1.0]], dtype=torch.float64)
    expected = math.log(sum(math.exp(value) for value in (1, 2, 0, -1))) - 2
    assert loss(output(logits), torch.tensor([1])).item() == pytest.approx(expected, abs=1e-14)


def test_gradient_is_softmax_minus_one_hot(loss):
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([3, 0, 0])
    loss(output(logits), labels).sum().backward()
    expected = logits.detach().softmax(dim=1) - F.one_hot(labels, 4)
    torch.testing.assert_close(logits.grad, expected, atol=1e-14, rtol=0)
    assert torch.autograd.gradcheck(lambda values: loss(output(values), labels), logits)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_types_are_raised_to_float32(loss, half):
    logits, labels = (4 * torch.randn(50, 4)).to(half), torch.arange(50) % 4
    values = loss(output(logits), labels)
    assert values.dtype == torch.float32
    assert torch.equal(values, F.cross_entropy(logits.float(), labels, reduction="none"))


@pytest.mark.parametrize("kept", [torch.float32, torch.float64])
def test_other_types_stay(loss, kept):
    assert loss(output(torch.randn(2, 4, dtype=kept)), torch.tensor([0, 1])).dtype == kept


def test_large_logits_stay_finite(loss):
    values = loss(output(torch.tensor([[1e4, -1e4, 0, 0], [-1e4, 1e4, 0, 0]])), torch.tensor([0, 0]))
    assert values.tolist() == [0.0, 2e4]


def test_every_example_counts_once_whatever_its_class(loss):
    weights = loss.weight(torch.tensor([0, 1, 3, 3, 2]))
    assert torch.equal(weights, torch.ones(5, dtype=weights.dtype))
    assert loss.weight(torch.tensor([], dtype=torch.long)).shape == (0,)


def test_it_has_no_parameters_and_is_the_same_in_every_epoch(loss):
    assert list(loss.parameters()) == []
    assert loss.at(0) is loss
    assert loss.at(9) is loss
    assert (loss.views, loss.group) == (1, 1)
