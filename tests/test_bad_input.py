"""Bad input and configuration: exit code 2, one message that names the place, and nothing left behind."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from train import main

ROOT = Path(__file__).resolve().parents[1]
NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port


def entity(sentence: str, word: str, kind: str) -> dict:
    start = sentence.index(word)
    return {"word": word, "start_idx": start, "end_idx": start + len(word) - 1, "type": kind}


def rows() -> list[dict]:
    facts = [
        ("가람은 나래의 형이다.", "가람", "PER", "나래", "PER", "per:siblings"),
        ("다온전자는 2003년에 설립되었다.", "다온전자", "ORG", "2003년", "DAT", "org:founded"),
        ("작가 마루는 소설 '새벽'을 지었다.", "마루", "PER", "새벽", "POH", "per:product"),
        ("하늘이 보라시를 방문했다.", "하늘", "PER", "보라시", "LOC", "no_relation"),
        ("보라시에 본사를 둔 누리건설이다.", "누리건설", "ORG", "보라시", "LOC", "org:place_of_headquarters"),
        ("누리건설의 대표는 소라이다.", "누리건설", "ORG", "소라", "PER", "org:top_members/employees"),
        ("소라는 다온전자에서 근무했다.", "소라", "PER", "다온전자", "ORG", "per:employee_of"),
        ("마루와 하늘은 함께 강연했다.", "마루", "PER", "하늘", "PER", "no_relation"),
    ]
    return [
        {"guid": f"줄-{n}", "sentence": text, "subject_entity": entity(text, subject, subject_type),
         "object_entity": entity(text, object, object_type), "label": label, "source": "시험"}
        for n, (text, subject, subject_type, object, object_type, label) in enumerate(facts, start=1)
    ]  # fmt: skip


def dumped(content) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


def with_row(number: int, **change) -> bytes:
    """The rows with number `number`, from 1, changed."""
    content = rows()
    content[number - 1] |= change
    return dumped(content)


def with_entity(number: int, role: str, **change) -> bytes:
    return with_row(number, **{role: rows()[number - 1][role] | change})


HEADER = "id,sentence,subject_entity,object_entity,label,source\n"
SMALL = {
    "model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8,
    "vocab_size": 5000, "max_position_embeddings": 40,
}  # fmt: skip


@pytest.fixture(autouse=True)
def clean_process(monkeypatch):
    """`main` in this process: an empty environment of launchers, no hub, and nothing of a failed run left."""
    for name in list(os.environ):
        if name.startswith(("ACCELERATE_", "HF_HUB_OFFLINE")) or name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", NOWHERE)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    AcceleratorState._reset_state(reset_partial_state=True)


class Folder:
    """A folder with good data, and the command line that would train on it."""

    def __init__(self, path: Path):
        self.path, self.runs = path, path / "runs"
        self.write("train.json", dumped(rows()))
        self.write("dev.json", dumped(rows()[:4]))

    def write(self, name: str, content: bytes | str) -> str:
        where = self.path / name
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(where)

    def command(self, *more: str) -> list[str]:
        options = {
            "data.train": self.path / "train.json", "data.dev": self.path / "dev.json", "model.tokenizer": "sample",
            "run.dir": self.runs, "run.name": "try", "data.cache_dir": self.path / "cache", "train.max_updates": 1,
            "model.scratch.hidden_size": 16, "model.scratch.layers": 1,
        }  # fmt: skip
        return [word for key, value in options.items() for word in (f"--{key}", str(value))] + list(more)


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)


def refused(folder: Folder, capsys, arguments: list[str], fragments: list[str], command=None) -> None:
    """Exit code 2, one `error:` with all fragments, no traceback, no run folder."""
    code = main(folder.command(*arguments) if command is None else command)
    said = capsys.readouterr()
    assert code == 2, said.err
    assert sum(line.startswith("error: ") for line in said.err.splitlines()) == 1, said.err
    assert "Traceback" not in said.err + said.out
    lines = said.err.splitlines()
    message = said.err[said.err.index("error: ") :]
    for line in lines[: lines.index(message.splitlines()[0])]:
        assert line.startswith("warning: "), line
    for fragment in fragments:
        assert fragment in message, message
    assert not folder.runs.is_dir() or not list(folder.runs.iterdir())


def test_the_good_command_trains(folder, capsys):
    """Everything below is this command with one thing spoiled."""
    assert main(folder.command()) == 0
    report = json.loads((folder.runs / "try" / "report.json").read_text(encoding="utf-8"))
    assert report["updates"] == 1
    assert report["skipped_rows"] == []
    assert "error" not in capsys.readouterr().err


# data files: content of train.json, fragments of the message
DATA = {
    "empty": (b"", ["train.json: the file is empty"]),
    "wrong keys": (dumped([{"id": 1, "text": "가"}]), ["train.json, row 1", "no key guid, sentence", "found id, text"]),
    "wrong columns": ("idx,text,label\n1,가,x\n", ["train.json: no column id, sentence", "found idx, text, label"]),
    "unparsable entity": (
        HEADER + "7,가람은 나래의 형이다.,\"{'word': '가람'\",\"{'word': '나래'}\",per:siblings,x\n",
        ["train.json, row 1", "subject_entity is \"{'word': '가람'\"", "expected a dict"],
    ),
    "entity that is code": (
        HEADER + "7,가람은,__import__('os').getcwd(),{},per:siblings,x\n",
        ["train.json, row 1", "subject_entity is", "expected a dict"],
    ),
    "out of range": (
        with_entity(3, "object_entity", start_idx=40, end_idx=41),
        ["train.json, row 3", "object entity at characters 40..41", "outside the sentence of 20 characters"],
    ),
    "another word": (
        with_entity(2, "subject_entity", start_idx=1, end_idx=4),
        ["train.json, row 2", "subject entity is '다온전자'", "1..4", "'온전자는'"],
    ),
    "overlap": (
        with_row(2, object_entity={"word": "전자", "start_idx": 2, "end_idx": 3, "type": "POH"}),
        ["train.json, row 2", "'다온전자'", "'전자'", "overlap"],
    ),
    "reversed": (
        with_entity(5, "subject_entity", start_idx=13, end_idx=10),
        ["train.json, row 5", "subject_entity: start_idx 13 comes after end_idx 10"],
    ),
    "unknown label": (
        with_row(4, label="per:freind"),
        ["train.json, row 4", "unknown label 'per:freind'", "data.labels lists no_relation, "],
    ),
    "no label": (with_row(8, label=None), ["train.json, row 8", "no label"]),
    "placeholder label": (with_row(8, label=100), ["train.json, row 8", "no label"]),
    "unknown type": (
        with_entity(6, "object_entity", type="CLS"), ["train.json, row 6", "'CLS'", "PER, ORG, LOC", "data.types"],
    ),
    "cp949": ((HEADER + "1,가람\n").encode("cp949"), ["train.json, line 2", "0xb0", "UTF-8", "CP949"]),
    "nul": (HEADER.encode() + b"1,a\0\n", ["train.json, line 2", "NUL"]),
    "json object": (dumped({"rows": rows()}), ["train.json", "found a JSON dict", "expected a list"]),
    "cut json": (dumped(rows())[:-30], ["train.json: no valid JSON", "line 1 column"]),
    "no rows": (b"[]", ["train.json: holds no rows"]),
    "header only": (HEADER, ["train.json: holds no rows"]),
    "same id twice": (with_row(6, guid="줄-2"), ["train.json, row 6", "id '줄-2'", "row 2"]),
    "half a character": (
        dumped(rows()).replace("보라시를 방문".encode(), b"\\ud83d"), ["train.json, row 4", "\\ud83d", "surrogate"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("content, fragments", DATA.values(), ids=DATA)
def test_bad_training_file(folder, capsys, content, fragments):
    folder.write("train.json", content)
    refused(folder, capsys, [], [str(folder.path), *fragments])


def test_bad_dev_row_is_an_error_even_if_bad_rows_are_skipped(folder, capsys):
    folder.write("dev.json", with_row(3, label="per:freind"))
    refused(folder, capsys, ["--data.on_bad_row", "skip"], ["dev.json, row 3", "'per:freind'"])


def test_all_training_rows_bad(folder, capsys):
    folder.write("train.json", dumped([row | {"label": "x"} for row in rows()]))
    refused(folder, capsys, ["--data.on_bad_row", "skip"], ["train.json: all 8 rows are bad", "unknown label 'x'"])


def test_some_training_rows_bad(folder, capsys):
    folder.write("train.json", with_row(3, label="per:freind"))
    assert main(folder.command("--data.on_bad_row", "skip")) == 0
    said = capsys.readouterr().out
    assert "1 bad rows skipped; the first: row 3" in said
    report = json.loads((folder.runs / "try" / "report.json").read_text(encoding="utf-8"))
    ((number, reason),) = report["skipped_rows"]
    assert number == 3
    assert reason.startswith("unknown label 'per:freind'")


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


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_and_line_ends_are_accepted(folder, capsys, mark, ends):
    lines = [HEADER.rstrip("\n")]
    for row in rows():
        fields = [
            row["guid"],
            row["sentence"],
            str(row["subject_entity"]),
            str(row["object_entity"]),
            row["label"],
            "x",
        ]
        lines.append(",".join('"' + field.replace('"', '""') + '"' for field in fields))
    folder.write("train.json", mark + (ends.join(lines) + ends).encode())
    folder.write("dev.json", mark + dumped(rows()[:4]).replace(b"}, {", b"}," + ends.encode() + b"{"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert main(folder.command()) == 0
    said = [str(one.message) for one in caught if "byte-order mark" in str(one.message)]
    names = [folder.path / "train.json", folder.path / "dev.json"] if mark else []
    assert said == [f"{name}: starts with a byte-order mark, which was skipped" for name in names]
    assert "8 examples" in capsys.readouterr().out
    assert (folder.runs / "try" / "report.json").is_file()


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
    "label list": (["--data.labels", "kleu"], ["data.labels: 'kleu' is neither one of klue, boostcamp nor a file"]),
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
                SMALL | {"model_type": "roberta", "pad_token_id": 1, "max_position_embeddings": 42}
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


def test_run_folder_below_a_file(folder, capsys):
    path = folder.write("file", "x")
    refused(folder, capsys, ["--run.dir", path], ["run.dir: cannot write to", path, "Not a directory"])
    assert Path(path).read_text() == "x"


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


def process(folder: Folder, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ACCELERATE_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *folder.command(*arguments)],
        capture_output=True, text=True, encoding="utf-8", timeout=100, cwd=folder.path,
        env=kept | {"PYTHONIOENCODING": "utf-8", "ACCELERATE_USE_CPU": "true"} | environment,
    )  # fmt: skip


def check_process(done: subprocess.CompletedProcess, folder: Folder, *fragments: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    for fragment in fragments:
        assert fragment in last
    assert not folder.runs.exists()


@pytest.mark.timeout(120)
def test_process_with_a_hub_that_cannot_be_reached(folder):
    done = process(
        folder, "--model.backbone", "plainloop-nobody/no-such-model", HF_ENDPOINT=NOWHERE, HF_HUB_OFFLINE="0"
    )
    check_process(done, folder, "model.backbone: plainloop-nobody/no-such-model is no folder here", NOWHERE)


def test_rows_of_these_tests_are_right():
    for row in rows():
        for role in ("subject_entity", "object_entity"):
            one = row[role]
            assert row["sentence"][one["start_idx"] : one["end_idx"] + 1] == one["word"]
    assert len(np.unique([row["guid"] for row in rows()])) == 8
