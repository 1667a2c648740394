"""The best checkpoint is damaged or gone: the best of those that are left takes its place, and the run goes on."""

import contextlib
import math

import torch
from accelerate.utils import broadcast

from engine.checkpoint.checkpoints import Checkpoints
from engine.checkpoint.manifest import CheckpointError, UnreadableError, is_whole, read_json, verify
from engine.distributed.agreement import on_main
from engine.state import State


def settle_best(checkpoints: Checkpoints, state: State) -> str:
    """Give `state` another best checkpoint where its own is not whole: the one of the best score, or the newest where
    no score is known. Returns what to tell, on the main process; empty where nothing changed.

    Patience counts from the evaluation of the one that is best now, so a run never stops earlier than it would have.
    All processes call it and one looks. Raises CheckpointError where no checkpoint is whole.
    """
    accelerator, told = checkpoints.accelerator, ""
    if state.best_step is None:
        return told
    best = torch.zeros(3, dtype=torch.float64)

    def look() -> None:
        nonlocal told
        step, score, stale = state.best_step, state.best_score, state.stale
        reason = damage(checkpoints, step)
        if reason:
            step, score, stale = best_of_rest(checkpoints, state, reason)
            told = (
                f"warning: the best weights (update {state.best_step}) are lost: {reason}; update {step} is the best "
                "of what remains and takes their place"
            )
        best.copy_(torch.tensor([step, math.nan if score is None else score, stale], dtype=torch.float64))

    on_main(accelerator, look)
    if accelerator.num_processes > 1:
        best = broadcast(best.to(accelerator.device))
    step, score, stale = best.tolist()
    state.best_step, state.best_score, state.stale = int(step), None if math.isnan(score) else score, int(stale)
    return told


def damage(checkpoints: Checkpoints, step: int) -> str:
    """Why a checkpoint cannot be used, empty where it can. One that may be whole is kept under another name."""
    folder = checkpoints.path(step)
    try:
        verify(folder)
    except UnreadableError as error:
        with contextlib.suppress(OSError):
            folder.replace(folder.with_name(f"unreadable-{folder.name}"))
            return f"{error}; kept as unreadable-{folder.name}"
        return str(error)
    except CheckpointError as error:
        return str(error) if folder.exists() else f"{folder} is gone"
    return ""


def best_of_rest(checkpoints: Checkpoints, state: State, reason: str) -> tuple[int, float | None, int]:
    """Step, score and stale evaluations of what is best without `state.best_step`."""
    rest = []  # newest first
    for folder in checkpoints.all():
        if folder <= checkpoints.path(state.step) and folder != checkpoints.path(state.best_step) and is_whole(folder):
            content = read_json(folder / "state.json")
            rest.append((own_score(content, checkpoints.facts), content["state"]))
    if not rest:
        raise CheckpointError(
            f"the best weights (update {state.best_step}) are lost: {reason}; no other checkpoint is whole, so the "
            "same command starts again"
        )
    scored = [one for one in reversed(rest) if one[0] is not None]  # of the same scores the first, as in training
    score, before = max(scored, key=lambda one: one[0]) if scored else rest[0]
    since = before["stale"] if before["best_step"] == state.best_step else 0
    return before["step"], score, max(0, state.stale - since)


def own_score(content: dict, facts: dict) -> float | None:
    """The score of a checkpoint's own weights; None where they were not scored, or not as the run scores now."""
    state = content["state"]
    if not scored_alike(content["run"]["fixed"], facts["fixed"]):
        return None
    if state.get("last_scored") == state["step"]:
        return state["last_score"]
    return state["best_score"] if state["best_step"] == state["step"] else None  # earlier versions kept this one alone


def scored_alike(before: dict, now: dict) -> bool:
    """Whether scores of two runs, told by their `run_facts`, are of the same rows and the same metric."""
    return before.get("eval") == now.get("eval") and before.get("data", {}).get("dev") == now.get("data", {}).get("dev")
