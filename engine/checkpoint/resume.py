"""Open or reopen a run: its name, what must stay the same, the newest checkpoint that verifies."""

import contextlib
import hashlib
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast

from engine.atomic import write_text
from engine.checkpoint.checkpoints import Checkpoints
from engine.checkpoint.folder import RunFolder, finished_report
from engine.checkpoint.lost import scored_alike, settle_best
from engine.checkpoint.manifest import read_json
from engine.config import Config
from engine.distributed.agreement import on_main
from engine.state import State

CODE = ("train.py", "engine/**/*.py", "models/**/*.py", "losses/**/*.py", "data/**/*.py")


def run_name(config: Config, config_path: Path, accelerator: Accelerator) -> str:
    """run.name, or the configuration file's name and the time, which process 0 reads for all; with a number where there
    is such a folder: of a run that began in the same second, or before the clock went back."""
    if config.run.name is not None:
        return config.run.name
    now = torch.tensor([int(time.time()), 1], device=accelerator.device)  # (time, number)
    name = f"{config_path.stem}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(int(broadcast(now)[0])))}"

    def reserve() -> None:
        try:
            Path(config.run.dir).mkdir(parents=True, exist_ok=True)
            while True:
                with contextlib.suppress(FileExistsError):
                    (Path(config.run.dir) / numbered(name, int(now[1]))).mkdir()
                    return
                now[1] += 1
        except OSError as error:
            raise ValueError(f"run.dir: cannot write to {config.run.dir} ({error.strerror})") from None

    on_main(accelerator, reserve)
    return numbered(name, int(broadcast(now)[1]))


def numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def run_facts(
    config: Config,
    identities: dict[str, dict[str, str]],
    labels: list[str],
    prior: np.ndarray | None,
    encoding: dict,
    precision: str,
    threads: int,
    processes: int,
) -> dict:
    """What a checkpoint remembers of its run: `fixed` must be the same when it resumes, the rest may change.

    `identities`: each part of the data (`Source.identity`); `encoding`: its options and the tokenizer's fingerprint.
    """
    values = config.as_dict()
    fixed = {
        "seed": config.run.seed,
        "labels": labels,
        "data": identities,
        "encoding": encoding,
        "model": {
            k: v for k, v in values["model"].items() if k not in ("gradient_checkpointing", "attention", "compile")
        },
        "loss": values["loss"],
        "optim": values["optim"],
        "train": {key: values["train"][key] for key in ("epochs", "max_updates", "batch_size", "max_grad_norm")},
        "precision": precision,
        "eval": {"metric": config.eval.metric, "negative_label": config.data.negative_label}
        | ({} if prior is None else {"label_prior": prior.tolist()}),
    }
    return {"fixed": fixed, "threads": threads, "processes": processes, "code": code_digests()}


def code_digests() -> dict[str, str]:
    """SHA-256 of each file of this repository's code: users edit it in place, also between two halves of a run."""
    root = Path(__file__).resolve().parents[2]
    files = sorted(path for pattern in CODE for path in root.glob(pattern))
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def open_run(
    folder: RunFolder, checkpoints: Checkpoints, config: Config, model, optimizer, accelerator: Accelerator
) -> tuple[State, list[str]]:
    """Make or reopen the run folder, lock it, and restore the newest checkpoint that verifies."""
    on_main(accelerator, folder.open)
    same_everywhere(accelerator, appears(folder.path), f"run.dir: not all processes see {folder.path}")
    newest, notices = checkpoints.newest()
    notices = [f"skipped a damaged checkpoint: {reason}" for reason in notices]
    if newest is not None:
        if config.run.resume == "never":
            raise ValueError(f"run.name: {folder.path} holds a run and run.resume is never; choose another name")
        notices += checkpoints.compare(newest, force=config.run.resume == "force")
        state = checkpoints.restore(newest, model, optimizer)
        if config.run.resume == "force":
            judge_anew(state, read_json(newest / "state.json")["run"]["fixed"], checkpoints.facts["fixed"])
        notices.append(f"continuing {folder.path} after update {state.step}")
    else:
        state = State()
    same_everywhere(accelerator, state.step, f"run.dir: processes find different checkpoints in {folder.path}")
    if state.best_step != state.step and (lost := settle_best(checkpoints, state)):  # the newest was verified
        notices.insert(-1, lost)
    state.loss = state.loss.to(accelerator.device)
    if accelerator.is_main_process:
        checkpoints.drop_after(state.step)
        if config.run.resume == "force":
            finished_report(folder.path).unlink(missing_ok=True)  # it spoke of the run as it was before
        write_text(folder.path / "config.yaml", config.to_yaml())
    return state, notices


def judge_anew(state: State, before: dict, now: dict) -> None:
    """A run that goes on with another configuration has its patience again, and with other scores no best one yet."""
    if before != now:
        state.stopped, state.stale = False, 0
    if not scored_alike(before, now):
        state.best_score, state.best_step, state.owes_evaluation = None, None, state.step > 0


def appears(folder: Path) -> bool:
    """Whether a folder that another process made is seen from here; network disks take a moment."""
    for _ in range(50):
        if folder.is_dir():
            return True
        time.sleep(0.2)
    return False


def same_everywhere(accelerator: Accelerator, value: int, problem: str) -> None:
    """Raises ValueError in all processes where they do not hold the same: they would train different models."""
    values = accelerator.gather(torch.tensor([int(value)], device=accelerator.device)).tolist()
    if len(set(values)) > 1:
        raise ValueError(f"{problem} ({', '.join(map(str, values))}); it must lie on a disk that all machines share")
