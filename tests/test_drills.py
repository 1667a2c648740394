"""The short form of the drills: `python -m tests.drills`, about a minute, behind the other tests."""

import re

import pytest


@pytest.mark.timeout(290)
def test_every_row_of_the_table_passes(short_drills):
    code, output = short_drills
    rows = {name: counts for name, *counts in re.findall(r"^(R\d+) .* (\d+) +(\d+)$", output, re.MULTILINE)}
    assert code == 0, output[-5000:]
    assert {"R1", "R2", "R3", "R4", "R6", "R13", "R14", "R15"} <= set(rows), output[-5000:]
    for name, (trials, passes) in rows.items():
        assert int(trials) == int(passes) > 0, name
    assert int(rows["R3"][0]) >= 3 * 15  # boundaries of saving: before, after, in the middle of each
    assert int(rows["R14"][0]) > 400


def test_the_table_names_kills_by_phase_and_the_largest_differences(short_drills):
    _, output = short_drills
    assert re.search(r"\d+ kills: start \d+, tokenising \d+, training \d+, evaluating \d+, saving \d+", output)
    cells = re.findall(r"^[12] +float\d\d +\w+ +(\S+) +(\S+)", output, re.MULTILINE)
    assert len(cells) == 8
    assert all(0 < float(gradient) < 1e-6 for gradient, _ in cells)
