"""Starting runs for the drills: forked from a process that has imported torch (0.1 s), or from cold (6 s)."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.drills.child import read_phase, run

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("child.py")
LAUNCHER_WORDS = (
    "ACCELERATE_",
    "OMP_",
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "MASTER_",
    "TORCHELASTIC",
)


def plain_environment() -> dict[str, str]:
    """This process's environment without the settings of launchers."""
    return {key: value for key, value in os.environ.items() if not key.startswith(LAUNCHER_WORDS)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def worker_environment(rank: int, processes: int, port: int) -> dict[str, str]:
    """What torchrun tells a worker."""
    if processes == 1:
        return {}
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true",
    }  # fmt: skip


@dataclass
class Worker:
    """One process of a run."""

    pid: int
    code: int | None = None

    def poll(self) -> int | None:
        """Exit code, negative for a signal, None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


@dataclass
class Running:
    """A run that was started: its workers, its log, and the file that says what it is doing."""

    workers: list[Worker]
    log: Path
    phase_file: Path

    def phase(self) -> str:
        return read_phase(self.phase_file)

    def alive(self) -> bool:
        return None in self.codes()

    def wait(self, seconds: float) -> bool:
        """Whether all processes ended in time."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def wait_for(self, phase: str, seconds: float = 60) -> bool:
        """Whether the run came into a phase before it ended."""
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            if self.phase() == phase:
                return True
            time.sleep(0.001)
        return False

    def codes(self) -> list[int | None]:
        return [worker.poll() for worker in self.workers]

    def kill(self, number: int = signal.SIGKILL) -> None:
        for worker in self.workers:
            worker.kill(number)

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def start(argv: list[str], folder: Path, processes: int = 1, cold: bool = False, function=None) -> Running:
    """Start `train.py argv` in `processes` processes; `function(argv)` instead of it, where given (forked only)."""
    folder.mkdir(parents=True, exist_ok=True)
    phase_file, log, port = folder / "phase", folder / "log", free_port()
    clear(phase_file)
    workers = []
    for rank in range(processes):
        extra = worker_environment(rank, processes, port)
        if cold:
            with log.open("a") as output:
                child = subprocess.Popen(
                    [sys.executable, str(CHILD), str(phase_file), *argv],
                    cwd=ROOT,
                    env=plain_environment() | extra,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            workers.append(Worker(child.pid))
            child.returncode = 0  # it is this module that waits for it
        else:
            workers.append(Worker(fork(argv, phase_file, log, extra, function)))
    return Running(workers, log, phase_file)


def clear(phase_file: Path) -> None:
    """Forget the start before. TensorBoard sorts its files by the second and the process number."""
    events = phase_file.parent.glob("runs/*/events.out.*")
    latest = max((int(path.name.split(".")[3]) for path in events), default=0)
    time.sleep(max(0.0, latest + 1 - time.time()))
    for old in phase_file.parent.glob(f"{phase_file.name}*"):
        old.unlink()


def launch(launcher: list[str], argv: list[str], folder: Path) -> Running:
    """Start `train.py argv` from cold below a launcher: `workers` is the launcher, `worker_pids` its workers."""
    folder.mkdir(parents=True, exist_ok=True)
    phase_file, log = folder / "phase", folder / "log"
    clear(phase_file)
    with log.open("a") as output:
        child = subprocess.Popen(
            [*launcher, str(CHILD), str(phase_file), *argv],
            cwd=ROOT,
            env=plain_environment() | {"ACCELERATE_USE_CPU": "true"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    child.returncode = 0  # it is this module that waits for it
    return Running([Worker(child.pid)], log, phase_file)


def worker_pids(running: Running) -> list[int]:
    return [int(path.read_text()) for path in sorted(running.phase_file.parent.glob("phase.pid.*"))]


def is_running(pid: int) -> bool:
    """Whether a process, of ours or not, does anything still (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def fork(argv: list[str], phase_file: Path, log: Path, extra: dict[str, str], function) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1)
        for key in [key for key in os.environ if key.startswith(LAUNCHER_WORDS)]:
            del os.environ[key]
        os.environ.update(extra)
        code = run(phase_file, argv) if function is None else function(argv)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


def isolated(function, *arguments):
    """`function(*arguments)` in a forked process; its result as JSON holds it. The parent itself computes nothing."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump(function(*arguments), pipe)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"{function.__name__} failed"
    return json.loads(content)


def import_everything() -> None:
    """What the children then need not import. Nothing is computed here: threads do not survive a fork."""
    import tensorboard.compat.proto  # noqa: F401
    import torch.utils.tensorboard  # noqa: F401

    import engine.tracking.figures  # noqa: F401
    import train  # noqa: F401
