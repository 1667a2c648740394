"""data.duplicates: what it drops, where it is told, and that a run of other rows is not continued."""

import json

import numpy as np
import pytest

import train as program
from data import sample
from engine.arguments.parse import parse
from engine.compose.data import read_data

TINY = [
    "--model.scratch.hidden_size=32", "--model.scratch.layers=1", "--model.dropout=0", "--run.threads=1",
    "--track.tensorboard=false", "--track.errors=false", "--run.name=one", "--train.max_updates=1",
]  # fmt: skip


@pytest.fixture
def options(tmp_path, clean_process):
    """40 rows of the sample with two exact repeats and one row with another label; 8 dev rows, two of them alike."""
    rows = sample.rows("train")[:40]
    other = "per:title" if rows[3]["label"] != "per:title" else "per:parents"
    dev = sample.rows("dev")[:7]
    parts = {"train": [*rows, rows[2], {**rows[3], "label": other}, rows[2], {**rows[5]}], "dev": [*dev, dev[0]]}
    for name, lines in parts.items():
        lines = [{**line, "guid": f"{name}-{number}"} for number, line in enumerate(lines)]
        (tmp_path / f"{name}.json").write_text(json.dumps(lines, ensure_ascii=False), encoding="utf-8")
    paths = [f"--data.{name}={tmp_path / name}.json" for name in parts]
    return [*TINY, *paths, f"--data.cache_dir={tmp_path / 'cache'}", f"--run.dir={tmp_path / 'runs'}"]


def train_ids(given: list[str]) -> list[str]:
    data = read_data(parse(given)[0], quiet=True)
    store = data.stores["train"]
    assert len(data.stores["dev"]) == 8 or "--data.dev=null" in given
    return [store.id(row) for row in range(len(store))]


@pytest.mark.parametrize(
    "handling, gone",
    [("keep", []), ("drop_exact", [40, 42, 43]), ("drop_conflicting", [3, 40, 41, 42, 43])],
)
def test_rows_that_stay(options, handling, gone):
    assert train_ids([*options, f"--data.duplicates={handling}"]) == [
        f"train-{number}" for number in range(44) if number not in gone
    ]


def test_rows_that_are_held_out_stay_and_the_split_is_the_same(options):
    held = [*options, "--data.dev=null", "--data.hold_out=0.3"]
    kept, dropped = (read_data(parse([*held, *more])[0], quiet=True) for more in ([], ["--data.duplicates=drop_exact"]))
    assert np.array_equal(kept.stores["dev"].rows, dropped.stores["dev"].rows)
    assert set(dropped.stores["train"].rows) < set(kept.stores["train"].rows)


def test_it_is_told_and_a_run_of_other_rows_is_refused(options, tmp_path, capsys):
    assert program.main([*options, "--data.duplicates=drop_conflicting"]) == 0
    told = capsys.readouterr().out
    assert (
        "duplicates   drop_conflicting: 5 of 44 training rows dropped (3 exact repeats, 2 with several labels)" in told
    )
    report = json.loads((tmp_path / "runs" / "one" / "report.json").read_text(encoding="utf-8"))
    assert report["data"]["duplicates"] == {
        "handling": "drop_conflicting", "rows": 44, "dropped": 5, "exact": 3, "conflicting": 2,
    }  # fmt: skip
    (tmp_path / "runs" / "one" / "report.json").unlink()
    assert program.main(options) == 2
    assert "duplicates" in capsys.readouterr().err


def test_where_nothing_would_be_left_it_says_so(options, tmp_path, capsys):
    rows = [{**sample.rows("train")[0], "guid": str(n), "label": ["per:title", "no_relation"][n]} for n in (0, 1)]
    (tmp_path / "two.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    assert program.main([*options, f"--data.train={tmp_path / 'two.json'}", "--data.duplicates=drop_conflicting"]) == 2
    assert "data.duplicates: drop_conflicting leaves none of 2 training rows" in capsys.readouterr().err
