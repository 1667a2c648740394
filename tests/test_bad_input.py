"""Bad options, files and folders: exit code 2, one message that names the place, and nothing left behind.

What can be wrong inside a data file is in test_bad_rows.py.
"""

import json
import sys
from pathlib import Path

import pytest

from conftest import NOWHERE
from refusals import refused, refused_process
from train import main

SMALL = {
    "model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8,
    "vocab_size": 5000, "max_position_embeddings": 40,
}  # fmt: skip


def test_the_good_command_trains(folder, capsys):
    """Everything below is this command with one thing spoiled."""
    assert main(folder.command()) == 0
    assert folder.report()["updates"] == 1
    assert folder.report()["skipped_rows"] == []
    assert "error" not in capsys.readouterr().err


@pytest.mark.parametrize("key", ["data.train", "data.dev"])
@pytest.mark.parametrize(
    "name, fragment",
    [("nowhere.json", "no file"), ("", "is a folder, expected a file"), ("train.json/x", "cannot read")],
)
def test_file_that_cannot_be_read(folder, capsys, key, name, fragment):
    refused(folder, capsys, [f"--{key}", str(folder.path / name)], [f"{key}: ", fragment, str(folder.path)])


def test_entities_that_do_not_fit(folder, capsys):
    refused(
        folder, capsys, ["--data.max_length", "12"], ["train.json, row 1", "take 14 tokens", "data.max_length 12", "10"]
    )


# configuration: arguments, fragments
OPTIONS = {
    "unknown key": (["--train.epoch", "3"], ["train.epoch: unknown key; did you mean train.epochs?"]),
    "unknown key far from all": (["--track.zzz", "3"], ["track.zzz: unknown key; keys of track: track.tensorboard"]),
    "unknown section": (
        ["--trian.epochs", "3"],
        ["trian.epochs: unknown section 'trian'", "did you mean train.epochs?"],
    ),
    "key below a key": (["--train.epochs.x", "3"], ["train.epochs.x: unknown key"]),
    "wrong type": (["--train.epochs", "three"], ["train.epochs: got 'three', expected a whole number"]),
    "part of a number": (["--train.epochs", "1.5"], ["train.epochs: got '1.5', expected a whole number"]),
    "wrong optional type": (["--optim.lr", "fast"], ["optim.lr: got 'fast', expected a number or null"]),
    "wrong truth": (["--track.tensorboard", "maybe"], ["track.tensorboard: got 'maybe', expected true or false"]),
    "unknown choice": (
        ["--data.marker", "typed_punkt"],
        ["data.marker: got 'typed_punkt', expected one of none, entity, entity_punct, typed, typed_punct"],
    ),
    "unknown loss": (
        ["--loss.name", "cross_entropie"],
        ["loss.name: got 'cross_entropie', expected one of", "did you mean cross_entropy?"],
    ),
    "option of no loss": (["--loss.gama", "2"], ["loss.gama: unknown key"]),
    "unknown pooling": (
        ["--model.pooling", "entity_strat"],
        ["model.pooling: got 'entity_strat'", "did you mean entity_start?"],
    ),
    "unknown head": (["--model.head", "mlpp"], ["model.head: got 'mlpp', expected one of", "did you mean mlp?"]),
    "unknown model": (
        ["--model.name", "relations"],
        ["model.name: got 'relations', expected one of relation", "did you mean relation?"],
    ),
    "no value": (["--train.epochs"], ["train.epochs: no value after it"]),
    "no value before another": (["--train.epochs", "--run.seed", "1"], ["train.epochs: no value after it"]),
    "no option": (["train.epochs", "3"], ["train.epochs: not understood; options look like --train.epochs 3"]),
    "batch size 0": (["--train.batch_size", "0"], ["train.batch_size: got 0, expected 1 or more"]),
    "negative rate": (["--optim.lr", "-1"], ["optim.lr: got -1.0, expected a number above 0, or null"]),
    "warmup": (["--optim.warmup", "5"], ["optim.warmup: got 5.0, expected a share of the updates, 0 to 1"]),
    "short": (["--data.max_length", "7"], ["data.max_length: got 7, expected 8 to 65536"]),
    "name with a slash": (["--run.name", "a/b"], ["run.name: got 'a/b', expected a folder name without slashes"]),
    "heads": (["--model.scratch.heads", "3"], ["model.scratch.hidden_size 16", "model.scratch.heads 3"]),
    "negative label": (
        ["--data.negative_label", "no_realtion"],
        ["data.negative_label: 'no_realtion' is none of the labels no_relation, "],
    ),
    "label list": (
        ["--data.labels", "kleu"],
        ["data.labels: 'kleu' is neither one of klue, boostcamp, learned nor a file"],
    ),
    "no tokenizer": (["--model.tokenizer", "null"], ["model.tokenizer: ", "model.backbone null"]),
    "override without backbone": (
        ["--model.overrides.x", "1"],
        ["model.overrides: has no effect without model.backbone"],
    ),
    "no hub package": (["--data.train", "hub:klue/klue:re"], ["data.train: hub:klue/klue:re needs the extra", "[hub]"]),
    "no such sample": (["--data.train", "sample:test"], ["'test'", "'train'"]),
}


@pytest.mark.parametrize("arguments, fragments", OPTIONS.values(), ids=OPTIONS)
def test_bad_option(folder, capsys, monkeypatch, arguments, fragments):
    monkeypatch.setitem(sys.modules, "datasets", None)
    refused(folder, capsys, arguments, fragments)


def test_label_file_in_another_encoding(folder, capsys):
    path = folder.write("labels.txt", "없음\n가족\n".encode("cp949"))
    refused(folder, capsys, ["--data.labels", path], ["data.labels: ", path, "utf-8"])


def test_all_problems_are_told_at_once(folder, capsys):
    arguments = ["--train.epochs", "x", "--data.marker", "y", "--optim.lr", "z"]
    refused(folder, capsys, arguments, ["train.epochs: got 'x'", "data.marker: got 'y'", "optim.lr: got 'z'"])


# configuration files: content, fragments
FILES = {
    "broken": ("train: {epochs: 3\n", ["is no valid YAML", "line 2"]),
    "tabs": ("train:\n\tepochs: 3\n", ["is no valid YAML", "line 2"]),
    "list": ("- train\n", ["holds list, expected the sections run, data, model"]),
    "empty": ("", ["holds NoneType, expected the sections"]),
    "not utf-8": ("# 설정\n".encode("cp949"), ["cannot read"]),
    "section of a number": ("train: 3\n", ["section train", "is 3, expected keys and values"]),
    "unknown section": ("trian:\n  epochs: 3\n", ["trian.epochs: unknown section 'trian'"]),
    "unknown key": ("train:\n  epoch: 3\n", ["train.epoch: unknown key; did you mean train.epochs?"]),
    "unknown nested key": (
        "model:\n  scratch: {layer: 2}\n",
        ["model.scratch.layer: unknown key; did you mean model.scratch.layers?"],
    ),
    "wrong type": ("train:\n  epochs: three\n", ["train.epochs: got 'three', expected a whole number"]),
    "null": ("train:\n  epochs: null\n", ["train.epochs: got null, expected a whole number"]),
    "date": ("run:\n  dir: 2024-01-01\n", ["run.dir: got datetime.date(2024, 1, 1), expected a text"]),
    "list for a name": ("loss:\n  name: [focal]\n", ["loss.name: got ['focal'], expected one of"]),
    "dict for a name": ("loss:\n  name: {focal: 1}\n", ["loss.name: got {'focal': 1}, expected one of"]),
    "nested without end": ("[" * 5000, ["--config: "]),
    "unknown loss": ("loss:\n  name: focall\n", ["loss.name: got 'focall', expected one of"]),
}


@pytest.mark.parametrize("content, fragments", FILES.values(), ids=FILES)
def test_bad_configuration_file(folder, capsys, content, fragments):
    path = folder.write("conf.yaml", content)
    # what the file says must not be overridden by the command line
    arguments = ["--config", path, "--model.tokenizer", "sample", "--data.cache_dir", str(folder.path / "cache")]
    refused(folder, capsys, [], fragments, command=arguments)


@pytest.mark.parametrize("name, fragment", [("nowhere.yaml", "no file"), ("", "is a folder, expected a YAML file")])
def test_configuration_file_that_is_none(folder, capsys, name, fragment):
    refused(folder, capsys, ["--config", str(folder.path / name)], ["--config: ", fragment, str(folder.path)])


# backbones and tokenizers: files of the folder, more arguments, fragments
VOCABULARY = "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "가", "나"]) + "\n"
CONFIG = json.dumps(SMALL)
BACKBONES = {
    "configuration only": ({"config.json": CONFIG}, [], ["has no weights; expected a file such as model.safetensors"]),
    "no configuration": ({"vocab.txt": VOCABULARY}, [], ["has no config.json"]),
    "empty configuration": ({"config.json": "{}"}, [], []),
    "broken configuration": ({"config.json": "{"}, [], []),
    "too long": (
        {"config.json": CONFIG},
        ["--data.max_length", "41"],
        ["data.max_length: 41 tokens", "positions for 40"],
    ),
    "too long for RoBERTa": (
        {
            "config.json": json.dumps(
                SMALL | {"model_type": "roberta", "pad_token_id": 0, "max_position_embeddings": 41}
            )
        },
        ["--data.max_length", "41"],
        ["data.max_length: 41 tokens", "positions for 40"],
    ),
    "small vocabulary": (
        {"config.json": json.dumps(SMALL | {"vocab_size": 100})},
        [],
        ["model.tokenizer: it has", "100 rows"],
    ),
    "another width": (
        {"config.json": CONFIG},
        ["--model.overrides.hidden_size", "16"],
        ["model.overrides.hidden_size: 16", "which has 8"],
    ),
    "broken override": (
        {"config.json": CONFIG},
        ["--model.overrides.hidden_dropout_prob", "[0"],
        ["model.overrides.hidden_dropout_prob"],
    ),
    "no such setting": (
        {"config.json": CONFIG},
        ["--model.overrides.dropuot", "0"],
        ["model.overrides.dropuot", "has no such key"],
    ),
    "damaged weights": (
        {"config.json": CONFIG, "model.safetensors": "garbage"},
        [],
        ["cannot be loaded"],
    ),
    "damaged old weights": (
        {"config.json": CONFIG, "pytorch_model.bin": "garbage"},
        [],
        ["cannot be loaded"],
    ),
    "configuration of wrong types": ({"config.json": json.dumps(SMALL | {"hidden_size": "x"})}, [], ["hidden_size"]),
}


@pytest.mark.parametrize("files, arguments, fragments", BACKBONES.values(), ids=BACKBONES)
def test_bad_backbone_folder(folder, capsys, files, arguments, fragments):
    for name, content in files.items():
        folder.write(f"backbone/{name}", content)
    path = str(folder.path / "backbone")
    more = ["--data.max_length", "40"] if "--data.max_length" not in arguments else []
    refused(folder, capsys, ["--model.backbone", path, *more, *arguments], fragments or ["model.backbone: ", path])


def test_backbone_that_is_a_file(folder, capsys):
    path = folder.write("backbone.bin", "x")
    refused(folder, capsys, ["--model.backbone", path], ["model.backbone: ", path, "is a file, expected a folder"])


@pytest.mark.drill("R10")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("key", ["model.backbone", "model.tokenizer"])
def test_hub_that_cannot_be_reached(folder, capsys, key):
    arguments = [f"--{key}", "plainloop-nobody/no-such-model"]
    fragments = [
        "plainloop-nobody/no-such-model is no folder here",
        NOWHERE,
        "hf download plainloop-nobody/no-such-model",
    ]
    refused(folder, capsys, arguments, fragments)


TOKENIZERS = {
    "empty": {},
    "broken": {"tokenizer.json": "{", "config.json": CONFIG},
    "broken settings": {"tokenizer_config.json": "{", "vocab.txt": VOCABULARY},
    "no unknown token": {"tokenizer_config.json": '{"tokenizer_class": "BertTokenizer"}', "vocab.txt": "가\n나\n"},
}


@pytest.mark.parametrize("files", TOKENIZERS.values(), ids=TOKENIZERS)
def test_bad_tokenizer_folder(folder, capsys, files):
    path = folder.path / "tokenizer"
    path.mkdir()
    for name, content in files.items():
        folder.write(f"tokenizer/{name}", content)
    refused(folder, capsys, ["--model.tokenizer", str(path)], ["model.tokenizer: ", str(path)])


def test_missing_tokenizer_folder(folder, capsys):
    path = str(folder.path / "nowhere")
    refused(folder, capsys, ["--model.tokenizer", path], ["model.tokenizer: ", path])


def test_tokenizer_that_is_a_file(folder, capsys):
    path = folder.write("vocab.txt", VOCABULARY)
    refused(folder, capsys, ["--model.tokenizer", path], ["model.tokenizer: ", path, "is a file, expected a folder"])


# places that cannot be written, precision ---------------------------------------------------------------------------


@pytest.mark.drill("R12")
def test_run_folder_below_a_file(folder, capsys):
    path = folder.write("file", "x")
    refused(folder, capsys, ["--run.dir", path], ["run.dir: cannot write to", path, "Not a directory"])
    assert Path(path).read_text() == "x"


@pytest.mark.drill("R12")
def test_cache_below_a_file(folder, capsys):
    path = folder.write("file", "x") + "/cache"
    refused(folder, capsys, ["--data.cache_dir", path], ["data.cache_dir: cannot write", path, "Not a directory"])


def test_fp16_without_a_gpu(folder, capsys, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    refused(folder, capsys, ["--train.precision", "fp16"], ["train.precision: fp16 needs a GPU", "bf16"])


def test_precision_that_the_launcher_contradicts(folder, capsys, monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    refused(folder, capsys, ["--train.precision", "fp32"], ["train.precision: got 'fp32'", "--mixed_precision bf16"])


def test_precision_of_the_launcher_that_does_not_work_here(folder, capsys, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp16")
    refused(folder, capsys, [], ["train.precision: fp16 needs a GPU"])
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp8")
    refused(folder, capsys, [], ["train.precision: the launcher says fp8, expected fp32, bf16 or fp16"])


# as a process -------------------------------------------------------------------------------------------------------


@pytest.mark.drill("R10")
@pytest.mark.timeout(120)
def test_process_with_a_hub_that_cannot_be_reached(folder):
    arguments = ["--model.backbone", "plainloop-nobody/no-such-model"]
    fragments = ["model.backbone: plainloop-nobody/no-such-model is no folder here", NOWHERE]
    refused_process(folder, arguments, fragments, HF_ENDPOINT=NOWHERE, HF_HUB_OFFLINE="0")
