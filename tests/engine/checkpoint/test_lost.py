"""The best checkpoint is damaged or gone: the run goes on, says so, and the best of what remains becomes best/."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import engine.loop
import train as program
from conftest import Launch
from data import sample
from data.manifest import write as write_manifest
from engine.checkpoint import lost
from engine.checkpoint.checkpoints import Checkpoints
from engine.checkpoint.manifest import CheckpointError
from engine.predict import Predictor
from engine.state import State

RUN = {
    "train__epochs": 4,
    "optim__lr": 0.01,
    "track__errors": "false",
    "eval__resamples": 0,
}  # evaluates at 3, 6, 9, 12


def flip(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "flipped": (flip, "model.safetensors was changed (SHA-256 differs from the manifest)"),
    "folder gone": (shutil.rmtree, "step-00000003 is gone"),
    "file gone": (lambda folder: (folder / "optimizer.safetensors").unlink(), "optimizer.safetensors is missing"),
    "manifest gone": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json cannot be read"),
}


class KilledError(Exception):
    """What the death of the process looks like to a test."""


@pytest.fixture
def scored(monkeypatch):
    """`scored({step: micro-F1})`: what evaluations of a training say."""

    def by_step(scores: dict[int, float | None]) -> None:
        compare = State.compare
        monkeypatch.setattr(State, "compare", lambda state, _, patience: compare(state, scores[state.step], patience))

    return by_step


def killed(command: list[str], monkeypatch, step: int) -> None:
    """The run dies when it begins the update after `step`."""
    seed = engine.loop.seed_update

    def die(run_seed, now, process):
        if now == step:
            raise KilledError
        seed(run_seed, now, process)

    with monkeypatch.context() as patch:
        patch.setattr(engine.loop, "seed_update", die)
        with pytest.raises(KilledError):
            program.main(command)


def predicts_as(folder: Path, step: int) -> None:
    """best/, its predictions and report.json are those of the checkpoint of update `step`."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert report["step"] == step
    wanted = load_file(folder / "checkpoints" / f"step-{step:08d}" / "model.safetensors")
    weights = load_file(folder / "best" / "model.safetensors")
    assert wanted.keys() == weights.keys()
    assert all(torch.equal(wanted[name], weights[name]) for name in wanted)
    lines = (folder / "predictions" / "dev.csv").read_text(encoding="utf-8").splitlines()[1:]
    found = Predictor(folder / "best", device="cpu")(sample.rows("dev")[:24]).probabilities
    np.testing.assert_allclose(found, [[float(cell) for cell in line.split(",")[3:]] for line in lines], atol=1e-6)


@pytest.mark.drill("R21")
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("scores, step", [({12: 5.0}, 6), ({12: 30.0}, 12)], ids=["none better", "a better one later"])
def test_best_weights_lost_before_a_resume(options, tmp_path, monkeypatch, capsys, scored, damage, scores, step):
    """Of 6 (20.0) and 9 (10.0), which remain, 6 is better; 30.0 is better than both, and less than what is lost."""
    scored({3: 50.0, 6: 20.0, 9: 10.0} | scores)
    killed(options(**RUN), monkeypatch, 10)
    folder = tmp_path / "runs" / "tiny"
    ruin, reason = DAMAGE[damage]
    ruin(folder / "checkpoints" / "step-00000003")
    assert program.main(options(**RUN)) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if "the best weights" in line]
    assert line.startswith("warning: the best weights (update 3) are lost: ")
    assert reason in line
    assert line.endswith("; update 6 is the best of what remains and takes their place")
    predicts_as(folder, step)


@pytest.mark.drill("R21")
@pytest.mark.parametrize("damage", DAMAGE)
def test_best_weights_lost_between_their_save_and_the_end(options, tmp_path, monkeypatch, scored, damage):
    scored({3: 50.0, 6: 20.0, 9: 10.0, 12: 15.0})
    folder, (ruin, reason) = tmp_path / "runs" / "tiny", DAMAGE[damage]
    finish = program.finish

    def ruined(run, state):
        ruin(folder / "checkpoints" / "step-00000003")
        return finish(run, state)

    monkeypatch.setattr(program, "finish", ruined)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert program.main(options(**RUN)) == 0
    [line] = [str(one.message) for one in warned if "the best weights" in str(one.message)]
    assert line.startswith("the best weights (update 3) are lost: ")
    assert reason in line
    assert line.endswith("; update 12 is the best of what remains and takes their place")
    predicts_as(folder, 12)


@pytest.mark.drill("R21")
def test_a_run_that_has_only_to_finish(options, tmp_path, monkeypatch, capsys, scored):
    """Nothing is trained again, and the same weights are chosen if the finish is broken off once more."""
    scored({3: 50.0, 6: 20.0, 9: 10.0, 12: 5.0})
    folder = tmp_path / "runs" / "tiny"

    def die(*_):
        raise KilledError

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(program, "finish", die)
            with pytest.raises(KilledError):
                program.main(options(**RUN))
        shutil.rmtree(folder / "checkpoints" / "step-00000003", ignore_errors=True)
    capsys.readouterr()
    assert program.main(options(**RUN)) == 0
    assert "update 9 is the best of what remains" in capsys.readouterr().out
    predicts_as(folder, 9)
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["updates"] == 12


@pytest.mark.drill("R21")
def test_force_goes_on_without_the_best_weights(options, tmp_path, monkeypatch, scored):
    scored({3: 50.0, 6: 20.0, 9: 10.0, 12: 5.0})
    killed(options(**RUN), monkeypatch, 10)
    flip(tmp_path / "runs" / "tiny" / "checkpoints" / "step-00000003")
    assert program.main(options(**RUN, run__resume="force")) == 0
    predicts_as(tmp_path / "runs" / "tiny", 6)


@pytest.mark.drill("R21")
@pytest.mark.parametrize("ruin, updates, step", [(None, 12, 3), (flip, 15, 6)], ids=["whole", "lost"])
def test_patience_counts_from_what_is_best_now(options, tmp_path, monkeypatch, scored, ruin, updates, step):
    """9 is one evaluation after 6: two more are allowed. With the best weights it ends one earlier."""
    scored({3: 50.0, 6: 20.0, 9: 10.0, 12: 5.0, 15: 4.0})
    patient = RUN | {"train__epochs": 8, "eval__patience": 3}
    killed(options(**patient), monkeypatch, 10)
    if ruin:
        ruin(tmp_path / "runs" / "tiny" / "checkpoints" / "step-00000003")
    assert program.main(options(**patient)) == 0
    report = json.loads((tmp_path / "runs" / "tiny" / "report.json").read_text(encoding="utf-8"))
    assert (report["updates"], report["stopped_early"], report["step"]) == (updates, True, step)


@pytest.mark.drill("R21")
def test_a_run_that_patience_stopped_stays_stopped(options, tmp_path, monkeypatch, scored):
    scored({3: 50.0, 6: 20.0, 9: 10.0, 12: 5.0})
    patient = RUN | {"train__epochs": 8, "eval__patience": 2}

    def die(*_):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(program, "finish", die)
        with pytest.raises(KilledError):
            program.main(options(**patient))
    shutil.rmtree(tmp_path / "runs" / "tiny" / "checkpoints" / "step-00000003")
    assert program.main(options(**patient)) == 0
    report = json.loads((tmp_path / "runs" / "tiny" / "report.json").read_text(encoding="utf-8"))
    assert (report["updates"], report["stopped_early"], report["step"]) == (9, True, 6)


@pytest.mark.drill("R21")
def test_the_newest_where_no_score_is_known(options, tmp_path, monkeypatch, capsys, scored):
    """As earlier versions wrote checkpoints: they keep the score of the best one alone."""
    scored({3: 50.0, 6: 20.0, 9: 10.0, 12: 5.0})
    killed(options(**RUN), monkeypatch, 10)
    folder = tmp_path / "runs" / "tiny"
    for step in (6, 9):
        path = folder / "checkpoints" / f"step-{step:08d}" / "state.json"
        content = json.loads(path.read_text())
        for key in ("last_score", "last_scored"):
            del content["state"][key]
        path.write_text(json.dumps(content))
        write_manifest(path.parent)
    shutil.rmtree(folder / "checkpoints" / "step-00000003")
    assert program.main(options(**RUN)) == 0
    assert "update 9 is the best of what remains" in capsys.readouterr().out
    predicts_as(folder, 12)  # the next one that is scored is better than none


@pytest.mark.drill("R21")
def test_what_the_disk_does_not_give_is_kept(options, tmp_path, monkeypatch, capsys, scored):
    scored({3: 50.0, 6: 20.0, 9: 10.0, 12: 5.0})
    killed(options(**RUN), monkeypatch, 10)
    folder, verify = tmp_path / "runs" / "tiny", lost.verify

    def unreadable(path: Path) -> None:
        if path.name == "step-00000003":
            raise lost.UnreadableError(f"{path}: model.safetensors cannot be read (Input/output error)")
        verify(path)

    monkeypatch.setattr(lost, "verify", unreadable)
    assert program.main(options(**RUN)) == 0
    assert "(Input/output error); kept as unreadable-step-00000003; update 6 is" in capsys.readouterr().out
    verify(folder / "checkpoints" / "unreadable-step-00000003")


def test_nothing_whole_is_left(tmp_path):
    class Alone:
        is_main_process, num_processes, device = True, 1, torch.device("cpu")

    checkpoints = Checkpoints(tmp_path, Alone(), {"fixed": {}})
    state = State(step=9, best_step=3, best_score=50.0)
    with pytest.raises(CheckpointError, match=r"\(update 3\) are lost: .* is gone; no other checkpoint is whole"):
        lost.settle_best(checkpoints, state)
    assert (state.best_step, state.best_score) == (3, 50.0)
    assert lost.settle_best(checkpoints, State()) == ""


@pytest.mark.drill("R21")
@pytest.mark.usefixtures("all_cores")
@pytest.mark.timeout(280)
def test_two_processes_take_the_same_one(options, tmp_path, monkeypatch, scored):
    scored({3: 99.0, 6: 98.0, 9: 97.0})
    killed(options(**RUN), monkeypatch, 10)
    shutil.rmtree(tmp_path / "runs" / "tiny" / "checkpoints" / "step-00000003")
    output = Launch("cpu_processes.yaml", "train.py", *options(**RUN)).end()
    assert output.count("the best weights (update 3) are lost") == 1
    assert json.loads((tmp_path / "runs" / "tiny" / "report.json").read_text(encoding="utf-8"))["processes"] == 2
    predicts_as(tmp_path / "runs" / "tiny", 6)
