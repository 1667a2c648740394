"""The Trainer's side, as people use it and tuned, and the argument sets that are tried to tune it."""

import dataclasses
import tempfile
import time

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from engine.metrics import headline
from versus.measure import Enough, Gate, synchronise
from versus.people import EntityClassifier, TokenisedRows, collator_of, model_of
from versus.task import Case, configuration

KNOWN = {field.name for field in dataclasses.fields(TrainingArguments)}
COLLATOR, SORTED = "pad_to_multiple_of", "sorted_by_length"  # no arguments of the Trainer, but of what people give it


def train_default(device: str) -> dict:
    """The Trainer as people use it: its defaults, and on a GPU bf16."""
    return {"bf16": True} if device == "cuda" else {}


def train_tuned(device: str) -> list[dict]:
    """Argument sets worth trying, the plain ones first."""
    grouped = (
        {"train_sampling_strategy": "group_by_length"}
        if "train_sampling_strategy" in KNOWN
        else {"group_by_length": True}
    )
    base = grouped | {"bf16": True, "optim": "adamw_torch_fused", "logging_nan_inf_filter": False}
    workers = {"dataloader_num_workers": 2, "dataloader_persistent_workers": True}
    compiled, multiple = {"torch_compile": True}, {COLLATOR: 8}
    sets = [base, base | workers, base | workers | multiple, base | compiled, base | workers | compiled]
    if device == "cuda":
        return [*sets, base | workers | compiled | multiple, base | workers | compiled | {COLLATOR: 32}]
    return [*sets, base | {"bf16": False}]


def predict_default(device: str) -> dict:
    return train_default(device)


def predict_tuned(device: str) -> list[dict]:
    base = {"bf16": True, SORTED: True}
    sets = [base | {"per_device_eval_batch_size": size} for size in (64, 32, 128)]
    sets += [
        {"bf16_full_eval": True, SORTED: True, "per_device_eval_batch_size": 64},
        sets[0] | {"dataloader_num_workers": 2},
        sets[0] | {COLLATOR: 8},
    ]
    if device == "cuda":
        large = {"bf16_full_eval": True, SORTED: True, "per_device_eval_batch_size": 256, "dataloader_num_workers": 2}
        return [*sets, large, large | {"torch_compile": True, COLLATOR: 32}]
    return [*sets, {SORTED: True, "per_device_eval_batch_size": 64}]


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
        return headline(np.array(rows.labels), logits.softmax(dim=1).numpy(), negative)

    def predict(self) -> dict:
        """`Trainer.predict` on the dev rows; tuned, they are sorted by length beforehand."""
        rows = TokenisedRows(self.case.prepared / "dev")
        if self.sorted:
            rows.order = np.argsort(-rows.lengths, kind="stable")
        if not hasattr(self, "predictor"):
            self.predictor = self.trainer()
        synchronise(self.predictor.args.device)
        start = time.perf_counter()
        logits = self.predictor.predict(rows).predictions
        seconds = time.perf_counter() - start
        probabilities = torch.from_numpy(logits).float().softmax(dim=1).numpy()
        if self.sorted:
            probabilities[rows.order] = probabilities.copy()
        return {"seconds": seconds, "tokens": int(rows.lengths.sum()), "probabilities": probabilities}

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
