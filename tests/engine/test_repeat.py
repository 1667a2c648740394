"""Seeds and folds: real runs, in this process where it saves time, and their summary."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import train as program
from data import sample
from engine import comparison
from engine.compare import compare
from engine.metrics import headline
from engine.repeat import main, spread, table


@pytest.fixture
def repeat(options, tmp_path, monkeypatch):
    """`repeat(*own, key=value)` repeats a tiny run and returns (exit code, its folder); `repeat.names`: what ran."""
    names = []

    def run(command, log):
        names.append(next(word for word in command if word.startswith("--run.name=")).removeprefix("--run.name="))
        code = program.main(command)
        if code:
            raise ValueError(f"a run ended with code {code}")

    monkeypatch.setattr(comparison, "train", run)

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
        wanted = headline(gold, probabilities, labels.index("no_relation"))
        assert part["scores"] == pytest.approx({key: wanted[key] for key in part["scores"]}, abs=1e-6)
        assert (part["rows"], part["left_out"]) == (70, 0)
        # each row from the model that did not train on it
        for fold in range(2):
            path = folder / "runs" / f"fold{fold}-seed{seed}" / "predictions" / "dev.csv"
            with path.open(encoding="utf-8", newline="") as file:
                assert all(one in written for one in csv.DictReader(file))
    assert found["scores"]["auprc"]["runs"] == 4
    assert found["out_of_fold_scores"]["auprc"]["runs"] == 2


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
    runs = [{**run, "name": name, "absent_classes": absent} for name, absent in (("a", 1), ("b", 0), ("c", 1))]
    final = {"name": "final", "scores": {}, "labels": 0, "absent_classes": 0}
    summary = {"runs": [*runs, final], "scores": {}, "out_of_fold": [], "out_of_fold_scores": {}}
    said = "no row of 1 of the 3 labels: AUPRC is the mean of the other 2, macro-F1 of these and of what was predicted"
    assert table(summary)[-2:] == ["final         -", f"a, c: {said}"]


def test_a_run_that_fails_says_how_to_go_on(repeat, monkeypatch, capsys):
    def fail(command, log):
        raise ValueError("a run ended with code 1: no memory")

    monkeypatch.setattr(comparison, "train", fail)
    assert repeat("--seeds", "1")[0] == 2
    told = "error: a run ended with code 1: no memory; the same command with --run.name lot goes on\n"
    assert capsys.readouterr().err.endswith(told)


@pytest.mark.parametrize("error, code", [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_stopped(repeat, monkeypatch, capsys, error, code):
    def stopped(command, log):
        raise error

    monkeypatch.setattr(comparison, "train", stopped)
    assert repeat("--seeds", "1")[0] == code
    assert capsys.readouterr().err.endswith("stopped; the same command with --run.name lot goes on\n")


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
