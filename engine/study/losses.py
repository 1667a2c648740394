"""Losses compared: each trained over the seeds, scores of the whole and of frequent, middle and rare classes.

Legend: C classes.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from engine.arguments.constructors import spread_options
from engine.arguments.parse import SECTIONS
from engine.atomic import write_text
from engine.command import Progress
from engine.compose.data import read_data
from engine.config import Config
from engine.repeat.runs import Variant, finetune, lines, paired, runs_go_on
from engine.scores.metrics import thirds
from engine.scores.titles import SCORES
from engine.tables import as_csv
from engine.tracking import figures

REFERENCE = "cross_entropy"


def loss_variants(words: Sequence[str]) -> list[Variant]:
    """`focal,gamma=1` to a variant of that name; cross-entropy comes first.

    Other options of train.py have their section: `cross_entropy,model.head=cosine`. ldam, also as a base, gets the head
    that it was made for, with its scale, unless the word says otherwise.
    """
    variants = []
    for word in dict.fromkeys([REFERENCE, *words]):
        name, *given = split(word)
        options = {"loss.name": name}
        for option in given:
            key, _, value = option.partition("=")
            options[key if "." in key and key.split(".")[0] in SECTIONS else f"loss.{key}"] = value
        options |= spread_options(options)
        where = {name: "loss", options.get("loss.base"): "loss.base_options"}.get("ldam")
        if where and options.setdefault("model.head", "cosine") == "cosine" and f"{where}.scale" in options:
            options.setdefault("model.head_options.scale", options[f"{where}.scale"])
        variants.append(Variant(word, tuple(f"--{key}={value}" for key, value in options.items())))
    return variants


def split(word: str) -> list[str]:
    """At its commas; those inside of {} and [] stay."""
    parts, depth = [""], 0
    for letter in word:
        depth += (letter in "{[") - (letter in "}]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def class_f1(report: dict) -> np.ndarray:
    """F1 of each class (C,) in percent; NaN for one without an example in the dev set."""
    return np.array([row["f1"] if row["support"] else np.nan for row in report["classes"]])


def scores_of(report: dict, parts: dict[str, list[int]]) -> dict[str, float]:
    """What is compared: scores of the whole, and the mean F1 of each third; NaN for one without an example in dev."""
    f1 = class_f1(report)
    there = {name: f1[part][np.isfinite(f1[part])] for name, part in parts.items()}
    means = {f"{name}_f1": float(part.mean()) if len(part) else np.nan for name, part in there.items()}
    return {name: report["dev"][name] for name in SCORES if name in report["dev"]} | means


def compare_losses(
    config: Config, variants: list[Variant], seeds: list[int], options: list[str], folder: Path, progress: Progress
) -> str:
    """Train, compare, and leave losses.json, losses.csv, a picture and TensorBoard; returns the tables to print."""
    data = read_data(config, quiet=True)
    counts = np.bincount(np.array(data.stores["train"].labels), minlength=len(data.labels))
    progress.begun, progress.goes_on = True, runs_go_on(folder.name)
    reports = finetune(variants, seeds, options, folder)
    parts = thirds(counts, data.negative)
    scores = {name: [scores_of(report, parts) for report in of_seeds] for name, of_seeds in reports.items()}
    f1 = {name: np.mean([class_f1(report) for report in of_seeds], axis=0) for name, of_seeds in reports.items()}
    rows = {
        key: paired({name: [each[key] for each in of_seeds] for name, of_seeds in scores.items()}, REFERENCE)
        for key in next(iter(scores.values()))[0]
    }
    classes = {name: [data.labels[number] for number in part] for name, part in parts.items()}
    study = {"seeds": seeds, "classes": classes, "counts": dict(zip(data.labels, counts.tolist(), strict=True))}
    text = json.dumps(study | {"scores": rows}, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(folder / "losses.json", text)
    columns = ("name", "mean", "sd", "difference", "difference_sd", "difference_95", "scores")
    table = [{"score": key} | {column: row[column] for column in columns} for key in rows for row in rows[key]]
    write_text(folder / "losses.csv", as_csv(table))

    texts = []
    for key in rows:
        texts += [f"{key} over {len(seeds)} seeds", *lines(rows[key], REFERENCE), ""]
    texts += [f"{name}: {len(part)} classes, {counts[part].min()} to {counts[part].max()} training examples each"
              for name, part in parts.items() if len(part)]  # fmt: skip
    picture = figures.f1_by_count(counts, f1)
    picture.savefig(folder / "f1_by_count.png")
    shutil.rmtree(folder / "hparams", ignore_errors=True)  # a study that is repeated would add its runs once more
    if config.track.tensorboard:
        with SummaryWriter(folder) as writer:
            writer.add_figure("study/f1_by_count", picture)
            writer.add_text("study", "    " + "\n    ".join(texts))
            for each in variants:
                for seed, values in zip(seeds, scores[each.name], strict=True):
                    shown = {f"study/{key}": value for key, value in values.items() if np.isfinite(value)}
                    place = f"hparams/{each.run_name(seed)}"
                    writer.add_hparams({"loss": each.name, "seed": seed}, shown, run_name=place)
    return "\n".join([*texts, "", f"study        {folder}"])
