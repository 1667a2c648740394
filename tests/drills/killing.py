"""R1, R2: SIGKILL at random moments, and the same command again, until the run is done."""

import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.drills import tiny
from tests.drills.child import PHASES
from tests.drills.processes import start

TOTAL = 100  # updates of the run
HANG = 60  # seconds in which the processes that were left alone must end by themselves


@dataclass
class Tally:
    """What came out: runs, those that were equal, kills by phase, and what was wrong."""

    runs: int = 0
    equal: int = 0
    cold: int = 0
    kills: Counter = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    slowest_end: float = 0.0

    def table(self) -> str:
        phases = ", ".join(f"{phase} {self.kills[phase]}" for phase in PHASES)
        return f"{sum(self.kills.values())} kills: {phases}; {self.cold} starts from cold"


def reference(folder: Path, data: Path, processes: int) -> tuple[dict, float]:
    """The result of a run that nobody disturbs, and how long it takes."""
    begin = time.monotonic()
    running = start(tiny.command(data, folder), folder, processes)
    assert running.wait(300), "the undisturbed run does not end"
    assert set(running.codes()) == {0}, running.output()[-3000:]
    return tiny.result(folder / "runs" / "run"), time.monotonic() - begin


def killed_run(
    folder: Path, data: Path, expected: dict, length: float, kills: int, chance: random.Random, tally: Tally,
    processes: int = 1, cold_starts: int = 0,
) -> None:  # fmt: skip
    """One run: `kills` times killed at a moment drawn evenly from the start of the process to its expected end, then
    left in peace. A run that ends before its second kill is compared, too, but counts for nothing and starts again.
    """
    argv, done = tiny.command(data, folder), 0
    while done < kills:
        cold = cold_starts > 0
        moment = chance.uniform(0, length * (1 - progress(folder)) + (8 if cold else 0.5))
        victims = range(processes) if processes == 1 or chance.random() < 0.5 else [chance.randrange(processes)]
        running = start(argv, folder, processes, cold)
        if running.wait(moment):
            if set(running.codes()) != {0}:
                tally.problems.append(f"{folder.name}: ended with {running.codes()}: {running.output()[-500:]}")
                return
            if problems := tiny.differences(tiny.result(folder / "runs" / "run"), expected):
                tally.problems.append(f"{folder.name}: {problems} differ after {done} kills")
            shutil.rmtree(folder)
            done = 0
            continue
        tally.kills[running.phase()] += 1
        tally.cold += cold
        cold_starts -= cold
        done += 1
        for victim in victims:
            running.workers[victim].kill()
        left = time.monotonic()
        if not running.wait(HANG):
            tally.problems.append(f"{folder.name}: the other process hangs after one was killed")
            running.kill()
            running.wait(10)
            return
        tally.slowest_end = max(tally.slowest_end, time.monotonic() - left)
        survivors = set(range(processes)) - set(victims)
        if any(running.codes()[rank] == 0 for rank in survivors) and not finished(folder):
            tally.problems.append(f"{folder.name}: a process says that all is well after another was killed")
    running = start(argv, folder, processes, cold=cold_starts > 0)
    tally.cold += cold_starts > 0
    tally.runs += 1
    if not running.wait(300) or set(running.codes()) != {0}:
        tally.problems.append(f"{folder.name}: {running.codes()}: {running.output()[-800:]}")
        running.kill()
        return
    problems = tiny.differences(tiny.result(folder / "runs" / "run"), expected)
    if problems:
        tally.problems.append(f"{folder.name}: {', '.join(problems)} differ")
    tally.equal += not problems


def progress(folder: Path) -> float:
    """The share of the run that its newest checkpoint holds."""
    steps = [int(path.name[-8:]) for path in (folder / "runs" / "run" / "checkpoints").glob("step-*")]
    return max(steps, default=0) / TOTAL


def finished(folder: Path) -> bool:
    return (folder / "runs" / "run" / "report.json").is_file()


def drill(base: Path, data: Path, runs: int, processes: int, seed: int, cold: int = 0, say=print) -> Tally:
    """`runs` runs, each killed at least twice; `cold` of the starts are from cold."""
    tally, chance = Tally(), random.Random(seed)
    expected, length = reference(base / f"reference-{processes}", data, processes)
    for number in range(runs):
        folder = base / f"killed-{processes}-{number}"
        kills = 2 + (chance.random() < 0.3)
        killed_run(folder, data, expected, length, kills, chance, tally, processes, cold_starts=int(number < cold))
        shutil.rmtree(folder, ignore_errors=True)
        say(f"  {processes} process(es), run {number + 1} of {runs}: {tally.equal} equal; {tally.table()}")
    return tally
