"""Tests that carry `@pytest.mark.drill("R7")`: run and counted by row."""

from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Counter:
    """A pytest plugin: outcomes by row."""

    def __init__(self, rows: set[str]):
        self.rows, self.row_of = rows, {}
        self.results: dict[str, list] = defaultdict(lambda: [0, 0, []])

    def pytest_collection_modifyitems(self, items) -> None:
        chosen = []
        for item in items:
            mark = item.get_closest_marker("drill")
            if mark and mark.args[0] in self.rows:
                self.row_of[item.nodeid] = mark.args[0]
                chosen.append(item)
        items[:] = chosen

    def pytest_runtest_logreport(self, report) -> None:
        if report.when != "call" and not report.failed:
            return
        trials, passes, problems = self.results[self.row_of[report.nodeid]]
        failed = [report.nodeid] if report.failed else []
        self.results[self.row_of[report.nodeid]] = [trials + 1, passes + report.passed, problems + failed]


def run(rows: set[str]) -> dict[str, list]:
    """Trials, passes, problems of each row that tests are marked with."""
    from tests.drills.processes import isolated

    return isolated(run_here, sorted(rows))


def run_here(rows: list[str]) -> dict[str, list]:
    import pytest

    counter = Counter(set(rows))
    options = ["-q", "--no-header", "-p", "no:cacheprovider", "-m", "drill", str(ROOT / "tests")]
    code = pytest.main(options, plugins=[counter])
    assert code in (0, 1, 5), f"pytest ended with {code}"  # passed, failed, none of these rows
    return counter.results
