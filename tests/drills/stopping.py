"""R6: SIGTERM and Ctrl-C at any phase and below launchers; a frozen process; a launcher that dies."""

import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.drills import tiny
from tests.drills.processes import Running, is_running, launch, start, worker_pids

LIMIT = 20  # seconds from a signal to the end
FROZEN = 60  # seconds in which a process notices that another one is frozen
PHASES = ("tokenising", "training", "evaluating", "saving")
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]


def stopped_in(folder: Path, data: Path, expected: dict, phase: str, number: int, processes: int = 1) -> str | None:
    """A signal to all processes of a run: what is wrong, or None."""
    argv = tiny.command(data, folder)
    running = start(argv, folder, processes)
    if not running.wait_for(phase):
        return f"never came to {phase}: {running.output()[-500:]}"
    return end_and_go_on(running, folder, argv, expected, number, running.workers, processes)


def end_and_go_on(
    running: Running, folder: Path, argv: list[str], expected: dict, number: int, told: list, processes: int
) -> str | None:
    for worker in told:
        worker.kill(number)
    if not running.wait(LIMIT):
        running.kill()
        return f"does not end within {LIMIT} s"
    if set(running.codes()) == {0}:
        return "the run came to its end before the signal"
    return check_end(running, folder, argv, expected, {128 + number}, processes)


def check_end(
    running: Running, folder: Path, argv: list[str], expected: dict, codes: set[int] | None, processes: int,
    saved: bool = True,
) -> str | None:  # fmt: skip
    """The exit code, the last line, the checkpoint it names, and that the same command ends as if nothing had been."""
    output = running.output()
    if codes is not None and set(running.codes()) != codes:
        return f"exit codes {running.codes()}, expected {codes}: {output[-800:]}"
    stopped = re.search(r"^stopped after update (\d+); the same command with --run.name run continues$", output, re.M)
    early = re.search(r"^stopped before the first update of this start; the same command starts again$", output, re.M)
    if saved and not (stopped or early):
        return f"no line says how to go on: {output[-500:]}"
    if saved and stopped and not (folder / "runs/run/checkpoints" / f"step-{int(stopped[1]):08d}").is_dir():
        return f"the checkpoint of update {stopped[1]} is not there"
    if any(is_running(pid) for pid in worker_pids(running)):
        return "a worker lives on"
    again = start(argv, folder, processes)
    if not again.wait(120) or set(again.codes()) != {0}:
        again.kill()
        return f"does not go on: {again.codes()} {again.output()[-800:]}"
    return ", ".join(tiny.differences(tiny.result(folder / "runs" / "run"), expected)) or None


def launched(
    folder: Path, data: Path, expected: dict, launcher: list[str], phase: str, number: int, whole_group: bool,
    processes: int = 1,
) -> str | None:  # fmt: skip
    """A signal to the launcher alone, or to it and all workers, as a terminal's Ctrl-C and schedulers send it."""
    argv = tiny.command(data, folder)
    running = launch(launcher, argv, folder)
    if not running.wait_for(phase, 90):
        return f"never came to {phase}: {running.output()[-800:]}"
    begin = time.monotonic()
    pids = worker_pids(running)
    for pid in [running.workers[0].pid, *(pids if whole_group else [])]:
        os.kill(pid, number)
    while any(is_running(pid) for pid in pids) or running.alive():
        if time.monotonic() > begin + LIMIT:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            return f"does not end within {LIMIT} s"
        time.sleep(0.02)
    return check_end(running, folder, argv, expected, None, processes)


def second_signal(folder: Path, data: Path) -> str | None:
    """A second one ends the process at once, also where the first one waits: here in an update that takes long."""
    running = start(tiny.command(data, folder), folder, function=slow_update)
    if not running.wait_for("training"):
        return "never trained"
    time.sleep(0.5)
    for _ in range(3):
        running.kill(signal.SIGTERM)
        time.sleep(0.2)  # several within a second are one
    time.sleep(1)
    if not running.alive():
        return "ended after the first signal, in the middle of an update"
    begin = time.monotonic()
    running.kill(signal.SIGTERM)
    if not running.wait(5):
        running.kill()
        return "does not end after the second signal"
    if running.codes() != [143] or "at once" not in running.output():
        return f"{running.codes()}: {running.output()[-300:]}"
    return None if time.monotonic() - begin < 2 else "took longer than 2 s"


def slow_update(argv: list[str]) -> int:
    """A process whose main thread is in C code that does not come back."""
    from tests.drills.child import run

    folder = Path(next(word for word in argv if word.startswith("--run.dir=")).partition("=")[2]).parent
    import engine.loop

    engine.loop.seed_update = lambda *rest: sleep_in_c(60)
    return run(folder / "phase", argv)


def sleep_in_c(seconds: float) -> None:
    """Without Python looking at signals, as a collective call that waits for others."""
    import ctypes

    library = ctypes.CDLL(None)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        library.usleep(int(min(left, 0.5) * 1e6))


def no_save_in_time(folder: Path, data: Path) -> str | None:
    """Where the update at hand does not end, one signal is enough: after 17 s the process gives up."""
    running = start(tiny.command(data, folder), folder, function=slow_update)
    if not running.wait_for("training"):
        return "never trained"
    time.sleep(0.5)
    running.kill(signal.SIGTERM)
    if not running.wait(LIMIT):
        running.kill()
        return f"does not end within {LIMIT} s"
    ok = running.codes() == [143] and "continues from the last checkpoint" in running.output()
    return None if ok else f"{running.codes()}: {running.output()[-300:]}"


def frozen(folder: Path, data: Path, expected: dict, victim: int) -> str | None:
    """One of two processes is frozen: the other one ends with a message within 60 s, and the run goes on after that."""
    argv = tiny.command(data, folder)
    running = start(argv, folder, 2)
    if not running.wait_for("training"):
        return f"never trained: {running.output()[-500:]}"
    time.sleep(0.5)
    running.workers[victim].kill(signal.SIGSTOP)
    begin = time.monotonic()
    while running.workers[1 - victim].poll() is None and time.monotonic() < begin + FROZEN:
        time.sleep(0.05)
    seconds = time.monotonic() - begin
    left = running.workers[1 - victim].poll() is None
    running.kill()
    running.wait(10)
    if left:
        return f"waits longer than {FROZEN} s"
    if f"process {victim} has not answered" not in running.output():
        return f"after {seconds:.0f} s: {running.output()[-500:]}"
    return check_end(running, folder, argv, expected, None, 2, saved=False)


def trials(cpu_processes: Path | None) -> list[tuple[str, object]]:
    """Name and function(folder, data, references) of each trial; `references[n]` is the result of n processes."""
    found: list[tuple[str, object]] = []

    def add(name: str, function, *rest, processes: int = 1) -> None:
        found.append((name, lambda folder, data, refs: function(folder, data, refs[processes], *rest)))

    for phase in PHASES:
        for number in (signal.SIGTERM, signal.SIGINT):
            add(f"{phase}, {number.name}", stopped_in, phase, number)
    for phase in PHASES[1:]:
        add(f"{phase}, SIGTERM, 2 processes", stopped_in, phase, signal.SIGTERM, 2, processes=2)
    for launcher, name, count in ((ACCELERATE, "accelerate launch", 1), (TORCHRUN, "torchrun", 2)):
        cases = [("training", signal.SIGTERM, False), ("evaluating", signal.SIGTERM, False)]
        cases += [("training", signal.SIGINT, True), ("saving", signal.SIGKILL, False)]
        cases += [("training", signal.SIGTERM, True)]
        for phase, number, group in cases:
            title = f"{name}, {phase}, {number.name} to {'all' if group else 'the launcher'}"
            add(title, launched, launcher, phase, number, group, count, processes=count)
    if cpu_processes is not None:
        launcher = [*ACCELERATE, "--config_file", str(cpu_processes)]
        title = "accelerate launch of 2 processes, training, SIGTERM to the launcher"
        add(title, launched, launcher, "training", signal.SIGTERM, False, 2, processes=2)
    found.append(("second signal, main thread busy", lambda folder, data, refs: second_signal(folder, data)))
    found.append(("no save in time", lambda folder, data, refs: no_save_in_time(folder, data)))
    for victim in (0, 1):
        add(f"process {victim} of 2 frozen", frozen, victim, processes=2)
    return found


def drill(base: Path, data: Path, references: dict, chosen: list, say=print) -> tuple[int, int, list[str]]:
    passes, problems = 0, []
    for number, (name, function) in enumerate(chosen):
        folder = base / f"stop-{number}"
        problem = function(folder, data, references)
        say(f"  {name}: {problem or 'ok'}")
        passes += problem is None
        problems += [f"{name}: {problem}"] if problem else []
        shutil.rmtree(folder, ignore_errors=True)
    return len(chosen), passes, problems
