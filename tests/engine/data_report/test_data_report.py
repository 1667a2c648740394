"""The data report on hand-made files."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from data import sample
from data.labels import KLUE
from engine.config import Config
from engine.data_report.__main__ import main
from engine.data_report.facts import Part, shared
from engine.data_report.tables import label_shares


def written(path, rows: list[dict]):
    """A file of the rows, with ids of their own."""
    rows = [{**row, "guid": f"row-{number}"} for number, row in enumerate(rows)]
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path) -> dict:
    """train: 20 rows, an exact repeat, one with another label; dev: 6 rows, two of train's, one of them relabelled."""
    rows = sample.rows("train")[:20]
    other = next(row["label"] for row in rows if row["label"] != rows[3]["label"])
    train = [*rows, rows[2], {**rows[3], "label": other}]
    dev = [*sample.rows("dev")[:4], rows[5], {**rows[6], "label": "per:religion"}]
    return {
        "rows": rows,
        "data__train": written(tmp_path / "t.json", train),
        "data__dev": written(tmp_path / "d.json", dev),
    }


def test_it_counts_what_is_in_the_files(options, files, tmp_path, capsys):
    rows = files.pop("rows")
    assert main(options(run__name="report", **files)) == 0
    told = capsys.readouterr().out
    lines = {line.split("  ")[0].strip(): line.split() for line in told.splitlines()}
    assert lines["rows"][-2:] == ["22", "6"]
    assert lines["different sentences"][-2:] == [str(len({row["sentence"] for row in rows})), "6"]
    assert lines["train"][:1] == ["train"]
    repeated = told.split("Repeated rows")[1].splitlines()[2].split()
    assert repeated == ["train", "1", "1", "2", "21", "19"]
    assert "2 rows of dev have a sentence that train has, 2 of them also its entities, 1 of these with another" in told
    label = rows[0]["label"]
    here = sum(row["label"] == label for row in [*rows, rows[2]]) + (
        next(row["label"] for row in rows if row["label"] != rows[3]["label"]) == label
    )
    assert lines[label][1:3] == [str(here), f"{100 * here / 22:.2f}"]

    folder = tmp_path / "runs" / "report"
    assert {path.name for path in folder.iterdir()} == {
        "report.md", "duplicates.csv", "types.csv", "labels.png", "lengths.png", "types.png",
    }  # fmt: skip
    with (folder / "duplicates.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["part"], row["row"], row["kind"]) for row in found] == [
        ("train", "3", "exact"), ("train", "21", "exact"),
        ("train", "4", "conflicting"), ("train", "22", "conflicting"),
    ]  # fmt: skip
    assert found[0]["text"] == found[1]["text"]
    assert "[S " in found[0]["text"]
    with (folder / "types.csv").open(encoding="utf-8", newline="") as file:
        kinds = list(csv.DictReader(file))
    assert sum(int(row["rows"]) for row in kinds) == 22
    pairs = [(row["subject_entity"]["type"], row["object_entity"]["type"]) for row in [*rows, rows[2], rows[3]]]
    assert {(row["subject"], row["object"]): int(row["rows"]) for row in kinds} == {p: pairs.count(p) for p in pairs}
    assert "| rows | 22 | 6 |" in (folder / "report.md").read_text(encoding="utf-8")
    assert "What a run would take" not in told


def test_it_tells_what_a_run_would_take(options, files, tmp_path, capsys):
    """data.hold_out and data.duplicates change nothing in the tables of the files, and are told beside them."""
    own = {
        "data__train": files["data__train"],
        "data__dev": "null",
        "data__hold_out": 0.2,
        "data__duplicates": "drop_exact",
    }
    assert main(options(run__name="cut", **own)) == 0
    told = capsys.readouterr().out.split("What a run would take\n")[1].splitlines()
    lines = {line.split("  ")[0]: line for line in told}
    assert "no sentence is in both parts" in lines["held out"]
    assert "drop_exact: " in lines["duplicates"]
    rows = [int(lines[f"{part} part"].split()[2]) for part in ("train", "dev")]
    dropped = int(lines["duplicates"].split("drop_exact: ")[1].split()[0])
    assert sum(rows) + dropped == 22
    report = (tmp_path / "runs" / "cut" / "report.md").read_text(encoding="utf-8")
    assert "## What a run would take" in report


def test_without_dev_and_without_entities(options, tmp_path, capsys):
    rows = [{"text": f"글 {number} 입니다", "label": "ab"[number % 2]} for number in range(6)]
    (tmp_path / "a.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    given = options(
        data__format="text", data__train=tmp_path / "a.json", data__dev="null", data__labels="learned",
        data__negative_label="null", data__marker="none", model__pooling="cls", run__name="plain",
    )  # fmt: skip
    assert main(given) == 0
    told = capsys.readouterr().out
    assert "The entities have no types." in told
    shares = told.split("\nLabels\n")[1].split("\n\n")[0]
    assert [line.split() for line in shares.splitlines()] == [
        ["label", "train", "%"],
        ["a", "3", "50.00"],
        ["b", "3", "50.00"],
    ]
    assert not (tmp_path / "runs" / "plain" / "types.png").exists()


@pytest.mark.parametrize(
    "given, message",
    [({"data__train": "nowhere.csv"}, "data.train: no file nowhere.csv"), ({"data__trian": "x"}, "data.trian")],
)
def test_bad_input_is_one_message(options, capsys, given, message):
    assert main(options(**given)) == 2
    assert message in capsys.readouterr().err


def part(triples: list[int], labels: list[int], sentences: list[int]) -> Part:
    columns = {"labels": np.array(labels), "sentences": np.array(sentences), "__len__": lambda self: len(labels)}
    store = type("Store", (), columns)()
    keys = np.array([[triple, 0] for triple in triples], dtype=np.uint64)
    return Part("x", "x", store, np.arange(len(labels)) + 1, keys, np.zeros(len(labels)))


def test_what_is_in_both_parts():
    train = part([1, 1, 2, 3], [0, 1, 0, 2], [10, 10, 10, 30])
    dev = part([1, 2, 4, 5], [1, 1, 0, 0], [10, 10, 10, 50])
    assert shared(train, dev) == {"sentences": 3, "triples": 2, "other_label": 1}


def test_labels_are_compared_to_the_target():
    config = Config()
    parts = {"train": part([1, 2, 3, 4], [0, 0, 0, 1], [1] * 4), "dev": part([1, 2], [0, 1], [1] * 2)}
    _, columns, lines, note = label_shares(parts, ["a", "b", "c"], config)
    assert columns == ["label", " train", " %", " dev, %", " times train"]
    assert lines[:2] == [["a", "3", "75.00", "50.00", "0.67"], ["b", "1", "25.00", "50.00", "2.00"]]
    assert lines[2] == ["c", "0", "0.00", "0.00", "-"]
    assert "25.0 %" in note
    uniform = replace(config, eval=replace(config.eval, label_prior="uniform"))
    assert [line[3] for line in label_shares(parts, ["a", "b", "c"], uniform)[2]] == ["33.33"] * 3
    alone = {"train": part([1, 2], [0, 29], [1] * 2)}
    _, columns, lines, _ = label_shares(alone, KLUE, config)
    assert columns[3] == " klue_dev, %"
    assert {line[0]: line[3] for line in lines}["no_relation"] == "59.64"  # 4,631 of 7,765
