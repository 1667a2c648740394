"""The run of the drills: seconds long, with everything in it, and what must be equal at its end."""

import hashlib
import json
from collections import Counter
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from data import sample

OPTIONS = {
    "model.scratch.hidden_size": 64, "model.scratch.layers": 2, "model.scratch.heads": 2, "model.dropout": 0.1,
    "train.epochs": 2, "train.batch_size": 16, "train.micro_batch_size": 6, "train.log_every": 3, "train.save_every": 2,
    "eval.every": 30, "eval.batch_size": 32, "run.threads": 1, "run.name": "run",
}  # fmt: skip


def write_data(folder: Path, train_rows: int = 800, dev_rows: int = 120) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train_rows), ("dev", dev_rows)):
        rows = json.dumps(sample.rows(part)[:count], ensure_ascii=False)
        (folder / f"{part}.json").write_text(rows, encoding="utf-8")


def command(data: Path, folder: Path, **changed) -> list[str]:
    """Options of train.py for a run in `folder`, with a token cache of its own; `__` stands for the dot."""
    files = {
        "data.train": data / "train.json",
        "data.dev": data / "dev.json",
        "data.cache_dir": folder / "cache",
        "run.dir": folder / "runs",
    }
    changed = {key.replace("__", "."): value for key, value in changed.items()}
    return [f"--{key}={value}" for key, value in (OPTIONS | files | changed).items()]


def blank_figures() -> None:
    """Pictures without ink in runs that are forked from here: drawing takes most of their time."""
    from matplotlib.figure import Figure

    import engine.report.error_figures
    import engine.tracking.figures

    engine.tracking.figures.confusion = lambda *_: Figure(figsize=(0.1, 0.1))
    for name in ("precision_recall", "reliability", "f1_by_count", "error_by_length"):
        setattr(engine.report.error_figures, name, engine.tracking.figures.confusion)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def result(folder: Path) -> dict:
    """What must not depend on how often a run was interrupted. `folder` is the run's own."""
    newest = max(path for path in (folder / "checkpoints").iterdir() if path.name.startswith("step-"))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        line.pop("speed", None)
    return {
        "newest": newest.name,
        "weights": digest(newest / "model.safetensors"),
        "optimizer": digest(newest / "optimizer.safetensors"),
        "metrics": hashlib.sha256(json.dumps(lines).encode()).hexdigest(),
        "predictions": digest(folder / "predictions" / "dev.csv"),
        "best": digest(folder / "best" / "model.safetensors"),
        "tensorboard": tensorboard_steps(folder),
    }


def tensorboard_steps(folder: Path) -> dict[str, list[int]]:
    """The steps of every scalar and figure, as TensorBoard shows them."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    steps = {tag: [event.step for event in events.Scalars(tag)] for tag in tags["scalars"]}
    steps |= {tag: [event.step for event in events.Images(tag)] for tag in tags["images"]}
    return steps | {tag: [event.step for event in events.Tensors(tag)] for tag in tags["tensors"]}


def differences(mine: dict, theirs: dict) -> list[str]:
    """What differs, by name; of TensorBoard the tags, with the steps that are there too often or not at all."""
    names = [key for key in theirs if mine[key] != theirs[key]]
    if "tensorboard" in names:
        names.remove("tensorboard")
        for tag in sorted({*mine["tensorboard"], *theirs["tensorboard"]}):
            counts = Counter(mine["tensorboard"].get(tag, []))
            counts.subtract(Counter(theirs["tensorboard"].get(tag, [])))
            if wrong := {step: count for step, count in counts.items() if count}:
                names.append(f"tensorboard {tag} {wrong}")
    return names
