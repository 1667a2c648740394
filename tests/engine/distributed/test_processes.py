"""Two processes, started through configs/accelerate/cpu_processes.yaml, train the very run of one."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import train as program
from conftest import Launch, metric_lines


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
