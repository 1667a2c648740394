"""The steps that `scaling.py` measures, each in a process of its own: `scaling_steps.py NAME ARGUMENTS` prints JSON."""

import json
import random
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

MEAN, DEVIATION = 4.469, 0.459  # of the logarithm of a sentence's characters, 32,470 rows of KLUE-RE
BATCH = 32


def write_rows(path: Path, rows: int) -> dict:
    """A Boostcamp CSV, the same for the same number of rows; nothing of it stays in memory."""
    from data import sample
    from data.labels import KLUE
    from data.markers import TYPES

    chance = random.Random(0)
    words = [word for row in sample.rows("train") for word in row["sentence"].split() if word.isalnum()]
    words = chance.choices(words, k=100_000)
    mean = statistics.mean(map(len, words)) + 1
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("id,sentence,subject_entity,object_entity,label,source\n")
        for number in range(rows):
            characters = min(max(chance.lognormvariate(MEAN, DEVIATION), 14), 455)
            count = max(3, round(characters / mean))
            first = chance.randrange(len(words) - count)
            chosen = words[first : first + count]
            place = chance.randrange(1, count)
            start = sum(map(len, chosen[:place])) + place
            both = [
                {"word": word, "start_idx": at, "end_idx": at + len(word) - 1, "type": chance.choice(TYPES)}
                for word, at in ((chosen[0], 0), (chosen[place], start))
            ]
            entities = [f'"{entity}"' for entity in both]  # as Python writes a dict; no word has a quote
            file.write(f"{number},{' '.join(chosen)},{','.join(entities)},{chance.choice(KLUE)},made\n")
    return {"bytes": path.stat().st_size}


def make_encoder(tokenizer: str):
    from data import sample
    from data.encode import Encoder, EncodingOptions
    from models.tokens import load_tokenizer, wordpiece_tokenizer

    made = wordpiece_tokenizer(sample.vocabulary()) if tokenizer == "sample" else load_tokenizer(tokenizer)
    return Encoder(made, EncodingOptions())


def number_of() -> dict[str, int]:
    """Label -> class."""
    from data.labels import label_list

    return {label: number for number, label in enumerate(label_list("klue"))}


def build(path: Path, cache: Path, tokenizer: str, processes: int) -> dict:
    """The store of the file; the time is that of `prepare`, with the hash of the file."""
    from data.readers.source import open_source
    from data.store.chunk import Task
    from data.store.token_store import prepare
    from data.store.workers import processes_for

    encoder = make_encoder(tokenizer)
    before, start = cpu_seconds(), time.perf_counter()
    source = open_source(str(path), "boostcamp", "train", "data.train")
    store = prepare(Task(source, encoder, number_of()), cache, processes=processes or None)
    seconds = time.perf_counter() - start
    (folder,) = (path for path in cache.iterdir() if path.is_dir())
    return {
        "seconds": seconds,
        "rows_per_second": len(store) / seconds,
        "cpu_seconds": cpu_seconds() - before,
        "processes": processes or processes_for(source),
        "tokens": int(store.offsets[-1]),
        "disk_bytes": sum(path.stat().st_size for path in folder.iterdir()),
    }


def cpu_seconds() -> float:
    """Of this process and those that it started and that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def first_batch(path: Path, cache: Path, tokenizer: str) -> dict:
    """A finished store to the first update's batch: the hash that finds it, opening, the plan, the batch."""
    import torch

    from data.readers.source import open_source
    from data.store.chunk import Task
    from data.store.token_store import prepare
    from engine.loader import Loader
    from engine.plan import Plan

    encoder = make_encoder(tokenizer)
    laps = {"found": time.perf_counter()}
    store = prepare(Task(open_source(str(path), "boostcamp", "train", "data.train"), encoder, number_of()), cache)
    laps["planned"] = time.perf_counter()
    loader = Loader(store, Plan(store.lengths, seed=0, batch_size=BATCH), 0, pin=False)
    laps["batch"] = time.perf_counter()
    next(loader.updates(0, 0, lambda labels: torch.ones(len(labels))))
    laps["end"] = time.perf_counter()
    found, planned, batch, end = laps.values()
    return {"find_and_open": planned - found, "plan": batch - planned, "batch": end - batch, "seconds": end - found}


def plan(lengths: Path) -> dict:
    """The updates of an epoch."""
    from engine.plan import Plan

    made = Plan(np.load(lengths, allow_pickle=False), seed=0, batch_size=BATCH)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    start = time.perf_counter()
    updates = made.updates(0)
    seconds = time.perf_counter() - start
    assert sum(len(update) for update in updates) == len(made.lengths)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "peak_bytes": peak, "bytes_before": before, "updates": len(updates)}


STEPS = {"write_rows": write_rows, "build": build, "first_batch": first_batch, "plan": plan}


if __name__ == "__main__":
    called, *given = sys.argv[1:]
    kinds = STEPS[called].__annotations__
    print(json.dumps(STEPS[called](*(kind(value) for kind, value in zip(kinds.values(), given, strict=False)))))
