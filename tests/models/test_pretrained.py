"""Pretrained encoders: weights bit by bit, and what is told about configurations and checkpoints that do not fit."""

import json
import re
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModel, AutoTokenizer, BertForMaskedLM, DistilBertConfig, PreTrainedModel

import models  # noqa: F401 (AutoModel learns of ours)
from data import sample
from engine.arguments.parse import parse
from engine.compose.model import make_encoder, make_model
from models import MODELS
from models.backbone import empty_backbone
from models.overrides import ARCHITECTURE, override
from models.pretrained import longest_input, pretrained_config
from models.relation import RelationConfig, RelationModel
from models.tokens import wordpiece_tokenizer
from train import main


def dropouts(model: nn.Module) -> set[float]:
    return {module.p for module in model.modules() if isinstance(module, nn.Dropout)}


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


def test_an_override_is_used_and_an_unknown_one_refused(save, load):
    folder, _ = save("bert")
    model = load(folder, model__overrides__hidden_dropout_prob=0.35)
    assert model.config.backbone.hidden_dropout_prob == 0.35
    assert dropouts(model.backbone) == {0.1, 0.35}
    with pytest.raises(ValueError, match=r"dropuot: .*\(bert\) has no such key that could be set$"):
        load(folder, model__overrides__dropuot=0.35)


def test_an_override_is_nearer_than_the_common_dropout(save, load):
    model = load(save("bert")[0], model__dropout=0, model__overrides__hidden_dropout_prob=0.35)
    assert dropouts(model.backbone) == {0.0, 0.35}
    assert dropouts(model.head) == {0.0}


@pytest.mark.parametrize("key", ARCHITECTURE)
def test_keys_that_would_need_other_weights_are_refused(tiny_config, key):
    with pytest.raises(ValueError, match=rf"^model\.overrides\.{key}: 2 would not fit the weights of x, which has"):
        override(tiny_config("electra"), {key: 2}, "x", RelationConfig)


@pytest.mark.parametrize("key", ["dim", "n_layers", "n_heads", "hidden_size"])
def test_sizes_are_refused_under_the_names_of_other_families(key):
    with pytest.raises(ValueError, match=rf"^model\.overrides\.{key}: 2 would not fit the weights"):
        override(DistilBertConfig(), {key: 2}, "x", RelationConfig)


WRONG = {
    "hidden_dropout_prob": ("abc", "got 'abc', expected a share from 0 to below 1, as 0.1 is"),
    "attention_probs_dropout_prob": (1.0, "got 1.0, expected a share from 0 to below 1, as 0.1 is"),
    "classifier_dropout": (-0.1, "got -0.1, expected a share from 0 to below 1, as None is"),
    "layer_norm_eps": ("1e-5", "got '1e-5', expected a value such as 1e-12, which it replaces"),
    "initializer_range": (True, "got True, expected a value such as 0.02, which it replaces"),
    "chunk_size_feed_forward": (0.5, "got 0.5, expected a value such as 0, which it replaces"),
    "hidden_act": ("gelo", "got 'gelo', expected one of "),
    "hidden_size": (16, "16 would not fit the weights of x, which has 32; only settings such as dropout"),
    "dtype": ("float16", "is decided by train.precision"),
    "pooling": ("cls", "is decided by model.pooling"),
    "return_dict": (False, "the configuration of x (bert) has no such key that could be set"),
    "to_dict": (1, "the configuration of x (bert) has no such key that could be set"),
    "hidden_dropout": (0.1, "has no such key that could be set; did you mean hidden_dropout_prob?"),
}


def test_all_wrong_overrides_are_told_at_once_and_nothing_is_set(tiny_config):
    config = tiny_config("bert")
    before = config.to_dict()
    with pytest.raises(ValueError) as error:
        override(config, {"tie_word_embeddings": False} | {k: v for k, (v, _) in WRONG.items()}, "x", RelationConfig)
    lines = str(error.value).splitlines()
    assert len(lines) == len(WRONG)
    for line, (key, (_, message)) in zip(lines, WRONG.items(), strict=True):
        assert line.startswith(f"model.overrides.{key}: ")
        assert message in line
    assert config.to_dict() == before


def test_right_overrides_are_set(tiny_config):
    config = tiny_config("bert")
    right = {
        "hidden_dropout_prob": 0, "classifier_dropout": 0.3, "layer_norm_eps": 1e-5, "hidden_act": "relu",
        "chunk_size_feed_forward": 2, "initializer_range": 1,
    }  # fmt: skip
    assert override(config, right, "x", RelationConfig) == {}
    assert {key: getattr(config, key) for key in right} == right
    assert override(tiny_config("bert"), {"classifier_dropout": None}, "x", RelationConfig) == {}


class GatedConfig(RelationConfig):
    model_type = "gated_for_a_test"
    gate: float = 0.5
    gate_kind: str = "scalar"


class Gated(RelationModel):
    config_class = GatedConfig


def test_keys_that_only_the_model_declares_are_its_own(save, load, monkeypatch):
    monkeypatch.setitem(MODELS, "gated", Gated)
    folder = save("bert")[0]
    model = load(folder, model__name="gated", model__overrides="{gate: 0.75, hidden_dropout_prob: 0.2}")
    assert (model.config.gate, model.config.gate_kind) == (0.75, "scalar")
    assert model.config.backbone.hidden_dropout_prob == 0.2
    assert not hasattr(model.config.backbone, "gate")
    with pytest.raises(ValueError, match=r"^model\.overrides\.gate: got 'a', expected a value such as 0\.5"):
        load(folder, model__name="gated", model__overrides__gate="a")
    with pytest.raises(ValueError, match=r"gate: the configuration of .* has no such key"):
        load(folder, model__overrides__gate=0.75)


# what a checkpoint holds ------------------------------------------------------------------------------------------


def told(folder, **given) -> tuple[list[str], list[str]]:
    """Warnings and lines for the summary."""
    options = {"model.backbone": folder, "data.marker": "none", "data.max_length": 64, "model.tokenizer": "null"}
    config, _, _ = parse([f"--{key}={value}" for key, value in (options | given).items()])
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tokenizer, _, new = make_encoder(config)
        make_model(config, tokenizer, new, 5, notes)
    return [str(one.message) for one in caught if "model." in str(one.message)], notes


def rewritten(folder, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file(change(tensors), folder / "model.safetensors", metadata={"format": "pt"})


def test_a_language_models_head_is_left_without_a_word_of_warning(save, load, tiny_config):
    folder, _ = save("bert")
    torch.manual_seed(0)
    BertForMaskedLM(tiny_config("bert")).save_pretrained(folder)
    warned, notes = told(folder)
    assert warned == []
    (line,) = notes
    assert re.fullmatch(rf"weights      37 tensors of {re.escape(str(folder))} as float32; without use: cls", line)


def test_layers_that_the_configuration_leaves_out_are_told(save, load):
    folder, _ = save("bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    warned, notes = told(folder)
    (line,) = warned
    assert re.search(
        r"16 weights of the encoder in .* are left out, .* does not ask for them: encoder\.layer\.1\.attention", line
    )
    assert "21 tensors" in notes[0]


def test_prefixed_layers_that_are_left_out_are_told_by_their_own_names(save, load, tiny_config):
    folder, _ = save("bert")
    BertForMaskedLM(tiny_config("bert")).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    assert "16 weights of the encoder" in told(folder)[0][0]


def test_weights_of_another_shape_are_refused_with_both(save, load):
    folder, _ = save("bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 40}))
    with pytest.raises(
        ValueError,
        match=r"model\.backbone: 6 weights of .* have another shape: encoder\.layer\.0\.intermediate\.dense\.bias "
        r"\(48,\) in the file, \(40,\) by config\.json, .*, \.\.\.$",
    ):
        load(folder)


def test_a_checkpoint_of_something_else_is_refused(save, load):
    """transformers loads it with a warning, and the run would train an encoder of random weights."""
    folder, _ = save("bert")
    rewritten(folder, lambda tensors: {f"module.model.{name}": tensor for name, tensor in tensors.items()})
    with pytest.raises(
        ValueError,
        match=r"none of the weights in .* belongs to its bert encoder; expected names such as .*, found module",
    ):
        load(folder)


def test_the_pooler_is_never_missed(save, load):
    folder, _ = save("bert")
    rewritten(folder, lambda tensors: {n: t for n, t in tensors.items() if not n.startswith("pooler")})
    assert told(folder)[0] == []


@pytest.mark.parametrize("dtype, name", [(torch.float16, "float16"), (torch.bfloat16, "bfloat16")])
def test_half_precision_is_told_in_the_summary(save, load, dtype, name):
    folder, _ = save("bert", dtype)
    warned, notes = told(folder)
    assert warned == []
    assert f" as float32 ({name} in the file)" in notes[0]


def test_added_tokens_are_told_in_the_summary(save, load):
    notes = told(save("bert")[0], **{"data.marker": "entity", "model.added_tokens": "[누리집]"})[1]
    assert notes[1] == "new tokens   5, 0 of them in spare slots"


@torch.no_grad()
def test_a_saved_pooler_is_read_again(save, load, tmp_path, recwarn):
    folder, _ = save("bert")
    model = load(folder, model__pooling="pooler", model__entity_embeddings="[role]")
    model.pool.pooler.dense.weight.normal_()
    model.save_pretrained(tmp_path / "best")
    AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path / "best")
    again = load(tmp_path / "best", model__pooling="pooler")
    assert torch.equal(again.pool.pooler.dense.weight, model.pool.pooler.dense.weight)
    assert not [warning for warning in recwarn if "model.backbone" in str(warning.message)]


def test_a_run_prints_what_it_read_and_its_best_is_a_backbone(folder, capsys, tiny_config):
    config = tiny_config("bert")
    tokenizer = wordpiece_tokenizer(sample.vocabulary())  # with 20 spare slots
    config.vocab_size, config.pad_token_id = len(tokenizer), tokenizer.pad_token_id
    path = str(folder.path / "backbone")
    AutoModel.from_config(config).to(torch.float16).save_pretrained(path)
    tokenizer.save_pretrained(path)
    words = ["--data.max_length", "64", "--data.marker", "typed", "--model.added_tokens", "[누리건설]"]
    words += ["--data.dev", "null", "--run.threads", "1"]
    assert main(folder.command("--model.backbone", path, "--model.tokenizer", "null", *words)) == 0
    said = capsys.readouterr().out
    assert f"\nweights      37 tensors of {path} as float32 (float16 in the file)\n" in said
    assert "\nnew tokens   25, 20 of them in spare slots\n" in said

    best = str(folder.runs / "try" / "best")
    second = folder.command("--model.backbone", best, "--model.tokenizer", "null", *words, "--run.name", "again")
    assert main(second) == 0
    said = capsys.readouterr().out
    assert "37 tensors of" in said
    assert "new tokens" not in said


def test_old_checkpoints_can_be_read(save, load):
    folder, saved = save("bert")
    (folder / "model.safetensors").unlink()
    torch.save(saved.state_dict(), folder / "pytorch_model.bin")
    model = load(folder)
    assert torch.equal(model.backbone.get_input_embeddings().weight, saved.get_input_embeddings().weight)


# code of others ---------------------------------------------------------------------------------------------------

CODE = "from pathlib import Path\nPath({ran!r}).touch()\nclass Config: pass\nclass Model: pass\n"
AUTO_MAP = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}


def with_code(folder, ran, **config) -> None:
    (folder / "code.py").write_text(CODE.format(ran=str(ran)))
    before = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(before | config | {"auto_map": AUTO_MAP}))


def test_a_model_that_needs_code_of_its_own_is_refused_and_runs_none(save, load, tmp_path):
    folder, _ = save("bert")
    with_code(folder, tmp_path / "ran", model_type="somebodys-own")
    with pytest.raises(ValueError) as error:
        load(folder)
    assert str(error.value) == (
        f"model.backbone: the folder {folder} cannot be loaded (it needs Python code of its own, named by auto_map, "
        "and such code is never run here)"
    )
    assert not (tmp_path / "ran").exists()


def test_code_beside_a_known_model_is_told_and_not_run(save, load, tmp_path):
    folder, saved = save("bert")
    with_code(folder, tmp_path / "ran")
    with pytest.warns(UserWarning, match=r"names code of its own \(code\.Config, code\.Model\), which is never run"):
        model = load(folder)
    assert not (tmp_path / "ran").exists()
    assert torch.equal(model.backbone.get_input_embeddings().weight, saved.get_input_embeddings().weight)


def test_a_tokenizer_of_its_own_code_is_not_run(save, load, tmp_path):
    folder, _ = save("bert")
    (folder / "code.py").write_text(CODE.format(ran=str(tmp_path / "ran")))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"auto_map": {"AutoTokenizer": ["code.Config", None]}, "tokenizer_class": "Config"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.warns(
        UserWarning, match=r"^model\.tokenizer: .* names code of its own .*code\.Config.* never run here"
    ):
        load(folder)
    assert not (tmp_path / "ran").exists()


# lengths and folders ----------------------------------------------------------------------------------------------


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
