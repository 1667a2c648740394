"""Losses compared: each trained over the seeds, scores of the whole and of frequent, middle and rare classes.

Legend: C classes.
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from engine import figures
from engine.atomic import write_text
from engine.build import read_data
from engine.comparison import Variant, finetune, lines, paired
from engine.config import Config
from engine.mistakes import thirds

REFERENCE = "cross_entropy"
SCORES = ("micro_f1", "macro_f1", "auprc")


def loss_variants(words: Sequence[str]) -> list[Variant]:
    """`focal,gamma=1` to a variant of that name; cross-entropy comes first. ldam gets the head it was made for."""
    variants = []
    for word in dict.fromkeys([REFERENCE, *words]):
        name, *options = word.split(",")
        own = [f"--loss.name={name}", *(f"--loss.{option}" for option in options)]
        if name == "ldam":
            own.append("--model.head=cosine")
        variants.append(Variant(word, tuple(own)))
    return variants


def class_f1(report: dict) -> np.ndarray:
    """F1 of each class (C,) in percent; NaN for one without an example in the dev set."""
    return np.array([row["f1"] if row["support"] else np.nan for row in report["classes"]])


def scores_of(report: dict, parts: dict[str, list[int]]) -> dict[str, float]:
    """What is compared: scores of the whole, and the mean F1 of each third."""
    f1 = class_f1(report)
    means = {f"{name}_f1": float(np.nanmean(f1[part])) if len(part) else np.nan for name, part in parts.items()}
    return {name: report["dev"][name] for name in SCORES} | means


def compare_losses(config: Config, variants: list[Variant], seeds: list[int], options: list[str], folder: Path) -> str:
    """Train, compare, and leave losses.json, losses.csv, a picture and TensorBoard; returns the tables to print."""
    data = read_data(config, quiet=True)
    counts = np.bincount(np.array(data.stores["train"].labels), minlength=len(data.labels))
    reports = finetune(variants, seeds, options, folder)
    parts = thirds(counts, data.negative)
    scores = {name: [scores_of(report, parts) for report in found] for name, found in reports.items()}
    f1 = {name: np.nanmean([class_f1(report) for report in found], axis=0) for name, found in reports.items()}
    rows = {
        key: paired({name: [each[key] for each in found] for name, found in scores.items()}, REFERENCE)
        for key in next(iter(scores.values()))[0]
    }
    classes = {name: [data.labels[number] for number in part] for name, part in parts.items()}
    found = {"seeds": seeds, "classes": classes, "counts": dict(zip(data.labels, counts.tolist(), strict=True))}
    write_text(folder / "losses.json", json.dumps(found | {"scores": rows}, indent=1, ensure_ascii=False))
    content = io.StringIO(newline="")
    table = csv.writer(content)
    columns = ("name", "mean", "sd", "difference", "difference_sd", "difference_95", "scores")
    table.writerow(["score", *columns])
    for key, lot in rows.items():
        table.writerows([key, *(row[column] for column in columns)] for row in lot)
    write_text(folder / "losses.csv", content.getvalue())

    texts = []
    for key, lot in rows.items():
        texts += [f"{key} over {len(seeds)} seeds", *lines(lot, REFERENCE), ""]
    texts += [f"{name}: {len(part)} classes, {counts[part].min()} to {counts[part].max()} training examples each"
              for name, part in parts.items() if len(part)]  # fmt: skip
    picture = figures.f1_by_count(counts, f1)
    picture.savefig(folder / "f1_by_count.png")
    if config.track.tensorboard:
        with SummaryWriter(folder) as writer:
            writer.add_figure("study/f1_by_count", picture)
            writer.add_text("study", "    " + "\n    ".join(texts))
            for name, found_scores in scores.items():
                for seed, each in zip(seeds, found_scores, strict=True):
                    told = {f"study/{key}": value for key, value in each.items()}
                    writer.add_hparams({"loss": name, "seed": seed}, told, run_name=f"hparams/{name}-seed{seed}")
    return "\n".join([*texts, "", f"study        {folder}"])
