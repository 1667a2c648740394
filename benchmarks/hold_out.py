"""Which hold-out score tells the official one? KLUE-RE, a small encoder from nothing, several seeds.

    python benchmarks/hold_out.py --train train.csv --dev klue-re-v1.1_dev.json --tokenizer FOLDER --folder FOLDER

Each run trains on the training rows without a tenth and is scored once, after its last update, on that tenth (plain,
and weighted to eval.label_prior klue_dev) and on the official dev set. The tenth is drawn row by row (random, as most
repositories do it) or by sentence (data.hold_out). Prints a table and writes benchmarks/results/hold_out.json.
Finished runs are not run again. `--quick`: one seed, 1,500 rows, one epoch, nothing written but the runs.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from accelerate import Accelerator  # noqa: E402 (found through the line above)
from transformers import AutoModel  # noqa: E402
from transformers.utils import logging as transformers_logging  # noqa: E402

import models  # noqa: E402, F401 (registers the model's class)
from engine.arguments.parse import parse  # noqa: E402
from engine.compose.data import read_data  # noqa: E402
from engine.distributed.signals import StopSignal  # noqa: E402
from engine.evaluate import predict  # noqa: E402
from engine.repeat.runs import train  # noqa: E402
from engine.scores.metrics import headline  # noqa: E402
from engine.scores.scored import Scored  # noqa: E402
from engine.scores.titles import WEIGHTED  # noqa: E402
from engine.tables import aligned  # noqa: E402

SHARE = 0.1
SIZES = ("--model.backbone=null", "--model.scratch.layers=2", "--model.scratch.hidden_size=128",
         "--model.scratch.heads=2", "--eval.every=1000000", "--eval.label_prior=klue_dev")  # fmt: skip


def some_rows(source: Path, target: Path, count: int | None) -> list[dict]:
    """`count` rows of train.csv, drawn once, as a file of their own."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:count])
    rows = [rows[number] for number in chosen]
    write(target, rows)
    return rows


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def parts(split: str, seed: int, rows: list[dict], folder: Path) -> list[str]:
    """The options that say what a run trains on and what it holds out."""
    if split == "grouped":
        return ["--data.train", str(folder / "rows.csv"), "--data.dev", "null", "--data.hold_out", str(SHARE)]
    order = np.random.default_rng(seed).permutation(len(rows))
    held = round(SHARE * len(rows))
    files = {"dev": np.sort(order[:held]), "train": np.sort(order[held:])}
    for part, numbers in files.items():
        write(folder / f"random-{seed}-{part}.csv", [rows[number] for number in numbers])
    return [word for part in files for word in (f"--data.{part}", str(folder / f"random-{seed}-{part}.csv"))]


def official(command: list[str], run: Path, dev: Path) -> dict[str, float]:
    """The official scores of best/ of a run."""
    words = [word for word in command if not word.startswith("--eval.label_prior")]
    for key in ("--data.dev", "--data.hold_out"):
        if key in words:
            del words[words.index(key) : words.index(key) + 2]
    config, _, _ = parse([*words, "--data.dev", str(dev)])
    data = read_data(config, quiet=True)
    store = data.stores["dev"]
    accelerator = Accelerator(cpu=True)
    model = AutoModel.from_pretrained(run / "best")
    found = predict(accelerator, model, store, config.eval.batch_size, "official dev", None, StopSignal())
    return headline(Scored(np.array(store.labels), found.probabilities, data.negative, data.labels))


def one(split: str, seed: int, rows: list[dict], given: argparse.Namespace) -> dict:
    """A run and its three scores."""
    folder = Path(given.folder)
    name = f"{split}-seed{seed}"
    command = ["--config", str(ROOT / "configs" / "boostcamp.yaml"), *SIZES, "--model.tokenizer", given.tokenizer,
               "--train.epochs", str(given.epochs), "--run.seed", str(seed), "--run.dir", str(folder / "runs"),
               "--run.name", name, *parts(split, seed, rows, folder)]  # fmt: skip
    if given.threads:
        command += ["--run.threads", str(given.threads)]
    run = folder / "runs" / name
    if not (run / "report.json").is_file():
        train(command, folder / "logs" / f"{name}.log")
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    told = official(command, run, Path(given.dev))
    return {
        "split": split,
        "seed": seed,
        "rows": {part: report["data"][part]["rows"] for part in ("train", "dev")},
        "shared_sentences": report["data"]["shared_sentences"],
        "seconds": round(report["seconds"], 1),
        "plain": {name: report["dev"][name] for name in WEIGHTED},
        "weighted": {name: report["dev"][f"{name}_prior"] for name in WEIGHTED},
        "official": {name: told[name] for name in WEIGHTED},
    }


def summary(found: list[dict]) -> list[dict]:
    """For each split and score: means over the seeds, and the mean distance of both estimates from the official."""
    rows = []
    for split in dict.fromkeys(run["split"] for run in found):
        for score in WEIGHTED:
            values = {kind: np.array([run[kind][score] for run in found if run["split"] == split])
                      for kind in ("plain", "weighted", "official")}  # fmt: skip
            row = {"split": split, "score": score} | {kind: float(each.mean()) for kind, each in values.items()}
            for kind in ("plain", "weighted"):
                row[f"{kind}_distance"] = float(np.abs(values[kind] - values["official"]).mean())
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True, help="train.csv of the Boostcamp competition")
    parser.add_argument("--dev", required=True, help="klue-re-v1.1_dev.json")
    parser.add_argument("--tokenizer", required=True, help="a folder, or klue/roberta-base")
    parser.add_argument("--folder", required=True, help="where rows and runs go")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--splits", nargs="+", default=["random", "grouped"], choices=["random", "grouped"])
    parser.add_argument("--rows", type=int, help="so many training rows; default: all")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.rows, given.epochs = given.seeds[:1], 1500, 1
    transformers_logging.disable_progress_bar()
    if given.threads:
        torch.set_num_threads(given.threads)
    rows = some_rows(Path(given.train), Path(given.folder) / "rows.csv", given.rows)
    found = [one(split, seed, rows, given) for seed in given.seeds for split in given.splits]
    means = summary(found)
    numbers = ("plain", "weighted", "official", "plain_distance", "weighted_distance")
    lines = [[f"{row['split']} {row['score']}", *(f"{row[name]:.2f}" for name in numbers)] for row in means]
    print("\n".join(aligned(["", " plain", " weighted", " official", " plain off", " weighted off"], lines)))
    if not given.quick:
        result = {"rows": len(rows), "epochs": given.epochs, "seeds": given.seeds, "summary": means, "runs": found}
        target = ROOT / "benchmarks" / "results" / "hold_out.json"
        target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
