"""Weights under two names are refused when a model is built, and first weights that post_init overwrites are told."""

import warnings

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from engine.compose.model import new_model
from models.backbone import empty_backbone
from models.first_weights import build_watched, one_name_each
from models.heads import HEADS
from models.pooling import POOLINGS
from models.relation import RelationConfig, RelationModel

CLASSES, HIDDEN = 5, 32


class Own(PreTrainedModel):
    """A model as docs/extending.md has it; `parts` and `below` stand for what its author writes."""

    config_class = RelationConfig

    def __init__(self, config):
        super().__init__(config)
        self.backbone = empty_backbone(config.backbone)
        self.out = nn.Linear(HIDDEN, CLASSES)
        self.norm = nn.LayerNorm(HIDDEN)
        self.parts()
        self.post_init()
        self.below()

    def parts(self) -> None:
        """Nothing here."""

    def below(self) -> None:
        """Nothing here."""


class TiedConfig(RelationConfig):
    tie_word_embeddings: bool = True


def made(tiny_config, base: type = Own, **methods) -> tuple[PreTrainedModel, list[str]]:
    """The model whose class has these methods, and what was told of it."""
    kind = type("Mine", (base,), methods)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = new_model(kind, kind.config_class(backbone=tiny_config("bert"), classes=CLASSES))
    return model, [str(one.message) for one in caught if "model." in str(one.message)]


# two names --------------------------------------------------------------------------------------------------------


def alias(model):
    model.encoder = model.backbone.encoder


def shared_weight(model):
    model.again = nn.Linear(HIDDEN, CLASSES)
    model.again.weight = model.out.weight


def same_layer_twice(model):
    model.stack = nn.ModuleList([nn.Linear(HIDDEN, HIDDEN)] * 3)


def part_of_another(model):
    model.upper = nn.Parameter(model.out.weight.data[:2])


def shared_buffer(model):
    model.register_buffer("prior", torch.ones(CLASSES))
    model.register_buffer("other", model.prior)


@pytest.mark.parametrize(
    "edit, what, names",
    [
        (alias, "the module", ("backbone.encoder", "encoder")),
        (shared_weight, "the weight", ("out.weight", "again.weight")),
        (same_layer_twice, "the module", ("stack.0", "stack.1")),
        (part_of_another, "the weight", ("upper", "out.weight")),
        (shared_buffer, "the weight", ("prior", "other")),
    ],
)
def test_what_has_two_names_is_refused_with_both(tiny_config, edit, what, names):
    with pytest.raises(ValueError) as error:
        made(tiny_config, parts=edit)
    message = str(error.value)
    assert message.startswith(f"model.name: Mine has {what} ")
    words = message.split(", and a checkpoint holds")[0].removeprefix(f"model.name: Mine has {what} ")
    assert words.split(" under a second name, ") == [*names]


def test_the_way_out_that_the_message_names_is_one(tiny_config):
    with pytest.raises(ValueError, match=r'_tied_weights_keys = \{"again.weight": "out.weight"\} in the class, tie_'):
        made(tiny_config, parts=shared_weight)
    declared = {"_tied_weights_keys": {"again.weight": "out.weight"}, "config_class": TiedConfig}
    model, told = made(tiny_config, parts=shared_weight, **declared)
    assert model.out.weight is model.again.weight
    assert told == []


def apart(model):
    """No weights, other halves of one storage, what is saved nowhere, and a list that is no module."""
    activation = nn.GELU()
    model.first, model.second = nn.Sequential(model_linear(), activation), nn.Sequential(model_linear(), activation)
    whole = torch.randn(4, HIDDEN)
    model.upper, model.lower = nn.Parameter(whole[:2]), nn.Parameter(whole[2:])
    model.register_buffer("numbers", torch.arange(3), persistent=False)
    model.register_buffer("same", model.numbers, persistent=False)
    model.empty, model.void = nn.Parameter(torch.zeros(0)), nn.Parameter(torch.zeros(0))
    model.known = [model.backbone.encoder]


def model_linear() -> nn.Linear:
    return nn.Linear(HIDDEN, HIDDEN)


def test_what_shares_no_saved_weight_passes(tiny_config):
    assert made(tiny_config, parts=apart)[1] == []


def test_a_backbone_that_is_put_in_later_is_looked_at_too(save, load, monkeypatch):
    def put_backbone(self, backbone):
        self.backbone, self.encoder = backbone, backbone.encoder

    kind = type("Late", (Own,), {"put_backbone": put_backbone})
    monkeypatch.setitem(__import__("models").MODELS, "late", kind)
    with pytest.raises(ValueError, match=r"has the module (backbone\.)?encoder under a second name, (backbone\.)?enc"):
        load(save("bert")[0], model__name="late")


def test_a_declared_tie_is_to_the_pretrained_backbone(save, load, monkeypatch):
    def tied_parts(self):
        self.words = nn.Linear(HIDDEN, self.config.backbone.vocab_size, bias=False)

    keys = {"words.weight": "backbone.embeddings.word_embeddings.weight"}
    kind = type("Words", (Own,), {"parts": tied_parts, "_tied_weights_keys": keys, "config_class": TiedConfig})
    monkeypatch.setitem(__import__("models").MODELS, "words", kind)
    folder, backbone = save("bert")
    model = load(folder, model__name="words", data__marker="typed", data__types="[PER]")
    assert model.words.weight is model.backbone.embeddings.word_embeddings.weight
    old = backbone.embeddings.word_embeddings.weight
    assert torch.equal(model.words.weight[: len(old)], old)
    assert len(model.words.weight) == len(old) + 4


# lost first weights -----------------------------------------------------------------------------------------------


def in_place(model):
    nn.init.constant_(model.out.bias, -2.0)


def drawn(model):
    nn.init.xavier_uniform_(model.out.weight)


def through_data(model):
    model.out.weight.data.normal_(0, 0.3)


def without_gradient(model):
    with torch.no_grad():
        model.out.bias.copy_(torch.arange(CLASSES))


def new_parameter(model):
    model.out.bias = nn.Parameter(torch.linspace(-1, 1, CLASSES))


def helper(model):
    layer = nn.Linear(HIDDEN, HIDDEN)
    nn.init.orthogonal_(layer.weight)
    model.turned = layer


def inside_a_part(model):
    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(HIDDEN, HIDDEN)
            nn.init.eye_(self.dense.weight)

    model.part = Part()


def vectors(model):
    model.words = nn.Embedding.from_pretrained(torch.randn(7, HIDDEN), freeze=False)


def norm(model):
    model.norm.weight.data.fill_(0.1)


def statistics(model):
    model.scaled = nn.BatchNorm1d(HIDDEN)
    model.scaled.running_mean.copy_(torch.arange(HIDDEN))


def own_norm(model):
    class TinyLayerNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.full((HIDDEN,), 0.1))

    model.tiny = TinyLayerNorm()


LOST = {
    in_place: "out.bias", drawn: "out.weight", through_data: "out.weight", without_gradient: "out.bias",
    new_parameter: "out.bias", helper: "turned.weight", inside_a_part: "part.dense.weight", vectors: "words.weight",
    norm: "norm.weight", statistics: "scaled.running_mean", own_norm: "tiny.weight",
}  # fmt: skip


@pytest.mark.parametrize("edit, name", LOST.items(), ids=[edit.__name__ for edit in LOST])
def test_first_weights_above_post_init_are_told_by_name(tiny_config, edit, name):
    message = (
        f"model.name: Mine.__init__ sets {name} above self.post_init(), which draws them anew: what was set is lost; "
        "set it below that line"
    )
    _, told = made(tiny_config, parts=edit)
    assert told == [message]


def test_they_are_kept_and_nothing_is_told_where_they_are_set_below(tiny_config):
    edits = [in_place, drawn, helper, inside_a_part, vectors, norm, statistics, own_norm]

    def below(model):
        for edit in edits:
            edit(model)

    model, told = made(tiny_config, below=below)
    assert told == []
    assert model.out.bias.tolist() == [-2.0] * CLASSES
    assert torch.equal(model.part.dense.weight, torch.eye(HIDDEN))


def of_torch(model):
    """What torch's own classes draw, some of them for the layers inside them."""
    model.attention = nn.MultiheadAttention(HIDDEN, 2)
    model.layer = nn.TransformerEncoderLayer(HIDDEN, 2, 48)
    model.whole = nn.Transformer(HIDDEN, 2, 1, 1, 48)
    model.lstm, model.gru, model.cell = nn.LSTM(HIDDEN, 8), nn.GRU(HIDDEN, 8), nn.GRUCell(HIDDEN, 8)
    model.conv, model.back = nn.Conv1d(HIDDEN, 4, 3), nn.ConvTranspose1d(HIDDEN, 4, 3)
    model.two, model.table = nn.Bilinear(HIDDEN, HIDDEN, 2), nn.Embedding(9, HIDDEN, padding_idx=0)
    model.group, model.batch, model.rms = nn.GroupNorm(2, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.RMSNorm(HIDDEN)
    model.weighed = nn.utils.parametrizations.weight_norm(nn.Linear(HIDDEN, HIDDEN))
    model.prelu, model.raw = nn.PReLU(), nn.Parameter(torch.randn(3))
    model.unwritten = nn.Parameter(torch.full((3,), torch.nan))


def own_drawing(self, module):
    """What transformers asks of models with parameters of their own."""
    PreTrainedModel._init_weights(self, module)
    if module is self:
        nn.init.normal_(self.raw)
        nn.init.zeros_(self.unwritten)


@pytest.mark.parametrize("more", [{}, {"_init_weights": own_drawing}], ids=["as it comes", "with drawing of its own"])
def test_what_torch_draws_is_nobodys_first_weight(tiny_config, more):
    assert made(tiny_config, parts=of_torch, **more)[1] == []


@pytest.mark.parametrize("pooling, head", [*((p, "mlp") for p in POOLINGS), *(("cls", head) for head in HEADS)])
def test_no_pooling_or_head_of_ours_is_told_of(tiny_config, recwarn, pooling, head):
    config = RelationConfig(
        backbone=tiny_config("bert"), pooling=pooling, head=head, classes=CLASSES, entity_embeddings=["role", "type"],
        entity_types=3, pooling_options={"mix": "learned", "layers": 2} if pooling == "last_layers" else {},
    )  # fmt: skip
    model, lost = build_watched(RelationModel, config)
    assert lost == []
    one_name_each(model)


def test_watching_changes_no_weight_and_leaves_nothing_behind(tiny_config, family):
    classes = [RelationModel, nn.Linear, nn.Embedding, nn.LSTM, nn.MultiheadAttention]
    before = [dict(vars(kind)) for kind in classes]
    weights = []
    for build in (RelationModel, lambda config: build_watched(RelationModel, config)[0]):
        torch.manual_seed(3)
        weights.append(build(RelationConfig(backbone=tiny_config(family), classes=CLASSES)).state_dict())
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    assert [dict(vars(kind)) for kind in classes] == before


def test_a_model_that_cannot_be_built_leaves_nothing_behind(tiny_config):
    def parts(model):
        raise RuntimeError("somebody's mistake")

    before = nn.Linear.reset_parameters
    with pytest.raises(RuntimeError, match="somebody's mistake"):
        made(tiny_config, parts=parts)
    assert nn.Linear.reset_parameters is before
    assert "init_weights" not in vars(Own)


def test_a_head_that_grows_on_ours_below_its_post_init_keeps_what_is_set(tiny_config):
    """RelationModel ends with post_init; a subclass adds to it and calls it once more."""

    def __init__(self, config):  # noqa: N807 (it becomes a method)
        RelationModel.__init__(self, config)
        nn.init.constant_(self.head.out.bias, -1.0)  # below the first one: kept
        self.extra = nn.Linear(HIDDEN, CLASSES)
        nn.init.constant_(self.extra.bias, -1.0)  # above the second one: lost
        self.post_init()

    model, told = made(tiny_config, RelationModel, __init__=__init__)
    assert model.head.out.bias.tolist() == [-1.0] * CLASSES
    assert ["extra.bias" in one and "head.out" not in one for one in told] == [True]
