"""A dev part held out of the training file: which rows, what is told of them, and what is wrong with the wish."""

import hashlib
import warnings

import numpy as np

from data.messages import listed
from data.sentences import shared
from data.splits import deal
from data.store.rows import Rows
from data.store.token_store import TokenStore
from engine.config import DataConfig

Store = TokenStore | Rows


def hold_out(data: DataConfig, store: TokenStore, labels: list[str], seed: int) -> tuple[dict[str, Rows], dict]:
    """The parts train and dev of the training file's store, and the identity of dev for checkpoints.

    Raises ValueError where one of them would be empty; warns of labels that one of them lacks.
    """
    shares = [1 - data.hold_out, data.hold_out] if data.folds is None else [1 / data.folds] * data.folds
    dev_part = 1 if data.folds is None else data.fold
    part = deal(np.array(store.labels), np.array(store.sentences), shares, seed)
    parts = {
        "train": Rows(store, np.flatnonzero(part != dev_part)),
        "dev": Rows(store, np.flatnonzero(part == dev_part)),
    }
    for name, rows in parts.items():
        if not len(rows):
            sentences = len(np.unique(store.sentences))
            raise ValueError(
                f"{wish(data)}: {len(store):,} rows of {sentences:,} sentences leave none for the {name} part, and "
                "rows of one sentence stay together"
            )
    warn_of_labels(data, store, parts, labels)
    digest = hashlib.sha256(parts["dev"].rows.astype("<i8").tobytes()).hexdigest()
    return parts, {"held_out": wish(data), "rows": digest}


def wish(data: DataConfig) -> str:
    """What was asked for, as options."""
    if data.folds is None:
        return f"data.hold_out {data.hold_out}"
    return f"data.fold {data.fold} of data.folds {data.folds}"


def warn_of_labels(data: DataConfig, store: TokenStore, parts: dict[str, Rows], labels: list[str]) -> None:
    """Warns of labels that have too few rows, or too few sentences, for both parts."""
    counts = np.bincount(store.labels, minlength=len(labels))
    if data.folds is not None and (few := np.flatnonzero((counts > 0) & (counts < data.folds)).tolist()):
        warnings.warn(
            f"data.folds: labels with fewer rows than {data.folds} folds are in some dev parts only: "
            + listed([f"{labels[number]} ({counts[number]})" for number in few]),
            stacklevel=2,
        )
    for name, rows in parts.items():
        here = np.bincount(rows.labels, minlength=len(labels))
        if absent := np.flatnonzero((counts > 0) & (here == 0)).tolist():
            warnings.warn(
                f"{wish(data)}: the {name} part has no row of "
                + listed([f"{labels[number]} ({counts[number]} in data.train)" for number in absent]),
                stacklevel=2,
            )


def part_facts(stores: dict[str, Store], labels: list[str], held_out: str | None) -> dict:
    """For the report: rows, sentences and label counts of each part, and how many sentences are in both."""
    facts: dict = {"held_out": held_out}
    for name, store in stores.items():
        counts = np.bincount(store.labels, minlength=len(labels)).tolist()
        facts[name] = {
            "rows": len(store),
            "sentences": len(np.unique(store.sentences)),
            "labels": dict(zip(labels, counts, strict=True)),
        }
    if "dev" in stores:
        facts["shared_sentences"] = shared(stores["train"].sentences, stores["dev"].sentences)
    assert held_out is None or facts["shared_sentences"] == 0, "a sentence is in both parts"
    return facts


def split_lines(facts: dict) -> list[str]:
    """What the summary says of a hold-out; nothing where there is none."""
    if facts["held_out"] is None:
        return []
    told = [f"{'held out':<12} {facts['held_out']}; no sentence is in both parts"]
    for name in ("train", "dev"):
        counts = facts[name]["labels"]
        frequent = sorted(counts, key=counts.get, reverse=True)
        first = ", ".join(f"{label} {counts[label]:,}" for label in frequent[:3])
        rest = f", ... {frequent[-1]} {counts[frequent[-1]]:,}" if len(frequent) > 3 else ""
        sizes = f"{facts[name]['rows']:,} rows, {facts[name]['sentences']:,} sentences"
        told.append(f"{name + ' part':<12} {sizes}; {first}{rest}")
    return told
