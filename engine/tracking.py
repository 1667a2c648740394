"""What a run shows: metrics.jsonl, which is the record, TensorBoard, which is the view of it, and a line a score."""

import json
import math
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from engine import figures
from engine.atomic import write_text
from engine.metrics import confusion


class Tracker:
    """Writes on the main process. A resumed run continues both files after `step`; later lines are taken back."""

    def __init__(self, folder: Path, step: int, tensorboard: bool):
        self.path = folder / "metrics.jsonl"
        keep_until(self.path, step)
        self.file = self.path.open("a", encoding="utf-8")
        self.writer = SummaryWriter(folder, purge_step=step + 1) if tensorboard else NoWriter()

    def log(self, split: str, step: int, epoch: float, numbers: dict, speed: dict | None = None) -> None:
        """One line of metrics.jsonl and the same numbers as scalars; `speed`, unlike them, differs between runs."""
        line = {"step": step, "epoch": round(epoch, 6), "split": split, **numbers}
        if speed:
            line["speed"] = speed
        # JSON has no word for what is not finite (an fp16 overflow lowers the loss scale and goes on)
        line = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in line.items()
        }
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()
        for name, value in numbers.items():
            self.writer.add_scalar(f"{split}/{name}", value, step)
        for name, value in (speed or {}).items():
            self.writer.add_scalar(f"speed/{name}", value, step)
        if split != "train" and numbers:
            scores = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            tqdm.write(f"update {step} (epoch {epoch:.2f})  {split}: {scores}")

    def confusion(self, step: int, evaluation) -> None:
        """Two confusion matrices of the last evaluation: counts, and shares by true label."""
        if evaluation.predictions is None or isinstance(self.writer, NoWriter):
            return
        labels = np.array(evaluation.store.labels)
        counts = confusion(labels, evaluation.predictions.probabilities.argmax(axis=1), len(evaluation.labels))
        self.writer.add_figure("confusion/counts", figures.confusion(counts, evaluation.labels), step)
        self.writer.add_figure("confusion/by_true_label", figures.confusion(counts, evaluation.labels, True), step)

    def text(self, name: str, content: str) -> None:
        self.writer.add_text(name, content, 0)

    def close(self) -> None:
        self.file.close()
        self.writer.close()


class Silent:
    """Stands in on all other processes."""

    def log(self, *args, **kwargs) -> None: ...

    def confusion(self, *args, **kwargs) -> None: ...

    def text(self, *args, **kwargs) -> None: ...

    def close(self) -> None: ...


class NoWriter:
    """Stands in for TensorBoard."""

    def add_scalar(self, *args, **kwargs) -> None: ...

    def add_text(self, *args, **kwargs) -> None: ...

    def close(self) -> None: ...


def keep_until(path: Path, step: int) -> None:
    """Drop the lines after `step`, and a last line that a crash cut off."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue
    write_text(path, "".join(kept))


def read(path: Path) -> list[dict]:
    """The lines of a metrics.jsonl."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
