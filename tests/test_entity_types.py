"""Types of entities that data.types does not list: no row is lost where nothing reads them, and they can be learned."""

import pytest
import yaml

from engine.data_report.__main__ import main as data_report
from engine.predict import Predictor
from refusals import dumped, good_rows, refused
from train import main


@pytest.fixture
def foreign(folder):
    """Rows with the types of insects, of which one row has none."""
    rows = good_rows()
    for row in rows:
        row["subject_entity"]["type"] = "INS"
        row["object_entity"]["type"] = "CLS"
    rows[3]["object_entity"]["type"] = ""
    folder.write("train.json", dumped(rows))
    folder.write("dev.json", dumped(rows[:4]))
    return folder


@pytest.mark.parametrize("marker", ["none", "entity", "entity_punct"])
def test_types_that_nothing_reads_cost_no_row(foreign, capsys, marker):
    """542 of 813 rows were bad for a type that the marker does not write."""
    assert main(foreign.command("--data.marker", marker)) == 0
    out = capsys.readouterr().out
    note = "entity types that data.types does not list, and that neither marker nor embedding reads"
    assert f"8 of 8 rows: {note}\n" in out
    assert foreign.report()["examples_per_rank"] == [8]
    assert foreign.report()["data"]["notes"] == {"train": {note: 8}, "dev": {note: 4}}
    predictor = Predictor(foreign.runs / "try", device="cpu")
    row = good_rows()[0]
    assert len(predictor([row | {"subject_entity": row["subject_entity"] | {"type": "X"}}])[0]) == 1


@pytest.mark.parametrize(
    "options", [["--data.marker", "typed_punct"], ["--data.marker", "none", "--model.entity_embeddings", "[type]"]]
)
def test_types_that_are_read_must_be_known(foreign, capsys, options):
    message = "train.json, row 1: entity type 'INS' is none of PER, ORG, LOC, DAT, POH, NOH"
    refused(foreign, capsys, options, [message, "list the types of your data in data.types, or set it to learned"])


def test_learned_types(foreign, capsys):
    rows = good_rows()
    rows[0]["subject_entity"]["type"], rows[1]["object_entity"]["type"] = "INS", "가게"
    foreign.write("train.json", dumped(rows))
    foreign.write("dev.json", dumped(rows[:4]))
    assert main(foreign.command("--data.types", "learned")) == 0
    types = ["INS", "LOC", "ORG", "PER", "POH", "가게"]
    assert f"types        6 learned from data.train: {', '.join(types)}\n" in capsys.readouterr().out
    config = foreign.runs / "try" / "config.yaml"
    assert yaml.safe_load(config.read_text(encoding="utf-8"))["data"]["types"] == types
    assert main(foreign.command("--data.types", "learned")) == 0  # the same run once more: finished
    assert "continuing" not in capsys.readouterr().out
    predictor = Predictor(foreign.runs / "try", device="cpu")
    assert len(predictor(rows)[0]) == 8
    with pytest.raises(ValueError, match="entity type 'X' is none of INS"):
        predictor([rows[0] | {"subject_entity": rows[0]["subject_entity"] | {"type": "X"}}])


def test_no_types_to_learn_where_every_row_is_bad(foreign, capsys):
    """The row's own fault is told, not that it has no types."""
    rows = good_rows()
    for row in rows:
        row["subject_entity"]["end_idx"] += 1
        row["object_entity"]["end_idx"] += 1
    foreign.write("train.json", dumped(rows))
    refused(foreign, capsys, ["--data.types", "learned"], ["the first bad row: ", "row 1: ", "data.offsets exclusive"])


def test_no_types_to_learn(foreign, capsys):
    rows = [row | {k: row[k] | {"type": None} for k in ("subject_entity", "object_entity")} for row in good_rows()]
    foreign.write("train.json", dumped(rows))
    refused(foreign, capsys, ["--data.types", "learned"], ["data.types: learned finds no type in "])
    refused(foreign, capsys, [], ["row 1: the entities have no types, which data.marker typed_punct writes"])
    foreign.write("dev.json", dumped(rows[:4]))
    assert main(foreign.command("--data.marker", "entity")) == 0


def test_a_report_counts_types_that_a_run_would_refuse(foreign, capsys):
    rows = good_rows()
    rows[0]["subject_entity"]["type"] = "INS"
    foreign.write("train.json", dumped(rows))
    foreign.write("dev.json", dumped(rows))
    assert data_report(foreign.command()) == 0
    out = capsys.readouterr().out
    assert "INS are not in data.types: a run needs them there, or data.types learned" in " ".join(out.split())
    assert "INS PER" in out
