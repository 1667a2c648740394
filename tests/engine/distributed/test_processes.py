"""Two processes, started through configs/accelerate/cpu_processes.yaml, train the very run of one."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import train as program
from conftest import Launch, metric_lines
from data import sample


def probabilities(folder: Path) -> tuple[list[str], np.ndarray]:
    with (folder / "predictions" / "dev.csv").open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [row[0] for row in rows], np.array([row[3:] for row in rows], dtype=float)


@pytest.mark.usefixtures("all_cores")
@pytest.mark.timeout(280)
def test_two_processes_give_the_numbers_of_one(options, tmp_path):
    """70 examples: updates of 32, 32 and 6, cut into passes of 5; 24 dev examples in three batches of 9, 9 and 6."""
    given = {
        "train__epochs": 2, "train__micro_batch_size": 5, "eval__batch_size": 9, "eval__every": 2, "optim__lr": 0.003,
    }  # fmt: skip
    two = Launch("cpu_processes.yaml", "train.py", *options(run__name="two", **given))
    code = program.main(options(run__name="one", **given))  # meanwhile
    output = two.end()
    assert code == 0
    assert re.search(r"^processes +2 on cpu, 1 threads each\nprecision +fp32$", output, re.MULTILINE)
    one_folder, two_folder = tmp_path / "runs" / "one", tmp_path / "runs" / "two"

    report = json.loads((two_folder / "report.json").read_text(encoding="utf-8"))
    assert report["processes"] == 2
    assert report["examples_per_rank"] == [35, 35]
    assert output.count("\nmicro-F1 ") == 1  # one of them speaks

    lines = [metric_lines(folder) for folder in (one_folder, two_folder)]
    assert [line["step"] for line in lines[0] if line["split"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines[0] if line["split"] == "dev"] == [2, 4, 6]
    for mine, theirs in zip(*lines, strict=True):
        mine.pop("speed", None), theirs.pop("speed", None)
        assert mine.pop("split") == theirs.pop("split")
        assert mine == pytest.approx(theirs, abs=1e-5)
    one, two = probabilities(one_folder), probabilities(two_folder)
    assert one[0] == two[0]
    assert len(one[0]) == 24
    np.testing.assert_allclose(one[1], two[1], atol=1e-5)


@pytest.mark.drill("R22")
@pytest.mark.usefixtures("all_cores")
@pytest.mark.timeout(280)
def test_processes_that_mean_different_runs_are_told_before_the_first_update(options, tmp_path):
    """Each of these ended with 0 and weights of nothing, or in words of the network."""
    rows, dev = sample.rows("train")[:70], sample.rows("dev")[:24]

    def file(name: str, content: list[dict]) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return path

    other_rows = [*rows[:-1], rows[-1] | {"label": "no_relation"}]
    other = {
        "another label": {"data__train": file("label.json", other_rows)},
        "another order": {"data__train": file("order.json", rows[::-1])},
        "fewer rows": {"data__train": file("fewer.json", rows[:60])},
        "another dev file": {"data__dev": file("dev.json", dev[1:])},
        "no dev file": {"data__dev": "null"},
        "another rate": {"optim__lr": 0.02},
        "another seed": {"run__seed": 4},
        "another size": {"model__scratch__hidden_size": 48},
        "another pass": {"train__micro_batch_size": 3},
        "other evaluations": {"eval__every": 3},
        "another pooling": {"model__pooling": "mean"},
        "other words": {"data__marker": "entity"},
        "the same file in another place": {"data__train": file("same.json", rows)},
    }
    mine = {"run__name": "apart", "optim__lr": 0.01, "data__train": file("train.json", rows)}
    commands = {name: [options(**mine), options(**mine | change)] for name, change in other.items()}
    worker = Path(__file__).with_name("disagreeing_worker.py")
    Launch("cpu_processes.yaml", str(worker), str(tmp_path), json.dumps(commands)).end()
    found, theirs = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in "01")
    assert found == theirs
    assert found.pop("the same file in another place") == "nothing"
    keys = {
        "another label": "data.train.sha256", "another order": "data.train.sha256", "fewer rows": "data.train.sha256",
        "another dev file": "data.dev.sha256", "no dev file": "data.dev.sha256", "another rate": "options.optim.lr",
        "another seed": "options.run.seed", "another size": "options.model.scratch.hidden_size",
        "another pass": "options.train.micro_batch_size", "other evaluations": "options.eval.every",
        "another pooling": "options.model.pooling", "other words": "options.data.marker",
    }  # fmt: skip
    assert {name: message.partition(": process 0 has ")[0] for name, message in found.items()} == keys
    assert found["another rate"] == (
        "options.optim.lr: process 0 has 0.01, process 1 has 0.02; all processes of a run need the same options, data "
        "and code"
    )
    assert found["no dev file"].partition("process 1 has ")[2].startswith("nothing; ")
    assert not (tmp_path / "runs" / "apart" / "checkpoints").exists()
