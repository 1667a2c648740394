"""Which weights learn, and which start anew."""

import pytest
import torch
from transformers import AlbertConfig, AutoConfig

from engine.config import OptimConfig
from engine.optim import parameter_groups
from models.backbone import empty_backbone
from models.layers import freeze, layers_of, start_anew
from models.relation import RelationConfig, RelationModel


def learning(backbone) -> set[str]:
    """embeddings, layer 0, layer 1, rest: the parts that hold a weight that learns."""
    layers = layers_of(backbone, "test")
    of_layer = {
        id(parameter): f"layer {number}" for number, layer in enumerate(layers) for parameter in layer.parameters()
    }
    return {
        "embeddings" if name.startswith("embeddings") else of_layer.get(id(parameter), "rest")
        for name, parameter in backbone.named_parameters()
        if parameter.requires_grad
    }


@pytest.mark.parametrize(
    "what, parts",
    [
        ("none", {"embeddings", "layer 0", "layer 1"}),
        ("embeddings", {"layer 0", "layer 1"}),
        (1, {"layer 1"}),
        (2, set()),
        ("all", set()),
    ],
)
def test_what_is_frozen(tiny_config, family, what, parts):
    backbone = empty_backbone(tiny_config(family))
    freeze(backbone, what)
    left = {"rest"} if family == "modernbert" and what != "all" else set()  # its final norm
    assert learning(backbone) == parts | left


def test_more_layers_than_there_are_is_told(tiny_config):
    backbone = empty_backbone(tiny_config("bert"))
    with pytest.raises(ValueError, match=r"model\.freeze: got 3, but the backbone has 2 layers"):
        freeze(backbone, 3)
    with pytest.raises(ValueError, match=r"model\.reinit: got 3, but the backbone has 2 layers"):
        start_anew(backbone, backbone, 3)


def test_layers_that_share_their_weights_cannot_be_told_apart():
    config = AlbertConfig(
        vocab_size=20, embedding_size=8, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=8
    )
    with pytest.raises(ValueError, match=r"model\.freeze: albert has no lists of its 4 layers"):
        freeze(empty_backbone(config), 2)


def test_a_frozen_backbone_gets_no_gradient_and_the_rest_does(save, load, family, packed, sequences):
    model = load(save(family)[0], model__freeze="all").train()
    model(packed(sequences)).logits.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith("backbone."), name


def test_linear_probing_leaves_the_pretrained_pooler_as_it_is(save, load):
    model = load(save("bert")[0], model__freeze="all", model__pooling="pooler", model__with_cls=True)
    learn = {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learn == {"head"}


def test_a_word_embedding_of_another_name_is_frozen_and_learns_the_slowest():
    """EuroBERT and others call it embed_tokens."""
    config = AutoConfig.for_model(
        "eurobert", vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        intermediate_size=16, pad_token_id=0,
    )  # fmt: skip
    model = RelationModel(RelationConfig(backbone=config, classes=5))
    word = model.backbone.get_input_embeddings().weight
    rates = {
        id(parameter): group["peak_lr"]
        for group in parameter_groups(model, OptimConfig(lr=1.0, layer_decay=0.5))
        for parameter in group["params"]
    }
    assert rates[id(word)] == 0.25
    freeze(model.backbone, 1)
    assert not word.requires_grad


def test_layers_without_numbers_cannot_decay():
    config = AlbertConfig(
        vocab_size=20, embedding_size=8, hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=8
    )
    config.num_hidden_layers = 4
    model = RelationModel(RelationConfig(backbone=config, classes=5))
    for name, _ in list(model.backbone.named_parameters()):
        assert ".layer." not in name
    with pytest.raises(ValueError, match=r"optim\.layer_decay: this backbone has no numbered layers; expected 1"):
        parameter_groups(model, OptimConfig(lr=1.0, layer_decay=0.5))


def test_only_the_top_layers_start_anew(save, load, family):
    folder, saved = save(family)
    weights = saved.state_dict()
    model = load(folder, model__reinit=1)
    top = {id(parameter) for parameter in layers_of(model.backbone, "test")[-1].parameters()}
    for name, parameter in model.backbone.named_parameters():
        if id(parameter) not in top:
            assert torch.equal(parameter, weights[name]), name
        elif parameter.ndim > 1:
            assert not torch.equal(parameter, weights[name]), name
            assert 0.005 < parameter.std() < 0.05, name  # initializer_range 0.02
        else:
            expected = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            assert (parameter == expected).all(), name


def test_new_layers_follow_the_seed(save, load):
    folder, _ = save("bert")
    one, two = load(folder, model__reinit=2), load(folder, model__reinit=2)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_added_tokens_under_frozen_embeddings_are_told(save, load):
    with pytest.warns(UserWarning, match=r"model\.freeze: the rows of 24 added tokens are frozen as they start"):
        load(save("bert")[0], data__marker="typed", model__freeze="embeddings")


def test_layers_that_are_new_and_frozen_are_refused(save, load):
    folder, _ = save("bert")
    with pytest.raises(ValueError, match=r"model\.reinit: the top 1 of 2 layers would start anew, but model\.freeze 2"):
        load(folder, model__freeze=2, model__reinit=1)
    with pytest.raises(ValueError, match=r"model\.reinit: new layers would never learn under model\.freeze all"):
        load(folder, model__freeze="all", model__reinit=1)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model__freeze": 0}, r"model\.freeze: got 0, expected none, embeddings, all or a number of layers"),
        ({"model__reinit": -1}, r"model\.reinit: got -1, expected 0 or more layers"),
        ({"model__freeze": "heads"}, r"model\.freeze: got 'heads', expected one of none, embeddings, all or a whole"),
    ],
)
def test_what_is_no_number_of_layers_is_told(save, load, options, message):
    with pytest.raises(ValueError, match=message):
        load(save("bert")[0], **options)


def test_a_backbone_from_nothing_has_nothing_to_keep(load):
    with pytest.raises(ValueError, match=r"model\.freeze: a backbone from nothing .* has nothing to keep"):
        load("null", model__tokenizer="sample", model__freeze="all")
