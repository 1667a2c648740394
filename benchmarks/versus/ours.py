"""Our side: `engine.loop.train` and `engine.evaluate.predict` as they stand, and the same step without accelerate."""

import dataclasses
import itertools
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from data.batch import collate
from engine.compose.data import read_data
from engine.compose.loss import make_loss
from engine.compose.model import make_model, prepare_backbone
from engine.compose.run import build, make_loader
from engine.evaluate import predict
from engine.loop import train
from engine.optim import lr_factor, make_optimizer
from engine.randomness import seed_update
from engine.scores.metrics import headline
from engine.scores.scored import Scored
from engine.speed import Speed
from versus.measure import Enough, Gate, Sections, synchronise
from versus.prepare import configuration
from versus.task import Case


class GatedSpeed(Speed):
    """The loop counts every update here; the gate times blocks of them."""

    def __init__(self, speed: Speed, gate: Gate):
        self.__dict__.update(vars(speed))
        self.gate = gate

    def count(self, tokens: int) -> None:
        super().count(tokens)
        self.gate.update_done()


class Ours:
    """plainloop as `train.py` builds it."""

    def __init__(self, case: Case, arguments: dict):
        self.runs = tempfile.TemporaryDirectory(dir=case.folder)
        own = ("--run.dir", self.runs.name, "--run.name", "ours")
        self.config = configuration(case, *own, *case.options)
        self.run = build(self.config, Path("versus.yaml"))
        self.parts = dataclasses.replace(self.run.parts, no_bar=True)
        self.device = self.parts.accelerator.device

    def train(self, connection) -> None:
        """Blocks as the other end of the connection asks for them."""
        gate = Gate(connection, self.device, lambda: (speed.tokens, None))
        speed = GatedSpeed(self.parts.speed, gate)
        gate.watch = Sections(self.parts, self.device).watch
        try:
            gate.wait()
            train(dataclasses.replace(self.parts, speed=speed), self.config, self.run.state)
        except Enough:
            return
        raise AssertionError("the run ended before its blocks")

    @property
    def padding_share(self) -> float:
        return self.parts.speed.padding_share

    def fit(self, negative: int | None) -> dict[str, float]:
        """A whole run; scores of the dev rows with the last weights."""
        train(self.parts, self.config, self.run.state)
        evaluation = self.parts.evaluation
        return headline(Scored(np.array(evaluation.store.labels), evaluation.predictions.probabilities, negative))

    def predict(self) -> dict:
        parts, store, size = self.parts, self.parts.evaluation.store, self.config.eval.batch_size
        synchronise(self.device)
        cpu, start = time.process_time(), time.perf_counter()
        found = predict(parts.accelerator, parts.model, store, size, "predicting", True, parts.stop)
        taken = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
        return taken | {"tokens": int(store.lengths.sum()), "probabilities": found.probabilities}

    @torch.no_grad()
    def logits(self, rows: list[int]) -> np.ndarray:
        """Of training rows, without dropout and mixed precision, (B, C)."""
        model = self.parts.accelerator.unwrap_model(self.parts.model, keep_torch_compile=False).eval()
        batch, _ = collate(self.run.parts.loader.store, np.array(rows))
        # accelerate hangs mixed precision on the instance; the class computes in float32
        return type(model).forward(model, batch.to(self.device)).logits.cpu().numpy()

    def close(self) -> None:
        self.run.lock.close()
        self.parts.tracker.close()
        self.runs.cleanup()


class Bare:
    """The same batches, model and optimizer in the shortest loop of plain PyTorch: no accelerate, guard or tracker."""

    def __init__(self, case: Case, arguments: dict):
        torch.set_num_threads(case.threads)
        self.config, self.device = configuration(case, *case.options), torch.device(case.device)
        self.half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(case.precision)
        data = read_data(self.config, quiet=True)
        store = data.stores["train"]
        torch.manual_seed(case.seed)
        model = make_model(self.config, data.tokenizer, data.new, len(data.labels))
        prepare_backbone(model, self.config.model, self.device, case.precision)
        self.model = model.to(self.device)
        counts = torch.bincount(torch.from_numpy(store.labels[:].copy()), minlength=len(data.labels))
        self.loss_fn = make_loss(self.config, counts, data.labels).to(self.device)
        alone = SimpleNamespace(num_processes=1, process_index=0, device=self.device)
        self.loader = make_loader(self.config, store, self.loss_fn, alone)
        self.optimizer = make_optimizer(self.model, self.config.optim)
        self.tokens = 0

    def train(self, connection) -> None:
        gate = Gate(connection, self.device, lambda: (self.tokens, None))
        try:
            gate.wait()
            self.steps(gate)
        except Enough:
            return

    def steps(self, gate: Gate) -> None:
        config, model, optimizer = self.config, self.model, self.optimizer
        step, total = 0, config.train.max_updates
        model.train()
        for epoch in itertools.count():
            for update in self.loader.updates(epoch, first=0, weight=self.loss_fn.weight):
                seed_update(config.run.seed, step, 0)
                for group in optimizer.param_groups:
                    group["lr"] = group["peak_lr"] * lr_factor(step, total, config.optim.warmup)
                for micro in update.micro_batches:
                    batch, labels = micro.to(self.device)
                    with torch.autocast(self.device.type, self.half, enabled=self.half is not None):
                        output = model(batch)
                    (self.loss_fn(output, labels).sum() * micro.scale).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.train.max_grad_norm)
                optimizer.step()
                optimizer.zero_grad()
                step, self.tokens = step + 1, self.tokens + update.tokens
                gate.update_done()

    @property
    def padding_share(self) -> float:
        return self.loader.padding_share

    @torch.no_grad()
    def logits(self, rows: list[int]) -> np.ndarray:
        batch, _ = collate(self.loader.store, np.array(rows))
        output = self.model.eval()(batch.to(self.device))
        self.model.train()
        return output.logits.cpu().numpy()

    def close(self) -> None: ...
