"""Shared by all tests: where things are, and one real training run on the bundled sample."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
NOWHERE = "http://127.0.0.1:9"  # nothing listens on the discard port

os.environ.pop("PLAINLOOP_NOTIFY", None)  # who develops here is not told of every run of a test


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
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def environment() -> dict[str, str]:
    """This process's environment without the settings of launchers."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("ACCELERATE_", "OMP_"))}


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


def pytest_collection_modifyitems(items) -> None:
    """Tests that wait for the sample run come last; it goes on behind the others."""
    items.sort(key=lambda item: "sample_run" in item.fixturenames)


def pytest_collection_finish(session) -> None:
    """Start `accelerate launch train.py`, the README's first command, on one of the cores where a test needs it."""
    session.config.sample_process = None
    if session.config.option.collectonly or not any("sample_run" in item.fixturenames for item in session.items):
        return
    base = Path(tempfile.mkdtemp(prefix="plainloop-sample-"))
    launch = [sys.executable, "-m", "accelerate.commands.launch", "train.py", "--run.threads", "1"]
    options = ["--run.dir", str(base / "runs"), "--run.name", "first", "--data.cache_dir", str(base / "cache")]
    # a core for it and the others for the tests: threads that wait for a core spin, and both would crawl
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[-1:])
    with (base / "output").open("w") as output:
        process = subprocess.Popen([*launch, *options], cwd=ROOT, env=environment(), stdout=output, stderr=output)
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[:-1])
        torch.set_num_threads(len(cores) - 1)
    session.config.sample_process = (process, base, cores)


def pytest_unconfigure(config) -> None:
    if getattr(config, "sample_process", None):
        process, base, _ = config.sample_process
        process.kill()
        process.wait()
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def baseline_scores() -> dict[str, float]:
    """Micro-F1 on the sample's dev part without reading, see tests/data/baselines.py."""
    spec = importlib.util.spec_from_file_location("baselines", ROOT / "tests" / "data" / "baselines.py")
    baselines = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(baselines)
    return baselines.baseline_scores()


@pytest.fixture(scope="session")
def sample_run(request) -> FinishedRun:
    """The finished run on the bundled sample."""
    process, base, cores = request.config.sample_process
    code = process.wait(timeout=270)
    if len(cores) > 1:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(len(cores))
    output = (base / "output").read_text(encoding="utf-8")
    assert code == 0, output[-5000:]
    return FinishedRun(base / "runs" / "first", base / "cache", output)


@pytest.fixture
def clean_process(monkeypatch):
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
