"""Checkpoints: what is in them, which stay, and what is restored. Nothing is ever unpickled.

    checkpoints/step-00000040/   model.safetensors  optimizer.safetensors  state.json  manifest.json (written last)

state.json holds the `State` of the run, the loss scale of fp16 and what the run is (`resume.run_facts`). Order and
dropout follow from the number of the update, so no random state is kept.

How they are written so that each is whole or is not one: engine/checkpoint/manifest.py.
"""

import contextlib
import dataclasses
import json
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from torch import nn

from engine.checkpoint.manifest import (
    FORMAT,
    CheckpointError,
    UnreadableError,
    is_whole,
    read_json,
    read_tensors,
    remove,
    verify,
    write,
)
from engine.distributed.agreement import on_main
from engine.distributed.sharded import gathered, like, own_parameters
from engine.state import State

KEEP = 2  # newest checkpoints that stay, besides the best one: the newest may be the one being written


class Checkpoints:
    """The checkpoints of a run. `facts` is plain data stored with each: what the run is, compared when it resumes."""

    def __init__(self, folder: Path, accelerator: Accelerator, facts: dict):
        self.folder, self.accelerator, self.facts = folder, accelerator, facts

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def all(self) -> list[Path]:
        """Finished checkpoints, newest first. Other names in the folder are not ours."""
        return sorted(self.folder.glob("step-" + 8 * "[0-9]"), reverse=True)

    def save(self, state: State, model: nn.Module, optimizer) -> None:
        """Write the checkpoint of `state`, then prune. All processes call it; one writes.

        Raises CheckpointError where it cannot be written; those before it stay as they are.
        """
        losses = self.accelerator.gather(state.loss.reshape(1)).tolist()  # each process keeps its own running loss
        main, bare = self.accelerator.is_main_process, self.accelerator.unwrap_model(model)
        tensors = {  # gathered by all processes together, where the model is sharded
            "model.safetensors": model_tensors(bare, keep=main),
            "optimizer.safetensors": optimizer_tensors(bare, optimizer, keep=main),
        }

        def write_and_prune() -> None:
            described = dataclasses.asdict(dataclasses.replace(state, loss=None)) | {"loss": losses}
            scaler = self.accelerator.scaler.state_dict() if self.accelerator.scaler is not None else None
            content = {"format": FORMAT, "state": described, "scaler": scaler, "run": self.facts}
            try:
                write(self.path(state.step), tensors, content)
            except (OSError, SafetensorError) as error:
                whole = next((folder for folder in self.all() if is_whole(folder)), None)
                raise CheckpointError(
                    f"{self.path(state.step)} cannot be written ({getattr(error, 'strerror', None) or error}); "
                    + (f"{whole.name} stays, and the same command continues from it" if whole else "none was there yet")
                ) from None
            self.prune(state)

        on_main(self.accelerator, write_and_prune)

    def prune(self, state: State) -> None:
        """Delete all but the newest two and the best, and what a crash left half written.

        The best one of an older checkpoint stays too: it is the one that counts if the newest turns out damaged.
        """
        keep = {*self.all()[:KEEP], self.path(state.best_step or state.step)}
        for folder in self.all()[:KEEP]:
            with contextlib.suppress(CheckpointError):  # damaged meanwhile: found when it is needed
                keep.add(self.path(read_json(folder / "state.json")["state"]["best_step"] or state.step))
        for folder in [*self.all(), *self.folder.glob(".tmp-*")]:
            if folder not in keep:
                remove(folder)

    def drop_after(self, step: int) -> None:
        """Take checkpoints beyond `step` away, the damaged ones that a restart skipped: else pruning would take them
        for the newest and delete what is written now. One that may be whole is kept under another name."""
        for folder in self.all():
            if folder <= self.path(step):
                continue
            try:
                verify(folder)
            except UnreadableError:
                with contextlib.suppress(OSError):
                    folder.replace(folder.with_name(f"unreadable-{folder.name}"))
                continue
            except CheckpointError:
                pass
            remove(folder)

    def newest(self) -> tuple[Path | None, list[str]]:
        """The newest checkpoint that verifies, and what was wrong with newer ones.

        Raises UnreadableError where none does and one of them may be whole: to start again would cost it.
        """
        skipped, unreadable = [], None
        for folder in self.all():
            try:
                verify(folder)
                return folder, skipped
            except CheckpointError as error:
                skipped.append(str(error))
                unreadable = error if isinstance(error, UnreadableError) else unreadable
        if unreadable is not None:
            raise unreadable
        return None, skipped

    def compare(self, folder: Path, force: bool) -> list[str]:
        """Notices on what changed since a checkpoint. Raises ValueError where that makes another run, unless forced."""
        before, now = read_json(folder / "state.json")["run"], self.facts
        changed = differences(before["fixed"], now["fixed"])
        if changed and not force:
            raise ValueError(
                f"run.name: {folder.parent.parent} was started with another configuration: {'; '.join(changed)}; "
                "choose another run.name, or set run.resume force to continue with the new one"
            )
        notices = [f"continued although changed: {change}" for change in changed]
        if before["threads"] != now["threads"]:
            notices.append(f"run.threads was {before['threads']}, now {now['threads']}: the last digits may differ")
        if before["processes"] != now["processes"]:
            notices.append(
                f"processes were {before['processes']}, now {now['processes']}: the same examples in the same updates, "
                "but other dropout and other last digits"
            )
        if code := changed_code(before.get("code", {}), now.get("code", {})):
            notices.append(f"warning: the code changed since the checkpoint and goes on as it is now: {code}")
        return notices

    def restore(self, folder: Path, model: nn.Module, optimizer) -> State:
        """Load a verified checkpoint into model, optimizer and loss scale, and return its state."""
        model = self.accelerator.unwrap_model(model)
        load_model(folder, model)
        load_optimizer(folder, model, optimizer)
        content = read_json(folder / "state.json")
        if content["scaler"] and self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(content["scaler"])
        losses = content["state"].pop("loss")
        processes, process = self.accelerator.num_processes, self.accelerator.process_index
        if len(losses) != processes:  # another number of processes: the mean is what counts
            losses = [sum(losses) / len(losses)] * processes
        return State(**content["state"], loss=torch.tensor(losses[process], dtype=torch.float64))


def differences(before, now, key: str = "") -> list[str]:
    """`key: old -> new` for every value that differs."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            change
            for name in [*before, *(n for n in now if n not in before)]
            for change in differences(before.get(name), now.get(name), f"{key}.{name}" if key else str(name))
        ]
    old, new = (json.dumps(value, ensure_ascii=False)[:60] for value in (before, now))
    return [] if before == now else [f"{key} {old} -> {new}"]


def changed_code(before: dict[str, str], now: dict[str, str]) -> str:
    """The files that differ, in one line."""
    if not before:
        return ""
    return ", ".join(
        name + (" (new)" if name not in before else " (gone)" if name not in now else "")
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    )


def model_tensors(model: nn.Module, keep: bool) -> dict[str, torch.Tensor]:
    return gathered(model.state_dict(), keep)


def optimizer_tensors(model: nn.Module, optimizer, keep: bool) -> dict[str, torch.Tensor]:
    """AdamW's moments and step counts by parameter name: `exp_avg.backbone...`."""
    state = getattr(optimizer, "optimizer", optimizer).state
    tensors = {
        f"{key}.{name}": value
        for name, parameter in own_parameters(model).items()
        for key, value in state.get(parameter, {}).items()
    }
    return gathered(tensors, keep)


def load_model(folder: Path, model: nn.Module) -> None:
    """Weights of a checkpoint. Raises CheckpointError where they are another model's."""
    tensors, targets = read_tensors(folder / "model.safetensors"), model.state_dict()
    try:
        model.load_state_dict({name: like(tensor, targets.get(name, tensor)) for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: its weights are another model's ({' '.join(str(error).split())[:300]})"
        ) from None


def load_optimizer(folder: Path, model: nn.Module, optimizer) -> None:
    """Moments of a checkpoint, each on its parameter's device; fused AdamW wants its step counts there too."""
    optimizer = getattr(optimizer, "optimizer", optimizer)
    parameters = own_parameters(model)
    optimizer.state.clear()
    for key, tensor in read_tensors(folder / "optimizer.safetensors").items():
        kind, _, name = key.partition(".")
        if name not in parameters:
            raise CheckpointError(f"{folder}: optimizer state of an unknown parameter {name}")
        optimizer.state[parameters[name]][kind] = like(tensor, parameters[name]).to(parameters[name].device)
