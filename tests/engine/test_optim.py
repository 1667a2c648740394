"""The learning rate as a function of the update; which parameter learns how fast."""

import re
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, ElectraConfig, ModernBertConfig

from engine.config import OptimConfig
from engine.optim import describe_groups, lr_factor, make_optimizer, parameter_groups
from models.relation import RelationConfig, RelationModel

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
BACKBONES = {
    "bert": BertConfig(**SIZES),
    "electra": ElectraConfig(**SIZES, embedding_size=8),  # other than hidden_size: it has embeddings_project
    "modernbert": ModernBertConfig(
        **SIZES, pad_token_id=0, cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2
    ),
}


@pytest.fixture(params=BACKBONES)
def model(request) -> RelationModel:
    return RelationModel(RelationConfig(backbone=BACKBONES[request.param], classes=5))


# the schedule -----------------------------------------------------------------------------------------------------


def test_ten_updates_with_a_warmup_of_a_fifth():
    factors = [lr_factor(update, 10, 0.2) for update in range(10)]
    assert factors == pytest.approx([1 / 3, 2 / 3, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8], abs=1e-15)


def test_no_warmup():
    assert [lr_factor(update, 5, 0.0) for update in range(5)] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2], abs=1e-15)


def test_warmup_only():
    assert [lr_factor(update, 4, 1.0) for update in range(4)] == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=1e-15)


@pytest.mark.parametrize("warmup, factor", [(0.0, 1.0), (0.1, 1.0), (1.0, 0.5)])
def test_a_single_update_learns(warmup, factor):
    assert lr_factor(0, 1, warmup) == factor


@given(st.integers(1, 3000), st.floats(0, 1))
def test_every_update_learns_up_on_a_line_then_down(total, warmup):
    factors = [lr_factor(update, total, warmup) for update in range(total)]
    assert 0 < min(factors) <= max(factors) <= 1
    rising = round(total * warmup)
    steps = [b - a for a, b in pairwise(factors)]
    assert all(step > 0 for step in steps[:rising])
    assert all(step < 0 for step in steps[rising:])
    if rising < total:
        assert factors[rising] == 1


# the groups -------------------------------------------------------------------------------------------------------


def settings_of(model, config: OptimConfig) -> dict[str, dict]:
    """Parameter name -> its group."""
    name_of = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {}
    for group in parameter_groups(model, config):
        for parameter in group["params"]:
            assert name_of[id(parameter)] not in found
            found[name_of[id(parameter)]] = group
    return found


@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
@pytest.mark.parametrize("head_lr", [None, 1e-3])
def test_every_parameter_is_in_exactly_one_group(model, layer_decay, head_lr):
    found = settings_of(model, OptimConfig(lr=1e-5, layer_decay=layer_decay, head_lr=head_lr))
    assert set(found) == {name for name, _ in model.named_parameters()}


def test_frozen_parameters_are_left_out(model):
    model.backbone.requires_grad_(False)
    found = settings_of(model, OptimConfig(lr=1e-5))
    assert set(found) == {name for name, _ in model.named_parameters() if not name.startswith("backbone.")}


def test_biases_and_norms_are_not_decayed(model):
    found = settings_of(model, OptimConfig(lr=1e-5, weight_decay=0.3))
    for name, parameter in model.named_parameters():
        plain = name.endswith(".bias") or "norm" in name.lower()
        assert found[name]["weight_decay"] == (0.0 if plain else 0.3), name
        assert (parameter.ndim == 1) == plain, name


def test_layers_learn_slower_the_deeper_they_are(model):
    found = settings_of(model, OptimConfig(lr=1.0, layer_decay=0.5, head_lr=8.0))
    rates = {name: group["peak_lr"] for name, group in found.items()}
    expected = {
        "backbone.embeddings": 0.125,
        "backbone.encoder.layer.0.": 0.25,
        "backbone.encoder.layer.1.": 0.5,
        "backbone.encoder.layer.2.": 1.0,
        "backbone.layers.0.": 0.25,
        "backbone.layers.1.": 0.5,
        "backbone.layers.2.": 1.0,
        "backbone.final_norm": 1.0,
        "head.": 8.0,
    }
    seen = set()
    for name, rate in rates.items():
        [prefix] = [prefix for prefix in expected if name.startswith(prefix)]
        assert rate == expected[prefix], name
        seen.add(rate)
    assert seen == {0.125, 0.25, 0.5, 1.0, 8.0}


def test_electra_projects_its_embeddings_at_their_rate():
    model = RelationModel(RelationConfig(backbone=BACKBONES["electra"], classes=5))
    found = settings_of(model, OptimConfig(lr=1.0, layer_decay=0.5))
    assert found["backbone.embeddings_project.weight"]["peak_lr"] == 0.125


def test_without_layer_decay_the_backbone_is_two_groups(model):
    groups = parameter_groups(model, OptimConfig(lr=2e-5))
    described = sorted((group["name"], group["peak_lr"], group["weight_decay"]) for group in groups)
    assert described == [("backbone", 2e-5, 0.0), ("backbone", 2e-5, 0.01), ("head", 2e-5, 0.0), ("head", 2e-5, 0.01)]


def test_the_head_has_its_own_rate_and_the_backbone_keeps_its():
    model = RelationModel(RelationConfig(backbone=BACKBONES["bert"], classes=5))
    found = settings_of(model, OptimConfig(lr=2e-5, head_lr=1e-3))
    for name, group in found.items():
        assert group["peak_lr"] == (2e-5 if name.startswith("backbone.") else 1e-3), name


def test_entity_embeddings_have_their_own_rate():
    model = RelationModel(
        RelationConfig(backbone=BACKBONES["bert"], entity_embeddings=["role", "type"], entity_types=6, classes=5)
    )
    for config, rate in [
        (OptimConfig(lr=2e-5, head_lr=1e-4, entity_lr=1e-2), 1e-2),
        (OptimConfig(lr=2e-5, head_lr=1e-4), 1e-4),
        (OptimConfig(lr=2e-5), 2e-5),
    ]:
        found = settings_of(model, config)
        rates = {name: group["peak_lr"] for name, group in found.items() if name.startswith("embeddings.")}
        assert rates == {"embeddings.role_table": rate, "embeddings.type_table": rate}
        assert found["backbone.embeddings.word_embeddings.weight"]["peak_lr"] == 2e-5


@pytest.mark.parametrize("with_cls", [None, True])
def test_a_pooler_learns_like_the_top_layer_it_was_pretrained_with(with_cls):
    model = RelationModel(RelationConfig(backbone=BACKBONES["bert"], pooling="pooler", with_cls=with_cls, classes=5))
    found = settings_of(model, OptimConfig(lr=1.0, layer_decay=0.5, head_lr=8.0))
    assert [group["peak_lr"] for name, group in found.items() if "pooler" in name] == [1.0, 1.0]


def test_the_table_counts_every_parameter_once(model):
    for parameter in model.backbone.embeddings.parameters():
        parameter.requires_grad_(False)
    config = OptimConfig(lr=1.0, layer_decay=0.5, head_lr=8.0)
    lines = describe_groups(model, config).splitlines()
    rows = [re.split(r"  +", line.strip()) for line in lines]
    assert rows[0] == ["learning", "tensors", "parameters", "peak lr", "weight decay"]
    assert rows[-1][0] == "frozen"
    assert sum(int(row[2].replace(",", "")) for row in rows[1:]) == sum(p.numel() for p in model.parameters())
    assert sum(int(row[1]) for row in rows[1:]) == len(list(model.parameters()))
    rates = {row[0]: row[3] for row in rows[1:]}
    assert (rates["layer 0"], rates["layer 2"], rates["head"]) == ("0.25", "1", "8")
    assert len({len(line) for line in lines}) == 1


def test_the_optimizer_is_fused_adamw_that_starts_at_the_peak_rates(model):
    optimizer = make_optimizer(model, OptimConfig(lr=2e-5, head_lr=1e-3, weight_decay=0.02))
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["fused"] is True
    assert all(group["lr"] == group["peak_lr"] for group in optimizer.param_groups)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    assert {group["betas"] for group in optimizer.param_groups} == {(0.9, 0.999)}
    assert {group["eps"] for group in optimizer.param_groups} == {1e-8}
