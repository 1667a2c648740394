"""Encoders with layers and attention of their own: one sentence at a time gives what a batch gives, or a message."""

import pytest
import torch
from transformers import AutoConfig

from models.backbone import hidden_states
from models.packing import check_runs, choose_attention
from models.relation import RelationConfig, RelationModel

CPU = torch.device("cpu")
SIZES = {
    "vocab_size": 40, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48,
    "pad_token_id": 1, "max_position_embeddings": 80,
}  # fmt: skip
OWN_LAYERS = {
    "luke": {"entity_vocab_size": 8, "entity_emb_size": 16},
    "visual_bert": {"visual_embedding_dim": 16},
    "lilt": {},
    "tapas": {},
}
READ_PADDING = {
    "mobilebert": {"embedding_size": 16, "intra_bottleneck_size": 48, "true_hidden_size": 48},
    "convbert": {"embedding_size": 16, "head_ratio": 1},
    "fnet": {},
    "nystromformer": {},
    "yoso": {},
}


def made(kind: str, sizes: dict, **options) -> RelationModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **SIZES | sizes)
    for key in [key for key in config.to_dict() if "dropout" in key]:
        setattr(config, key, 0.0)
    options = {"head_options": {"dropout": 0.0}} | options
    model = RelationModel(RelationConfig(backbone=config, classes=5, **options))
    with torch.no_grad():  # weights near 0 would hide what is wrong
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize("kind", OWN_LAYERS)
def test_layers_that_know_no_keyword_of_ours(kind, packed, sequences):
    """LUKE and VisualBERT ended in a TypeError of their last layer."""
    model = made(kind, OWN_LAYERS[kind], pooling="cls")
    way, why = choose_attention(model.backbone, "auto", CPU, torch.float32)
    assert (way, why) == ("padded", f"{kind} has an attention of its own")
    check_split(model, packed, sequences)


@pytest.mark.parametrize("kind", READ_PADDING)
@pytest.mark.parametrize("options", [{}, {"pooling": "last_layers", "pooling_options": {"layers": 2, "over": "mean"}}])
def test_encoders_that_read_padding_never_see_it(kind, options, packed, sequences):
    model = made(kind, READ_PADDING[kind], **options)
    batch = packed(sequences)
    with torch.no_grad():
        before = model(batch).logits
        expected = torch.cat([model(packed([tokens])).logits for tokens in sequences])
        assert (before - expected).abs().max() > 1e-4, "padding would be read"
    way, why = choose_attention(model.backbone, "auto", CPU, torch.float32)
    assert way == "padded"
    assert why.startswith(f"{kind} reads padding, which changes its states by up to ")
    check_split(model, packed, [*sequences, sequences[1], sequences[0]])


def check_split(model: RelationModel, packed, sequences) -> None:
    """Logits and gradient do not depend on who sits beside a sentence."""
    together = model(packed(sequences)).logits
    together.square().sum().backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    for row, tokens in enumerate(sequences):
        alone = model(packed([tokens])).logits
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=0)
        alone.square().sum().backward()
    largest = max(gradient.abs().max().item() for gradient in gradients.values())
    for name, parameter in model.named_parameters():
        if name in gradients:
            torch.testing.assert_close(gradients[name], parameter.grad, atol=1e-5 * largest, rtol=1e-3, msg=name)


@torch.no_grad()
def test_sentences_of_one_length_with_a_second_segment_and_something_added(packed, sequences):
    model = made("mobilebert", READ_PADDING["mobilebert"])
    choose_attention(model.backbone, "auto", CPU, torch.float32)
    second = [3, 10, 2, 7, 20]
    batch = packed(sequences, second)
    added = torch.randn(len(batch.tokens), 16)
    states = hidden_states(model.backbone, batch, added)
    for row, tokens in enumerate(sequences):
        here = slice(int(batch.offsets[row]), int(batch.offsets[row + 1]))
        kinds = torch.tensor([[int(place >= second[row]) for place in range(len(tokens))]])
        embedded = model.backbone.get_input_embeddings()(torch.tensor([tokens])) + added[here]
        expected = model.backbone(inputs_embeds=embedded, token_type_ids=kinds).last_hidden_state[0]
        torch.testing.assert_close(states[here], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "kind, sizes, told",
    [
        ("mra", {}, r"in mra no token sees another here: its attention needs a kernel of its own"),
        ("bros", {}, r"bros does not run on the tokens of a sentence alone \(ValueError: You have to specify bbox"),
        ("nystromformer", {"num_landmarks": 8}, r"nystromformer does not run on the tokens .* \(RuntimeError: shape"),
    ],
)
def test_what_cannot_run_ends_with_one_message(kind, sizes, told):
    model = made(kind, sizes)
    with pytest.raises(ValueError, match=rf"^model\.backbone: {told}") as error:
        choose_attention(model.backbone, "auto", CPU, torch.float32)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError):
        check_runs(model.backbone)


@pytest.mark.parametrize("kind, found", [("ibert", "QuantEmbedding"), ("canine", "no table")])
def test_embeddings_that_take_no_new_rows_end_with_one_message(kind, found):
    told = rf"^model\.backbone: {kind} embeds its tokens in a way of its own \({found}\)"
    for options in ({}, {"entity_embeddings": ["role"]}):
        with pytest.raises(ValueError, match=told):
            made(kind, {}, **options)
