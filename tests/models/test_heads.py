"""Heads: shapes, formulas, and recurrent ones that read the right states of the right layer of the right sentence."""

import pytest
import torch
from torch.nn import functional as F

from models.heads import HEADS

H, C = 6, 5
VECTOR = [name for name, head in HEADS.items() if not head.reads_sentence]
SENTENCE = [name for name, head in HEADS.items() if head.reads_sentence]


def made(name: str, features: int = 8, **options):
    torch.manual_seed(4)
    return HEADS[name](features, H, C, **options).double().eval()


def states(batch) -> torch.Tensor:
    return torch.randn(len(batch.tokens), H, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def batch(packed):
    return packed([[4] * 4, [5] * 9, [6] * 1, [7] * 6])


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(6))


@pytest.mark.parametrize("name", HEADS)
def test_logits_and_a_gradient_for_every_weight(batch, features, name):
    """One of the field has a default head that makes no classifier at all."""
    head = made(name).train()
    if head.reads_sentence:
        features = head.read(states(batch), batch)
        assert features.shape == (4, head.out.in_features)
    logits = head(features)
    assert logits.shape == (len(features), C)
    logits.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in head.parameters())


@pytest.mark.parametrize("name", HEADS)
def test_dropout_0_is_no_dropout(batch, features, name):
    options = {"layers": 2} if name in ("deep", "bilstm", "bigru") else {}
    head = made(name, dropout=0.0, **options).train()

    def logits():
        return head(head.read(states(batch), batch) if head.reads_sentence else features)

    assert torch.equal(logits(), logits())
    torch.testing.assert_close(logits(), (head.eval(), logits())[1], rtol=1e-14, atol=1e-14)


def test_where_dropout_is(batch, features):
    """The same masks drawn again by hand."""

    def again(function):
        torch.manual_seed(8)
        return function(lambda values: F.dropout(values, 0.4))

    linear, mlp, deep, cosine = (made(name, dropout=0.4).train() for name in ("linear", "mlp", "deep", "cosine"))
    torch.manual_seed(8)
    torch.testing.assert_close(linear(features), again(lambda drop: linear.out(drop(features))))
    torch.manual_seed(8)
    torch.testing.assert_close(mlp(features), again(lambda drop: mlp.out(drop(F.gelu(mlp.dense(drop(features)))))))
    one, two = deep.dense
    expected = again(lambda drop: deep.out(drop(F.gelu(two(drop(F.gelu(one(drop(features)))))))))
    torch.manual_seed(8)
    torch.testing.assert_close(deep(features), expected)
    expected = again(lambda drop: 30 * F.normalize(drop(features)) @ F.normalize(cosine.out.weight).T)
    torch.manual_seed(8)
    torch.testing.assert_close(cosine(features), expected)
    for name in SENTENCE:
        head = made(name, dropout=0.4).train()
        read = head.read(states(batch), batch)
        torch.manual_seed(8)
        torch.testing.assert_close(head(read), again(lambda drop, head=head, read=read: head.out(drop(read))))


@pytest.mark.parametrize("name", ["bilstm", "bigru"])
def test_recurrent_heads_drop_between_their_layers(batch, name):
    head = made(name, dropout=0.4, layers=2).train()
    assert head.rnn.dropout == 0.4
    assert not torch.equal(head.read(states(batch), batch), head.read(states(batch), batch))
    assert made(name, dropout=0.4, layers=1).rnn.dropout == 0.0


def test_linear_mlp_and_deep_are_what_they_say(features):
    linear, mlp, deep = made("linear"), made("mlp"), made("deep", layers=3, width=2)
    torch.testing.assert_close(linear(features), features @ linear.out.weight.T + linear.out.bias)
    hidden = F.gelu(features @ mlp.dense.weight.T + mlp.dense.bias)
    torch.testing.assert_close(mlp(features), hidden @ mlp.out.weight.T + mlp.out.bias)
    hidden = features
    for layer in deep.dense:
        hidden = F.gelu(hidden @ layer.weight.T + layer.bias)
        assert hidden.shape == (3, 2 * H)
    assert len(deep.dense) == 3
    torch.testing.assert_close(deep(features), hidden @ deep.out.weight.T + deep.out.bias)


def test_samples_of_dropout_are_averaged(features):
    head = made("multi_sample_dropout", samples=400, dropout=0.5).train()
    torch.manual_seed(7)
    masks = [F.dropout(features, 0.5) for _ in range(400)]
    torch.manual_seed(7)
    expected = sum(mask @ head.out.weight.T + head.out.bias for mask in masks) / 400
    torch.testing.assert_close(head(features), expected)
    assert torch.equal(head.eval()(features), F.linear(features, head.out.weight, head.out.bias))


def test_cosine_logits_are_bounded_by_the_scale_and_know_no_length(features):
    head = made("cosine", scale=16.0)
    logits = head(features)
    for row, vector in enumerate(features):
        for label, weights in enumerate(head.out.weight):
            cosine = (vector @ weights) / (vector.norm() * weights.norm())
            assert logits[row, label].item() == pytest.approx(16 * cosine.item(), rel=1e-5)
    torch.testing.assert_close(head(1000 * features), logits, rtol=1e-5, atol=1e-5)
    same = head(head.out.weight[2:3].detach())
    assert same.argmax() == 2
    assert same.max().item() == pytest.approx(16.0, rel=1e-6)


def test_cosine_of_half_precision_features_does_not_overflow():
    head = HEADS["cosine"](2, H, C).eval()
    assert torch.isfinite(head(torch.tensor([[6e4, 6e4]], dtype=torch.float16))).all()
    assert torch.isfinite(head(torch.zeros(1, 2))).all()


# heads that read the sentence -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", ["bilstm", "bigru"])
def test_recurrent_heads_read_the_last_states_of_the_top_layer(batch, name, layers):
    """Three teams read layer 0 of h_n, two the state at the padded end, whose backward half has seen one token."""
    head = made(name, layers=layers, size=4)
    features = head.read(states(batch), batch)
    for row, sentence in enumerate(states(batch).split(batch.lengths.tolist())):
        output, _ = head.rnn(sentence[:, None])  # (L, 1, 8): this sentence alone, nothing to pad
        torch.testing.assert_close(features[row], torch.cat([output[-1, 0, :4], output[0, 0, 4:]]))


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_a_convolution_sees_zeros_beyond_the_sentence(batch, width):
    head = made("cnn", filters=7, kernels=[width])
    features = head.read(states(batch), batch)
    weights = head.filters[0].weight.view(7, width, H).transpose(1, 2)  # (filters, H, width) as conv1d has it
    left = (width - 1) // 2
    for row, sentence in enumerate(states(batch).split(batch.lengths.tolist())):
        padded = F.pad(sentence.T[None], (left, width - 1 - left))
        maps = F.relu(F.conv1d(padded, weights, head.filters[0].bias))  # (1, filters, L)
        torch.testing.assert_close(features[row], maps[0].max(dim=1).values)


@pytest.mark.parametrize("name", SENTENCE)
def test_a_neighbour_changes_nothing_even_where_it_is_not_finite(batch, name):
    head = made(name)
    hidden, changed = states(batch), states(batch)
    changed[4:13] = torch.nan  # the second sentence
    before, after = head.read(hidden, batch), head.read(changed, batch)
    torch.testing.assert_close(before[[0, 2, 3]], after[[0, 2, 3]])
    assert after[1].isnan().any()


@pytest.mark.parametrize("name", SENTENCE)
def test_they_run_under_autocast(batch, name):
    head = HEADS[name](8, H, C)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(head.read(states(batch).to(torch.bfloat16), batch))
    logits.float().square().sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())


# options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("deep", {"layers": 0}, r"model\.head_options\.layers: got 0, expected 1 or more"),
        ("multi_sample_dropout", {"samples": 0}, r"model\.head_options\.samples: got 0, expected 1 or more"),
        ("cosine", {"scale": 0.0}, r"model\.head_options\.scale: got 0\.0, expected a number above 0"),
        ("bilstm", {"layers": 0}, r"model\.head_options: got layers 0"),
        ("cnn", {"kernels": []}, r"model\.head_options: got filters 100, kernels \[\]"),
    ],
)
def test_options_that_make_no_head_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        HEADS[name](8, H, C, **options)
