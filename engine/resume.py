"""Open or reopen a run: its name, what must stay the same, the newest checkpoint that verifies."""

import hashlib
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from engine.agreement import on_main
from engine.atomic import write_text
from engine.checkpoint import Checkpoints
from engine.config import Config
from engine.folder import RunFolder, finished_report
from engine.state import State

CODE = ("train.py", "engine/*.py", "models/*.py", "losses/*.py", "data/*.py")


def run_name(config: Config, config_path: Path, accelerator: Accelerator) -> str:
    """run.name, or the configuration file's name and the time, which process 0 reads for all."""
    if config.run.name is not None:
        return config.run.name
    now = torch.tensor(int(time.time()), device=accelerator.device)
    return f"{config_path.stem}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(int(broadcast(now))))}"


def run_facts(
    config: Config,
    digests: dict[str, str],
    labels: list[str],
    encoding: dict,
    precision: str,
    threads: int,
    processes: int,
) -> dict:
    """What a checkpoint remembers of its run: `fixed` must be the same when it resumes, the rest may change.

    `digests`: SHA-256 of each part of the data; `encoding`: its options and the tokenizer's fingerprint.
    """
    values = config.as_dict()
    fixed = {
        "seed": config.run.seed,
        "labels": labels,
        "data": digests,
        "encoding": encoding,
        "model": {k: v for k, v in values["model"].items() if k not in ("gradient_checkpointing", "attention")},
        "loss": values["loss"],
        "optim": values["optim"],
        "train": {key: values["train"][key] for key in ("epochs", "max_updates", "batch_size", "max_grad_norm")},
        "precision": precision,
        "eval": {"metric": config.eval.metric, "negative_label": config.data.negative_label},
    }
    return {"fixed": fixed, "threads": threads, "processes": processes, "code": code_digests()}


def code_digests() -> dict[str, str]:
    """SHA-256 of each file of this repository's code: users edit it in place, also between two halves of a run."""
    root = Path(__file__).resolve().parent.parent
    files = sorted(path for pattern in CODE for path in root.glob(pattern))
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def open_run(
    folder: RunFolder, checkpoints: Checkpoints, config: Config, model, optimizer, accelerator: Accelerator
) -> tuple[State, list[str]]:
    """Make or reopen the run folder, lock it, and restore the newest checkpoint that verifies."""
    on_main(accelerator, folder.open)
    newest, notices = checkpoints.newest()
    notices = [f"skipped a damaged checkpoint: {reason}" for reason in notices]
    if newest is not None:
        if config.run.resume == "never":
            raise ValueError(f"run.name: {folder.path} holds a run and run.resume is never; choose another name")
        notices += checkpoints.compare(newest, force=config.run.resume == "force")
        state = checkpoints.restore(newest, model, optimizer)
        notices.append(f"continuing {folder.path} after update {state.step}")
    else:
        state = State()
    state.loss = state.loss.to(accelerator.device)
    if accelerator.is_main_process:
        checkpoints.drop_after(state.step)
        if config.run.resume == "force":
            finished_report(folder.path).unlink(missing_ok=True)  # it spoke of the run as it was before
        write_text(folder.path / "config.yaml", config.to_yaml())
    return state, notices
