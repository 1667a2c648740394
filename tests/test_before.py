"""Run folders, best/ and token stores made before engine/ and data/ got folders: see tests/before/make.py."""

import csv
import json
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from conftest import metric_lines
from data.store.token_store import load
from engine.arguments.parse import parse
from engine.compose.data import read_data
from engine.compose.run import build
from engine.predict import Predictor
from train import close, main

RUN = Path("stopped", "bilstm")
FINISHED = Path("finished", "bilstm")
CLOSE = {"rtol": 1e-6, "atol": 1e-6}  # the same bits on the same CPU; kernels of another one round otherwise


@pytest.fixture(autouse=True)
def before(tmp_path, monkeypatch, clean_process) -> Path:
    """A copy of the files, where the commands ran: their paths are relative."""
    folder = shutil.copytree(Path(__file__).with_name("before"), tmp_path / "before")
    monkeypatch.chdir(folder)
    return folder


def table(run: Path) -> tuple[list[list[str]], np.ndarray]:
    """Of predictions/dev.csv: head and the names of each row, probabilities (N, C)."""
    lines = list(csv.reader((run / "predictions" / "dev.csv").read_text(encoding="utf-8").splitlines()))
    return [lines[0], *(line[:3] for line in lines[1:])], np.array([line[3:] for line in lines[1:]], dtype=np.float64)


def test_a_stopped_run_goes_on_and_ends_as_it_would_have(capsys):
    assert main(["--config", str(RUN / "config.yaml")]) == 0
    said = capsys.readouterr().out
    assert "warning: the code changed since the checkpoint and goes on as it is now: data/" in said
    assert f"continuing {RUN} after update 10\n" in said

    weights, expected = (
        load_file(RUN / "checkpoints/step-00000020/model.safetensors"),
        load_file(FINISHED / "best/model.safetensors"),
    )
    assert weights.keys() == expected.keys()
    for name in expected:
        if not name.endswith("key.bias"):  # its gradient is 0 but for rounding, which AdamW makes large
            torch.testing.assert_close(weights[name], expected[name], **CLOSE)
    lines = [metric_lines(run, speed=False) for run in (RUN, FINISHED)]
    assert [line.pop("split") for line in lines[0]] == [line.pop("split") for line in lines[1]]
    for line, wanted in zip(*lines, strict=True):
        assert line == pytest.approx(wanted, rel=1e-6)
    (names, probabilities), (wanted_names, wanted) = table(RUN), table(FINISHED)
    assert names == wanted_names
    np.testing.assert_allclose(probabilities, wanted, **CLOSE)
    reports = [json.loads((run / "report.json").read_text(encoding="utf-8")) for run in (RUN, FINISHED)]
    assert reports[0]["dev"] == pytest.approx(reports[1]["dev"], rel=1e-6)
    assert reports[0]["step"] == reports[1]["step"] == 20  # of what was trained since


def test_what_a_checkpoint_holds_is_loaded_bit_for_bit():
    config, path, notices = parse(["--config", str(RUN / "config.yaml")])
    assert notices == []
    checkpoint = RUN / "checkpoints" / "step-00000010"
    run = build(config, path)
    try:
        weights = {name: tensor.clone() for name, tensor in run.parts.model.state_dict().items()}
        names = {parameter: name for name, parameter in run.parts.model.named_parameters()}
        moments = {
            f"{kind}.{names[parameter]}": value.clone()
            for parameter, kinds in run.parts.optimizer.state.items()
            for kind, value in kinds.items()
        }
    finally:
        close(run)
        AcceleratorState._reset_state(reset_partial_state=True)
    for loaded, file in ((weights, "model"), (moments, "optimizer")):
        stored = load_file(checkpoint / f"{file}.safetensors")
        assert loaded.keys() == stored.keys()
        assert all(torch.equal(loaded[name], stored[name]) for name in stored)
    stored = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))["state"]
    later = {"last_score": None, "last_scored": None}  # not known then
    assert vars(run.state) | {"loss": [run.state.loss.item()]} == stored | later


def test_a_finished_run_says_so_and_changes_nothing(before, capsys):
    files = {path: path.read_bytes() for path in before.rglob("*") if path.is_file()}
    assert main(["--config", str(FINISHED / "config.yaml")]) == 0
    assert f"{FINISHED} is finished, see its report.json; nothing was changed" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in before.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize("folder", [FINISHED, FINISHED / "best", Path("finished/marked/best")], ids=str)
def test_an_old_best_predicts_what_its_training_wrote(folder):
    predictor = Predictor(folder)
    rows = json.loads(Path("data/dev.json").read_text(encoding="utf-8"))
    answers = predictor(rows)
    names, probabilities = table(folder.parent if folder.name == "best" else folder)
    assert names[0] == ["id", "label", "predicted", *predictor.labels]
    assert [[row["guid"], row["label"], label] for row, label in zip(rows, answers.labels, strict=True)] == names[1:]
    assert len(set(answers.labels)) > 1
    np.testing.assert_allclose(answers.probabilities, probabilities, **CLOSE)


def test_the_old_token_store_opens_and_is_the_one_made_today():
    old = load(Path("store"))
    config = parse(["--config", str(RUN / "config.yaml")])[0]
    new = read_data(config, quiet=True).stores["train"]
    assert len(old) == 40
    assert new.facts["words"].pop("lost") == 0  # counted since, as these two
    assert (new.facts.pop("lost"), new.facts.pop("notes")) == ({}, {})
    for field in fields(old):
        mine, theirs = getattr(new, field.name), getattr(old, field.name)
        if isinstance(theirs, np.ndarray):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs, strict=True)
        else:
            assert mine == theirs
    assert old.extra == {}


@pytest.mark.parametrize("run", [RUN, FINISHED], ids=str)
def test_every_option_of_an_old_configuration_means_what_it_did(run):
    options = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    config, _, notices = parse(["--config", str(run / "config.yaml")])
    assert notices == []
    values = yaml.safe_load(config.to_yaml())
    assert those_of(options, values) == options


def those_of(options: dict, values: dict) -> dict:
    """The keys of `options` alone, at every depth: later versions have more."""
    return {
        key: those_of(value, values[key]) if isinstance(value, dict) and value else values[key]
        for key, value in options.items()
    }
