"""What a run shows: metrics.jsonl, which is the record, TensorBoard, which is the view of it, and a line a score."""

import json
import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from engine.atomic import write_text
from engine.scores.metrics import confusion
from engine.tracking import hparams


class Tracker:
    """Writes on the main process. A resumed run continues both files after `step`; what came later is taken back.

    `owes_evaluation`: what an evaluation of `step` wrote is taken back, too, for it comes again.
    """

    def __init__(self, folder: Path, step: int, owes_evaluation: bool, tensorboard: bool):
        self.path = folder / "metrics.jsonl"
        kept = keep_until(self.path, step, owes_evaluation)
        self.file = self.path.open("a", encoding="utf-8")
        # readers of TensorBoard files drop everything from purge_step on; a run that starts again drops all
        again = step == 0 or owes_evaluation
        self.fresh = not any(folder.glob("events.out.tfevents.*"))
        self.writer = Writer(folder, purge_step=step if again else step + 1) if tensorboard else NoWriter()
        for line in kept if again else []:
            if line["step"] == step:
                numbers = {key: value for key, value in line.items() if key not in ("step", "epoch", "split", "speed")}
                self.scalars(line["split"], step, numbers, line.get("speed"))

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
        self.scalars(split, step, numbers, speed)
        if split != "train" and numbers:
            scores = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
            tqdm.write(f"update {step} (epoch {epoch:.2f})  {split}: {scores}")
            sys.stdout.flush()  # also into a file: whoever follows it, or finds it after a crash, sees the last line

    def scalars(self, split: str, step: int, numbers: dict, speed: dict | None) -> None:
        for name, value in numbers.items():
            self.writer.add_scalar(f"{split}/{name}", value, step)
        for name, value in (speed or {}).items():
            self.writer.add_scalar(f"speed/{name}", value, step)

    def confusion(self, step: int, evaluation) -> None:
        """Two confusion matrices of the last evaluation: counts, and shares by true label."""
        if evaluation.predictions is None or isinstance(self.writer, NoWriter):
            return
        from engine.tracking import figures  # matplotlib takes a second, which no start should wait for

        labels = np.array(evaluation.store.labels)
        counts = confusion(labels, evaluation.predictions.probabilities.argmax(axis=1), len(evaluation.labels))
        self.writer.add_figure("confusion/counts", figures.confusion(counts, evaluation.labels), step)
        self.writer.add_figure("confusion/by_true_label", figures.confusion(counts, evaluation.labels, "true"), step)

    def text(self, name: str, content: str) -> None:
        """A text card, once in the life of a run: readers keep texts whatever purge_step says."""
        if self.fresh:
            self.writer.add_text(name, content, 0)
            self.writer.flush()

    def options(self, options: dict) -> None:
        """The run's row in the hparams tab, without scores yet; once in the life of a run, as texts are."""
        if self.fresh:
            experiment, start, _ = hparams.summaries(options, {})
            self.writer.add_summaries((experiment, start))
            self.writer.flush()

    def final(self, step: int, options: dict, scores: dict) -> None:
        """The scores of the best weights, which are those of `step`, and the end of the run for the hparams tab."""
        for name, value in scores.items():
            self.writer.add_scalar(f"{hparams.FINAL}/{name}", value, step)
        self.writer.add_summaries(hparams.summaries(options, scores))
        self.writer.flush()

    def flush(self) -> None:
        """Wait until all of it is on the disk."""
        os.fsync(self.file.fileno())
        self.writer.flush()

    def close(self) -> None:
        self.file.close()
        self.writer.close()


class Writer(SummaryWriter):
    """With summaries as they are: `add_hparams` would open a run of its own below each run."""

    def add_summaries(self, summaries: Iterable) -> None:
        for summary in summaries:
            self.file_writer.add_summary(summary)


class Silent:
    """Stands in on all other processes."""

    def options(self, *args, **kwargs) -> None: ...

    def final(self, *args, **kwargs) -> None: ...

    def log(self, *args, **kwargs) -> None: ...

    def confusion(self, *args, **kwargs) -> None: ...

    def text(self, *args, **kwargs) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class NoWriter:
    """Stands in for TensorBoard."""

    def add_summaries(self, *args, **kwargs) -> None: ...

    def add_scalar(self, *args, **kwargs) -> None: ...

    def add_text(self, *args, **kwargs) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


def keep_until(path: Path, step: int, owes_evaluation: bool) -> list[dict]:
    """Drop the lines after `step`, those of an evaluation that comes again, and a last line that a crash cut off."""
    if not path.exists():
        return []
    kept = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
            if line["step"] < step or (line["step"] == step and not (owes_evaluation and line["split"] != "train")):
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue
    write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
    return kept
