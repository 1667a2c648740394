"""`data.train: [a.csv, b.csv]`: several files as one part, as a user gives them."""

import csv
import json

import pytest
import yaml

import data.store.token_store as token_store
import data.store.words as words
from data.labels import KLUE
from data.readers.several import open_files, short_names
from refusals import dumped, good_rows, refused
from train import main


@pytest.fixture
def parts(folder):
    """The eight good rows in two files of two formats, the second with two ids of the first, and a list of both."""
    rows = good_rows()
    for new, old in ((5, 0), (7, 2)):
        rows[new] |= {"guid": rows[old]["guid"]}
    folder.write("first.json", dumped(rows[:4]))
    header = ["id", "sentence", "subject_entity", "object_entity", "label", "source"]
    lines = [[one["guid"], *(str(one[key]) for key in header[1:])] for one in rows[4:]]
    with (folder.path / "second.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    folder.both = [str(folder.path / "first.json"), str(folder.path / "second.csv")]
    return folder


def listed(files: list[str]) -> list[str]:
    return ["--data.train", f"[{', '.join(files)}]"]


IDS = ["줄-1", "줄-2", "줄-3", "줄-4", "줄-5", "second.csv:줄-1", "줄-7", "second.csv:줄-3"]


def test_rows_are_numbered_through_and_repeated_ids_carry_the_file(parts):
    source = open_files(parts.both, "auto", "train", "data.train")
    found = [*source.examples()]
    assert [number for number, _ in found] == [*range(1, 9)]
    assert [one.id for _, one in found] == IDS
    assert [one.label for _, one in found] == [one["label"] for one in good_rows()]
    assert source.where(3) == f"{parts.both[0]}, row 3"
    assert source.where(6) == f"{parts.both[1]}, row 2 (line 3)"
    assert open_files(parts.both[:1], "auto", "train", "data.train").name == parts.both[0]


def test_a_run_on_several_files_is_told_goes_on_and_is_none_of_another_order(parts, capsys):
    command = parts.command(*listed(parts.both))
    assert main(command) == 0
    said = capsys.readouterr().out
    for line in ("4 of 8 rows: from first.json", "4 of 8 rows: from second.csv", "2 of 8 rows: the id stands in"):
        assert line in said
    report = parts.report()
    assert report["data"]["train"]["rows"] == 8
    assert report["data"]["files"]["data.train"]["files"] == "first.json, second.csv"
    assert yaml.safe_load((parts.runs / "try" / "config.yaml").read_text("utf-8"))["data"]["train"] == parts.both
    (parts.runs / "try" / "report.json").unlink()
    assert main(command) == 0
    capsys.readouterr()
    (parts.runs / "try" / "report.json").unlink()
    assert main(parts.command(*listed(parts.both[::-1]))) == 2
    assert "was started with another configuration: data.train" in capsys.readouterr().err


def test_several_files_may_be_held_out_of_and_stand_in_the_configuration_file(parts, tmp_path):
    values = {"data": {"train": parts.both, "dev": None, "hold_out": 0.25}}
    config = parts.write("several.yaml", yaml.safe_dump(values, allow_unicode=True))
    command = parts.command("--config", config)
    for key in ("--data.train", "--data.dev"):
        place = command.index(key)
        del command[place : place + 2]
    assert main(command) == 0
    with (parts.runs / "try" / "predictions" / "dev.csv").open(encoding="utf-8") as file:
        assert {line["id"] for line in csv.DictReader(file)} < {*IDS}


def test_processes_change_no_byte(parts, tmp_path, monkeypatch):
    from tests.data.store.test_token_store import make_task

    monkeypatch.setattr(words, "TEXTS", 2)
    monkeypatch.setattr(token_store, "CHUNK", 2)
    stores = []
    for processes in (1, 2):
        source = open_files(parts.both, "auto", "train", "data.train")
        task = make_task(source, labels=KLUE)
        stores.append(token_store.prepare(task, tmp_path / str(processes), quiet=True, processes=processes))
    one, two = stores
    assert [one.id(row) for row in range(len(one))] == [two.id(row) for row in range(len(two))] == IDS
    assert one.tokens.tolist() == two.tokens.tolist()
    assert one.facts == two.facts


def test_what_is_wrong_with_a_row_or_a_list_is_said(parts, capsys):
    first, second = parts.both
    rows = json.loads((parts.path / "first.json").read_text(encoding="utf-8"))
    rows[1]["subject_entity"]["word"] = "가온"
    bad = parts.write("bad.json", dumped(rows))
    refused(parts, capsys, listed([second, bad]), [f"error: {bad}, row 2: subject entity is '가온', but"])
    refused(parts, capsys, listed([first, first]), [f"data.train: {first} is given twice"])
    refused(
        parts, capsys, listed([]), ["data.train: got [], expected a file, or a list of files such as [a.csv, b.csv]"]
    )
    refused(parts, capsys, listed([first, "none.json"]), ["data.train: no file none.json"])
    refused(parts, capsys, ["--data.train", "[1, 2]"], ["data.train: got '[1, 2]', expected a text or a list"])


def test_names_are_as_short_as_tells_them_apart():
    assert short_names(["x/train.csv", "y/train.csv", "y/dev.csv"]) == ("x/train.csv", "y/train.csv", "y/dev.csv")
    assert short_names(["x/a.csv", "y/b.csv"]) == ("a.csv", "b.csv")
    assert short_names(["sample:train", "x/sample:train"]) == ("sample:train", "x/sample:train")
