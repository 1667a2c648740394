"""Packed, padded and by transformers alone: the same numbers as one sentence at a time, whoever sits beside it."""

import copy
import functools
import math

import pytest
import torch
from torch.nn import functional as F
from transformers import AlbertConfig, CamembertConfig, DebertaV2Config, DistilBertConfig, EuroBertConfig

from models.attention import PACKED, PADDED, Sentences, attend, attend_through, implementation
from models.backbone import empty_backbone, hidden_states
from models.dropout import draw_quickly, dropout
from models.last_layer import answer_few, answers_few
from models.layers import layers_of
from models.packing import choose_attention, keeps_apart
from models.relation import RelationConfig, RelationModel

CPU = torch.device("cpu")
SIZES = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
OTHERS = {
    "albert": lambda: AlbertConfig(**SIZES, embedding_size=16, pad_token_id=1),
    "camembert": lambda: CamembertConfig(**SIZES, pad_token_id=1, type_vocab_size=1),
    "distilbert": lambda: DistilBertConfig(vocab_size=40, dim=32, n_layers=2, n_heads=2, hidden_dim=48, pad_token_id=1),
    "deberta-v2": lambda: DebertaV2Config(
        **SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"], pad_token_id=1
    ),
    "eurobert": lambda: EuroBertConfig(**SIZES | {"num_attention_heads": 4}, num_key_value_heads=2, pad_token_id=1),
}
POOLINGS = ("cls", "pooler", "mean", "entity_start", "entity_start_end", "last_layers")


def spread(backbone) -> None:
    """Weights near 0 would hide what is wrong."""
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def made(config, seed: int = 0, **options) -> RelationModel:
    torch.manual_seed(seed)
    model = RelationModel(RelationConfig(backbone=config, classes=5, **options))
    spread(model)
    return model.eval()


def alone(model: RelationModel, tokens: list[int], packed) -> torch.Tensor:
    """Logits of one sentence by transformers' own attention, every token through every layer."""
    plain = copy.deepcopy(model)
    plain.backbone.set_attn_implementation("sdpa")
    layers = getattr(getattr(plain.backbone, "encoder", None), "layer", None)
    if layers:
        vars(layers[-1]).pop("forward", None)
    return plain(packed([tokens])).logits[0]


# families ---------------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("way", ["packed", "padded"])
def test_both_ways_equal_one_sentence_at_a_time(tiny_config, family, packed, sequences, way):
    model = made(tiny_config(family))
    assert choose_attention(model.backbone, way, CPU, torch.float32)[0] == way
    assert implementation(model.backbone) == {"packed": PACKED, "padded": PADDED}[way]
    expected = torch.stack([alone(model, tokens, packed) for tokens in sequences])
    torch.testing.assert_close(model(packed(sequences)).logits, expected, atol=1e-5, rtol=0)
    # no token sees another sentence: as long, shorter, longer
    for neighbour in ([2, *[5] * 30, 3], [2, 7, 3], [2, *[6] * 50, 3]):
        logits = model(packed([*sequences[:1], neighbour, *sequences[2:]])).logits
        torch.testing.assert_close(logits[[0, 2, 3, 4]], expected[[0, 2, 3, 4]], atol=1e-5, rtol=0)
        assert (logits[1] - expected[1]).abs().max() > 1e-3
    same = packed([sequences[1]] * 3)  # without padding
    torch.testing.assert_close(model(same).logits, expected[[1, 1, 1]], atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", OTHERS)
def test_other_families_run_as_far_as_they_can(name, packed, sequences):
    """DeBERTa has an attention of its own and would look across sentences: found out, and told who asks for it."""
    model = made(OTHERS[name](), pooling="mean")
    expected = torch.stack([alone(model, tokens, packed) for tokens in sequences])
    can = name in ("albert", "camembert", "distilbert")
    assert keeps_apart(model.backbone) is can
    assert implementation(model.backbone) is None
    way, why = choose_attention(model.backbone, "auto", CPU, torch.float32)
    assert way == "padded"
    assert ("attention of its own" in why) is not can
    torch.testing.assert_close(model(packed(sequences)).logits, expected, atol=1e-5, rtol=0)
    if can:
        assert choose_attention(model.backbone, "packed", CPU, torch.float32)[0] == "packed"
        torch.testing.assert_close(model(packed(sequences)).logits, expected, atol=1e-5, rtol=0)
    else:
        with pytest.raises(ValueError, match=r"model\.attention: got 'packed', but .* attention of its own"):
            choose_attention(model.backbone, "packed", CPU, torch.float32)


@torch.no_grad()
@pytest.mark.parametrize("first", [False, True], ids=["second segments", "embeddings added"])
@pytest.mark.parametrize("name", ["bert", "roberta", "electra"])
def test_segments_and_added_embeddings_reach_both_ways(tiny_config, name, packed, sequences, first):
    model = made(tiny_config(name), entity_embeddings=["role"] if first else [], entity_types=6)
    batch = packed(sequences, None if first else [3, 10, 2, 7, 20])
    batch = copy.copy(batch)
    object.__setattr__(batch, "roles", batch.tokens % 3)
    expected = model(batch).logits
    for way in ("packed", "padded"):
        choose_attention(model.backbone, way, CPU, torch.float32)
        torch.testing.assert_close(model(batch).logits, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_all_layers_can_be_asked_for(tiny_config, family, packed, sequences):
    backbone = made(tiny_config(family)).backbone
    expected = hidden_states(backbone, packed(sequences), layers=3)
    for way in ("packed", "padded"):
        choose_attention(backbone, way, CPU, torch.float32)
        found = hidden_states(backbone, packed(sequences), layers=3)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_half_precision_is_as_near_as_it_can_be(tiny_config, family, packed, sequences):
    model = made(tiny_config(family))
    expected = model(packed(sequences)).logits
    for way in ("packed", "padded"):
        choose_attention(model.backbone, way, CPU, torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16):
            found = model(packed(sequences)).logits.float()
        assert (found - expected).abs().max() < 3e-2 * expected.abs().max()


# gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", POOLINGS)
def test_gradients_are_those_of_all_tokens_through_all_layers(tiny_config, packed, sequences, pooling):
    """The last layer computes only what is read; nothing that it leaves out has a gradient."""
    config = tiny_config("bert")
    for key in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        setattr(config, key, 0.0)
    options = {"layers": 2} if pooling == "last_layers" else {}
    model = made(config, pooling=pooling, pooling_options=options, head_options={"dropout": 0.0}).train()
    grads = {}
    for way in ("alone", "packed", "padded"):
        model.zero_grad()
        if way == "alone":
            vars(model.backbone.encoder.layer[-1]).pop("forward")
            loss = sum(model(packed([tokens])).logits.square().sum() for tokens in sequences)
            answer_few(model.backbone)
        else:
            choose_attention(model.backbone, way, CPU, torch.float32)
            loss = model(packed(sequences)).logits.square().sum()
        loss.backward()
        grads[way] = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    for way in ("packed", "padded"):
        for name, grad in grads[way].items():
            torch.testing.assert_close(grad, grads["alone"][name], atol=2e-4, rtol=1e-3, msg=f"{way} {name}")


def test_the_last_layer_answers_few_and_gradient_checkpointing_changes_nothing(tiny_config, packed, sequences):
    model = made(tiny_config("roberta"), pooling="entity_start").train()
    choose_attention(model.backbone, "padded", CPU, torch.float32)
    shapes = []
    last = model.backbone.encoder.layer[-1]
    last.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape)))
    found = []
    for checkpointing in (False, True):
        if checkpointing:
            model.gradient_checkpointing_enable()
        model.zero_grad()
        torch.manual_seed(1)
        model(packed(sequences)).logits.sum().backward()
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    assert shapes[0] == (5, 3, 32)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_a_copy_of_a_model_reads_its_own_weights(tiny_config, packed, sequences):
    """An average of weights is such a copy; a last layer that still belonged to the first model would spoil it."""
    model = made(tiny_config("bert"))
    choose_attention(model.backbone, "padded", CPU, torch.float32)
    other = copy.deepcopy(model)
    before = model(packed(sequences)).logits
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.5)
    assert torch.equal(model(packed(sequences)).logits, before)
    assert not torch.allclose(other(packed(sequences)).logits, before)
    expected = torch.stack([alone(other, tokens, packed) for tokens in sequences])
    torch.testing.assert_close(other(packed(sequences)).logits, expected, atol=1e-5, rtol=0)


# what the last layer answers ----------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("way", ["packed", "padded"])
def test_the_last_layer_drops_attention_where_it_answers_few(tiny_config, packed, way):
    """Of sentences of one token the only share is 1, so that a state is one of two: its share kept, or dropped."""
    config = tiny_config("bert")
    config.num_hidden_layers = config.num_attention_heads = 1
    config.hidden_dropout_prob, config.attention_probs_dropout_prob = 0.0, 0.25
    model = made(config, pooling="cls").train()
    assert choose_attention(model.backbone, way, CPU, torch.float32)[0] == way
    batch = packed([[5]] * 2000)
    states = hidden_states(model.backbone, batch, places=model.pool.places(batch))[:, 0]  # (B, H)
    kinds, which = (states * 1e4).round().unique(dim=0, return_inverse=True)
    assert len(kinds) == 2
    assert 0.75 - 0.05 < which.bincount().max() / len(states) < 0.75 + 0.05  # 5 standard deviations
    still = hidden_states(model.eval().backbone, batch, places=model.pool.places(batch))[:, 0]
    assert bool((still == still[0]).all())
    assert (states - still).abs().max() > 1e-2


@torch.no_grad()
def test_a_layer_whose_forward_somebody_wrapped_is_not_asked_for_few(tiny_config, packed, sequences):
    """Profilers and hooks put a `forward` of their own on a module."""
    model = made(tiny_config("bert"), pooling="entity_start")
    backbone = empty_backbone(model.config.backbone).eval()
    backbone.load_state_dict(model.backbone.state_dict())
    last = backbone.encoder.layer[-1]
    last.forward = functools.partial(type(last).forward, last)
    batch = packed(sequences)
    for way in ("packed", "padded"):
        choose_attention(model.backbone, way, CPU, torch.float32)
        choose_attention(backbone, way, CPU, torch.float32)
        assert (answers_few(model.backbone), answers_few(backbone)) == (True, False)
        few = hidden_states(model.backbone, batch, places=model.pool.places(batch))
        every = hidden_states(backbone, batch, places=model.pool.places(batch))
        torch.testing.assert_close(few, every, atol=1e-5, rtol=0)


# choosing ---------------------------------------------------------------------------------------------------------


def test_trying_a_backbone_changes_nothing_else(tiny_config, family):
    model = made(tiny_config(family)).train()
    before = model.backbone.config._attn_implementation
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    assert keeps_apart(model.backbone)
    assert torch.equal(torch.rand(3), expected)
    assert model.backbone.training
    assert model.backbone.config._attn_implementation == before


@pytest.mark.parametrize("breakage", ["sees neighbours", "wrong places"])
def test_a_backbone_that_looks_across_sentences_is_found_out(tiny_config, monkeypatch, breakage):
    model = made(tiny_config("bert"))
    if breakage == "sees neighbours":
        whole = lambda q, k, v, *_: F.scaled_dot_product_attention(q, k, v)  # noqa: E731
        monkeypatch.setattr("models.attention.one_by_one", whole)
    else:
        monkeypatch.setattr("models.backbone.first_position", lambda backbone: 1)
    assert not keeps_apart(model.backbone)


def test_what_a_device_lacks_is_said(tiny_config, monkeypatch):
    model = made(tiny_config("bert"))
    assert choose_attention(model.backbone, "auto", CPU, torch.bfloat16)[1] == (
        "flash attention needs a CUDA device, this is a cpu"
    )
    cuda = torch.device("cuda")
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))
    for dtype, told in ((torch.float32, "train.precision is fp32"), (torch.float16, "Tesla T4 has less")):
        way, why = choose_attention(model.backbone, "auto", cuda, dtype)
        assert (way, told in why) == ("padded", True)
        with pytest.raises(ValueError, match="got 'packed', but flash attention needs"):
            choose_attention(model.backbone, "packed", cuda, dtype)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (9, 0))
    model.backbone.config.num_attention_heads = 8  # heads of 4 units
    assert "these have 4" in choose_attention(model.backbone, "auto", cuda, torch.bfloat16)[1]
    model.backbone.config.num_attention_heads = 2
    monkeypatch.setattr("models.packing.flash_fails", lambda *_: "")
    way, why = choose_attention(model.backbone, "auto", cuda, torch.bfloat16)
    assert (way, why) == ("packed", "flash attention over tokens without padding")
    assert choose_attention(model.backbone, "padded", cuda, torch.bfloat16) == ("padded", "")


@torch.no_grad()
def test_who_calls_the_backbone_with_a_mask_gets_what_the_mask_says(tiny_config, family):
    backbone = empty_backbone(tiny_config(family)).eval()
    spread(backbone)
    tokens = torch.tensor([[2, 5, 6, 7, 3, 1, 1], [2, 8, 9, 10, 11, 12, 3]])
    mask = (tokens != 1).long()
    expected = backbone(input_ids=tokens, attention_mask=mask).last_hidden_state[0, :5]
    for name in (PACKED, PADDED):
        attend_through(backbone, name)
        found = backbone(input_ids=tokens, attention_mask=mask).last_hidden_state[0, :5]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_way_of_attending_is_not_saved(tiny_config, tmp_path):
    model = made(tiny_config("bert"))
    choose_attention(model.backbone, "padded", CPU, torch.float32)
    model.save_pretrained(tmp_path)
    assert "plainloop_p" not in (tmp_path / "config.json").read_text(encoding="utf-8")
    assert implementation(RelationModel.from_pretrained(tmp_path).backbone) is None


# dropout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_a_share_and_the_mean(p, dtype):
    torch.manual_seed(0)
    states = torch.ones(1001, 399, dtype=dtype, requires_grad=True)
    out = dropout(states, p)
    share = (out == 0).double().mean().item()
    assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / states.numel())
    kept = out[out != 0].double()
    assert torch.allclose(
        kept, torch.tensor(1 / (1 - p), dtype=torch.float64), rtol=2**-8 if dtype != torch.float32 else 1e-4
    )
    out.backward(torch.ones_like(out))
    assert torch.equal(states.grad, out.detach())  # d(x m)/dx = m, and x is 1
    columns = (out == 0).double().mean(dim=0)  # neighbours in a draw are independent
    assert (columns - p).abs().max() < 6 * math.sqrt(p * (1 - p) / 1001)
    pairs = ((out[:, :-1] == 0) & (out[:, 1:] == 0)).double().mean().item()
    assert abs(pairs - p * p) < 0.01


def test_dropout_follows_the_seed_and_leaves_evaluation_alone(tiny_config):
    states = torch.randn(7, 5)
    torch.manual_seed(1)
    first, second = dropout(states, 0.3), dropout(states, 0.3)
    torch.manual_seed(1)
    assert torch.equal(dropout(states, 0.3), first)
    assert not torch.equal(first, second)
    assert torch.equal(dropout(states, 0.0), states)
    assert torch.equal(dropout(states, 1.0), torch.zeros_like(states))
    model = made(tiny_config("bert"))
    names = list(model.state_dict())
    draw_quickly(model)
    assert list(model.state_dict()) == names
    kinds = {type(module).__module__ for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert kinds == {"models.dropout"}
    module = model.backbone.embeddings.dropout
    assert module(states) is states
    assert (module.train()(states) == 0).any()


def test_attention_drops_shares_out_as_the_formula_says():
    """(softmax(q k / sqrt(D)) * mask / (1 - p)) v, with the mask that the same seed draws."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 6, 8).unbind()
    keep = torch.tensor([[1] * 6, [1, 1, 1, 1, 0, 0]], dtype=torch.bool)[:, None, None]
    sentences = Sentences(False, torch.tensor([0, 6, 10]), torch.tensor([6, 4]), 6, keep)
    torch.manual_seed(5)
    found = attend(q, k, v, sentences, 0.2, None)
    shares = (q @ k.transpose(2, 3) / math.sqrt(8)).masked_fill(~keep, -torch.inf).softmax(-1)
    torch.manual_seed(5)
    torch.testing.assert_close(found, dropout(shares, 0.2) @ v)
    torch.testing.assert_close(
        attend(q, k, v, sentences, 0.0, None), F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
    )


# compiling --------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
@pytest.mark.parametrize("what", ["regional", "full"])
def test_lengths_do_not_compile_anew(tiny_config, packed, what):
    """One graph for batches with padding and one without; regional: the last layer is one of its own."""
    torch.compiler.reset()
    model = made(tiny_config("bert")).train()
    choose_attention(model.backbone, "padded", CPU, torch.float32)
    graphs = []

    def count(graph, examples):
        graphs.append(graph)
        return graph.forward

    if what == "full":
        model.compile(dynamic=True, backend=count)
    else:
        for layer in layers_of(model.backbone, "model.compile"):
            layer.compile(dynamic=True, backend=count)
    random = torch.Generator().manual_seed(0)
    for lengths in ([5, 9, 4, 8], [7, 8, 6], [11, 4, 5, 9], [30, 12, 5], [20, 4], [8, 50, 6, 7, 9]):
        sentences = [torch.randint(4, 20, (length,), generator=random).tolist() for length in lengths]
        model(packed(sentences)).logits.sum().backward()
    assert len(graphs) == {"full": 1, "regional": 2}[what]
    torch.compiler.reset()
