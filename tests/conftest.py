"""Shared by all tests: where things are, and one real training run on the bundled sample."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads beyond the cores that Background leaves would spin
import torch

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
    """Long commands, one after the other on a core of their own, while the tests go on on the others."""

    def __init__(self, commands: dict[str, list[str]], base: Path):
        self.commands, self.base, self.codes, self.process = commands, base, {}, None
        self.ended = {name: threading.Event() for name in commands}
        self.cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        threading.Thread(target=self.work, daemon=True).start()
        # a core for them and the others for the tests: threads that wait for a core spin, and both would crawl
        if len(self.cores) > 1:
            os.sched_setaffinity(0, self.cores[:-1])
            torch.set_num_threads(len(self.cores) - 1)

    def work(self) -> None:
        for name, command in self.commands.items():
            with (self.base / name).open("w") as output:
                self.process = subprocess.Popen(
                    command, cwd=ROOT, env=environment(), stdout=output, stderr=output, start_new_session=True
                )
                if len(self.cores) > 1:
                    os.sched_setaffinity(self.process.pid, self.cores[-1:])
                self.codes[name] = self.process.wait()
            self.ended[name].set()

    def wait(self, name: str) -> tuple[int, str]:
        """Exit code and output of a command; after the last one all cores are the tests'."""
        assert self.ended[name].wait(280), f"{name} does not end"
        if name == list(self.commands)[-1] and len(self.cores) > 1:
            os.sched_setaffinity(0, self.cores)
            torch.set_num_threads(len(self.cores))
        return self.codes[name], (self.base / name).read_text(encoding="utf-8")

    def close(self) -> None:
        self.commands = {}
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.base, ignore_errors=True)


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


def pytest_collection_finish(session) -> None:
    """Start the long commands that a test needs."""
    needed = {name for item in session.items for name in item.fixturenames}
    base = Path(tempfile.mkdtemp(prefix="plainloop-tests-"))
    commands = {name: command for name, command in background_commands(base).items() if name in needed}
    if commands and not session.config.option.collectonly:
        (base / "versus.json").write_text('{"another machine": {"quick": false}}')  # it must stay
        session.config.background = Background(commands, base)
    else:
        base.rmdir()


def pytest_unconfigure(config) -> None:
    if background := getattr(config, "background", None):
        background.close()


@pytest.fixture(scope="session")
def baseline_scores(request) -> dict[str, float]:
    """Micro-F1 on the sample's dev part without reading, see tests/data/sample/baselines.py."""
    code, output = request.config.background.wait("baseline_scores")
    assert code == 0, output[-5000:]
    return json.loads(output)


@pytest.fixture(scope="session")
def sample_run(request) -> FinishedRun:
    """The finished run on the bundled sample."""
    background = request.config.background
    code, output = background.wait("sample_run")
    assert code == 0, output[-5000:]
    return FinishedRun(background.base / "runs" / "first", background.base / "cache", output)


@pytest.fixture(scope="session")
def versus_run(request) -> tuple[dict, str]:
    """Results and output of the smallest `benchmarks/versus_trainer.py`."""
    background = request.config.background
    code, output = background.wait("versus_run")
    assert code == 0, output[-5000:]
    return json.loads((background.base / "versus.json").read_text(encoding="utf-8")), output


@pytest.fixture(scope="session")
def short_drills(request) -> tuple[int, str]:
    """Exit code and output of `python -m tests.drills`."""
    return request.config.background.wait("short_drills")


@pytest.fixture(scope="session")
def all_cores(request) -> None:
    """For tests that start several processes: nothing is in the background any more."""
    if background := getattr(request.config, "background", None):
        background.wait(list(background.commands)[-1])


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
