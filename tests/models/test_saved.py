"""Saved models opened again: bit-equal, with what no file holds, and in forms that other versions wrote."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

import models  # noqa: F401 (AutoModel learns of ours)
from models.backbone import empty_backbone
from models.relation import RelationConfig, RelationModel
from models.saved import open_saved


class KeptConfig(RelationConfig):
    model_type = "kept_for_a_test"
    tie_word_embeddings: bool = True
    step: float = 0.5


class Kept(PreTrainedModel):
    """What a model may hold besides parameters."""

    config_class = KeptConfig
    _tied_weights_keys = {"again.weight": "out.weight"}  # noqa: RUF012 (the name and form are transformers')

    def __init__(self, config):
        super().__init__(config)
        self.backbone = empty_backbone(config.backbone)
        self.out, self.again = nn.Linear(32, config.classes), nn.Linear(32, config.classes)
        self.register_buffer("table", config.step * torch.arange(4000.0), persistent=False)
        self.register_buffer("counts", torch.ones(config.classes))
        self.scales = torch.arange(3000.0)
        self.last = self.scales[-1].item()  # no such number without memory
        self.post_init()


@pytest.fixture
def kept(tiny_config, tmp_path):
    """A trained one, and the folder it was saved in."""
    AutoConfig.register(KeptConfig.model_type, KeptConfig, exist_ok=True)
    AutoModel.register(KeptConfig, Kept, exist_ok=True)
    torch.manual_seed(1)
    model = Kept(KeptConfig(backbone=tiny_config("bert"), classes=5, step=0.25))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
        model.counts.copy_(torch.arange(5))
    model.save_pretrained(tmp_path / "kept")
    return model, tmp_path / "kept"


def test_all_that_a_model_holds_comes_back(kept):
    model, folder = kept
    opened, missing = open_saved(folder)
    assert missing == []
    assert not opened.training
    assert opened.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, opened.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(opened.table, 0.25 * torch.arange(4000.0))
    assert torch.equal(opened.scales, torch.arange(3000.0))
    assert opened.last == 2999
    assert opened.again.weight is opened.out.weight


def test_nothing_is_drawn_from_the_generator(kept):
    torch.manual_seed(2)
    before = torch.get_rng_state()
    open_saved(kept[1])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", ["10KB", "10GB"], ids=["several files", "one file"])
def test_a_model_in_several_files(tiny_config, family, tmp_path, size):
    torch.manual_seed(4)
    model = RelationModel(RelationConfig(backbone=tiny_config(family), classes=5))
    model.save_pretrained(tmp_path, max_shard_size=size)
    assert (len([*tmp_path.glob("*.safetensors")]) > 1) == (size == "10KB")
    opened, missing = open_saved(tmp_path)
    assert missing == []
    assert all(torch.equal(tensor, opened.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.data_ptr() % 64 == 0 for parameter in opened.parameters())


def test_what_is_missing_is_named_and_what_is_more_does_no_harm(tiny_config, tmp_path):
    model = RelationModel(RelationConfig(backbone=tiny_config("bert"), classes=5))
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["more"] = torch.ones(2)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    opened, missing = open_saved(tmp_path)
    assert missing == []
    assert torch.equal(opened.head.out.weight, model.head.out.weight)
    del tensors["head.out.bias"]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert open_saved(tmp_path)[1] == ["head.out.bias"]


def test_names_that_transformers_knows_how_to_change(tiny_config, tmp_path):
    """gamma and beta, as BERT's first files have them."""
    model = RelationModel(RelationConfig(backbone=tiny_config("bert"), classes=5))
    with torch.no_grad():
        model.backbone.embeddings.LayerNorm.weight.fill_(3)
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    renamed = {k.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for k, tensor in tensors.items()}
    assert renamed.keys() != tensors.keys()
    save_file(renamed, tmp_path / "model.safetensors", metadata={"format": "pt"})
    opened, missing = open_saved(tmp_path)
    assert missing == []
    assert opened.backbone.embeddings.LayerNorm.weight.unique().tolist() == [3]


def test_another_shape_is_an_error(tiny_config, tmp_path):
    RelationModel(RelationConfig(backbone=tiny_config("bert"), classes=5)).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"classes": 6}))
    with pytest.raises(RuntimeError, match="size"):
        open_saved(tmp_path)
