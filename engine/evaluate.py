"""Every example once, rows placed by index, scores of the whole set: the same on any number of processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from data.batch import Batch, collate
from data.store.rows import Rows
from data.store.token_store import TokenStore
from engine.distributed.signals import StopSignal
from engine.guard import NonFiniteError
from engine.plan import Share, evaluation_batches
from engine.scores.metrics import headline
from engine.scores.scored import Scored

if TYPE_CHECKING:
    from engine.config import EvalConfig
    from engine.state import State
    from engine.tracking.tracker import Silent, Tracker


@dataclass(frozen=True)
class Predictions:
    """probabilities (N, C) float32 in the order of the file; losses (N,): plain cross-entropy, NaN where unlabelled."""

    probabilities: np.ndarray
    losses: np.ndarray


@torch.no_grad()
def predict(
    accelerator: Accelerator,
    model: nn.Module,
    store: TokenStore | Rows,
    batch_size: int,
    title: str,
    no_bar: bool | None,
    stop: StopSignal,
) -> Predictions | None:
    """Probabilities of every example of the store, on all processes; None where a signal broke it off.

    Leaves the model in the mode it was in.
    """
    was_training = model.training
    model.eval()
    shares = evaluation_batches(store.lengths, batch_size, accelerator.num_processes)[accelerator.process_index]
    logits, seen = None, torch.zeros(len(store), device=accelerator.device)
    bar = tqdm(shares, desc=title, unit=" batches", leave=False, disable=no_bar)
    with accelerator.autocast():  # around all batches: one half-precision copy of the weights serves them
        for share, batch, output in forward(model, store, bar, accelerator.device):
            if stop.agree():
                model.train(was_training)
                return None
            if logits is None:
                logits = output.new_zeros(len(store), output.shape[1])  # (N, C)
            if share.real:
                logits[batch.index] = output
                seen[batch.index] += 1
    model.train(was_training)
    # each row was computed by one process and is zero elsewhere, so the sum is exact
    logits, seen = accelerator.reduce(logits, "sum"), accelerator.reduce(seen, "sum")
    assert bool((seen == 1).all()), "an example was left out or repeated in evaluation"
    require_finite(logits, store, title)
    labels = torch.from_numpy(np.array(store.labels)).to(logits.device)
    losses = torch.full_like(labels, torch.nan, dtype=torch.float32)
    known = labels >= 0
    losses[known] = F.cross_entropy(logits[known], labels[known], reduction="none")
    return Predictions(logits.softmax(dim=1).cpu().numpy(), losses.cpu().numpy())


def forward(
    model: nn.Module, store: TokenStore | Rows, shares: Iterable[Share], device: torch.device
) -> Iterator[tuple[Share, Batch, Tensor]]:
    """Each share with its rows as a batch on the device and their logits (B, C) in float32."""
    for share in shares:
        batch, _ = collate(store, share.index)
        batch = (batch.pin_memory() if device.type == "cuda" else batch).to(device)  # unpinned, the copy waits
        yield share, batch, model(batch).logits.float()


def require_finite(logits: Tensor, store: TokenStore | Rows, where: str) -> None:
    """Raises NonFiniteError that names the rows of `store` whose logits (N, C) are not finite."""
    if bad := torch.nonzero(~torch.isfinite(logits).all(dim=1)).flatten().tolist():
        ids = ", ".join(store.id(row) for row in bad[:20])
        raise NonFiniteError(f"logits that are not finite for {len(bad)} of {len(store)} examples in {where}: {ids}")


class Evaluation:
    """The dev set and how it is scored. `run(model)` gives the scores and keeps the predictions.

    `prior` (C,): see `engine/scores/prior.py`."""

    def __init__(
        self,
        accelerator: Accelerator,
        store: TokenStore | Rows,
        labels: list[str],
        negative: int | None,
        batch_size: int,
        no_bar: bool | None,
        stop: StopSignal,
        prior: np.ndarray | None = None,
    ):
        self.accelerator, self.store, self.labels, self.negative = accelerator, store, labels, negative
        self.batch_size, self.no_bar, self.stop = batch_size, no_bar, stop
        self.prior = prior
        self.predictions: Predictions | None = None

    def run(self, model: nn.Module) -> dict[str, float] | None:
        """The scores; None where a signal broke it off."""
        self.predictions = predict(
            self.accelerator, model, self.store, self.batch_size, "evaluating", self.no_bar, self.stop
        )
        if self.predictions is None:
            return None
        gold = np.array(self.store.labels)
        scores = headline(Scored(gold, self.predictions.probabilities, self.negative, self.labels, self.prior))
        scores["loss"] = float(self.predictions.losses.mean(dtype=np.float64))
        # decisions follow from these numbers: every process must hold the very same ones
        vector = torch.tensor(list(scores.values()), dtype=torch.float64, device=self.accelerator.device)
        shared = dict(zip(scores, broadcast(vector).tolist(), strict=True))
        return shared | {"absent_classes": int(shared["absent_classes"])}


class NoEvaluation:
    """Stands in where there is no dev set: no scores, so the newest weights are the best."""

    predictions = None
    store = None

    def run(self, model: nn.Module) -> dict[str, float]:
        return {}


def evaluate(
    model: nn.Module,
    evaluation: Evaluation | NoEvaluation,
    tracker: Tracker | Silent,
    state: State,
    per_epoch: int,
    config: EvalConfig,
) -> bool:
    """Score the dev set, log it and note it in `state`; True where it is the best so far. `per_epoch`: updates.

    Broken off by a signal it changes nothing: the run owes the evaluation, and pays before its next update.
    """
    scores = evaluation.run(model)  # every dev example once; the same numbers on every process
    if scores is None:
        return False
    state.owes_evaluation = False
    if scores:
        tracker.log("dev", state.step, state.step / per_epoch, scores)
    improved = state.compare(scores.get(config.metric), config.patience)
    if improved:  # drawing takes as long as evaluating a small set
        tracker.confusion(state.step, evaluation)
    return improved
