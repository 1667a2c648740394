"""best/: what prediction needs, and the proof that it predicts what the run did."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from data.manifest import write as write_manifest
from data.store.rows import Rows
from data.store.token_store import TokenStore
from engine.checkpoint.manifest import CheckpointError
from engine.distributed.sharded import full
from engine.evaluate import forward
from engine.failures import first_line, is_out_of_memory
from engine.parts import Data, Run
from engine.plan import Share, evaluation_batches
from engine.predict.predictor import Predictor

# shares of probability that rounding may move in a row, as a mean over rows: in half precision kernels differ
ROUNDING = {"fp32": 1e-3, "bf16": 0.05, "fp16": 0.05}


class OtherModelError(CheckpointError):
    """What would be best/ is not the run's model."""


class OneBatch:
    """One batch of the run, as its own model sees it. All processes make it together."""

    def __init__(self, run: Run):
        self.run, evaluation = run, run.parts.evaluation
        store = run.parts.loader.store if evaluation.store is None else evaluation.store
        index = evaluation_batches(store.lengths, run.config.eval.batch_size, 1)[0][0].index
        self.rows = rows_of(store, index)
        scored = evaluation.predictions
        self.probabilities = self.predict() if scored is None else scored.probabilities[index]
        """(B, C); with a dev set those that the report scores."""
        self.restless = moved(self.probabilities, self.predict())
        """How far a model that draws in evaluation is from itself."""

    @torch.no_grad()
    def predict(self) -> np.ndarray:
        """(B, C), from the run's model."""
        accelerator, model = self.run.parts.accelerator, self.run.parts.model
        was_training = model.training
        model.eval()
        everything = [Share(np.arange(len(self.rows)), real=True)]
        with accelerator.autocast():
            _, _, logits = next(forward(model, self.rows, everything, accelerator.device))
        model.train(was_training)
        return logits.softmax(dim=1).cpu().numpy()

    def compare(self, folder: Path, weights: dict[str, Tensor]) -> None:
        """Raises OtherModelError where the folder, opened as `Predictor` opens it, predicts otherwise than the run.

        `weights`: those that were exported. Warns where memory does not suffice for a second model.
        """
        run, accelerator = self.run, self.run.parts.accelerator
        model, device = accelerator.unwrap_model(run.parts.model), accelerator.device
        try:
            with warnings.catch_warnings(action="ignore"):  # its tokenizer was told of when the run began
                predictor = Predictor(folder, str(device), run.precision, len(self.rows), verified=False)
                found = predictor.probabilities(self.rows, lambda rows: None)
        except Exception as error:  # of a library or of a model's own code
            if is_out_of_memory(error):
                warnings.warn(
                    f"best/ was not compared with the run: {device} has no memory for a second model", stacklevel=2
                )
                return
            reason = f"cannot be opened again and predict ({type(error).__name__}: {first_line(error)})"
        else:
            difference = moved(self.probabilities, found)
            if difference <= max(ROUNDING[run.precision], 3 * self.restless):
                return
            reason = f"predicts otherwise than the run: of {len(found)} rows {100 * difference:.2g} % of the "
            reason += f"probability is on other labels; {causes(model, predictor.model, weights)}"
        raise OtherModelError(
            f"{run.folder}: {type(model).__name__} opened from its saved form {reason}. Parameters, persistent buffers "
            "and what __init__ makes of the configuration come back, nothing else does. best/ and report.json were not "
            "written; the checkpoints stay, and the scores are in metrics.jsonl. With a model whose __init__ makes the "
            f"same again, the same command with --run.name {run.folder.name} finishes the run without training"
        )


def rows_of(store: TokenStore | Rows, index: np.ndarray) -> Rows:
    return Rows(store.whole, store.rows[index]) if isinstance(store, Rows) else Rows(store, index)


def moved(one: np.ndarray, other: np.ndarray) -> float:
    """Half the sum of differences of probabilities (B, C): the share that is elsewhere, as a mean over rows."""
    return float(np.abs(one.astype(np.float64) - other).sum(axis=1).mean() / 2)


def causes(model: nn.Module, opened: nn.Module, weights: dict[str, Tensor]) -> str:
    """Which tensors of the model that was opened are not the run's, in words."""
    found = [name for name, tensor in opened.state_dict().items() if name in weights and differs(weights[name], tensor)]
    for place, module in opened.named_modules():
        own = model.get_submodule(place)
        mine, theirs = ({**vars(part), **part._buffers} for part in (own, module))
        for key, tensor in theirs.items():
            path = f"{place}.{key}" if place else key
            if isinstance(tensor, Tensor) and path not in weights and differs(mine.get(key), tensor):
                found.append(path)
    if not found:
        return "its tensors are the run's, so its code reads something else that is not the same"
    return f"other values in {', '.join(found[:5])}" + (", ..." if len(found) > 5 else "")


def differs(one: Tensor | None, other: Tensor) -> bool:
    return one is None or not torch.equal(full(one.detach()).cpu(), other.detach().cpu())


def export(
    folder: Path, model: nn.Module, weights: dict[str, Tensor], data: Data, prediction: dict, batch: OneBatch
) -> None:
    """best/: everything that prediction needs, in save_pretrained form. `weights`: whole, the model may be sharded.

    It gets its name when it has predicted one batch as the run did, see `OneBatch.compare`.
    """
    temporary = folder.with_name(f".{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    model.save_pretrained(temporary, state_dict=weights)
    data.tokenizer.save_pretrained(temporary)
    encoding = data.encoder.options.as_dict()
    for name, content in (("labels", data.labels), ("encoding", encoding), ("prediction", prediction)):
        (temporary / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    try:
        batch.compare(temporary, weights)
    except OtherModelError:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)  # of a finish that was broken off, and of other code
        raise
    write_manifest(temporary, large=True)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(temporary, folder)
