"""best/ is not believed: files are those that the manifest lists, and their values ones that train.py writes."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from conftest import blank_figure
from data import sample
from data.manifest import write as write_manifest
from engine.predict import Predictor
from engine.predict.__main__ import main as predict
from engine.predict.settings import verify
from train import main as train

pytestmark = pytest.mark.drill("R21")
NULL = object()


@pytest.fixture(scope="module")
def trained(tiny_run, tmp_path_factory) -> Path:
    """The best/ of a run."""
    folder = tmp_path_factory.mktemp("settings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.tracking.figures.confusion", blank_figure)
        assert train(tiny_run(folder, train__epochs=1, track__errors="false", eval__resamples=0)) == 0
    return folder / "runs" / "tiny" / "best"


@pytest.fixture
def best(trained, tmp_path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(trained, tmp_path / "best"))


def opened(folder: Path, verified: bool = True):
    return Predictor(folder, device="cpu", verified=verified)(sample.rows("dev")[:2])


def changed(path: Path, change: Callable[[Any], Any]) -> None:
    """`change(content)` returns the new content, or changes it where it stands."""
    content = json.loads(path.read_text(encoding="utf-8"))
    new = content if (new := change(content)) is None else new
    path.write_text(json.dumps(None if new is NULL else new, ensure_ascii=False), encoding="utf-8")


def flipped(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


# files ------------------------------------------------------------------------------------------------------------


def permuted(vocabulary: dict) -> None:
    """Two words of a vocabulary change places."""
    words = vocabulary["model"]["vocab"]
    one, other = [*words][200:202]
    words[one], words[other] = words[other], words[one]


EDITS = {
    "labels in another order": (lambda best: changed(best / "labels.json", sorted), "labels.json"),
    "permuted vocabulary": (lambda best: changed(best / "tokenizer.json", permuted), "tokenizer.json"),
    "flipped weights": (lambda best: flipped(best / "model.safetensors", -1), "model.safetensors"),
    "known marker": (
        lambda best: changed(best / "encoding.json", lambda one: one | {"marker": "punct"}), "encoding.json"),
    "other activation": (
        lambda best: changed(best / "config.json", lambda one: one | {"pooling": "cls"}), "config.json"),
    "file gone": (lambda best: (best / "tokenizer_config.json").unlink(), "tokenizer_config.json is missing"),
    "file added": (lambda best: (best / "vocab.txt").write_text("가"), "vocab.txt was added (manifest.json does not"),
    "pickle added": (
        lambda best: torch.save({}, best / "pytorch_model.bin"), "pytorch_model.bin was added (manifest.json does"),
    "manifest cut": (lambda best: (best / "manifest.json").write_text("{"), "manifest.json does not list files"),
    "manifest of nothing": (
        lambda best: changed(best / "manifest.json", lambda one: one | {"files": {}}), "was added (manifest.json"),
    "manifest of another format": (
        lambda best: changed(best / "manifest.json", lambda one: one | {"format": 9}), "is of format 9, this version"),
    "manifest that leads outside": (
        lambda best: changed(best / "manifest.json", lambda one: one["files"].update({"../x": {
            "bytes": 0, "sha256": ""}})),
        "manifest.json names '../x', which lies outside the folder"),
    "manifest without digests": (
        lambda best: changed(best / "manifest.json", lambda one: one["files"]["labels.json"].update(sha256=[])),
        "manifest.json has 0 digests of labels.json"),
}  # fmt: skip


@pytest.mark.parametrize("edit, message", EDITS.values(), ids=EDITS)
def test_an_edited_folder_is_refused_in_one_line(best, tmp_path, capsys, edit, message):
    edit(best)
    (tmp_path / "x").write_bytes(b"")
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(sample.rows("dev")[:2]), encoding="utf-8")
    with pytest.raises(ValueError, match="--unverified") as error:
        opened(best)
    assert str(error.value).startswith(f"{best}: ")
    assert message in str(error.value)
    assert predict([str(best), "--input", str(rows), "--output", str(tmp_path / "out"), "--device", "cpu"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"error: {error.value}"
    assert not (tmp_path / "out").exists()


def test_who_edits_on_purpose_says_so(best, tmp_path, capsys):
    changed(best / "labels.json", lambda labels: [label.upper() for label in labels])
    changed(best / "prediction.json", lambda one: one | {"negative_label": "NO_RELATION"})
    assert opened(best, verified=False).labels[0].isupper()
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(sample.rows("dev")[:2]), encoding="utf-8")
    words = [str(best), "--input", str(rows), "--unlabelled", "--output", str(tmp_path / "out"), "--device", "cpu"]
    assert predict([*words, "--unverified"]) == 0
    capsys.readouterr()
    write_manifest(best)
    assert opened(best).labels[0].isupper()


def test_a_flipped_byte_is_noticed_wherever_it_is(best):
    for path in sorted(best.iterdir()):
        content = path.read_bytes()
        for place in range(0, len(content), 17 if len(content) < 5000 else len(content) // 25):
            flipped(path, place)
            with pytest.raises(ValueError, match="--unverified"):
                verify(best)
            path.write_bytes(content)
    verify(best)


@pytest.mark.filterwarnings("error")
def test_notes_beside_do_no_harm(best):
    (best / "README.md").write_text("우리 모델")
    opened(best)


def test_best_as_a_backbone_is_verified_too(best, tiny_run, tmp_path, capsys):
    command = tiny_run(tmp_path, train__max_updates=1, data__dev="null", model__backbone=best, model__tokenizer="null")
    command = [word for word in command if "scratch" not in word]
    flipped(best / "model.safetensors", -1)
    assert train(command) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"error: model.backbone: {best}: model.safetensors was changed")
    (best / "manifest.json").unlink()
    assert train(command) == 0


@pytest.mark.parametrize("kind", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused_by_name(best, kind):
    torch.save(load_file(best / "model.safetensors"), best / kind)
    (best / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="has no weights; expected model") as error:
        opened(best, verified=False)
    assert kind in str(error.value)


# values -----------------------------------------------------------------------------------------------------------


def put(*keys: str, value: Any) -> Callable[[Any], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def without(*keys: str) -> Callable[[Any], None]:
    def change(content: dict) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return change


def replaced(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


ODD_VALUES = {
    "encoding": {
        "marker": ["typd", "", None, 1, [], {}, True], "query": ["who", None, 0], "type_words": ["klingon", None, 1],
        "types": [None, "PER", ["PER", "PER"], ["PER", 1], {}, [""], [str(n) for n in range(128)]],
        "max_length": [None, "128", 0, -1, 1.5, True, 10**400, 65537, 5000],
    },
    "prediction": {
        "format": ["xml", None, 1, []], "negative_label": [1, "nothing", [], {}],
        "label_prior": [None, 1, [], {}, {"no_relation": 1}, {"no_relation": "1"}],
        "resamples": [None, -1, 1.0, "9", True], "numbered": [None, 1, "true"], "batch_size": [None, 0, -4, 2.5, "64"],
        "precision": ["fp8", None, 32, "FP32"], "reader": [None, [], "auto", 1],
    },
    "reader": {
        "columns.text": [0, -1, 1.5, [], {}, True], "header": [None, "true", 1], "separator": [",", None, 1, []],
        "quoting": [None, 0, "no"], "offsets": ["both", 1, True, []], "negatives": [1, [], {}],
    },
}  # fmt: skip
VALUES = {
    f"{file} {key} {json.dumps(value)[:24]}": (
        "prediction" if file == "reader" else file, put(*["reader"] * (file == "reader"), key, value=value), key
    )
    for file, keys in ODD_VALUES.items()
    for key, values in keys.items()
    for value in values
}  # fmt: skip
KEYS = {
    "encoding": ("marker", "query", "type_words", "types", "max_length"),
    "prediction": (
        "format", "reader", "numbered", "negative_label", "label_prior", "resamples", "batch_size", "precision"
    ),
}  # fmt: skip
MISSING = {f"{file} without {key}": (file, without(key), key) for file, keys in KEYS.items() for key in keys} | {
    "reader without columns.word": ("prediction", without("reader", "columns.word"), "columns.word"),
    "reader without negatives": ("prediction", without("reader", "negatives"), "negatives"),
    "encoding more": ("encoding", put("mode", value=1), "'mode' is no key that is read; expected marker, query"),
    "prediction more": ("prediction", put("vote", value=1), "'vote' is no key that is read; expected format, reader"),
    "reader more": ("prediction", put("reader", "sep", value=1), "reader: 'sep' is no key that is read"),
}
WHOLE = {
    f"{file} {json.dumps(value)}": (file, replaced(value), "expected a" if file == "labels" else "expected an object")
    for file in ("encoding", "prediction", "labels")
    for value in (1, "x", True, ["x"], [] if file != "labels" else {})
}
LABELS = {
    "encoding null": ("encoding", replaced(NULL), "found None, expected an object"),
    "labels null": ("labels", replaced(NULL), "found None, expected a list"),
    "a label twice": ("labels", lambda labels: [*labels[:-1], labels[0]], "no two the same"),
    "a label that is no text": ("labels", lambda labels: [1, *labels[1:]], "a list of at least 2 texts"),
    "a label that is empty": ("labels", lambda labels: ["", *labels[1:]], "a list of at least 2 texts"),
    "a label more": ("labels", lambda labels: [*labels, "x"], "the model has 30 classes, labels.json lists 31"),
}
WRONG = VALUES | MISSING | WHOLE | LABELS


@pytest.mark.parametrize("file, change, message", WRONG.values(), ids=WRONG)
def test_a_value_that_train_does_not_write_is_refused(best, file, change, message):
    """Also where the manifest is not looked at, or speaks of the folder as it is."""
    path = best / f"{file}.json"
    changed(path, change)
    for verified in (False, True):
        if verified:
            write_manifest(best)
        with pytest.raises(ValueError, match=r"\.json") as error:
            opened(best, verified)
        assert str(best) in str(error.value)
        assert f"{file}.json" in str(error.value)
        assert message in str(error.value)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 600


TEXTS = {
    "empty": b"", "cut off": b'{"marker": ', "no UTF-8": b"\xff\xfe", "deep": b"[" * 10**5,
    "huge number": b"9" * 5000, "a key twice": b'{"marker": "typed", "marker": "punct"}',
}  # fmt: skip


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("file", ["encoding", "prediction", "labels"])
def test_what_is_no_json_is_refused(best, file, content):
    (best / f"{file}.json").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read") as error:
        opened(best, verified=False)
    assert str(error.value).startswith(f"{best / file}.json: cannot be read (")


@pytest.mark.parametrize("file", ["encoding", "prediction", "labels"])
def test_a_file_that_is_gone_is_named(best, file):
    (best / f"{file}.json").unlink()
    with pytest.raises(ValueError, match=f"best has no {file}.json; expected the best/ of a finished run"):
        opened(best, verified=False)


# earlier versions -------------------------------------------------------------------------------------------------


def test_what_earlier_versions_left_opens_with_one_warning(best):
    wanted = opened(best).probabilities
    (best / "manifest.json").unlink()
    for keys in (["numbered"], ["label_prior"], ["resamples"], ["reader", "columns.word"], ["reader", "negatives"]):
        changed(best / "prediction.json", without(*keys))
    with pytest.warns(UserWarning, match="nothing says whether it is whole") as warned:
        found = opened(best)
    assert len(warned) == 1
    assert (found.probabilities == wanted).all()


def test_a_label_prior_outside_the_folder_is_not_read(best, tmp_path):
    (tmp_path / "prior.json").write_text("{}")  # as a prior this would be an error
    changed(best / "prediction.json", put("label_prior", value=str(tmp_path / "prior.json")))
    with pytest.warns(UserWarning, match="label_prior names the file .*, which is not read"):
        assert Predictor(best, device="cpu", verified=False).settings.label_prior == "none"


@pytest.mark.parametrize("content", ["[]", "data: 1", "data: {format: klue}", "{", "data: !!python/object:os.x {}"])
def test_a_config_that_says_nothing_is_named(best, content):
    for name in ("manifest.json", "prediction.json"):
        (best / name).unlink()
    (best.parent / "config.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"config\.yaml: cannot be read as the configuration of a run"):
        opened(best, verified=False)


def test_a_label_prior_of_a_file_goes_into_the_folder(tiny_run, tmp_path, trained, capsys):
    """The file may be gone, or another one, when the model predicts."""
    labels = json.loads((trained / "labels.json").read_text(encoding="utf-8"))
    prior = tmp_path / "prior.json"
    prior.write_text(json.dumps({label: number + 1 for number, label in enumerate(labels)}), encoding="utf-8")
    given = {"train__epochs": 1, "track__errors": "false", "eval__resamples": 0, "eval__label_prior": prior}
    command = tiny_run(tmp_path, **given)
    assert train(command) == 0
    prior.unlink()
    run, out = tmp_path / "runs" / "tiny", tmp_path / "out"
    settings = json.loads((run / "best" / "prediction.json").read_text(encoding="utf-8"))
    assert settings["label_prior"] == pytest.approx({label: (n + 1) / 465 for n, label in enumerate(labels)})
    assert str(tmp_path) not in "".join(path.read_text(encoding="utf-8") for path in (run / "best").glob("*.json"))
    capsys.readouterr()
    dev = next(word.partition("=")[2] for word in command if word.startswith("--data.dev="))
    assert predict([str(run), "--input", dev, "--output", str(out), "--device", "cpu"]) == 0
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))["dev"]
    assert f"accuracy, prior {report['accuracy_prior']:.2f}\n" in capsys.readouterr().out


@pytest.mark.parametrize("there", [True, False], ids=["there", "gone"])
def test_a_label_prior_that_no_dev_part_asked_for(tiny_run, tmp_path, trained, there):
    labels = json.loads((trained / "labels.json").read_text(encoding="utf-8"))
    prior = tmp_path / "prior.json"
    if there:
        prior.write_text(json.dumps(dict.fromkeys(labels, 1)), encoding="utf-8")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert train(tiny_run(tmp_path, train__max_updates=1, data__dev="null", eval__label_prior=prior)) == 0
    assert [str(one.message) for one in warned if "best/ has no label prior" in str(one.message)] == [
        f"eval.label_prior: no file {str(prior)!r}; expected none, uniform, klue_dev or a file with a JSON object "
        "(label: share or count); best/ has no label prior"
    ] * (not there)
    found = Predictor(tmp_path / "runs" / "tiny", device="cpu").settings.label_prior
    assert found == (pytest.approx(dict.fromkeys(labels, 1 / 30)) if there else "none")
