"""Rows that are left out: never in silence, with reasons, labels and a limit."""

import pytest

from refusals import dumped, good_rows, refused
from train import main

SKIP = ["--data.on_bad_row", "skip"]


def spoiled(rows: list[dict]) -> list[dict]:
    """Both rows of no_relation with their ends shifted, and one with an unknown label."""
    for row in rows:
        if row["label"] == "no_relation":
            row["object_entity"]["end_idx"] += 1
    rows[0]["label"] = "per:freind"
    return rows


def test_more_than_a_share_is_an_error_with_reasons_and_labels(folder, capsys):
    """2,105 of 2,163 rows were left out, and every row of no_relation, with exit code 0 and no reason shown."""
    folder.write("train.json", dumped(spoiled(good_rows())))
    message = refused(
        folder,
        capsys,
        SKIP,
        [
            "data.train: 3 of 8 rows are bad (37.5 %), data.max_skipped allows 10 %; 2 such as row 4: object entity is",
            "; 1 such as row 1: unknown label 'per:freind'",
            "; labels that lost more than 10 % of their rows: no_relation 2 of 2, per:freind 1 of 1",
        ],
    )
    assert message.count("\n") == 1
    refused(folder, capsys, [*SKIP, "--data.max_skipped", "0.37"], ["allows 37 %"])
    refused(folder, capsys, [*SKIP, "--data.max_skipped", "2"], ["data.max_skipped: got 2.0, expected a share"])


def test_summary_and_report_count_what_was_left_out(folder, capsys):
    folder.write("train.json", dumped(spoiled(good_rows())))
    assert main(folder.command(*SKIP, "--data.max_skipped", "0.375", "--data.dev", "null")) == 0
    out = capsys.readouterr().out
    assert "3 of 8 rows are bad (37.5 %)\n" in out
    assert "2 such as row 4: object entity is '보라시', but characters 4..7 of the sentence are" in out
    assert "labels that lost more than 10 % of their rows: no_relation 2 of 2, per:freind 1 of 1\n" in out
    skipped = folder.report()["data"]["skipped"]["train"]
    assert [(one["rows"], one["row"]) for one in skipped.pop("reasons")] == [(2, 4), (1, 1)]
    assert skipped == {
        "rows": 3,
        "of": 8,
        "labels": [
            {"label": "no_relation", "skipped": 2, "rows": 2},
            {"label": "per:freind", "skipped": 1, "rows": 1},
        ],
    }
    assert [row for row, _ in folder.report()["skipped_rows"]] == [1, 4, 8]


def test_a_label_that_lost_little_is_not_named(folder, capsys):
    rows = [row | {"guid": f"{n}-{row['guid']}"} for n in range(3) for row in good_rows()]
    rows[0]["sentence"] = ""
    folder.write("train.json", dumped(rows + [rows[8] | {"guid": str(n)} for n in range(8)]))
    assert main(folder.command(*SKIP, "--data.dev", "null")) == 0
    out = capsys.readouterr().out
    assert "1 of 32 rows are bad (3.1 %)\n" in out
    assert "labels that lost" not in out  # 1 of 11


@pytest.mark.parametrize("ids", [("줄-1", "줄-2"), ("줄-2", "줄-2")])
def test_a_repeated_id_has_a_label_too(folder, capsys, ids):
    rows = good_rows()
    rows[0]["guid"], rows[1]["guid"] = ids
    folder.write("train.json", dumped(rows))
    more = [*SKIP, "--data.max_skipped", "0.2", "--data.dev", "null"]
    assert main(folder.command(*more)) == 0
    told = "their rows: org:founded 1 of 1" in capsys.readouterr().out
    assert told is (len(set(ids)) < 2)


def test_bad_dev_rows_may_be_left_out_and_are_counted(folder, capsys):
    rows = [row | {"guid": f"{n}-{row['guid']}"} for n in range(2) for row in good_rows()]
    rows[2]["sentence"] = ""
    folder.write("dev.json", dumped(rows))
    refused(folder, capsys, SKIP, ["dev.json, row 3: the sentence is empty"])
    assert main(folder.command("--data.on_bad_dev_row", "skip")) == 0
    assert "1 of 16 rows are bad (6.2 %)\n" in capsys.readouterr().out
    report = folder.report()
    assert report["skipped_dev_rows"] == [[3, "the sentence is empty"]]
    assert report["data"]["skipped"]["dev"]["rows"] == 1
    assert report["data"]["skipped"]["train"]["rows"] == 0
    lines = (folder.runs / "try" / "predictions" / "dev.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 16
    assert not any(line.startswith("0-줄-3,") for line in lines)
