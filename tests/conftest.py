"""Shared by all tests: where things are, and one real training run on the bundled sample."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads beyond the cores that Background leaves would spin
import torch
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port

os.environ.pop("PLAINLOOP_NOTIFY", None)  # who develops here is not told of every run of a test
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored, and children inherit that


@dataclass(frozen=True)
class FinishedRun:
    """A run of train.py as a user starts it."""

    folder: Path
    cache: Path
    output: str

    @property
    def report(self) -> dict:
        return json.loads((self.folder / "report.json").read_text(encoding="utf-8"))

    @property
    def metrics(self) -> list[dict]:
        return metric_lines(self.folder)


def metric_lines(folder: Path, speed: bool = True) -> list[dict]:
    """A run's metrics.jsonl; without `speed`, only what the same run gives again."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if speed or key != "speed"} for line in lines]


def environment() -> dict[str, str]:
    """This process's environment without the settings of launchers."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("ACCELERATE_", "FSDP_", "OMP_"))}


def run_command(arguments: list[str], cwd: Path = ROOT, **options) -> subprocess.CompletedProcess:
    """A command from the repository's root, as a user types it."""
    return subprocess.run(
        arguments,
        cwd=cwd,
        env=environment() | options.pop("env", {}),
        capture_output=True,
        text=True,
        timeout=options.pop("timeout", 240),
        **options,
    )


def train_command(*options: str) -> list[str]:
    return [sys.executable, "train.py", *options]


class Launch:
    """A process of `accelerate launch` with one of configs/accelerate; `end()` waits and wants success."""

    def __init__(self, file: str, *arguments: str, launcher: tuple[str, ...] = ()):
        more = {"CUDA_VISIBLE_DEVICES": ""}
        if file == "cpu_processes.yaml":
            more["ACCELERATE_USE_CPU"] = "true"
        file = str(ROOT / "configs" / "accelerate" / file)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "accelerate.commands.launch", "--config_file", file, *launcher, *arguments],
            cwd=ROOT,
            env=environment() | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def end(self) -> str:
        try:
            output, _ = self.process.communicate(timeout=200)
        finally:
            if self.process.poll() is None:
                self.process.terminate()  # torchrun ends its workers
        assert self.process.returncode == 0, output[-4000:]
        return output

    def kill(self) -> str:
        """kill -9 of the launcher and of what it started; what was printed."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.communicate()[0]


class Background:
    """Long commands, one after the other on a core of their own, while the tests go on. They are started by the process
    that starts pytest's workers, once a worker has written which of them its tests need; `FOLDER/NAME.code` tells that
    one has ended, and how."""

    def __init__(self, folder: Path):
        self.folder, self.process, self.closed = folder, None, threading.Event()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        while not (self.folder / NEEDED).exists():
            if self.closed.wait(0.1):
                return
        commands = background_commands(self.folder)
        for name in json.loads((self.folder / NEEDED).read_text()):
            with (self.folder / name).open("w") as output:
                if self.closed.is_set():
                    return
                self.process = subprocess.Popen(
                    commands[name], cwd=ROOT, env=environment(), stdout=output, stderr=output, start_new_session=True
                )
                keep_to(CORES[-1:], self.process.pid)
                code = self.process.wait()
            written(self.folder / f"{name}.code", str(code))

    def close(self) -> None:
        self.closed.set()
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
NEEDED = "needed.json"


def keep_to(cores: list[int], process: int = 0) -> None:
    """Threads that wait for a core spin: processes beside each other keep to cores of their own."""
    if len(CORES) > 1:
        os.sched_setaffinity(process, cores)
        if process == 0:
            torch.set_num_threads(len(cores))


def written(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all."""
    whole = path.with_name(f"{path.name}.{os.getpid()}")
    whole.write_text(text)
    whole.replace(path)


def waited(config, name: str) -> tuple[int, str]:
    """Exit code and output of a command of the background."""
    code = config.background_folder / f"{name}.code"
    end = time.monotonic() + 280
    while not code.exists():
        assert time.monotonic() < end, f"{name} does not end"
        time.sleep(0.1)
    return int(code.read_text()), (config.background_folder / name).read_text(encoding="utf-8")


def background_commands(base: Path) -> dict[str, list[str]]:
    """Fixture -> what it waits for, in this order; the first is the README's first command."""
    launch = [sys.executable, "-m", "accelerate.commands.launch", "train.py", "--run.threads", "1"]
    options = ["--run.dir", str(base / "runs"), "--run.name", "first", "--data.cache_dir", str(base / "cache")]
    smallest = "--quick --threads 1 --layers 1 --hidden 32 --batch 4 --turns 2 --updates 2 --warmup 1 --variants 1"
    versus = [sys.executable, "benchmarks/versus_trainer.py", *smallest.split(), "--data", "nowhere"]
    return {
        "sample_run": [*launch, *options],
        "baseline_scores": [sys.executable, "tests/data/sample/baselines.py"],
        "versus_run": [*versus, "--folder", str(base / "versus"), "--results", str(base / "versus.json")],
        "short_drills": [sys.executable, "-m", "tests.drills", "--seed", "3"],
    }


LAST = ["sample_run", "baseline_scores", "versus_run", "short_drills", "all_cores"]


def pytest_collection_modifyitems(items) -> None:
    """Tests that wait for something in the background come last, those that need all cores after them."""
    items.sort(key=lambda item: max((LAST.index(name) + 1 for name in item.fixturenames if name in LAST), default=0))


def pytest_configure(config) -> None:
    if hasattr(config, "workerinput"):
        config.background_folder = Path(config.workerinput["background"])
        number, workers = int(config.workerinput["workerid"].removeprefix("gw")), config.workerinput["workercount"]
        keep_to(CORES[number % len(CORES) :: workers] if CORES else [])
    else:
        config.background_folder = Path(tempfile.mkdtemp(prefix="plainloop-tests-"))
        written(config.background_folder / "versus.json", '{"another machine": {"quick": false}}')  # it must stay
        config.background = Background(config.background_folder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    node.workerinput["background"] = str(node.config.background_folder)


def pytest_collection_finish(session) -> None:
    """Have the long commands started that a test needs."""
    asked = {name for item in session.items for name in item.fixturenames}
    needed = [name for name in LAST[:-1] if name in asked]
    if needed and not session.config.option.collectonly:
        if not hasattr(session.config, "workerinput"):
            keep_to(CORES[:-1])
        written(session.config.background_folder / NEEDED, json.dumps(needed))


def pytest_unconfigure(config) -> None:
    if background := getattr(config, "background", None):
        background.close()


@pytest.fixture(scope="session")
def baseline_scores(request) -> dict[str, float]:
    """Micro-F1 on the sample's dev part without reading, see tests/data/sample/baselines.py."""
    code, output = waited(request.config, "baseline_scores")
    assert code == 0, output[-5000:]
    return json.loads(output)


@pytest.fixture(scope="session")
def sample_run(request) -> FinishedRun:
    """The finished run on the bundled sample."""
    code, output = waited(request.config, "sample_run")
    assert code == 0, output[-5000:]
    folder = request.config.background_folder
    return FinishedRun(folder / "runs" / "first", folder / "cache", output)


@pytest.fixture(scope="session")
def versus_run(request) -> tuple[dict, str]:
    """Results and output of the smallest `benchmarks/versus_trainer.py`."""
    code, output = waited(request.config, "versus_run")
    assert code == 0, output[-5000:]
    return json.loads((request.config.background_folder / "versus.json").read_text(encoding="utf-8")), output


@pytest.fixture(scope="session")
def short_drills(request) -> tuple[int, str]:
    """Exit code and output of `python -m tests.drills`."""
    return waited(request.config, "short_drills")


@pytest.fixture(scope="module")
def all_cores(request):
    """For tests that start several processes: nothing is in the background any more, and one such file runs at a time
    (its launchers share a port)."""
    folder = request.config.background_folder
    for name in json.loads((folder / NEEDED).read_text()) if (folder / NEEDED).exists() else []:
        waited(request.config, name)
    before, threads = CORES and os.sched_getaffinity(0), torch.get_num_threads()
    with FileLock(folder / "all_cores.lock"):
        keep_to(CORES)
        yield
        if before:
            keep_to(sorted(before))
        torch.set_num_threads(threads)


def blank_figure(*_):
    """A picture without ink."""
    from matplotlib.figure import Figure

    return Figure(figsize=(0.1, 0.1))


@pytest.fixture
def blank_figures(monkeypatch):
    """Drawing takes most of a small run; the sample run draws real figures."""
    monkeypatch.setattr("engine.tracking.figures.confusion", blank_figure)
    for name in ("precision_recall", "reliability", "f1_by_count", "error_by_length"):
        monkeypatch.setattr(f"engine.report.error_figures.{name}", blank_figure)


@pytest.fixture
def clean_process(monkeypatch, blank_figures):
    """`main` in this process: an empty environment of launchers, no hub, and nothing of a failed run left."""
    from accelerate.state import AcceleratorState

    for name in list(os.environ):
        if name.startswith(("ACCELERATE_", "HF_HUB_OFFLINE")) or name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", NOWHERE)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def folder(tmp_path, clean_process):
    """A folder with good data and the command that would train on it."""
    from refusals import Folder  # it imports everything that training needs

    return Folder(tmp_path)
