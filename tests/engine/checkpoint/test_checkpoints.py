"""Checkpoints: what is restored is bit-equal, what is damaged is noticed, and nothing is unpickled."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import nn

import engine.loop
import train as program
from conftest import ROOT, metric_lines
from engine.arguments.parse import parse
from engine.checkpoint import resume
from engine.checkpoint.checkpoints import Checkpoints, load_model, load_optimizer
from engine.checkpoint.manifest import CheckpointError, UnreadableError, read_json, verify
from engine.checkpoint.resume import run_name
from engine.compose.run import build
from engine.config import Config, RunConfig
from engine.loop import train
from engine.state import State
from losses import LOSSES

FILES = ("manifest.json", "model.safetensors", "optimizer.safetensors", "state.json")
FACTS = {"fixed": {"seed": 1, "optim": {"lr": 0.1}}, "threads": 1, "processes": 1}


class Small:
    """A model, its optimizer with moments, and the checkpoints of a folder."""

    def __init__(self, folder: Path, seed: int = 0, size: int = 3):
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(2, size), nn.LayerNorm(size))
        groups = [{"params": list(self.model[0].parameters()), "peak_lr": 1.0}, {"params": self.model[1].parameters()}]
        self.optimizer = torch.optim.AdamW(groups, lr=0.1, fused=True)
        self.checkpoints = Checkpoints(folder, Accelerator(), FACTS)

    def step(self) -> None:
        self.model(torch.randn(4, 2)).square().sum().backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def save(self, step: int, **state) -> Path:
        self.step()
        self.checkpoints.save(State(step=step, **state), self.model, self.optimizer)
        return self.checkpoints.path(step)


@pytest.fixture
def small(tmp_path):
    yield Small(tmp_path / "checkpoints")
    AcceleratorState._reset_state(reset_partial_state=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def same(mine: dict, theirs: dict) -> bool:
    return mine.keys() == theirs.keys() and all(
        torch.equal(mine[key], theirs[key]) and mine[key].dtype == theirs[key].dtype for key in theirs
    )


# what is in it ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_four_files_without_pickles(small):
    folder = small.save(40)
    assert folder.name == "step-00000040"
    assert names(folder) == sorted(FILES)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert sorted(manifest["files"]) == ["model.safetensors", "optimizer.safetensors", "state.json"]
    for name, entry in manifest["files"].items():
        assert entry["bytes"] == (folder / name).stat().st_size
        assert len(entry["sha256"]) == 64
    for name in FILES:
        content = (folder / name).read_bytes()
        assert not content.startswith((b"PK", b"\x80"))  # zip of torch.save, pickle


def test_the_manifest_is_written_last_and_the_name_is_given_after_it(small, monkeypatch):
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append((names(Path(a)), Path(b).exists())), replace(a, b)))
    folder = small.save(1)
    assert seen == [(sorted(FILES), False)]
    times = {name: (folder / name).stat().st_mtime_ns for name in FILES}
    assert max(times, key=times.get) == "manifest.json"


def test_restoring_is_bit_equal(small, tmp_path):
    for _ in range(3):
        small.step()
    state = State(
        step=7, best_score=71.5, best_step=5, stale=1, stopped=True, updates_since_log=2, seconds=1.25,
        loss=torch.tensor(0.1 + 0.2, dtype=torch.float64),
    )  # fmt: skip
    small.checkpoints.save(state, small.model, small.optimizer)
    other = Small(tmp_path / "checkpoints", seed=5)
    other.step()
    restored = other.checkpoints.restore(other.checkpoints.path(7), other.model, other.optimizer)
    assert vars(restored) == vars(state)
    assert restored.loss.dtype == torch.float64
    assert same(other.model.state_dict(), small.model.state_dict())
    mine, theirs = other.optimizer.state_dict(), small.optimizer.state_dict()
    assert mine["param_groups"] == theirs["param_groups"]
    assert mine["state"].keys() == theirs["state"].keys() == {0, 1, 2, 3}
    assert all(same(mine["state"][key], theirs["state"][key]) for key in theirs["state"])
    torch.manual_seed(1)
    small.step()
    torch.manual_seed(1)
    other.step()
    assert same(other.model.state_dict(), small.model.state_dict())


def test_state_before_the_first_update_can_be_kept(tmp_path, small):
    small.checkpoints.save(State(), small.model, small.optimizer)
    other = Small(tmp_path / "checkpoints", seed=5)
    other.step()
    other.checkpoints.restore(other.checkpoints.path(0), other.model, other.optimizer)
    assert not other.optimizer.state
    assert same(other.model.state_dict(), small.model.state_dict())


def test_losses_of_another_number_of_processes_become_their_mean(small):
    folder = small.save(1)
    content = json.loads((folder / "state.json").read_text())
    content["state"]["loss"] = [1.0, 2.0, 6.0]
    (folder / "state.json").write_text(json.dumps(content))
    assert small.checkpoints.restore(folder, small.model, small.optimizer).loss.item() == 3.0


def test_another_models_weights_are_refused(small, tmp_path):
    folder = small.save(1)
    other = Small(tmp_path / "checkpoints", size=4)
    with pytest.raises(CheckpointError, match=r"step-00000001: its weights are another model's .*0\.weight"):
        load_model(folder, other.model)
    deeper = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3), nn.Linear(3, 1))
    with pytest.raises(CheckpointError, match=r"another model's .*2\.weight"):
        load_model(folder, deeper)


def test_optimizer_state_of_an_unknown_parameter_is_refused(small):
    folder = small.save(1)
    renamed = nn.Sequential(nn.Linear(2, 3))
    (folder / "model.safetensors").write_bytes(b"")  # not what is looked at here
    with pytest.raises(CheckpointError, match=r"optimizer state of an unknown parameter 1\."):
        load_optimizer(folder, renamed, small.optimizer)


# damage -----------------------------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path: Path, place: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if place is None else place] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "truncated": truncate,
    "one byte short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "one byte long": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": Path.unlink,
    "byte flipped": flip,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", FILES)
def test_damage_is_noticed_and_the_checkpoint_before_is_taken(small, name, damage):
    before, newest = small.save(2), small.save(4)
    assert small.checkpoints.newest() == (newest, [])
    DAMAGE[damage](newest / name)
    taken, [reason] = small.checkpoints.newest()
    assert taken == before
    assert str(newest) in reason
    assert name in reason
    assert "\n" not in reason


def test_saving_below_damaged_checkpoints_keeps_what_is_saved(small):
    """Two damaged newer ones must not count as the newest two, or each save would delete itself."""
    good = small.save(2, best_step=2)
    for step in (8, 10):
        (small.save(step, best_step=2) / "state.json").unlink()
    assert small.checkpoints.newest()[0] == good
    small.checkpoints.drop_after(2)
    assert names(small.checkpoints.folder) == ["step-00000002"]
    small.save(4, best_step=2)
    small.save(6, best_step=2)
    assert names(small.checkpoints.folder) == ["step-00000002", "step-00000004", "step-00000006"]


@pytest.mark.drill("R26")
def test_runs_without_a_name_get_folders_of_their_own(tmp_path, monkeypatch):
    """Of two in one second the second was refused; after a clock went back one took an old folder for its own."""
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.5)
    config = Config(run=RunConfig(dir=str(tmp_path / "runs")))
    accelerator = Accelerator(cpu=True)
    first, second, third = (run_name(config, Path("configs/own.yaml"), accelerator) for _ in range(3))
    assert first.startswith("own-2023111")
    assert (second, third) == (f"{first}-2", f"{first}-3")
    assert names(tmp_path / "runs") == [first, second, third]
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "else")
    for place in ("file", "file/runs", "link"):
        config = Config(run=RunConfig(dir=str(tmp_path / place)))
        with pytest.raises(ValueError, match=r"run\.dir: cannot write to .*(Not a directory|File exists)"):
            run_name(config, Path("own.yaml"), accelerator)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bits_are_noticed_wherever_they_are(small, name):
    folder = small.save(1)
    whole = (folder / name).read_bytes()
    places = range(len(whole)) if name == "manifest.json" else range(0, len(whole), 37)
    for place in places:
        flip(folder / name, place)
        with pytest.raises(CheckpointError):
            verify(folder)
        (folder / name).write_bytes(whole)
    verify(folder)


def test_an_empty_folder_and_a_stray_file_are_no_checkpoints(small):
    folder = small.save(2)
    (small.checkpoints.folder / "step-00000009").mkdir()
    (small.checkpoints.folder / "step-00000010").write_text("")
    taken, reasons = small.checkpoints.newest()
    assert taken == folder
    assert len(reasons) == 2


def unreadable(monkeypatch, *names: str) -> None:
    """A disk that gives no bytes of these checkpoints' weights."""
    from data import manifest

    sha256 = manifest.sha256

    def read(path, *piece):
        if path.parent.name in names and path.name == "model.safetensors":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return sha256(path, *piece)

    monkeypatch.setattr(manifest, "sha256", read)


def test_a_checkpoint_that_the_disk_does_not_give_is_skipped_and_kept(small, monkeypatch):
    before, newest = small.save(2, best_step=2), small.save(4, best_step=2)
    with monkeypatch.context() as patch:
        unreadable(patch, newest.name)
        taken, [reason] = small.checkpoints.newest()
        assert taken == before
        assert "model.safetensors cannot be read (Input/output error)" in reason
        small.checkpoints.drop_after(2)
    assert names(small.checkpoints.folder) == ["step-00000002", "unreadable-step-00000004"]
    verify(small.checkpoints.folder / "unreadable-step-00000004")


def test_a_run_does_not_start_again_where_a_checkpoint_may_be_whole(small, monkeypatch):
    for step in (2, 4):
        small.save(step, best_step=2)
    with monkeypatch.context() as patch:
        unreadable(patch, "step-00000002", "step-00000004")
        with pytest.raises(UnreadableError, match="cannot be read"):
            small.checkpoints.newest()
    with monkeypatch.context() as patch:
        patch.setattr("engine.checkpoint.manifest.FORMAT", 2)  # a later version
        with pytest.raises(UnreadableError, match=r"format 1, this version reads 2"):
            small.checkpoints.newest()
    assert names(small.checkpoints.folder) == ["step-00000002", "step-00000004"]


def test_no_checkpoint_at_all(small):
    assert small.checkpoints.newest() == (None, [])
    flip(small.save(1) / "state.json")
    taken, reasons = small.checkpoints.newest()
    assert taken is None
    assert len(reasons) == 1


def test_a_manifest_that_does_not_list_the_files_is_damaged(small):
    folder = small.save(1)
    manifest = json.loads((folder / "manifest.json").read_text())
    whole = manifest["files"]
    for content in (
        [],
        {},
        {"files": []},
        {"files": {}},
        3,
        {"format": 1, "files": {"state.json": 3}},
        {"files": whole},
    ):
        (folder / "manifest.json").write_text(json.dumps(content))
        with pytest.raises(CheckpointError, match=r"manifest\.json"):
            verify(folder)
    del manifest["files"]["optimizer.safetensors"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"does not list optimizer\.safetensors"):
        verify(folder)


@pytest.mark.parametrize(
    "interrupted",
    ["engine.checkpoint.manifest.save_file", "data.manifest.flush", "engine.checkpoint.manifest.os.replace"],
)
def test_a_save_that_breaks_off_leaves_the_checkpoints_before(small, monkeypatch, interrupted):
    def killed(*args):
        raise KeyboardInterrupt

    before = small.save(2)
    with monkeypatch.context() as patch:
        patch.setattr(interrupted, killed)
        with pytest.raises(KeyboardInterrupt):
            small.save(4)
    assert names(small.checkpoints.folder) == [".tmp-step-00000004", "step-00000002"]
    assert small.checkpoints.newest() == (before, [])
    after = small.save(4)  # and it is in nobody's way
    assert small.checkpoints.newest() == (after, [])
    assert names(small.checkpoints.folder) == ["step-00000002", "step-00000004"]


def test_a_leftover_temporary_folder_is_cleaned_by_the_next_save(small):
    leftover = small.checkpoints.folder / ".tmp-step-00000099"
    leftover.mkdir(parents=True)
    (leftover / "model.safetensors").write_bytes(b"half")
    assert small.checkpoints.newest() == (None, [])
    small.save(1)
    assert names(small.checkpoints.folder) == ["step-00000001"]


def test_the_same_step_can_be_saved_again(small):
    folder = small.save(3)
    first = (folder / "model.safetensors").read_bytes()
    flip(folder / "state.json")
    small.save(3)
    verify(folder)
    assert (folder / "model.safetensors").read_bytes() != first


# pruning ----------------------------------------------------------------------------------------------------------


def test_the_newest_two_and_the_best_stay(small):
    for step, best in [(2, 2), (4, 4), (6, 4), (8, 4), (10, 4)]:
        small.save(step, best_step=best)
    assert names(small.checkpoints.folder) == ["step-00000004", "step-00000008", "step-00000010"]
    small.save(12, best_step=12)
    # 4 is still what counts if 12 turns out damaged and the run goes on from 10
    assert names(small.checkpoints.folder) == ["step-00000004", "step-00000010", "step-00000012"]
    for step in (14, 16):
        small.save(step, best_step=12)
    assert names(small.checkpoints.folder) == ["step-00000012", "step-00000014", "step-00000016"]
    assert [path.name for path in small.checkpoints.all()] == ["step-00000016", "step-00000014", "step-00000012"]


def test_other_names_in_the_folder_are_nobodys_business(small):
    small.checkpoints.folder.mkdir(parents=True)
    for name in ("step-00000001-copy", "step-1", "notes"):
        (small.checkpoints.folder / name).mkdir()
        (small.checkpoints.folder / name / "mine").write_text("keep")
    for step in (2, 4, 6, 8):
        small.save(step, best_step=step)
    assert {"step-00000001-copy", "step-1", "notes"} <= set(names(small.checkpoints.folder))
    assert small.checkpoints.newest() == (small.checkpoints.path(8), [])


def test_a_whole_checkpoint_of_the_same_step_is_not_touched(small):
    """It may be the only one, and writing it again would mean a moment without."""
    folder = small.save(3)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    small.save(3)
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()} == before


def test_what_is_deleted_loses_its_name_first(small, monkeypatch):
    """A crash half way leaves no damaged checkpoint behind."""
    removed = []
    rmtree = shutil.rmtree
    monkeypatch.setattr(shutil, "rmtree", lambda path, **options: removed.append(path.name) or rmtree(path, **options))
    for step in (2, 4, 6):
        small.save(step, best_step=step)
    small.checkpoints.drop_after(4)
    assert ".tmp-old-step-00000002" in removed
    assert ".tmp-old-step-00000006" in removed
    assert not [name for name in removed if name.startswith("step-")]


# the same run? ----------------------------------------------------------------------------------------------------


@pytest.mark.drill("R13")
def test_a_changed_configuration_is_refused_unless_forced(small):
    folder = small.save(1)
    assert small.checkpoints.compare(folder, force=False) == []
    small.checkpoints.facts = {"fixed": {"seed": 1, "optim": {"lr": 0.2}}, "threads": 1, "processes": 1}
    with pytest.raises(ValueError, match=r"run\.name: .*optim\.lr 0\.1 -> 0\.2; choose another run\.name"):
        small.checkpoints.compare(folder, force=False)
    assert small.checkpoints.compare(folder, force=True) == ["continued although changed: optim.lr 0.1 -> 0.2"]


def test_other_threads_are_told(small):
    folder = small.save(1)
    small.checkpoints.facts = FACTS | {"threads": 8}
    assert small.checkpoints.compare(folder, force=False) == [
        "run.threads was 1, now 8: the last digits may differ"
    ]  # fmt: skip


def test_another_number_of_processes_is_told(small):
    folder = small.save(1)
    small.checkpoints.facts = FACTS | {"processes": 2}
    [notice] = small.checkpoints.compare(folder, force=False)
    assert notice.startswith("processes were 1, now 2: the same examples in the same updates")


CHANGES = {
    "seed": ({"run__seed": 7}, "seed 42 -> 7"),
    "model": ({"model__scratch__layers": 2}, "model.scratch.layers 1 -> 2"),
    "head": ({"model__head": "linear"}, 'model.head "mlp" -> "linear"'),
    "loss": ({"loss__name": "other"}, 'loss.name "cross_entropy" -> "other"'),
    "batch size": ({"train__batch_size": 16}, "train.batch_size 32 -> 16"),
    "epochs": ({"train__epochs": 3}, "train.epochs 2 -> 3"),
    "updates": ({"train__max_updates": 5}, "train.max_updates null -> 5"),
    "optimizer": ({"optim__weight_decay": 0.1}, "optim.weight_decay 0.01 -> 0.1"),
    "labels": ({"data__labels": "boostcamp"}, "labels"),
    "marker": ({"data__marker": "entity"}, "encoding.marker"),
    "metric": ({"eval__metric": "auprc"}, 'eval.metric "micro_f1" -> "auprc"'),
}


@pytest.mark.drill("R13")
@pytest.mark.parametrize("changed, message", CHANGES.values(), ids=CHANGES)
def test_what_makes_another_run_is_shown_and_refused(options, monkeypatch, capsys, tmp_path, changed, message):
    monkeypatch.setitem(LOSSES, "other", LOSSES["cross_entropy"])
    run = {"train__epochs": 2, "train__save_every": 1}
    interrupted(options(**run), monkeypatch)
    before = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    assert program.main(options(**(run | changed))) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "was started with another configuration" in last
    assert message in last
    assert "run.resume force" in last
    assert {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()} == before


@pytest.mark.drill("R13")
def test_other_rows_are_shown_and_refused_unless_forced(options, monkeypatch, capsys, sample_files, tmp_path):
    rows = json.loads(sample_files["train"].read_text())
    (tmp_path / "other.json").write_text(json.dumps([*rows[:-1], rows[-1] | {"label": "no_relation"}]))
    run = {"train__epochs": 2, "train__save_every": 1}
    interrupted(options(**run), monkeypatch)
    other = run | {"data__train": tmp_path / "other.json"}
    assert program.main(options(**other)) == 2
    assert "data.train" in capsys.readouterr().err
    assert program.main(options(**other, run__resume="force")) == 0
    assert "continued although changed: data.train" in capsys.readouterr().out


def test_force_gives_patience_again_and_measures_anew(options, tmp_path, capsys):
    """A run that patience stopped goes on under force; with another metric no old score is the best."""
    still = {"optim__lr": 1e-12, "train__epochs": 4, "eval__every": 1, "eval__patience": 2}
    assert program.main(options(**still)) == 0
    report = json.loads((tmp_path / "runs" / "tiny" / "report.json").read_text())
    assert (report["updates"], report["stopped_early"]) == (3, True)
    forced = still | {"run__resume": "force", "eval__metric": "accuracy", "eval__patience": 100, "optim__lr": 1e-3}
    assert program.main(options(**forced)) == 0
    report = json.loads((tmp_path / "runs" / "tiny" / "report.json").read_text())
    assert (report["updates"], report["stopped_early"]) == (12, False)
    assert report["step"] >= 3  # scored again by the new metric, from the restored update on


@pytest.mark.drill("R13")
def test_changed_code_is_shown_and_goes_on(options, monkeypatch, capsys):
    """Users edit the loop between two halves of a run."""
    run = {"train__epochs": 2, "train__save_every": 1}
    interrupted(options(**run), monkeypatch)
    digests = resume.code_digests()
    assert {"train.py", "engine/loop.py", "models/heads.py", "losses/__init__.py", "data/readers/klue.py"} <= set(
        digests
    )
    now = digests | {"engine/loop.py": "edited", "losses/mine.py": "new"}
    del now["data/readers/klue.py"]
    monkeypatch.setattr(resume, "code_digests", lambda: now)
    assert program.main(options(**run)) == 0
    assert (
        "warning: the code changed since the checkpoint and goes on as it is now: data/readers/klue.py (gone), "
        "engine/loop.py, losses/mine.py (new)"
    ) in capsys.readouterr().out


def test_code_that_was_edited_in_any_folder_is_seen(options, tmp_path, monkeypatch, capsys):
    """In a copy of the code: edited files at every depth, a new one, and one that is gone."""
    code = tmp_path / "code"
    for name in ("engine", "models", "losses", "data"):
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", code)
    monkeypatch.setattr(resume, "__file__", str(code / "engine" / "checkpoint" / "resume.py"))
    run = {"train__epochs": 2, "train__save_every": 1}
    interrupted(options(**run), monkeypatch)
    edited = ["data/readers/klue.py", "engine/loop.py", "engine/report/errors.py", "train.py"]
    for name in edited:
        with (code / name).open("a", encoding="utf-8") as file:
            file.write("# edited\n")
    new = code / "models" / "mine" / "heads" / "gated.py"
    new.parent.mkdir(parents=True)
    new.write_text("")
    (code / "engine" / "scores" / "metrics.py").unlink()
    capsys.readouterr()
    assert program.main(options(**run)) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "the code changed" in line]
    changed = sorted([*edited, "engine/scores/metrics.py (gone)", "models/mine/heads/gated.py (new)"])
    assert lines == [f"warning: the code changed since the checkpoint and goes on as it is now: {', '.join(changed)}"]


@pytest.mark.drill("R13")
def test_names_places_cadences_and_cuts_are_free(options, monkeypatch, tmp_path):
    run = {"train__epochs": 2, "train__save_every": 1, "optim__lr": 0.01}
    assert program.main(options(run__name="straight", **run)) == 0
    interrupted(options(**run), monkeypatch)
    free = {
        "train__save_every": 2, "train__log_every": 5, "eval__every": 2, "eval__batch_size": 3, "eval__patience": 50,
        "train__micro_batch_size": 7, "track__tensorboard": "true", "run__threads": 2, "notify__when": "[]",
        "data__cache_dir": tmp_path / "elsewhere", "model__gradient_checkpointing": "true",
    }  # fmt: skip
    (tmp_path / "runs").rename(tmp_path / "moved")
    assert program.main(options(**(run | free), run__dir=tmp_path / "moved")) == 0
    mine, theirs = (
        load_file(tmp_path / "moved" / name / "checkpoints" / "step-00000006" / "model.safetensors")
        for name in ("tiny", "straight")
    )
    for name, weights in theirs.items():
        if not name.endswith("key.bias"):
            torch.testing.assert_close(mine[name], weights, rtol=0, atol=1e-5)


@pytest.mark.drill("R12")
def test_a_folder_with_other_files_in_it_keeps_them(options, tmp_path):
    folder = tmp_path / "runs" / "tiny"
    (folder / "checkpoints").mkdir(parents=True)
    others = {folder / "notes.txt": "mine", folder / "checkpoints" / "old.pt": "weights", folder / "data.csv": "a,b"}
    for path, content in others.items():
        path.write_text(content)
    assert program.main(options(train__max_updates=1)) == 0
    assert {path: path.read_text() for path in others} == others


@pytest.mark.drill("R12")
@pytest.mark.parametrize("reason", [errno.EROFS, errno.EACCES, errno.EIO])
def test_a_folder_that_cannot_be_written_is_told_before_training(options, monkeypatch, capsys, tmp_path, reason):
    folder, mkdir = tmp_path / "runs" / "tiny", Path.mkdir

    def refuse(path, *args, **kwargs):
        if path == folder:
            raise OSError(reason, os.strerror(reason))
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert program.main(options()) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == f"error: run.dir: cannot write to {folder} ({os.strerror(reason)})"


@pytest.mark.drill("R12")
def test_a_disk_without_locks_is_told_and_is_no_other_run(options, monkeypatch, capsys):
    def lockf(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("engine.checkpoint.folder.fcntl.lockf", lockf)
    assert program.main(options()) == 2
    assert "run.dir: cannot lock" in (said := capsys.readouterr().err)
    assert "another run" not in said


@pytest.mark.drill("R12")
def test_processes_that_see_different_folders_do_not_train_different_models():
    class Several:
        device = torch.device("cpu")

        def gather(self, mine):
            return torch.cat([mine, torch.tensor([0])])

    resume.same_everywhere(Several(), 0, "run.dir: processes find different checkpoints in runs/a")
    with pytest.raises(
        ValueError, match=r"run\.dir: .* in runs/a \(6, 0\); it must lie on a disk that all machines share"
    ):
        resume.same_everywhere(Several(), 6, "run.dir: processes find different checkpoints in runs/a")


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_report_that_a_power_cut_left_does_not_count(options, tmp_path, content):
    assert program.main(options(train__max_updates=1)) == 0
    report = tmp_path / "runs" / "tiny" / "report.json"
    before = json.loads(report.read_text())
    report.write_text(content)
    assert program.main(options(train__max_updates=1)) == 0
    assert json.loads(report.read_text())["dev"] == before["dev"]


@pytest.mark.drill("R12")
def test_a_disk_that_is_not_there(options, capsys):
    assert program.main(options(run__dir="/proc/no-such-disk")) == 2
    assert "run.dir: cannot write to /proc/no-such-disk" in capsys.readouterr().err


# a run that is interrupted ----------------------------------------------------------------------------------------

RESUMABLE = {"train__epochs": 3, "train__save_every": 2, "train__log_every": 4, "model__dropout": 0.2, "eval__every": 3}


class KilledError(Exception):
    """What the death of the process looks like to a test."""


def interrupted(command: list[str], monkeypatch) -> None:
    """A run that died in its fourth update."""
    seed, calls = engine.loop.seed_update, []

    def die(*rest):
        calls.append(rest)
        if len(calls) == 4:
            raise KilledError
        seed(*rest)

    with monkeypatch.context() as patch:
        patch.setattr(engine.loop, "seed_update", die)
        with pytest.raises(KilledError):
            program.main(command)


def kill_after(run, step: int) -> None:
    """Stop without any farewell in the middle of update `step` + 1."""
    watch = run.parts.guard.watch

    def watch_and_die(norm, now):
        if now == step:
            raise KilledError
        watch(norm, now)

    run.parts.guard.watch = watch_and_die


@pytest.mark.parametrize("killed", [0, 1, 2, 3, 5, 8])
def test_an_interrupted_run_ends_with_the_same_bits(start, killed):
    whole = start(run__name="whole", **RESUMABLE)
    end = train(whole.parts, whole.config, whole.state)
    broken = start(run__name="broken", **RESUMABLE)
    kill_after(broken, killed)
    with pytest.raises(KilledError):
        train(broken.parts, broken.config, broken.state)
    last_saved = max([0, *(int(path.name[-8:]) for path in broken.parts.checkpoints.all())])
    broken.parts.tracker.file.write('{"step": 3, "epo')  # a line that was cut off
    broken.parts.tracker.close()
    again = start(run__name="broken", **RESUMABLE)
    assert again.state.step == last_saved
    assert killed - 2 < last_saved <= killed
    continued = train(again.parts, again.config, again.state)
    assert vars(continued) | {"seconds": 0} == vars(end) | {"seconds": 0}
    assert same(again.parts.model.state_dict(), whole.parts.model.state_dict())
    mine, theirs = again.parts.optimizer.state_dict(), whole.parts.optimizer.state_dict()
    assert mine["param_groups"] == theirs["param_groups"]
    assert all(same(mine["state"][key], theirs["state"][key]) for key in theirs["state"])
    assert metric_lines(again.folder, speed=False) == metric_lines(whole.folder, speed=False)


def test_a_damaged_checkpoint_costs_the_updates_since_the_one_before_and_is_told(start, capsys):
    run = start(**RESUMABLE)
    end = train(run.parts, run.config, run.state)
    expected = {name: tensor.clone() for name, tensor in run.parts.model.state_dict().items()}
    newest, before = run.parts.checkpoints.all()[:2]
    flip(newest / "model.safetensors")
    run.parts.tracker.close()
    capsys.readouterr()
    again = start(**RESUMABLE)
    told = capsys.readouterr().out
    assert f"skipped a damaged checkpoint: {newest}: model.safetensors was changed" in told
    assert f"continuing {run.folder} after update {int(before.name[-8:])}" in told
    assert again.state.step == int(before.name[-8:]) < end.step
    train(again.parts, again.config, again.state)
    assert same(again.parts.model.state_dict(), expected)


def test_a_folder_without_a_valid_checkpoint_starts_again(start, capsys):
    run = start(train__epochs=1)
    train(run.parts, run.config, run.state)
    for folder in run.parts.checkpoints.all():
        truncate(folder / "optimizer.safetensors")
    run.parts.tracker.close()
    again = start(train__epochs=1)
    assert again.state.step == 0
    assert metric_lines(again.folder) == []
    assert train(again.parts, again.config, again.state).step == 3


@pytest.mark.drill("R13")
def test_another_learning_rate_in_the_same_folder_is_refused(start, options):
    run = start(train__epochs=1, optim__lr=0.001)
    train(run.parts, run.config, run.state)
    run.parts.tracker.close()
    config, path, _ = parse(options(train__epochs=1, optim__lr=0.002))
    saved = read_json(run.parts.checkpoints.all()[0] / "state.json")
    with pytest.raises(ValueError, match=r"optim\.lr 0\.001 -> 0\.002"):
        build(config, path)
    assert read_json(run.parts.checkpoints.all()[0] / "state.json") == saved
    config, path, _ = parse(options(train__epochs=1, run__resume="never"))
    with pytest.raises(ValueError, match=r"run\.name: .* holds a run and run\.resume is never"):
        build(config, path)
    forced = start(train__epochs=1, optim__lr=0.002, run__resume="force")
    assert forced.state.step == 3


@pytest.mark.drill("R13")
def test_cadences_and_cuts_may_change_when_a_run_continues(start):
    run = start(**RESUMABLE)
    kill_after(run, 5)
    with pytest.raises(KilledError):
        train(run.parts, run.config, run.state)
    run.parts.tracker.close()
    shutil.rmtree(run.folder / "predictions", ignore_errors=True)
    again = start(**(RESUMABLE | {"train__save_every": 1, "train__log_every": 1, "train__micro_batch_size": 4}))
    assert again.state.step == 4
    assert train(again.parts, again.config, again.state).step == 9
