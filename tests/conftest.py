"""Shared by all tests: where things are, and one real training run on the bundled sample."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as train.py does, before torch starts its threads
ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class FinishedRun:
    """A run of train.py as a user starts it."""

    folder: Path
    cache: Path
    output: str
    seconds: float

    @property
    def report(self) -> dict:
        return json.loads((self.folder / "report.json").read_text(encoding="utf-8"))

    @property
    def metrics(self) -> list[dict]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def run_command(arguments: list[str], cwd: Path = ROOT, **options) -> subprocess.CompletedProcess:
    """A command from the repository's root, as a user types it, without the launcher's settings of this process."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ACCELERATE_", "OMP_"))}
    environment = inherited | options.pop("env", {})
    return subprocess.run(
        arguments,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=options.pop("timeout", 240),
        **options,
    )


def train_command(*options: str) -> list[str]:
    return [sys.executable, "train.py", *options]


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory) -> FinishedRun:
    """`accelerate launch train.py`, the README's second command, with folders of the test."""
    base = tmp_path_factory.mktemp("sample")
    launch = [sys.executable, "-m", "accelerate.commands.launch", "train.py"]
    started = time.perf_counter()
    done = run_command(
        [*launch, "--run.dir", str(base / "runs"), "--run.name", "first", "--data.cache_dir", str(base / "cache")]
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return FinishedRun(base / "runs" / "first", base / "cache", done.stdout, time.perf_counter() - started)
