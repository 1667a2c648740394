"""What both sides are given: sizes, files, and the options of train.py that say the rest."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


class SideError(RuntimeError):
    """A side failed; the message is its own."""


@dataclass(frozen=True)
class Case:
    """One comparison. `options` are further options of train.py for our side, `updates` what the schedule spans."""

    device: str
    threads: int
    layers: int
    hidden: int
    batch: int
    precision: str
    train: str
    dev: str
    tokenizer: str
    folder: str
    updates: int
    seed: int = 42
    options: tuple[str, ...] = ()

    @property
    def prepared(self) -> Path:
        """Where `prepare` puts what the Trainer's side reads."""
        return Path(self.folder) / f"prepared-{self.seed}"


@dataclass(frozen=True)
class Files:
    """Data files as `data.train` and `data.dev` take them, a tokenizer, and a word on what they are."""

    train: str
    dev: str
    tokenizer: str
    described: str


def find_files(shared: Path, folder: Path, rows: int) -> Files:
    """KLUE-RE where `shared` has it (train.csv of Boostcamp, and `rows` of the official dev rows), else the sample."""
    train, dev = shared / "boostcamp-re" / "train.csv", shared / "klue-re" / "klue-re-v1.1_dev.json"
    tokenizer = shared / "tokenizers" / "klue-roberta-base"
    if not (train.is_file() and dev.is_file() and tokenizer.is_dir()):
        return Files("sample:train", "sample:dev", "sample", "the bundled sample and its tokenizer")
    everything = json.loads(dev.read_text(encoding="utf-8"))
    rows = min(rows, len(everything))
    part = folder / "dev.json"
    chosen = [everything[row] for row in np.linspace(0, len(everything) - 1, rows).astype(int)]
    part.write_text(json.dumps(chosen, ensure_ascii=False), encoding="utf-8")
    described = f"KLUE-RE: train.csv of Boostcamp, {rows:,} official dev rows, tokenizer of klue/roberta-base"
    return Files(str(train), str(part), str(tokenizer), described)


def hold_out(files: Files, folder: Path, rows: int) -> Files:
    """The training file cut in two, about `rows` of it held out; rows of one sentence stay together.

    A random cut would train on sentences that it scores. The sample has a dev part of its own.
    """
    if files.train.startswith("sample:"):
        return files
    with open(files.train, encoding="utf-8", newline="") as file:
        header, *table = csv.reader(file)
    sentence = header.index("sentence")
    by_sentence: dict[str, list[int]] = {}
    for number, row in enumerate(table):
        by_sentence.setdefault(row[sentence], []).append(number)
    groups, held = list(by_sentence.values()), set()
    for number in np.random.default_rng(0).permutation(len(groups)):
        if len(held) >= rows:
            break
        held.update(groups[number])
    for name, inside in (("held.csv", True), ("rest.csv", False)):
        with open(folder / name, "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *(row for n, row in enumerate(table) if (n in held) == inside)])
    return Files(str(folder / "rest.csv"), str(folder / "held.csv"), files.tokenizer, files.described)


def command_line(case: Case) -> list[str]:
    """Options of train.py: configs/boostcamp.yaml with an encoder that is trained from nothing."""
    options = {
        "config": ROOT / "configs" / "boostcamp.yaml",
        "data.train": case.train,
        "data.cache_dir": Path(case.folder) / "cache",
        "model.backbone": "null",
        "model.tokenizer": case.tokenizer,
        "model.scratch.layers": case.layers,
        "model.scratch.hidden_size": case.hidden,
        "model.scratch.heads": max(1, case.hidden // 64),
        "train.batch_size": case.batch,
        "train.precision": case.precision,
        "train.epochs": 1000,  # train.max_updates ends it
        "train.max_updates": case.updates,
        "run.seed": case.seed,
        "run.threads": case.threads,
    }
    return [word for key, value in options.items() for word in (f"--{key}", str(value))]
