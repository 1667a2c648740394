"""What a finished run leaves: best/, predictions/, errors/, report.json and a table."""

import json
import warnings
from pathlib import Path

import numpy as np

from data.messages import names_of
from engine.atomic import write_text
from engine.checkpoint.checkpoints import load_model
from engine.checkpoint.lost import settle_best
from engine.checkpoint.manifest import read_tensors
from engine.compose.data import open_part
from engine.config import prediction_settings
from engine.distributed.agreement import on_main
from engine.evaluate import Evaluation
from engine.parts import Run
from engine.report.best import OneBatch, export
from engine.report.error_rows import Judged
from engine.report.predictions import write_predictions
from engine.scores.intervals import LEVEL, bootstrap, intervals_line
from engine.scores.metrics import per_class
from engine.scores.prior import NAMES, NONE, label_prior
from engine.scores.scored import Scored
from engine.scores.titles import SCORES
from engine.speed import peak_memory
from engine.state import State
from engine.tables import aligned
from engine.tracking.hparams import main_options


def write_results(run: Run, step: int) -> dict:
    """predictions/dev.csv and errors/; returns what report.json says of them."""
    evaluation, labels = run.parts.evaluation, run.data.labels
    store, scored = evaluation.store, scored_of(evaluation)
    write_predictions(run.folder / "predictions" / "dev.csv", store, scored.probabilities, labels)
    if not run.config.track.errors:
        return {"classes": per_class(scored)}
    from engine.report.errors import write_errors  # with matplotlib, which no start should wait for

    ids = [store.id(row) for row in range(len(store))]
    judged = Judged(scored, ids, evaluation.predictions.losses, store.lengths, examples_again(run, set(ids)))
    train = np.bincount(np.array(run.parts.loader.store.labels), minlength=len(labels))
    return write_errors(run.folder / "errors", judged, train, step, run.config.track.tensorboard)


def examples_again(run: Run, ids: set[str]) -> dict:
    """id -> Example, read once more from the file: the token store holds no text. Empty, with a warning, where the
    file is gone or was changed since the run began."""
    own = run.config.data.dev is not None
    part, location = ("dev", run.config.data.dev) if own else ("train", run.config.data.train)
    before = run.parts.checkpoints.facts["fixed"]["data"][part]
    try:
        source = open_part(run.config, part, location, run.data.labels)
        if source.identity["sha256"] != before["sha256"]:
            raise ValueError(f"data.{part}: {names_of(location)} was changed since the run began")
        read = (example for _, example in source.examples() if not isinstance(example, ValueError))
        return {example.id: example for example in read if example.id in ids}
    except ValueError as error:
        warnings.warn(f"errors/ shows no sentences: {error}", stacklevel=2)
        return {}


def finish(run: Run, state: State) -> dict | None:
    """Score the best weights once more and leave best/, predictions/ and report.json, all of the same weights.

    None where a signal broke the scoring off: nothing was written, and the same command does it again. Raises
    OtherModelError where best/ would predict otherwise than the run: then there is no best/ and no report.json.
    """
    parts, config = run.parts, run.config
    accelerator, model = parts.accelerator, parts.accelerator.unwrap_model(parts.model)
    if lost := settle_best(parts.checkpoints, state):  # it may be older than what is restored, or damaged since
        warnings.warn(lost.removeprefix("warning: "), stacklevel=2)
    best = parts.checkpoints.path(state.best_step)
    load_model(best, model)
    scores = parts.evaluation.run(parts.model)
    if scores is None:
        return None
    batch = OneBatch(run)
    report = {
        "dev": scores or None,
        "step": state.best_step,
        "epoch": state.best_step / parts.loader.updates_per_epoch,
        "updates": state.step,
        "stopped_early": state.stopped,
        "processes": accelerator.num_processes,
        "examples_per_rank": parts.loader.examples_per_process,
        "seconds": parts.speed.seconds,
        "tokens_per_second": parts.speed.tokens / max(parts.speed.seconds, 1e-9),
        "padding_share": parts.loader.padding_share,
        "peak_memory": peak_memory(accelerator.device),
        "precision": run.precision,
        "skipped_rows": run.data.files["train"].facts["skipped"],
        "skipped_dev_rows": run.data.files["dev"].facts["skipped"] if "dev" in run.data.files else [],
        "data": run.data.facts,
    }

    def write() -> None:
        if config.eval.resamples and parts.evaluation.store is not None:
            report["intervals"] = intervals_of(scored_of(parts.evaluation), config.eval.resamples)
        if parts.evaluation.store is not None:
            report.update(write_results(run, state.best_step))
        weights = read_tensors(best / "model.safetensors")
        settings = prediction_settings(run.config, run.precision) | {"label_prior": prior_of_best(run)}
        export(run.folder / "best", model, weights, run.data, settings, batch)
        parts.tracker.final(state.best_step, main_options(config), scores)
        write_text(run.folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False))

    with parts.stop.hold():
        on_main(accelerator, write)
    return report


def prior_of_best(run: Run) -> str | dict[str, float]:
    """What best/ says of eval.label_prior: a name, or the shares of a file, which need not lie there any more."""
    name, shares = run.config.eval.label_prior, run.data.prior
    if name in NAMES:
        return name
    if shares is None:  # without a dev part nobody has read it
        try:
            shares = label_prior(name, run.data.labels)
        except ValueError as error:
            warnings.warn(f"{error}; best/ has no label prior", stacklevel=2)
            return NONE
    return dict(zip(run.data.labels, shares.tolist(), strict=True))


def scored_of(evaluation: Evaluation) -> Scored:
    """The last evaluation; rows of a sentence are one group."""
    gold, groups = np.array(evaluation.store.labels), np.array(evaluation.store.sentences)
    probabilities = evaluation.predictions.probabilities
    return Scored(gold, probabilities, evaluation.negative, evaluation.labels, evaluation.prior, groups)


def intervals_of(scored: Scored, resamples: int) -> dict:
    """Bootstrap intervals of the scores, and what they were made from."""
    return {
        "level": LEVEL, "resamples": resamples, "sentences": len(np.unique(scored.groups)),
        **bootstrap(scored, resamples),
    }  # fmt: skip


def table(report: dict, folder: Path) -> str:
    """The last thing a run prints."""
    rows = []
    if report["dev"]:
        scores, intervals = report["dev"], report.get("intervals", {})
        rows += [(title, f"{scores[name]:.2f}") for name, title in SCORES.items() if name in scores]
        rows += [("95 % interval", intervals_line(intervals))] * bool(intervals)
    rows += [
        ("best update", f"{report['step']} of {report['updates']} (epoch {report['epoch']:.2f})"),
        ("training", f"{report['seconds']:.1f} s"),
        ("tokens/s", f"{report['tokens_per_second']:,.0f}"),
        ("padding share", f"{100 * report['padding_share']:.1f} %"),
        ("peak memory", f"{report['peak_memory']:.2f} GiB"),
    ]
    places = [("report", folder / "report.json"), ("tensorboard", f"tensorboard --logdir {folder.parent}")]
    return "\n".join(["", *aligned(["", ""], rows), "", *aligned(["", ""], places)])
