"""Every pooling against a loop over single sentences; padding, neighbours and the length of a span change nothing."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from models.pooling import POOLINGS, make_pooling
from models.segments import softmax, total

H = 6
TYPE_WORDS = {"entity_type_mean": (1, 2)}


def states(batch, seed: int = 1) -> torch.Tensor:
    return torch.randn(len(batch.tokens), H, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def with_spans(batch, parts: list[list[tuple[int, int]]], role: str):
    """Spans (start, end) inside each sentence for the three parts of one role."""
    starts = batch.offsets[:-1, None, None]
    return replace(batch, **{role: torch.tensor(parts) + starts})


@pytest.fixture
def batch(packed):
    """Sentences of 9, 3, 12 and 5 tokens: spans of one token, of several, of a whole sentence, of its rim."""
    made = packed([[4] * 9, [5] * 3, [6] * 12, [7] * 5])
    made = with_spans(made, [[(1, 5), (2, 3), (3, 4)], [(0, 3)] * 3, [(0, 4), (1, 2), (2, 4)], [(1, 2)] * 3], "subject")
    return with_spans(
        made, [[(6, 9), (7, 8), (8, 9)], [(1, 2)] * 3, [(8, 12), (9, 10), (10, 11)], [(0, 5)] * 3], "object"
    )


def reference(name: str, pool, sentence: torch.Tensor, subject, object) -> torch.Tensor:
    """What the docstring says, for one sentence (L, H); spans are (3, 2) inside it."""
    cls = sentence[0]

    def words(span, part=2):
        start, end = span[part]
        return sum(sentence[place] for place in range(start, end)) / (end - start)

    if name == "cls":
        return cls
    if name == "pooler":
        return torch.tanh(pool.pooler.dense.weight @ cls + pool.pooler.dense.bias)
    if name == "mean":
        return sum(sentence) / len(sentence)
    if name == "max":
        return torch.stack([max(sentence[:, unit]) for unit in range(H)])
    if name == "cls_mean":
        return torch.cat([cls, sum(sentence) / len(sentence)])
    if name == "attention":
        scores = torch.stack(
            [pool.score.weight[0] @ torch.tanh(pool.dense.weight @ s + pool.dense.bias) for s in sentence]
        )
        return sum(share * state for share, state in zip(scores.exp() / scores.exp().sum(), sentence, strict=True))
    if name == "entity_start":
        return torch.cat([sentence[subject[0][0]], sentence[object[0][0]]])
    if name == "entity_start_end":
        return torch.cat([sentence[place] for span in (subject, object) for place in (span[0][0], span[0][1] - 1)])
    if name == "entity_mean":
        inputs = zip([pool.cls, *pool.entities], [cls, words(subject), words(object)], strict=True)
        return torch.cat([layer.weight @ torch.tanh(state) + layer.bias for layer, state in inputs])
    if name == "entity_type_mean":
        return torch.cat([words(subject), words(subject, 1), words(object), words(object, 1)])
    raise AssertionError(f"no reference for {name}")


class Pooler(nn.Module):
    """BERT's: dense and tanh of the first position of (B, L, H)."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(H, H)

    def forward(self, hidden):
        return torch.tanh(self.dense(hidden[:, 0]))


def made(name: str, with_cls=None, **options):
    torch.manual_seed(2)
    pool = make_pooling(name, H, with_cls, options)
    if pool.takes_pooler:
        pool.take(Pooler())
    return pool.double().eval()


def sentences(hidden, batch):
    return list(hidden.split(batch.lengths.tolist()))


def inside(spans, batch) -> list:
    return (spans - batch.offsets[:-1, None, None]).tolist()


@pytest.mark.parametrize(
    "name, with_cls",
    [
        (name, choice)
        for name, pool in POOLINGS.items()
        for choice in ((None,) if pool.has_cls else (False, True))
        if name != "last_layers"
    ],
)
def test_each_equals_a_loop_over_sentences(batch, name, with_cls):
    pool = made(name, with_cls=with_cls)
    hidden = states(batch)
    pooled = pool(hidden, batch)
    assert pooled.shape == (4, pool.features)
    inner = getattr(pool, "pool", pool)
    spans = zip(sentences(hidden, batch), inside(batch.subject, batch), inside(batch.object, batch), strict=True)
    for row, (sentence, subject, object) in enumerate(spans):
        expected = reference(name, inner, sentence, subject, object)
        if with_cls:
            expected = torch.cat([sentence[0], expected])
        torch.testing.assert_close(pooled[row], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", POOLINGS)
def test_a_neighbour_changes_nothing_even_where_it_is_not_finite(batch, name):
    """Mean over padding, spans of the last sample for all, [:, -1]: each would mix rows of the batch."""
    pool = made(name)
    hidden = states(batch) if pool.layers == 1 else torch.stack([states(batch, seed) for seed in range(pool.layers)])
    changed = hidden.clone()
    changed[..., 9:12, :] = torch.nan  # the second sentence
    before, after = pool(hidden, batch), pool(changed, batch)
    assert torch.equal(before[[0, 2, 3]], after[[0, 2, 3]])
    assert after[1].isnan().any()


@pytest.mark.parametrize("name", POOLINGS)
def test_one_sentence_alone_and_its_gradient(packed, name):
    """Batch size 1; every state that is read gets a gradient, also those of entities."""
    batch = packed([[2, 5, 6, 7, 3]])
    pool = made(name)
    hidden = states(batch).requires_grad_()
    layers = hidden if pool.layers == 1 else torch.stack([hidden] * pool.layers)
    pooled = pool(layers, batch)
    assert pooled.shape == (1, pool.features)
    pooled.square().sum().backward()
    read = hidden.grad.abs().sum(dim=1) > 0
    assert read[0] or not (pool.has_cls or name in ("pooler", "mean", "attention"))
    if pool.needs_entities:
        assert read[[1, 3]].all()  # subject and object
    assert all(parameter.grad is not None for parameter in pool.parameters())


def test_gradients_are_right_in_float64(batch):
    for name in POOLINGS:
        pool = made(name)
        shape = (len(batch.tokens), H) if pool.layers == 1 else (pool.layers, len(batch.tokens), H)
        hidden = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
        assert torch.autograd.gradcheck(lambda values, pool=pool: pool(values, batch), hidden), name


@pytest.mark.parametrize("name", ["mean", "attention", "entity_type_mean"])
def test_sums_in_half_precision_are_made_in_float32(packed, name):
    """In bfloat16 a sum of ones stops at 256."""
    batch = packed([[4] * 1000])
    batch = replace(batch, subject=torch.tensor([[[0, 1000]] * 3]), object=torch.tensor([[[0, 1000]] * 3]))
    pooled = made(name, with_cls=False).to(torch.bfloat16)(torch.ones(1000, H, dtype=torch.bfloat16), batch)
    torch.testing.assert_close(pooled.float(), torch.ones(1, pooled.shape[1]), rtol=4e-3, atol=0)


# mixing layers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", ["cls", "mean", "entity_start", "attention"])
def test_the_mean_of_the_last_layers(batch, over):
    pool = made("last_layers", layers=3, over=over)
    layers = torch.stack([states(batch, seed) for seed in range(3)])
    inner = getattr(pool, "pool", pool)
    alone = inner.over((layers[0] + layers[1] + layers[2]) / 3, batch)
    expected = alone if over != "entity_start" else torch.cat([layers[2][batch.offsets[:-1]], alone], dim=1)
    torch.testing.assert_close(pool(layers, batch), expected, rtol=1e-12, atol=1e-12)


def test_a_learned_mix_starts_as_the_mean_and_learns_every_share(batch):
    layers = torch.stack([states(batch, seed) for seed in range(4)])
    pool = made("last_layers", mix="learned")
    torch.testing.assert_close(pool(layers, batch), made("last_layers")(layers, batch), rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        pool.shares.copy_(torch.tensor([0.0, 1.0, 2.0, -1.0]))
        pool.scale.fill_(3.0)
    shares = torch.tensor([1.0, torch.e, torch.e**2, 1 / torch.e], dtype=torch.float64)
    expected = 3 * sum(s / shares.sum() * layer for s, layer in zip(shares, layers, strict=True))[batch.offsets[:-1]]
    torch.testing.assert_close(pool(layers, batch), expected, rtol=1e-6, atol=1e-6)
    pool(layers, batch).square().sum().backward()
    assert pool.shares.grad.abs().min() > 0


def test_rbert_shares_one_layer_between_the_entities_where_asked(batch):
    shared, own = made("entity_mean", shared=True), made("entity_mean")
    assert len(list(shared.parameters())) == 4
    assert len(list(own.parameters())) == 6
    same = replace(batch, object=batch.subject)
    features = shared(states(batch), same)
    assert torch.equal(features[:, H : 2 * H], features[:, 2 * H :])
    features = own(states(batch), same)
    assert not torch.allclose(features[:, H : 2 * H], features[:, 2 * H :])


def test_rbert_drops_behind_the_tanh(batch):
    pool = made("entity_mean", dropout=0.4).train()
    torch.manual_seed(8)
    found = pool(states(batch), batch)
    torch.manual_seed(8)
    hidden = states(batch)
    spans = [(batch.subject[:, 2], 0), (batch.object[:, 2], 1)]
    expected = [pool.cls(torch.dropout(torch.tanh(hidden[batch.offsets[:-1]]), 0.4, True))]
    for span, number in spans:
        words = torch.stack([hidden[start:end].mean(dim=0) for start, end in span.tolist()])
        expected.append(pool.entities[number](torch.dropout(torch.tanh(words), 0.4, True)))
    torch.testing.assert_close(found, torch.cat(expected, dim=1))


@pytest.mark.parametrize("name", ["cls", "cls_mean", "entity_mean"])
def test_cls_is_not_put_in_front_of_what_holds_it(name):
    for choice in (True, False):
        with pytest.raises(ValueError, match=rf"model\.with_cls: {name} reads \[CLS\] in a way of its own"):
            make_pooling(name, H, choice, {})


def test_a_mix_of_one_layer_is_refused():
    with pytest.raises(ValueError, match=r"model\.pooling_options\.layers: got 1, expected 2 or more"):
        made("last_layers", layers=1)


# sums over sentences ----------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=9), min_size=1, max_size=6))
def test_shares_sum_to_one_in_every_sentence_whatever_the_scores(scores):
    rows = torch.tensor([row for row, part in enumerate(scores) for _ in part])
    flat = torch.tensor([value for part in scores for value in part], dtype=torch.float64)
    shares = softmax(flat, rows, len(scores))
    expected = torch.cat([torch.tensor(part, dtype=torch.float64).softmax(dim=0) for part in scores])
    torch.testing.assert_close(shares, expected, rtol=1e-12, atol=1e-300)
    torch.testing.assert_close(total(shares, rows, len(scores)), torch.ones(len(scores), dtype=torch.float64))
