"""The Trainer's side: the stock Trainer with the arguments it is given."""

import tempfile
import time

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from engine.scores.metrics import headline
from engine.scores.scored import Scored
from versus.arguments import COLLATOR, SORTED
from versus.measure import Enough, Gate, synchronise
from versus.people import EntityClassifier, TokenisedRows, collator_of, model_of
from versus.prepare import configuration
from versus.task import Case


class Observed(Trainer):
    """The stock Trainer; it only notes which rows it trains on, to be counted between two blocks."""

    def training_step(self, model, inputs, *more, **named):
        self.seen.append(inputs.pop("index"))
        return super().training_step(model, inputs, *more, **named)


class AtStepEnd(TrainerCallback):
    """The Trainer's place for what happens after an update."""

    def __init__(self, gate: Gate):
        self.gate = gate

    def on_step_end(self, *args, **kwargs) -> None:
        self.gate.update_done()


class TrainerSide:
    """`arguments` are TrainingArguments besides those that follow from the configuration."""

    def __init__(self, case: Case, arguments: dict):
        torch.set_num_threads(case.threads)
        self.case, self.arguments, self.config = case, dict(arguments), configuration(case)
        self.multiple, self.sorted = self.arguments.pop(COLLATOR, None), self.arguments.pop(SORTED, False)
        self.output = tempfile.TemporaryDirectory(dir=case.folder)
        self.rows = TokenisedRows(case.prepared / "train", with_index=True)
        self.collate = collator_of(case.prepared, self.multiple)
        weights = load_file(case.prepared / "first_weights.safetensors")
        self.model = model_of(case.prepared, classes=len(weights["head.out.bias"]))
        load_first_weights(self.model, weights)
        self.tokens = self.positions = 0

    def trainer(self) -> Observed:
        optim, train = self.config.optim, self.config.train
        arguments = {
            "output_dir": self.output.name,
            "per_device_train_batch_size": self.case.batch,
            "learning_rate": optim.lr,
            "weight_decay": optim.weight_decay,
            "lr_scheduler_type": "linear",
            "warmup_steps": round(self.case.updates * optim.warmup),
            "max_grad_norm": train.max_grad_norm,
            "max_steps": self.case.updates,
            "seed": self.case.seed,
            "save_strategy": "no",
            "report_to": "none",
            "remove_unused_columns": False,  # the row's number would be one
            "disable_tqdm": True,
            "use_cpu": self.case.device == "cpu",
        }
        trainer = Observed(
            model=self.model,
            args=TrainingArguments(**arguments | self.arguments),
            train_dataset=self.rows,
            data_collator=self.collate,
        )
        trainer.seen = []
        trainer.remove_callback(PrinterCallback)
        return trainer

    def train(self, connection) -> None:
        trainer, known = self.trainer(), self.rows.lengths

        def progress() -> tuple[int, int]:
            for index in trainer.seen:
                lengths = known[index.cpu().numpy()]
                longest = int(lengths.max())
                longest += -longest % (self.multiple or 1)
                self.tokens, self.positions = self.tokens + int(lengths.sum()), self.positions + longest * len(lengths)
            trainer.seen.clear()
            return self.tokens, self.positions

        gate = Gate(connection, trainer.args.device, progress)
        trainer.add_callback(AtStepEnd(gate))
        try:
            gate.wait()
            trainer.train()
        except Enough:
            return
        raise AssertionError("the run ended before its blocks")

    padding_share = None  # known from the batches themselves

    def fit(self, negative: int | None) -> dict[str, float]:
        """A whole run; scores of the dev rows with the last weights."""
        trainer = self.trainer()
        trainer.train()
        rows = TokenisedRows(self.case.prepared / "dev")
        logits = torch.from_numpy(trainer.predict(rows).predictions).float()
        return headline(Scored(np.array(rows.labels), logits.softmax(dim=1).numpy(), negative))

    def predict(self) -> dict:
        """`Trainer.predict` on the dev rows; tuned, they are sorted by length beforehand."""
        rows = TokenisedRows(self.case.prepared / "dev")
        if self.sorted:
            rows.order = np.argsort(-rows.lengths, kind="stable")
        if not hasattr(self, "predictor"):
            self.predictor = self.trainer()
        synchronise(self.predictor.args.device)
        cpu, start = time.process_time(), time.perf_counter()
        logits = self.predictor.predict(rows).predictions
        taken = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
        probabilities = torch.from_numpy(logits).float().softmax(dim=1).numpy()
        if self.sorted:
            probabilities[rows.order] = probabilities.copy()
        return taken | {"tokens": int(rows.lengths.sum()), "probabilities": probabilities}

    @torch.no_grad()
    def logits(self, rows: list[int]) -> np.ndarray:
        """Of training rows, without dropout and mixed precision, (B, C)."""
        device = torch.device(self.case.device)
        inputs = self.collate([self.rows[row] for row in rows])
        del inputs["index"]
        return self.model.to(device).eval()(**inputs.to(device))["logits"].cpu().numpy()

    def close(self) -> None:
        self.output.cleanup()


def load_first_weights(model: EntityClassifier, weights: dict) -> None:
    """Those of our model under the names of theirs; all of them must be there."""
    named = {name.removeprefix("head."): tensor for name, tensor in weights.items()}
    model.load_state_dict(named, strict=True)
