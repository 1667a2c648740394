"""What a run shows in TensorBoard's hparams tab: its main options and the scores of its best weights.

The tab takes its columns from one of the runs that it shows, so all runs have the same ones, each of one type.
"""

from torch.utils.tensorboard.summary import hparams

from engine.config import Config
from engine.scores.titles import SCORES

TEXTS = (
    "data.train", "data.dev", "data.marker", "data.query", "model.backbone", "model.pooling", "model.head",
    "model.freeze", "model.dropout", "loss.name", "train.precision", "eval.metric", "eval.label_prior",
)  # fmt: skip
NUMBERS = (
    "run.seed", "data.max_length", "optim.lr", "optim.layer_decay", "optim.weight_decay", "optim.warmup",
    "train.epochs", "train.batch_size",
)  # fmt: skip
FINAL = "final"  # scalars of their own: the last point of dev/... is not that of the best weights


def main_options(config: Config) -> dict[str, str | float]:
    """Column -> value; numbers are float, everything that may be null is text."""

    def value(key: str):
        section, name = key.split(".")
        return getattr(getattr(config, section), name)

    held_out = "" if config.data.hold_out is None else f"share {config.data.hold_out}"
    if config.data.folds is not None:
        held_out = f"{config.data.fold} of {config.data.folds}"
    own = {**config.loss.options}
    parts = {**config.model.pooling_options, **config.model.head_options}
    return {
        **{key: as_text(value(key)) for key in TEXTS},
        **{key: float(value(key)) for key in NUMBERS},
        "optim.head_lr": float(config.optim.head_lr or config.optim.lr),
        "loss.options": written(own),
        "model.options": written(parts),
        "data.held_out": held_out,
    }


def as_text(value) -> str:
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)


def written(options: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(options.items()))


def summaries(options: dict[str, str | float], scores: dict) -> tuple:
    """The experiment (all columns), this run's values, and its end, as protocol buffers of TensorBoard.

    `scores`: those that the run has; the others of SCORES stay empty.
    """
    return hparams(options, {f"{FINAL}/{name}": scores.get(name, 0.0) for name in SCORES})
