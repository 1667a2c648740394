"""Seeds and folds: real runs, in this process where it saves time, and their summary."""

import csv
import glob
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import train as program
from conftest import ROOT, environment
from data import sample
from data.labels import KLUE
from engine.compare import compare
from engine.predict.__main__ import main as predict
from engine.repeat import finished, runs
from engine.repeat.__main__ import main, spread, table
from engine.scores.metrics import headline
from engine.scores.prior import KLUE_DEV
from engine.scores.scored import Scored


@pytest.fixture
def repeat(options, tmp_path, monkeypatch):
    """`repeat(*own, key=value)` repeats a tiny run and returns (exit code, its folder); `repeat.names`: what ran."""
    names = []

    def run(command, log):
        names.append(next(word for word in command if word.startswith("--run.name=")).removeprefix("--run.name="))
        log.parent.mkdir(exist_ok=True)
        log.write_text("")
        code = program.main(command)
        if code:
            raise ValueError(f"a run ended with code {code}")

    monkeypatch.setattr(runs, "train", run)

    def start(*own, **given):
        given = {"run__name": "lot", "train__epochs": 1} | given
        return main([*own, "--", *options(**given)]), tmp_path / "runs" / given["run__name"]

    start.names = names
    return start


def summary_of(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def test_seeds_with_a_final_fit(repeat, capsys):
    code, folder = repeat("--seeds", "3", "1", "--final", optim__lr=0.01)
    assert code == 0
    assert repeat.names == ["run-seed3", "final-seed3", "run-seed1", "final-seed1"]
    found = summary_of(folder)
    reports = {
        name: json.loads((folder / "runs" / name / "report.json").read_text(encoding="utf-8")) for name in repeat.names
    }
    assert reports["final-seed1"]["dev"] is None
    assert (folder / "runs" / "final-seed1" / "best" / "model.safetensors").is_file()
    areas = [reports[f"run-seed{seed}"]["dev"]["auprc"] for seed in (3, 1)]
    assert areas[0] != areas[1]
    told = found["scores"]["auprc"]
    assert (told["mean"], told["sd"], told["runs"]) == (
        pytest.approx(sum(areas) / 2), pytest.approx(abs(areas[0] - areas[1]) / 2**0.5), 2,
    )  # fmt: skip
    assert [(run["name"], run["seed"], bool(run["scores"])) for run in found["runs"]] == [
        ("run-seed3", 3, True), ("run-seed1", 1, True), ("final-seed3", 3, False), ("final-seed1", 1, False),
    ]  # fmt: skip
    assert f"{told['mean']:.2f}" in capsys.readouterr().out

    # the same command trains nothing again; a run that is lost is made again, alone
    (folder / "runs" / "run-seed1" / "report.json").unlink()
    repeat.names.clear()
    assert repeat("--seeds", "3", "1", "--final", optim__lr=0.01)[0] == 0
    assert repeat.names == ["run-seed1"]
    assert summary_of(folder) == found


def test_folds_predict_every_row_once(repeat, sample_files):
    code, folder = repeat("--seeds", "1", "2", "--folds", "2")
    assert code == 0
    found = summary_of(folder)
    rows = sample.rows("train")[:70]
    for seed, part in zip((1, 2), found["out_of_fold"], strict=True):
        with (folder / "out_of_fold" / f"seed{seed}.csv").open(encoding="utf-8", newline="") as file:
            written = list(csv.DictReader(file))
        assert [(one["id"], one["label"]) for one in written] == [(row["guid"], row["label"]) for row in rows]
        labels = [*written[0]][3:]
        gold = np.array([labels.index(one["label"]) for one in written])
        probabilities = np.array([[float(one[label]) for label in labels] for one in written])
        wanted = headline(Scored(gold, probabilities, labels.index("no_relation")))
        assert part["scores"] == pytest.approx({key: wanted[key] for key in part["scores"]}, abs=1e-6)
        assert (part["rows"], part["left_out"]) == (70, 0)
        # each row from the model that did not train on it
        for fold in range(2):
            path = folder / "runs" / f"fold{fold}-seed{seed}" / "predictions" / "dev.csv"
            with path.open(encoding="utf-8", newline="") as file:
                assert all(one in written for one in csv.DictReader(file))
    assert found["scores"]["auprc"]["runs"] == 4
    assert found["out_of_fold_scores"]["auprc"]["runs"] == 2

    # the README's glob: nothing but runs
    folds = glob.glob(f"{folder}/runs/fold*")
    assert len(folds) == 4
    output = folder / "ensemble.csv"
    assert predict([*folds, "--input", str(sample_files["dev"]), "--output", str(output), "--vote", "hard"]) == 0
    assert len(output.read_text(encoding="utf-8").splitlines()) == 1 + 24
    assert sorted(path.name for path in (folder / "logs").iterdir()) == [
        "fold0-seed1.log", "fold0-seed2.log", "fold1-seed1.log", "fold1-seed2.log"
    ]  # fmt: skip


@pytest.mark.parametrize("given", [{"data__hold_out": 0.25}, {"data__folds": 3, "data__fold": 1}])
def test_the_final_fit_is_on_all_rows_whatever_the_options_hold_out(repeat, given):
    code, folder = repeat("--seeds", "1", "--final", data__dev="null", **given)
    assert code == 0
    rows = {name: report_of(folder, name)["data"] for name in ("run-seed1", "final-seed1")}
    assert rows["run-seed1"]["train"]["rows"] < 70
    assert rows["final-seed1"]["train"]["rows"] == 70
    assert "dev" not in rows["final-seed1"]


def report_of(folder: Path, name: str) -> dict:
    return json.loads((folder / "runs" / name / "report.json").read_text(encoding="utf-8"))


def other_label(path: Path) -> None:
    """Another label for the first row that has the commonest one."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    next(row for row in rows if row["label"] == "no_relation")["label"] = "per:title"
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


@pytest.fixture
def own_files(sample_files, tmp_path) -> dict[str, Path]:
    """Files that a test may change, by option."""
    files = {"data.train": tmp_path / "train.json", "data.dev": tmp_path / "dev.json"}
    for key, path in files.items():
        path.write_bytes(sample_files[key.partition(".")[2]].read_bytes())
    files["data.labels"], files["eval.label_prior"] = tmp_path / "labels.txt", tmp_path / "prior.json"
    files["data.labels"].write_text("\n".join(KLUE), encoding="utf-8")
    files["eval.label_prior"].write_text(json.dumps(KLUE_DEV), encoding="utf-8")
    return files


def test_a_finished_run_is_not_kept_when_a_file_holds_something_else(repeat, own_files, capsys, monkeypatch):
    given = {key.replace(".", "__"): path for key, path in own_files.items()}
    code, folder = repeat("--seeds", "1", "2", **given)
    assert code == 0
    assert report_of(folder, "run-seed2")["data"]["files"]["data.dev"] == {
        "sha256": hashlib.sha256(own_files["data.dev"].read_bytes()).hexdigest(), "format": "klue",
    }  # fmt: skip
    repeat.names.clear()

    for key, path in own_files.items():
        before = path.read_bytes()
        if path.name in ("train.json", "dev.json"):
            other_label(path)
        elif path.name == "labels.txt":
            path.write_text("\n".join([*KLUE[1:], KLUE[0]]), encoding="utf-8")
        else:
            path.write_text(json.dumps(KLUE_DEV | {"no_relation": 1}), encoding="utf-8")
        capsys.readouterr()
        assert repeat("--seeds", "3", "1", "2", **given)[0] == 2
        assert capsys.readouterr().err.endswith(
            f"error: {key}: the content of {path} is not what {folder}/runs/run-seed1 was made from; put the file back "
            "or choose another run.name\n"
        )
        path.write_bytes(before)
    assert repeat.names == []

    # each file is read once, not once a run
    read, original = [], finished.file_identity
    monkeypatch.setattr(finished, "file_identity", lambda config, key: read.append(key) or original(config, key))
    assert repeat("--seeds", "1", "2", **given)[0] == 0
    assert sorted(read) == sorted(own_files)
    assert repeat.names == []


def test_a_file_that_changes_between_two_runs_is_told(repeat, own_files, monkeypatch, capsys):
    train = runs.train

    def run_and_change(command, log):
        train(command, log)
        other_label(own_files["data.dev"])

    monkeypatch.setattr(runs, "train", run_and_change)
    assert repeat("--seeds", "1", "2", "3", data__dev=own_files["data.dev"])[0] == 2
    assert repeat.names == ["run-seed1", "run-seed2"]
    assert "runs/run-seed2 was made from; put the file back" in capsys.readouterr().err


def test_reports_of_older_versions_are_taken_and_their_labels_compared(repeat, own_files, capsys):
    given = {"data__train": own_files["data.train"]}
    code, folder = repeat("--seeds", "1", "--folds", "2", **given)
    assert code == 0
    for path in folder.glob("runs/*/report.json"):
        report = json.loads(path.read_text(encoding="utf-8"))
        del report["data"]["files"]
        path.write_text(json.dumps(report), encoding="utf-8")
    repeat.names.clear()
    with pytest.warns(UserWarning, match="a finished run of an older version does not tell what its data files held"):
        assert repeat("--seeds", "1", "--folds", "2", **given)[0] == 0
    assert repeat.names == []

    other_label(own_files["data.train"])
    with pytest.warns(UserWarning, match="older version"):
        assert repeat("--seeds", "1", "--folds", "2", **given)[0] == 2
    told = capsys.readouterr().err
    assert f"error: {own_files['data.train']}: 1 rows had another label when they were predicted" in told
    assert told.endswith("no_relation -> per:title; put the file back or choose another run.name\n")


def test_out_of_fold_scores_have_intervals_and_are_those_of_compare(repeat, tmp_path, capsys):
    """Negative label, prior, sentences and draws are the same; labels without a row are told once."""
    given = {"data__negative_label": "per:title", "eval__label_prior": "klue_dev"}
    code, folder = repeat("--seeds", "1", "--folds", "2", **given)
    assert code == 0
    told = capsys.readouterr().out
    [part] = summary_of(folder)["out_of_fold"]
    found = compare([str(folder / "out_of_fold" / "seed1.csv")])
    assert found["runs"][0]["scores"] == {
        key: {"score": value} | part["intervals"][key] for key, value in part["scores"].items()
    }
    assert "accuracy_prior" in part["scores"]
    assert found["sentences"] == len({" ".join(row["sentence"].split()) for row in sample.rows("train")[:70]})
    low, high = (part["intervals"]["micro_f1"][key] for key in ("low", "high"))
    assert f"out of fold, seed 1, 95 % interval: micro-F1 {low:.1f} to {high:.1f}; AUPRC " in told
    present = len({row["label"] for row in sample.rows("train")[:70]})
    assert part["absent_classes"] == 30 - present
    line = f"no row of {30 - present} of the 30 labels: AUPRC is the mean of the other {present}, macro-F1"
    assert told.count(line) == 1
    assert told.count("fold0-seed1: no row of ") + told.count("fold0-seed1, fold1-seed1: no row of ") == 1


def test_the_table_says_of_whom_labels_have_no_row():
    run = {"scores": {"auprc": 50.0}, "labels": 3}
    absent_in = [{**run, "name": name, "absent_classes": absent} for name, absent in (("a", 1), ("b", 0), ("c", 1))]
    final = {"name": "final", "scores": {}, "labels": 0, "absent_classes": 0}
    summary = {"runs": [*absent_in, final], "scores": {}, "out_of_fold": [], "out_of_fold_scores": {}}
    said = "no row of 1 of the 3 labels: AUPRC is the mean of the other 2, macro-F1 of these and of what was predicted"
    assert table(summary)[-2:] == ["final      -", f"a, c: {said}"]


def test_a_run_that_fails_says_how_to_go_on(repeat, monkeypatch, capsys):
    def fail(command, log):
        raise ValueError("a run ended with code 1: no memory")

    monkeypatch.setattr(runs, "train", fail)
    assert repeat("--seeds", "1")[0] == 2
    told = "error: a run ended with code 1: no memory; the same command with --run.name lot goes on\n"
    assert capsys.readouterr().err.endswith(told)


@pytest.mark.parametrize("error, code", [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_stopped(repeat, monkeypatch, capsys, error, code):
    def stopped(command, log):
        raise error

    monkeypatch.setattr(runs, "train", stopped)
    assert repeat("--seeds", "1")[0] == code
    assert capsys.readouterr().err.endswith("stopped; the same command with --run.name lot goes on\n")


TRAIN = runs.train
LONG = {"run__name": "lot", "train__epochs": 50, "train__max_updates": 150, "eval__every": 1000}


@pytest.fixture
def training(options, tmp_path):
    """A repeat as a user starts it, whose run is training; (process, the run's folder, its log)."""
    command = [sys.executable, "-m", "engine.repeat", "--seeds", "1", "--", *options(**LONG)]
    lot = tmp_path / "runs" / "lot"
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    metrics = lot / "runs" / "run-seed1" / "metrics.jsonl"
    with process:
        while process.poll() is None and not (metrics.is_file() and metrics.stat().st_size):
            time.sleep(0.01)
        yield process, metrics.parent, lot / "logs" / "run-seed1.log"
        process.kill()


def saved_by_signal(run: Path, log: Path, told: str) -> int:
    """The update after which a repeat that was told to stop let its run save."""
    assert told.endswith("stopped; the same command with --run.name lot goes on\n")
    printed = log.read_text(encoding="utf-8")
    assert printed.count("SIGTERM: saving and stopping") == 1  # told once, and waited for
    step = int(printed.rpartition("stopped after update ")[2].partition(";")[0])
    assert 0 < step < 150
    assert (run / "checkpoints" / f"step-{step:08d}" / "manifest.json").is_file()
    return step


@pytest.mark.timeout(240)
def test_ctrl_c_at_a_terminal_lets_the_run_save(training):
    process, run, log = training
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 130
    saved_by_signal(run, log, told)


@pytest.mark.timeout(240)
def test_a_signal_lets_the_run_save_and_the_same_command_goes_on(repeat, options, tmp_path, monkeypatch, capfd):
    """The repeat in this process, its run in one of its own."""
    lot = tmp_path / "runs" / "lot"
    run = lot / "runs" / "run-seed1"

    def send() -> None:
        while not (run / "metrics.jsonl").is_file() or not (run / "metrics.jsonl").stat().st_size:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "train", TRAIN)
        threading.Thread(target=send, daemon=True).start()
        assert main(["--seeds", "1", "--", *options(**LONG)]) == 143
    step = saved_by_signal(run, lot / "logs" / "run-seed1.log", capfd.readouterr().err)

    assert repeat("--seeds", "1", **LONG)[0] == 0
    assert f"after update {step}\n" in capfd.readouterr().out
    assert json.loads((run / "report.json").read_text(encoding="utf-8"))["updates"] == 150


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells of a parent's death")
@pytest.mark.timeout(240)
def test_a_repeat_that_is_killed_leaves_no_run_behind(training):
    process, _, log = training
    process.kill()
    while "stopped after update" not in log.read_text(encoding="utf-8"):
        time.sleep(0.05)


@pytest.mark.parametrize(
    "own, given, message",
    [
        (["--seeds", "1", "1"], {}, "--seeds: got 1 1, expected different numbers"),
        (["--seeds", "-1"], {}, "--seeds: got -1, expected numbers from 0"),
        (["--seeds", "1", "--folds", "1"], {}, "--folds: got 1, expected 2 or more"),
        (["--seeds", "1", "--folds", "3"], {"data__fold": 0}, "--folds: it sets --data.folds, --data.fold itself"),
        (["--seeds", "1"], {"train__epochs": "x"}, "train.epochs: got 'x', expected a whole number"),
        (["--seeds", "1"], {"model__name": "x"}, "model.name: got 'x', expected one of relation"),
    ],
)
def test_what_cannot_be_repeated_is_told(repeat, capsys, own, given, message):
    code, folder = repeat(*own, **given)
    assert code == 2
    assert f"error: {message}" in capsys.readouterr().err
    assert not folder.exists()
    assert repeat.names == []


def test_spread_by_hand():
    assert spread([{"f": 70.0}, {"f": 74.0}, {"f": 78.0}]) == {"f": {"mean": 74.0, "sd": 4.0, "runs": 3}}
    assert spread([{"f": 70.0}]) == {"f": {"mean": 70.0, "sd": None, "runs": 1}}
    assert spread([]) == {}
