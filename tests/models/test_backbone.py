"""Packed batches through real encoders, bit by bit."""

import json

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModel

import models  # noqa: F401 (AutoModel learns of ours)
from models.backbone import empty_backbone, hidden_states, set_dropout
from models.relation import Output, RelationConfig, RelationModel


@pytest.fixture
def model(tiny_config, family) -> RelationModel:
    torch.manual_seed(0)
    made = RelationModel(RelationConfig(backbone=tiny_config(family), classes=5))
    with torch.no_grad():  # weights near 0 would hide what is wrong
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def alone(backbone, tokens: list[int], segments: list[int] | None = None) -> torch.Tensor:
    """The last hidden states (L, H) of one sentence, by the library's own forward, without padding."""
    inputs = {"input_ids": torch.tensor([tokens]), "attention_mask": torch.ones(1, len(tokens), dtype=torch.long)}
    if segments is not None:
        inputs["token_type_ids"] = torch.tensor([segments])
    return backbone(**inputs).last_hidden_state[0]


# packing ----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_packed_batch_equals_one_sentence_at_a_time(model, packed, sequences):
    output = model(packed(sequences))
    assert isinstance(output, Output)
    assert output.logits.shape == (5, 5)
    assert output.features.shape == (5, 96)
    for row, tokens in enumerate(sequences):
        hidden = alone(model.backbone, tokens)
        features = torch.cat([hidden[0], hidden[1], hidden[-2]])
        torch.testing.assert_close(output.features[row], features, atol=1e-5, rtol=0)
        torch.testing.assert_close(output.logits[row], model.head(features[None])[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_hidden_states_stand_in_the_order_of_the_tokens(model, packed, sequences):
    hidden = hidden_states(model.backbone, packed(sequences))
    expected = torch.cat([alone(model.backbone, tokens) for tokens in sequences])
    torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_states_of_the_last_layers_top_last(model, packed, sequences):
    """Of all layers and the embedding; ModernBERT's top layer is behind its final norm."""
    batch = packed(sequences)
    every = hidden_states(model.backbone, batch, layers=3)
    for row, tokens in enumerate(sequences):
        alone_states = model.backbone(input_ids=torch.tensor([tokens]), output_hidden_states=True).hidden_states
        assert len(alone_states) == 3
        for found, expected in zip(every[:, batch.offsets[row] : batch.offsets[row + 1]], alone_states, strict=True):
            torch.testing.assert_close(found, expected[0], atol=1e-5, rtol=0)
    assert torch.equal(every[-1], hidden_states(model.backbone, batch))
    assert torch.equal(hidden_states(model.backbone, batch, layers=2), every[1:])


@torch.no_grad()
def test_a_neighbour_changes_nothing(model, packed, sequences):
    before = model(packed(sequences)).logits
    others = [0, 2, 3, 4]
    for neighbour in ([2, *[5] * 30, 3], [2, 7, 3], [2, *[6] * 50, 3]):  # as long, shorter, longer
        changed = [*sequences[:1], neighbour, *sequences[2:]]
        after = model(packed(changed)).logits
        torch.testing.assert_close(after[others], before[others], atol=1e-6, rtol=0)
        assert (after[1] - before[1]).abs().max() > 1e-3


@torch.no_grad()
def test_the_order_of_sentences_changes_nothing(model, packed, sequences):
    forth, back = model(packed(sequences)).logits, model(packed(sequences[::-1])).logits
    torch.testing.assert_close(back.flip(0), forth, atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_second_segment_is_told_to_bert(tiny_config, packed, sequences):
    backbone = empty_backbone(tiny_config("bert")).eval()
    second = [3, 10, 2, 7, 20]
    hidden = hidden_states(backbone, packed(sequences, second))
    kinds = [[int(place >= start) for place in range(len(t))] for t, start in zip(sequences, second, strict=True)]
    expected = torch.cat([alone(backbone, tokens, kind) for tokens, kind in zip(sequences, kinds, strict=True)])
    torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)
    assert (hidden - hidden_states(backbone, packed(sequences))).abs().max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("family", ["roberta", "xlm-roberta"], indirect=True)
def test_a_second_segment_does_not_break_an_encoder_of_one(tiny_config, family, packed, sequences):
    """klue/roberta's tokenizer says 1 there, its embedding has row 0 only."""
    backbone = empty_backbone(tiny_config(family)).eval()
    with_second = hidden_states(backbone, packed(sequences, [3, 10, 2, 7, 20]))
    assert torch.equal(with_second, hidden_states(backbone, packed(sequences)))


def test_every_parameter_has_a_gradient(model, packed, sequences):
    """DistributedDataParallel fails in its second update where one has none."""
    model.train()
    model(packed(sequences)).logits.square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


# saving -----------------------------------------------------------------------------------------------------------


@pytest.mark.drill("R17")
@torch.no_grad()
def test_what_is_saved_and_opened_again_is_bit_equal(model, packed, sequences, tmp_path, family):
    model.save_pretrained(tmp_path / "best")
    expected = model(packed(sequences)).logits
    for opened in (RelationModel.from_pretrained(tmp_path / "best"), AutoModel.from_pretrained(tmp_path / "best")):
        assert type(opened) is RelationModel
        assert not opened.training
        assert torch.equal(opened(packed(sequences)).logits, expected)
        assert all(torch.equal(value, model.state_dict()[name]) for name, value in opened.state_dict().items())
    written = json.loads((tmp_path / "best" / "config.json").read_text())
    assert written["model_type"] == "plainloop_relation"
    assert written["backbone"]["model_type"] == family
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == ["config.json", "model.safetensors"]


def test_the_configuration_nests_the_backbones(tiny_config, family, tmp_path):
    config = RelationConfig(
        backbone=tiny_config(family), pooling="cls", head="linear", head_options={"dropout": 0.25}, classes=7
    )
    config.save_pretrained(tmp_path)
    opened = AutoConfig.from_pretrained(tmp_path)
    assert type(opened) is RelationConfig
    assert type(opened.backbone) is type(config.backbone)
    assert (opened.pooling, opened.head, opened.head_options, opened.classes) == ("cls", "linear", {"dropout": 0.25}, 7)
    keys = ("vocab_size", "hidden_size", "num_hidden_layers", "pad_token_id", "max_position_embeddings")
    assert [getattr(opened.backbone, key) for key in keys] == [getattr(config.backbone, key) for key in keys]


@pytest.mark.drill("R17")
@torch.no_grad()
@pytest.mark.parametrize("pooling", ["cls", "entity_start"])
@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_every_pooling_and_head_can_be_saved(tiny_config, packed, sequences, tmp_path, pooling, head):
    config = RelationConfig(backbone=tiny_config("bert"), pooling=pooling, head=head, classes=5)
    model = RelationModel(config).eval()
    model.save_pretrained(tmp_path)
    opened = AutoModel.from_pretrained(tmp_path)
    assert torch.equal(opened(packed(sequences)).logits, model(packed(sequences)).logits)
    assert opened(packed(sequences)).features.shape == (5, 32 if pooling == "cls" else 96)


# dropout ----------------------------------------------------------------------------------------------------------


def dropouts(model: nn.Module) -> set[float]:
    return {module.p for module in model.modules() if isinstance(module, nn.Dropout)}


def shares(config) -> set[float]:
    return {value for key, value in config.to_dict().items() if "dropout" in key and value is not None}


def test_dropout_0_switches_all_of_it_off(save, load, family, packed, sequences):
    folder, _ = save(family, **{key: 0.4 for key in ("attention_dropout", "mlp_dropout") if family == "modernbert"})
    default = load(folder).train()
    batch = packed(sequences)
    assert not torch.equal(default(batch).logits, default(batch).logits)
    model = load(folder, model__dropout=0).train()
    assert dropouts(model) <= {0.0}
    assert shares(model.config.backbone) == {0.0}
    assert model.config.head_options == {"dropout": 0}
    for module in model.modules():
        for name in ("attention_dropout", "dropout_prob"):
            assert getattr(module, name, 0.0) == 0.0
    assert torch.equal(model(batch).logits, model(batch).logits)


def test_a_share_of_dropout_is_set_everywhere(save, load, family):
    model = load(save(family)[0], model__dropout=0.3)
    assert dropouts(model) == {0.3}
    assert shares(model.config.backbone) == {0.3}


def test_a_share_reaches_pooling_and_head_unless_they_have_their_own(save, load):
    folder, _ = save("bert")
    model = load(folder, model__dropout=0.3, model__pooling="entity_mean", model__head="multi_sample_dropout")
    assert (model.pool.dropout.p, model.head.dropout.p) == (0.3, 0.3)
    model = load(folder, model__pooling="entity_mean", model__head="multi_sample_dropout")
    assert (model.pool.dropout.p, model.head.dropout.p) == (0.1, 0.5)
    model = load(folder, model__head_options__dropout=0.4)
    assert (dropouts(model.head), dropouts(model.backbone)) == ({0.4}, {0.1})


def test_without_a_share_the_backbone_keeps_its_own(save, load):
    model = load(save("bert", hidden_dropout_prob=0.2)[0])
    assert dropouts(model.backbone) == {0.1, 0.2}
    assert dropouts(model.head) == {0.1}


def test_switches_that_only_sound_like_dropout_are_left_alone(tiny_config):
    config = tiny_config("bert")
    config.use_dropout, config.dropout_kind = True, "alpha"
    set_dropout(config, 0.0)
    assert (config.use_dropout, config.dropout_kind) == (True, "alpha")


# gradient checkpointing -------------------------------------------------------------------------------------------


def test_gradient_checkpointing_gives_the_same_gradient(save, load, family, packed, sequences):
    folder, _ = save(family)
    gradients, forwards = [], []
    for switched in ("false", "true"):
        model = load(folder, model__gradient_checkpointing=switched).train()
        layer = (model.backbone.layers if family == "modernbert" else model.backbone.encoder.layer)[0]
        count = []
        next(layer.children()).register_forward_pre_hook(lambda *args, count=count: count.append(1))
        torch.manual_seed(1)
        model(packed(sequences)).logits.square().sum().backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
        forwards.append(len(count))
    assert forwards == [1, 2]  # computed again in the backward pass
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-5, msg=name)
