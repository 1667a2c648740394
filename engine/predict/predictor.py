"""A saved model that predicts: sentences in, labels and probabilities out.

Legend: N examples, C classes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import PreTrainedConfig, PreTrainedModel

from data.encode import Encoder
from data.markers import reads_types
from data.readers import FORMATS
from data.readers.source import Source
from data.schema import Example
from data.store.chunk import Task
from data.store.token_store import TokenStore, in_memory
from engine.compose.model import prepare_backbone
from engine.config import ModelConfig
from engine.distributed.device import choose_precision
from engine.evaluate import forward, require_finite
from engine.plan import evaluation_batches
from engine.predict.settings import best_folder, encoding_of, labels_of, settings_of, verify
from engine.scores.probabilities import check_probabilities
from models.pretrained import longest_input
from models.saved import open_saved
from models.tokens import load_tokenizer

ROWS = Source("the rows", b"", "klue")


class Prediction(NamedTuple):
    """labels: N names; probabilities (N, C) float32, columns in the order of `Predictor.labels`."""

    labels: list[str]
    probabilities: np.ndarray


class Predictor:
    """`Predictor("runs/first/best")(rows)`: labels and probabilities of the weights in a run's best/.

    `device`: as torch names it, None = a GPU where there is one. `precision`: fp32, bf16 or fp16, None = fp32 on a CPU,
    on a GPU that half type of the training, else bf16 (fp16 before compute capability 8.0). `verified`: files are those
    that the manifest lists; False for who edits them on purpose. Raises ValueError where the folder is no best/, or
    lacks something.
    """

    def __init__(
        self,
        folder: str | Path,
        device: str | None = None,
        precision: str | None = None,
        batch_size: int | None = None,
        verified: bool = True,
    ):
        self.folder = best_folder(Path(folder))
        if verified:
            verify(self.folder)
        self.labels = labels_of(self.folder)
        self.settings = settings_of(self.folder)
        self.encoder = Encoder(load_tokenizer(str(self.folder)), encoding_of(self.folder))
        self.batch_size = batch_size or self.settings.batch_size
        if self.batch_size < 1:
            raise ValueError(f"batch_size: got {self.batch_size}, expected 1 or more")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.precision = precision_on(self.device, precision, self.settings.precision)
        self.model = load_model(self.folder, len(self.labels)).eval()
        self.fits(self.encoder.options.max_length)
        prepare_backbone(self.model, ModelConfig(), self.device, self.precision)
        self.model.to(self.device)
        pool = getattr(self.model, "pool", None)
        head = getattr(self.model, "head", None)
        self.needs_entities = getattr(pool, "needs_entities", False) and not getattr(head, "reads_sentence", False)
        embeddings = getattr(self.model.config, "entity_embeddings", ["type"])  # another model may read them, too
        self.encoder.needs_types = reads_types(self.encoder.options.marker, embeddings)
        self.number_of = {label: number for number, label in enumerate(self.labels)}

    def fits(self, length: int) -> None:
        """Raises ValueError where the model has no positions for inputs of `length` tokens."""
        backbone = getattr(self.model.config, "backbone", None)
        if isinstance(backbone, PreTrainedConfig) and length > longest_input(backbone):
            raise ValueError(
                f"{self.folder / 'encoding.json'}: max_length is {length}, expected at most {longest_input(backbone)}, "
                "the positions of the model"
            )

    def __call__(self, rows: Iterable[Any]) -> Prediction:
        """`rows`: Examples, texts alone, or rows as the reader that the model was trained with takes them from Python:
        objects as the files of that data.format hold them; what `rows()` of a reader of your own gives.

        Raises ValueError that names the row, counted from 1, that cannot be encoded.
        """
        if isinstance(rows, str | Mapping | Example):
            raise ValueError(f"found one row ({type(rows).__name__}), expected a list of rows: [row]")
        rows, parts = list(rows), []
        for start in range(0, len(rows), 10_000):
            part = []
            for number, row in enumerate(rows[start : start + 10_000], start=start + 1):
                try:
                    part.append((number, replace(self.example(row, number), label=None)))
                except ValueError as error:
                    raise ValueError(f"row {number}: {error}") from None
            parts.append(self.predict(part, ROWS)[1])
        probabilities = np.concatenate(parts) if parts else np.zeros((0, len(self.labels)), dtype=np.float32)
        return Prediction([self.labels[number] for number in probabilities.argmax(axis=1)], probabilities)

    def example(self, row: Any, number: int) -> Example:
        """A row of a user as an Example."""
        if isinstance(row, Example):
            return row
        reader = FORMATS["klue" if self.settings.format == "auto" else self.settings.format]
        if not hasattr(reader, "from_python"):
            return reader.example(row, self.settings.options)
        if not isinstance(row, Mapping | str):
            raise ValueError(f"found {type(row).__name__}, expected an Example, an object or a text")
        return reader.from_python(row, number, self.settings.options)

    def predict(
        self, rows: Sequence[tuple[int, Example]], source: Source, progress: Callable[[int], Any] = lambda rows: None
    ) -> tuple[TokenStore, np.ndarray]:
        """The encoded rows, which are (number, Example), and their probabilities (N, C) float32; `progress` is told how
        many more there are.

        Raises ValueError that names the source and the row that cannot be encoded.
        """
        task = Task(source, self.encoder, self.number_of, need_labels=False)
        chunk = task.encode((number, self.problem(example) or example) for number, example in rows)
        if chunk.mismatch:
            raise ValueError(f"{source.name}: {chunk.mismatch}")
        if chunk.bad:
            number, reason = chunk.bad[0]
            place = f"row {number}" if source is ROWS else source.where(number)
            raise ValueError(f"{place}: {reason}")
        store = in_memory(chunk)
        return store, self.probabilities(store, progress)

    def unreadable(self, rows: Sequence[tuple[int, Example]], source: Source) -> list[list]:
        """[number, reason] of the rows that cannot be encoded."""
        return Task(source, self.encoder, self.number_of, need_labels=False, learned=False, stop=False).encode(rows).bad

    def problem(self, example: Example) -> ValueError | None:
        """What this model cannot read of an example that is one."""
        if self.needs_entities and not example.entities():
            return ValueError("the row has no entities, which this model's pooling reads")
        return None

    @torch.no_grad()
    def probabilities(self, store: TokenStore, progress: Callable[[int], Any]) -> np.ndarray:
        """Softmax, once, of the logits of each row: (N, C) float32."""
        logits = torch.zeros(len(store), len(self.labels), device=self.device)
        with self.autocast():  # around all batches: one half-precision copy of the weights serves them
            shares = evaluation_batches(store.lengths, self.batch_size, 1)[0]
            for _, batch, output in forward(self.model, store, shares, self.device):
                logits[batch.index] = output
                progress(len(batch))
        require_finite(logits, store, f"the predictions of {self.folder}")
        if bool((logits >= 0).all() & ((logits.sum(dim=1) - 1).abs() < 1e-4).all()):
            raise ValueError(
                f"{self.folder}: the model's logits are probabilities already, and would go through softmax twice; "
                "expected a model that returns them before softmax"
            )
        made = logits.softmax(dim=1).cpu().numpy()
        check_probabilities(made, str(self.folder))
        return made

    def autocast(self) -> AbstractContextManager:
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.precision)
        return torch.autocast(self.device.type, kind) if kind else nullcontext()


def precision_on(device: torch.device, wanted: str | None, trained: str) -> str:
    """What a model computes in, see `Predictor`."""
    if wanted == "fp16" and device.type == "cpu":
        raise ValueError("precision: fp16 needs a GPU; expected fp32 or bf16")
    if wanted or device.type == "cpu":
        return wanted or "fp32"
    if device.type != "cuda":
        return "fp32"
    modern = torch.cuda.get_device_capability(device) >= (8, 0)
    usable = ("bf16", "fp16") if modern else ("fp16",)
    return choose_precision(trained if trained in usable else usable[0])


def load_model(folder: Path, classes: int) -> PreTrainedModel:
    """The model of best/ in float32. Raises ValueError where weights are missing, or are none of these labels."""
    try:
        model, missing = open_saved(folder)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"{folder}: the model cannot be loaded ({first})") from None
    if missing:
        raise ValueError(f"{folder}: {len(missing)} weights are missing: {', '.join(missing)[:200]}")
    found = getattr(model.config, "classes", classes)
    if found != classes:
        raise ValueError(f"{folder}: the model has {found} classes, labels.json lists {classes}")
    return model
