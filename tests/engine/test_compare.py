"""Comparing runs, from folders written by hand: what differs, scores, intervals that keep sentences together."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from engine.compare import compare, main
from engine.report.predictions import read_predictions
from engine.scores.metrics import headline
from engine.scores.scored import Scored

LABELS = ["no_relation", "a", "b"]


def write_run(folder: Path, gold: list[str], probabilities: np.ndarray, labels=LABELS, order=None, **config) -> Path:
    """A finished run: config.yaml and predictions/dev.csv, rows in `order`."""
    (folder / "predictions").mkdir(parents=True)
    order = range(len(gold)) if order is None else order
    with (folder / "predictions" / "dev.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "predicted", *labels])
        for row in order:
            answer = labels[probabilities[row].argmax()]
            writer.writerow([f"r{row}", gold[row], answer, *(f"{p:.9g}" for p in probabilities[row])])
    settings = {
        "run": {"name": folder.name, "seed": 1},
        "data": {"format": "text", "dev": str(folder.parent / "dev.jsonl"), "negative_label": "no_relation",
                 "columns": {"id": "id", "text": "text"}},
        "track": {"tensorboard": folder.name == "a"},
    }  # fmt: skip
    for key, value in config.items():
        section, name = key.split("__")
        settings.setdefault(section, {})[name] = value
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def write_dev(path: Path, sentences: list[str]) -> None:
    rows = [{"id": f"r{row}", "text": text} for row, text in enumerate(sentences)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def made(rows: int, right: float, seed: int) -> tuple[list[str], np.ndarray]:
    """True labels, the same for all seeds, and probabilities (N, 3) that are right in so many cases."""
    gold = np.random.default_rng(0).integers(0, 3, rows)
    random = np.random.default_rng(seed)
    said = np.where(random.random(rows) < right, gold, (gold + 1) % 3)
    probabilities = np.full((rows, 3), 0.2)
    probabilities[np.arange(rows), said] = 0.6
    probabilities += random.random((rows, 3)) / 10
    return [LABELS[number] for number in gold], (probabilities / probabilities.sum(axis=1, keepdims=True)).astype("f4")


def test_scores_differences_and_configuration(tmp_path, capsys):
    gold, first = made(300, 0.9, 1)
    _, second = made(300, 0.6, 2)
    write_dev(tmp_path / "dev.jsonl", [f"s{row}" for row in range(300)])
    a = write_run(tmp_path / "a", gold, first, optim__lr=0.1, loss__name="focal")
    b = write_run(tmp_path / "b", gold, second, optim__lr=0.2, loss__name="focal", loss__gamma=2, run__seed=5)
    assert main([str(a), str(b), "--json", str(tmp_path / "out.json"), "--resamples", "400"]) == 0
    told = capsys.readouterr().out
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert found["configuration"] == {
        "run.seed": {"a": "1", "b": "5"}, "optim.lr": {"a": "0.1", "b": "0.2"}, "loss.gamma": {"a": "-", "b": "2"},
    }  # fmt: skip
    numbers = np.array([LABELS.index(label) for label in gold])
    one, two = (headline(Scored(numbers, p, 0, LABELS)) for p in (first, second))
    for run, wanted in zip(found["runs"], (one, two), strict=True):
        for key, value in run["scores"].items():
            assert value["score"] == pytest.approx(wanted[key], abs=1e-9)
            assert value["low"] < value["score"] < value["high"]
    [differences] = [run["differences"] for run in found["runs"] if "differences" in run]
    for key in ("micro_f1", "accuracy"):
        assert differences[key]["score"] == pytest.approx(two[key] - one[key], abs=1e-9)
        assert differences[key]["high"] < 0
        assert differences[key]["p"] == pytest.approx(2 / 400)
    # paired: sd of the mean difference of each row's rightness, over so many rows
    rightness = (second.argmax(axis=1) == numbers) * 1.0 - (first.argmax(axis=1) == numbers)
    assert differences["accuracy"]["sd"] == pytest.approx(100 * rightness.std() / 300**0.5, rel=0.15)
    assert "300 rows; 95 % intervals from 400 draws of 300 sentences" in told
    assert f"{one['accuracy']:.2f} [" in told
    assert f"{two['accuracy'] - one['accuracy']:+.2f} [" in told


def test_scores_under_the_run_s_label_prior(tmp_path):
    gold, first = made(200, 0.7, 1)
    write_dev(tmp_path / "dev.jsonl", [f"s{row}" for row in range(200)])
    (tmp_path / "prior.json").write_text('{"no_relation": 8, "a": 1, "b": 1}')
    a = write_run(tmp_path / "a", gold, first, eval__label_prior=str(tmp_path / "prior.json"))
    scores = compare([str(a)], 200)["runs"][0]["scores"]
    right = first.argmax(axis=1) == np.array([LABELS.index(label) for label in gold])
    shares = [right[[label == name for label in gold]].mean() for name in LABELS]
    value = scores["accuracy_prior"]
    assert value["score"] == pytest.approx(100 * (0.8 * shares[0] + 0.1 * shares[1] + 0.1 * shares[2]))
    assert value["low"] < value["score"] < value["high"]
    (tmp_path / "prior.json").unlink()
    with pytest.warns(UserWarning, match=r"no file .*scores ending in prior are left out"):
        assert "accuracy_prior" not in compare([str(a)], 20)["runs"][0]["scores"]


def test_rows_of_a_sentence_are_drawn_together(tmp_path, capsys):
    """Each row four times: a quarter of the sentences, twice the standard deviation."""
    gold, first = made(100, 0.7, 1)
    gold, first = [label for label in gold for _ in range(4)], first.repeat(4, axis=0)
    write_dev(tmp_path / "dev.jsonl", [f"s  {row // 4}" if row % 2 else f"s {row // 4}" for row in range(400)])
    a = write_run(tmp_path / "a", gold, first)
    together = compare([str(a)])
    assert together["sentences"] == 100
    (tmp_path / "dev.jsonl").unlink()
    alone = compare([str(a)])
    assert alone["sentences"] is None
    sds = [found["runs"][0]["scores"]["accuracy"]["sd"] for found in (together, alone)]
    assert sds[0] / sds[1] == pytest.approx(2, rel=0.2)  # of 1,000 draws each; 1 where rows are drawn alone
    assert main([str(a)]) == 0
    told = capsys.readouterr().out
    assert "rows of one sentence could not be kept together (data.dev: no file " in told
    assert "draws of single rows" in told
    assert "minus" not in told


def test_other_orders_of_rows_and_labels_are_no_difference(tmp_path):
    gold, first = made(60, 0.7, 1)
    a = write_run(tmp_path / "a", gold, first)
    turned = [2, 0, 1]
    b = write_run(tmp_path / "b", gold, first[:, turned], [LABELS[n] for n in turned], order=range(59, -1, -1))
    file = tmp_path / "vote.csv"  # as engine.predict writes it
    file.write_bytes((a / "predictions" / "dev.csv").read_bytes())
    found = compare([str(a), str(b), str(file)], 50)
    assert [run["name"] for run in found["runs"]] == ["a", "b", "vote.csv"]
    assert found["configuration"] == {}
    for run in found["runs"][1:]:
        assert run["scores"] == found["runs"][0]["scores"]
        assert all(value["score"] == value["sd"] == 0 and value["p"] == 1 for value in run["differences"].values())


def test_a_file_s_predicted_column_is_the_answer_of_equal_probabilities(tmp_path):
    """Both runs say `b` of every row, one of them in another order of labels."""
    even = np.tile([0.2, 0.4, 0.4], (10, 1))
    a = write_run(tmp_path / "a", ["b"] * 10, even)
    turned = [0, 2, 1]
    b = write_run(tmp_path / "b", ["b"] * 10, even[:, turned], [LABELS[number] for number in turned])
    path = a / "predictions" / "dev.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("b,a,", "b,b,"), encoding="utf-8")
    for order in ([a, b], [b, a]):
        runs = compare([str(run) for run in order], 20)["runs"]
        assert [run["scores"]["accuracy"] for run in runs] == [{"score": 100, "low": 100, "high": 100, "sd": 0}] * 2


def test_numbers_are_read_to_their_last_digit(tmp_path):
    rows = np.tile([0.0, 0.5 - 1e-9, 0.5 + 1e-9], (4, 1))
    a = write_run(tmp_path / "a", ["b"] * 4, rows)
    assert read_predictions(a / "predictions" / "dev.csv", "a").probabilities.argmax(axis=1).tolist() == [2] * 4


def test_files_of_repeat_are_scored_as_their_runs(tmp_path):
    """out_of_fold/seed1.csv: negative label, prior and sentences of the runs beside it; the fold is none of its own."""
    gold, first = made(80, 0.7, 1)
    write_dev(tmp_path / "train.jsonl", [f"s{row // 4}" for row in range(80)])
    files = []
    for number, lot in enumerate(("one", "two")):
        (tmp_path / lot / "runs").mkdir(parents=True)
        for seed in (1, 2):
            for fold in range(2):
                given = {"data__dev": None, "data__train": str(tmp_path / "train.jsonl"), "data__fold": fold,
                         "data__negative_label": "a", "eval__label_prior": "uniform", "optim__lr": 0.1 + number,
                         "run__seed": seed}  # fmt: skip
                write_run(tmp_path / lot / "runs" / f"fold{fold}-seed{seed}", gold, first, **given)
        folder = tmp_path / lot / "out_of_fold"
        folder.mkdir()
        (folder / "seed2.csv").write_bytes(
            (tmp_path / lot / "runs" / "fold0-seed1" / "predictions" / "dev.csv").read_bytes()
        )
        files.append(str(folder / "seed2.csv"))
    found = compare(files, 50)
    numbers = np.array([LABELS.index(label) for label in gold])
    wanted = headline(Scored(numbers, first, 1, LABELS, np.full(3, 1 / 3)))
    assert wanted["micro_f1"] != headline(Scored(numbers, first, 0, LABELS))["micro_f1"]
    for run in found["runs"]:
        for key in ("micro_f1", "micro_f1_prior", "auprc_prior"):
            assert run["scores"][key]["score"] == pytest.approx(wanted[key], abs=1e-6)
    assert found["sentences"] == 20
    assert found["notes"] == []
    assert found["configuration"] == {"optim.lr": dict(zip(files, ["0.1", "1.1"], strict=True))}
    one = str(tmp_path / "one" / "runs" / "fold1-seed2")
    assert compare([files[0], one], 50)["configuration"] == {"data.fold": {"seed2.csv": "-", "fold1-seed2": "1"}}
    inside = compare([str(tmp_path / "one" / "runs" / "fold0-seed1" / "predictions" / "dev.csv")], 50)
    assert inside["runs"][0]["scores"]["micro_f1"]["score"] == pytest.approx(wanted["micro_f1"], abs=1e-6)


def test_a_file_without_configuration_and_negative_label_is_told(tmp_path, capsys):
    gold, first = made(30, 0.7, 1)
    names = dict(zip(LABELS, ["Other", "x", "y"], strict=True))
    a = write_run(tmp_path / "a", [names[label] for label in gold], first, [*names.values()])
    file = tmp_path / "vote.csv"
    file.write_bytes((a / "predictions" / "dev.csv").read_bytes())
    line = "no configuration says the negative label, and no_relation is none of the labels: micro-F1 counts every"
    assert main([str(file), "--resamples", "20"]) == 0
    assert capsys.readouterr().out.count(f"{line} label\n") == 1
    scores = compare([str(file)], 20)["runs"][0]["scores"]
    assert scores["micro_f1"]["score"] == scores["accuracy"]["score"]
    b = write_run(tmp_path / "b", gold, first)
    assert main([str(b / "predictions" / "dev.csv"), "--resamples", "20"]) == 0
    assert "micro-F1 counts" not in capsys.readouterr().out


def test_the_order_of_runs_changes_no_score(tmp_path, capsys):
    """One run has a prior and a negative label, the other none; then both have, and not the same."""
    gold, first = made(90, 0.7, 1)
    write_dev(tmp_path / "dev.jsonl", [f"s{row}" for row in range(90)])
    a = str(write_run(tmp_path / "a", gold, first, eval__label_prior="none", data__negative_label=None))
    b = str(write_run(tmp_path / "b", gold, first, eval__label_prior="uniform"))
    told = [
        "data.negative_label differs (null in a, no_relation in b): all are scored with no_relation",
        "eval.label_prior differs (none in a, uniform in b): all are scored with uniform",
    ]
    one, two = compare([a, b], 50), compare([b, a], 50)
    assert one["notes"] == told
    assert "accuracy_prior" in one["runs"][0]["scores"]
    assert [run["scores"] for run in one["runs"]] == [run["scores"] for run in two["runs"][::-1]]
    assert main([b, a, "--resamples", "20"]) == 0
    assert (
        "eval.label_prior differs (uniform in b, none in a): all are scored with uniform\n" in capsys.readouterr().out
    )
    c = str(write_run(tmp_path / "c", gold, first, eval__label_prior="uniform", data__negative_label="a"))
    assert compare([c, b], 20)["notes"] == [
        "data.negative_label differs (a in c, no_relation in b): all are scored with a"
    ]
    plain = tmp_path / "vote.csv"
    plain.write_bytes((tmp_path / "a" / "predictions" / "dev.csv").read_bytes())
    assert compare([str(plain), b], 20)["notes"] == []  # a file has no configuration to differ in


def test_labels_without_rows_are_told(tmp_path, capsys):
    gold, first = made(60, 0.7, 1)
    gold = ["a" if label == "b" else label for label in gold]
    write_dev(tmp_path / "dev.jsonl", [f"s{row}" for row in range(60)])
    (tmp_path / "prior.json").write_text('{"no_relation": 0, "a": 0, "b": 1}')
    a = write_run(tmp_path / "a", gold, first, eval__label_prior=str(tmp_path / "prior.json"))
    with pytest.warns(UserWarning, match="every label of the labelled rows has the share 0; .* prior are left out"):
        assert main([str(a), "--resamples", "20"]) == 0
    told = capsys.readouterr().out
    assert (
        told.count("no row of 1 of the 3 labels: AUPRC is the mean of the other 2, macro-F1 of these and of what") == 1
    )
    assert "prior" not in told
    (tmp_path / "prior.json").write_text('{"no_relation": 1, "a": 2, "b": 1}')
    with pytest.warns(UserWarning, match="no labelled row of b; their share of 25 % goes to the other labels"):
        assert "accuracy_prior" in compare([str(a)], 20)["runs"][0]["scores"]


def changed(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def relabelled(_, b: Path) -> None:
    path = b / "predictions" / "dev.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [["c" if word == "b" else word for word in line] for line in csv.reader(file)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


REFUSED = {
    "no run": (lambda a, b: b.rename(b.with_name("c")), "b: no such run"),
    "no predictions": (lambda a, b: (b / "predictions" / "dev.csv").unlink(), "b has no predictions/dev.csv"),
    "other rows": (
        lambda a, b: changed(b / "predictions" / "dev.csv", "r3,", "x3,"),
        "b was scored on other rows than a: 1 ids of 20 are not in it, and 1 of its 20 are not in a"),
    "an id twice": (lambda a, b: changed(b / "predictions" / "dev.csv", "r3,", "r4,"), "1 ids stand there twice"),
    "other labels": (
        relabelled,
        "b has other labels than a: it lacks b and has also c"),
    "no probabilities": (
        lambda a, b: changed(b / "predictions" / "dev.csv", ",0.", ",1."),
        "rows are no probabilities; row 1 sums to "),
    "no prediction": (lambda a, b: changed(b / "predictions" / "dev.csv", ",a,0.", ",z,0."), "'z' has no column"),
    "no number": (lambda a, b: changed(b / "predictions" / "dev.csv", ",0.", ",x."), "a probability is no number"),
    "short row": (lambda a, b: changed(b / "predictions" / "dev.csv", "r5,", "r5\r\n"), "row 6: found 1 columns"),
    "something else": (
        lambda a, b: (b / "predictions" / "dev.csv").write_text("x,y\n1,2\n"), "found the columns x, y; expected"),
    "config": (lambda a, b: (b / "config.yaml").write_text("a: ["), "config.yaml: cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("change, message", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_told(tmp_path, capsys, change, message):
    gold, first = made(20, 0.7, 1)
    a, b = (write_run(tmp_path / name, gold, first) for name in "ab")
    change(a, b)
    assert main([str(a), str(b)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_other_true_labels_and_missing_ones_are_told(tmp_path, capsys):
    gold, first = made(20, 0.7, 1)
    a = write_run(tmp_path / "a", gold, first)
    b = write_run(tmp_path / "b", ["a" if label == "b" else label for label in gold], first)
    assert main([str(a), str(b)]) == 2
    assert "b and a were scored against other labels: " in capsys.readouterr().err
    c = write_run(tmp_path / "c", ["", *gold[1:]], first)
    assert main([str(c)]) == 2
    assert "c: 1 of 20 rows have no label" in capsys.readouterr().err
    assert main([str(a), str(tmp_path / "b" / ".." / "a")]) == 2
    assert "a run is given twice" in capsys.readouterr().err
