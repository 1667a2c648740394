"""Small runs of the bundled sample, built in this process."""

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from hypothesis import settings

from data import sample
from engine.arguments.parse import parse
from engine.compose.run import build
from engine.parts import Run

settings.register_profile("plainloop", deadline=None, derandomize=True, database=None)
settings.load_profile("plainloop")

TINY = {
    "model.scratch.hidden_size": 32,
    "model.scratch.layers": 1,
    "model.scratch.heads": 2,
    "model.dropout": 0,
    "run.threads": 1,
    "track.tensorboard": "false",
    "train.log_every": 1,
}


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def sample_files(tmp_path_factory) -> dict[str, Path]:
    """`train`: 70 rows (two updates of 32 and one of 6), `dev`: 24, `cache`: where they are kept encoded."""
    folder = tmp_path_factory.mktemp("sample")
    return {
        "train": write_rows(folder / "train.json", sample.rows("train")[:70]),
        "dev": write_rows(folder / "dev.json", sample.rows("dev")[:24]),
        "cache": folder / "cache",
    }


@pytest.fixture(scope="session")
def tiny_run(sample_files) -> Callable[..., list[str]]:
    """`tiny_run(folder, key=value, ...)`: a command line of a tiny run in `folder`; `__` stands for the dot."""

    def command_line(folder: Path, **given) -> list[str]:
        files = {
            "data.train": sample_files["train"],
            "data.dev": sample_files["dev"],
            "data.cache_dir": sample_files["cache"],
            "run.dir": folder / "runs",
            "run.name": "tiny",
        }
        given = {key.replace("__", "."): value for key, value in given.items()}
        return [f"--{key}={value}" for key, value in (TINY | files | given).items()]

    return command_line


@pytest.fixture
def options(tiny_run, tmp_path, blank_figures) -> Callable[..., list[str]]:
    """`options(key=value, ...)`: `tiny_run` in tmp_path."""
    return functools.partial(tiny_run, tmp_path)


@pytest.fixture
def start(options) -> Iterator[Callable[..., Run]]:
    """`start(key=value, ...)` builds a run; what it holds is given back after the test."""
    runs = []

    def build_run(**given) -> Run:
        config, path, _ = parse(options(**given))
        runs.append(build(config, path))
        return runs[-1]

    yield build_run
    for run in runs:
        run.parts.tracker.close()
        run.lock.close()
    AcceleratorState._reset_state(reset_partial_state=True)
