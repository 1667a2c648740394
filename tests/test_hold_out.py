"""Runs that hold their dev part out of the training file, as a user starts them."""

import csv
import json

import pytest

from refusals import dumped, refused, row
from train import main


@pytest.fixture
def held(folder):
    """A folder with 24 rows of 16 sentences and three labels in train.json, and no dev file."""
    rows = []
    for number in range(16):
        sentence = f"가람{number}은 나래{number}와 다온{number}을 만났다."
        label = ("no_relation", "per:siblings", "org:members")[number % 3]
        rows.append(row(f"{number}-a", sentence, f"가람{number}", "PER", f"나래{number}", "PER", label))
        if number < 8:
            other = sentence.replace(" ", "  ", 1)  # the same sentence, blanks apart
            rows.append(row(f"{number}-b", other, f"나래{number}", "PER", f"다온{number}", "PER", "no_relation"))
    folder.write("train.json", dumped(rows))
    folder.dev_null = ["--data.dev", "null"]
    return folder


def predicted(folder, name: str) -> list[str]:
    with (folder.runs / name / "predictions" / "dev.csv").open(encoding="utf-8") as file:
        return [line["id"] for line in csv.DictReader(file)]


def test_folds_cover_all_rows_once_and_keep_sentences_together(held, capsys):
    found = []
    for fold in range(3):
        options = ["--data.folds", "3", "--data.fold", str(fold), "--run.name", f"fold-{fold}"]
        assert main(held.command(*held.dev_null, *options)) == 0
        ids = predicted(held, f"fold-{fold}")
        train_ids = {line["guid"] for line in json.loads((held.path / "train.json").read_text(encoding="utf-8"))} - {
            *ids
        }
        assert not {i.split("-")[0] for i in ids} & {i.split("-")[0] for i in train_ids}
        data = held.report(f"fold-{fold}")["data"]
        assert data["held_out"] == f"data.fold {fold} of data.folds 3"
        assert data["shared_sentences"] == 0
        assert (data["dev"]["rows"], data["train"]["rows"]) == (len(ids), 24 - len(ids))
        assert data["dev"]["sentences"] == len({i.split("-")[0] for i in ids})
        assert data["train"]["sentences"] == 16 - data["dev"]["sentences"]
        both = [data[part]["labels"] for part in ("train", "dev")]
        assert {name: both[0][name] + both[1][name] for name in both[0] if both[0][name] + both[1][name]} == {
            "no_relation": 14, "per:siblings": 5, "org:members": 5,
        }  # fmt: skip
        assert held.report(f"fold-{fold}")["examples_per_rank"] <= [24 - len(ids)]
        found += ids
    assert len(found) == len(set(found)) == 24
    said = capsys.readouterr()
    assert "data.fold 2 of data.folds 3; no sentence is in both parts" in said.out
    assert "Traceback" not in said.err


def test_a_hold_out_stays_when_the_run_goes_on_and_another_one_is_refused(held, capsys):
    share = [*held.dev_null, "--data.hold_out", "0.25"]
    assert main(held.command(*share)) == 0
    ids, score = predicted(held, "try"), held.report()["dev"]
    assert held.report()["data"]["held_out"] == "data.hold_out 0.25"
    (held.runs / "try" / "report.json").unlink()
    assert main(held.command(*share)) == 0
    assert predicted(held, "try") == ids
    assert held.report()["dev"] == score
    (held.runs / "try" / "report.json").unlink()
    capsys.readouterr()
    for other in (["--data.hold_out", "0.3"], ["--data.folds", "4", "--data.fold", "0"], []):
        assert main(held.command(*held.dev_null, *other)) == 2
        assert "was started with another configuration: data.dev" in capsys.readouterr().err
    assert main(held.command(*held.dev_null, "--data.hold_out", "0.4", "--run.resume", "force")) == 0
    assert predicted(held, "try") != ids


def test_what_a_part_lacks_is_said(held):
    rows = json.loads((held.path / "train.json").read_text(encoding="utf-8"))
    rows[15]["label"] = "per:title"
    held.write("train.json", dumped(rows))
    with pytest.warns(UserWarning, match=r"^data\.fold") as caught:
        assert main(held.command(*held.dev_null, "--data.folds", "3", "--data.fold", "1")) == 0
    said = [str(warning.message) for warning in caught]
    assert "data.folds: labels with fewer rows than 3 folds are in some dev parts only: per:title (1)" in said
    assert "part has no row of per:title (1 in data.train)" in "".join(said)


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        (["--data.hold_out", "0.1"], ["data.hold_out: there is a dev file already", "--data.dev null"]),
        (["--data.folds", "5", "--data.fold", "0"], ["data.folds: there is a dev file already"]),
        (["--data.dev", "null", "--data.hold_out", "1"], ["data.hold_out: got 1.0, expected a share above 0"]),
        (["--data.dev", "null", "--data.hold_out", "nan"], ["data.hold_out: got 'nan'"]),
        (["--data.dev", "null", "--data.folds", "1", "--data.fold", "0"], ["data.folds: got 1, expected 2 or more"]),
        (["--data.dev", "null", "--data.folds", "5"], ["data.fold: got null with data.folds 5; expected both"]),
        (["--data.dev", "null", "--data.fold", "1"], ["data.fold: got 1 with data.folds null"]),
        (["--data.dev", "null", "--data.folds", "5", "--data.fold", "5"], ["data.fold: got 5, expected 0 to 4"]),
        (["--data.dev", "null", "--data.folds", "5", "--data.fold", "-1"], ["data.fold: got -1, expected 0 to 4"]),
        (
            ["--data.dev", "null", "--data.folds", "5", "--data.fold", "1", "--data.hold_out", "0.5"],
            ["data.hold_out: data.folds is set, too"],
        ),
        (
            ["--data.dev", "null", "--data.hold_out", "0.001"],
            ["data.hold_out 0.001: 24 rows of 16 sentences leave none for the dev part"],
        ),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_met(held, capsys, options, fragments):
    refused(held, capsys, options, fragments)


def test_options_of_evaluation_have_an_effect_with_a_hold_out(held, capsys):
    options = [*held.dev_null, "--eval.patience", "3"]
    assert main(held.command(*options, "--data.hold_out", "0.25")) == 0
    assert "no effect" not in capsys.readouterr().out
    assert main(held.command(*options, "--run.name", "all")) == 0
    assert "warning: eval.patience has no effect: data.dev is null and nothing is held out" in capsys.readouterr().out
    assert held.report("all")["data"]["held_out"] is None
    assert "dev" not in held.report("all")["data"]
