"""Pretrained encoders: weights bit by bit, and what is told about configurations and checkpoints that do not fit."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, PreTrainedModel

import models  # noqa: F401 (AutoModel learns of ours)
from models import MODELS
from models.backbone import empty_backbone
from models.pretrained import longest_input, pretrained_config
from models.relation import RelationConfig

# loading ----------------------------------------------------------------------------------------------------------


def test_pretrained_weights_are_the_files_bit_by_bit(save, load, family):
    """The outer model's own initialisation must not come after them."""
    folder, saved = save(family)
    weights = saved.state_dict()
    loaded = load(folder).backbone.state_dict()
    assert {name for name in weights if not name.startswith("pooler.")} == set(loaded)
    for name, tensor in loaded.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, weights[name]), name


def test_rows_for_markers_are_added_behind_the_pretrained_ones(save, load, family):
    folder, saved = save(family)
    model = load(folder, data__marker="typed")
    rows = saved.get_input_embeddings().weight
    embedding = model.backbone.get_input_embeddings().weight
    assert len(embedding) > len(rows)
    assert torch.equal(embedding[: len(rows)], rows)
    assert model.config.backbone is model.backbone.config
    assert model.config.backbone.vocab_size == len(embedding)


def test_the_head_is_initialised(save, load):
    head = load(save("bert")[0]).head
    assert 0.01 < head.dense.weight.std().item() < 0.03  # initializer_range 0.02
    assert not head.dense.bias.any()
    assert not head.out.bias.any()


def test_a_half_precision_checkpoint_is_trained_in_float32(save, load, family, tmp_path, packed, sequences):
    folder, saved = save(family, torch.bfloat16)
    model = load(folder).eval()
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, saved.state_dict()[name].float()), name
    model.save_pretrained(tmp_path / "best")
    opened = AutoModel.from_pretrained(tmp_path / "best")
    assert {parameter.dtype for parameter in opened.parameters()} == {torch.float32}
    with torch.no_grad():
        assert torch.equal(opened(packed(sequences)).logits, model(packed(sequences)).logits)


def test_missing_weights_are_named(save, load):
    folder, _ = save("bert")
    tensors = load_file(folder / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.warns(
        UserWarning, match=r"lacks 1 weights, which start at random: encoder\.layer\.1\.output\.dense\.weight"
    ):
        load(folder)


def test_a_whole_checkpoint_is_loaded_without_a_warning(save, load, family, recwarn):
    load(save(family)[0])
    assert not [warning for warning in recwarn if "model.backbone" in str(warning.message)]


# guards -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_longest_input_is_what_the_positions_allow(save, load, tiny_config, family, packed):
    """64 rows; 66 in the RoBERTa family, which starts counting behind its padding number."""
    folder, longest = save(family)[0], 64
    assert longest_input(tiny_config(family)) == longest
    model = load(folder, data__max_length=longest).eval()
    assert torch.isfinite(model(packed([[2, *[7] * (longest - 2), 3]])).logits).all()
    with pytest.raises(
        ValueError, match=rf"data\.max_length: {longest + 1} tokens, but .* has positions for {longest}"
    ):
        load(folder, data__max_length=longest + 1)


def test_a_model_that_forgot_post_init_is_told(save, load, monkeypatch):
    class Forgetful(PreTrainedModel):
        config_class = RelationConfig

        def __init__(self, config):
            super().__init__(config)
            self.backbone = empty_backbone(config.backbone)

    monkeypatch.setitem(MODELS, "forgetful", Forgetful)
    with pytest.raises(ValueError, match=r"model\.name: Forgetful\.__init__ does not end with self\.post_init\(\)"):
        load(save("bert")[0], model__name="forgetful")


def test_what_is_no_model_is_told(tmp_path, save, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name, message in [("empty", "has no config.json"), ("file", "is a file, expected a folder or a hub name")]:
        with pytest.raises(ValueError, match=rf"model\.backbone: .*{name} {message}"):
            pretrained_config(str(tmp_path / name), 64)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ValueError, match=r"model\.backbone: no-one/has-this is no folder here, .*hf download no-one/has-this"
    ):
        pretrained_config("no-one/has-this", 64)


def test_a_folder_without_weights_is_told(save, load):
    folder, _ = save("bert")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"model\.backbone: the folder .* has no weights"):
        load(folder)


def test_weights_that_were_cut_off_are_told(save, load):
    folder, _ = save("bert")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"model\.backbone: the folder .* cannot be loaded \("):
        load(folder)
