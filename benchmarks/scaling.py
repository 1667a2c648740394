"""What grows with the data and what does not: token stores, their memory, the plan, the time to the first update.

    python benchmarks/scaling.py                       32 and 100 thousand, 1 million rows
    python benchmarks/scaling.py --rows 10000000       8 GB on disk while it runs
    python benchmarks/scaling.py --quick               a short form, about a minute

Sentences are put together from words of the bundled sample, as long as those of KLUE-RE (characters: log-normal, mean
97), and read as a Boostcamp CSV. Everything is measured in a process of its own, from a file on disk. Memory is the sum
over all processes that build (PSS, looked at five times a second). `--tokenizer` takes the folder of a real one. Then
updates/s of train.py in 1 and 2 processes with a thread each. Results of the same sizes are replaced in
benchmarks/results/scaling.json, others stay.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

TARGET = ROOT / "benchmarks" / "results" / "scaling.json"
ROWS = (32_470, 100_000, 1_000_000)
QUICK = (2_000, 50_000)
ALONE = 100_000  # rows up to which one process is timed, too, where several are the default
TRAINED = 40_000  # rows up to which train.py is started
MEAN, DEVIATION = 4.469, 0.459  # of the logarithm of a sentence's characters, 32,470 rows of KLUE-RE
BATCH = 32
MODEL = ["--model.scratch.hidden_size", "256", "--model.scratch.layers", "4", "--model.scratch.heads", "4"]


# steps, each in a process of its own ---------------------------------------------------------------------------------


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


def build(path: Path, cache: Path, tokenizer: str, processes: int) -> dict:
    """The store of the file; the time is that of `prepare`, with the hash of the file."""
    from data.labels import label_list
    from data.packed import prepare
    from data.source import open_source
    from data.workers import processes_for

    encoder = make_encoder(tokenizer)
    before, start = cpu_seconds(), time.perf_counter()
    source = open_source(str(path), "boostcamp", "train", "data.train")
    store = prepare(source, encoder, label_list("klue"), cache, processes=processes or None)
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

    from data.labels import label_list
    from data.packed import prepare
    from data.source import open_source
    from engine.loader import Loader
    from engine.plan import Plan

    encoder = make_encoder(tokenizer)
    laps = {"found": time.perf_counter()}
    store = prepare(open_source(str(path), "boostcamp", "train", "data.train"), encoder, label_list("klue"), cache)
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


# what runs them ------------------------------------------------------------------------------------------------------


def step(name: str, *arguments) -> dict:
    """The result of a step, and the most memory that its processes had together."""
    import psutil

    command = [sys.executable, __file__, "--step", name, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        peak, looked = 0, psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, sum(map(proportional, family(looked))))
            time.sleep(0.2)
        said = process.stdout.read()
    if process.returncode:
        sys.exit(f"{name} ended with exit code {process.returncode}")
    return json.loads(said.splitlines()[-1]) | {"memory_bytes": peak}


def family(process) -> list:
    import psutil

    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def proportional(process) -> int:
    """Resident bytes of a process, pages shared with others in parts."""
    import psutil

    try:
        return getattr(process.memory_full_info(), "pss", process.memory_info().rss)
    except (psutil.Error, OSError):
        return 0


def train(*options: str, processes: int = 1, folder: Path) -> tuple[float, dict]:
    """Seconds from the start of train.py to its end, and its report."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    runs = Path(tempfile.mkdtemp(dir=folder))
    command = [
        sys.executable, *(launch if processes > 1 else []), "train.py", *options, *MODEL, "--data.dev", "null",
        "--run.dir", str(runs), "--run.name", "run", "--run.threads", "1", "--train.batch_size", str(BATCH),
    ]  # fmt: skip
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return seconds, json.loads((runs / "run" / "report.json").read_text(encoding="utf-8"))


def measure(rows: int, tokenizer: str, folder: Path, starts: int) -> dict:
    """Everything about a corpus of `rows`."""
    path, cache = folder / "rows.csv", folder / "cache"
    result: dict = {"file": step("write_rows", path, rows)}
    for name, processes in (("default", 0), ("one process", 1)):
        if processes == 1 and (rows > ALONE or result["build, default"]["processes"] == 1):
            continue
        shutil.rmtree(cache, ignore_errors=True)
        result[f"build, {name}"] = step("build", path, cache, tokenizer, processes)
    result["start"] = step("first_batch", path, cache, tokenizer)
    (store,) = (one for one in cache.iterdir() if one.is_dir())
    np.save(folder / "lengths.npy", np.diff(np.load(store / "offsets.npy", mmap_mode="r", allow_pickle=False)))
    shutil.rmtree(cache)
    result["plan"] = step("plan", folder / "lengths.npy")
    if rows <= TRAINED:
        options = ["--data.train", str(path), "--data.cache_dir", str(cache), "--train.max_updates", "1"]
        options += [] if tokenizer == "sample" else ["--model.tokenizer", tokenizer]
        cold, *warm = (train(*options, folder=folder)[0] for _ in range(1 + starts))
        result["train.py, one update"] = {"cold_seconds": cold, "warm_seconds": warm}
    shutil.rmtree(cache, ignore_errors=True)
    path.unlink()
    return result


def updates_a_second(updates: int, turns: int, folder: Path) -> dict:
    """train.py on the bundled sample, in turn."""
    found: dict[int, list[float]] = {1: [], 2: []}
    options = ["--data.cache_dir", str(folder / "sample"), "--train.max_updates", str(updates), "--train.epochs", "9"]
    for _ in range(turns):
        for processes, rates in found.items():
            _, report = train(*options, processes=processes, folder=folder)
            rates.append(report["step"] / report["seconds"])
    return {f"{processes} processes": rates for processes, rates in found.items()}


def show(result: dict) -> None:
    heads = ["s", "rows/s", "CPU s", "disk MB"]
    print(f"\n{'rows':>12} {'build':>14} processes " + " ".join(f"{one:>8}" for one in heads) + " memory MB")
    for rows, found in result["rows"].items():
        for name, made in found.items():
            if name.startswith("build"):
                kind = name.partition(", ")[2]
                disk, memory = made["disk_bytes"] / 1e6, made["memory_bytes"] / 1e6
                print(
                    f"{int(rows):>12,} {kind:>14} {made['processes']:>9} {made['seconds']:>8.1f} "
                    f"{made['rows_per_second']:>8,.0f} {made['cpu_seconds']:>8.1f} {disk:>8,.0f} {memory:>9,.0f}"
                )
    heads = ["open s", "plan s", "batch s", "updates(0) s", "memory MB", "train.py s"]
    print(f"\n{'rows':>12} " + " ".join(f"{one:>12}" for one in heads))
    for rows, found in result["rows"].items():
        start, made = found["start"], found["plan"]
        whole = found.get("train.py, one update", {}).get("warm_seconds")
        numbers = [start["find_and_open"], start["plan"], start["batch"], made["seconds"], made["peak_bytes"] / 1e6]
        print(
            f"{int(rows):>12,} "
            + " ".join(f"{one:>12,.2f}" for one in numbers)
            + (f" {statistics.median(whole):>12.1f}" if whole else f" {'-':>12}")
        )
    for name, rates in result.get("updates_a_second", {}).items():
        print(f"\n{name}: {', '.join(f'{rate:.2f}' for rate in rates)} updates/s", end="")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", help=f"sizes (default: {' '.join(map(str, ROWS))})")
    parser.add_argument("--tokenizer", default="sample", help="a folder, or sample (default)")
    parser.add_argument("--folder", type=Path, help="where files are while it runs (default: the system's)")
    parser.add_argument("--skip_training", action="store_true", help="without updates/s of train.py")
    parser.add_argument("--quick", action="store_true", help="small, and written nowhere")
    options = parser.parse_args()
    before = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.is_file() and not options.quick else {}
    result = before | {"rows": before.get("rows", {}), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for rows in options.rows or (QUICK if options.quick else ROWS):
            result["rows"][str(rows)] = measure(rows, options.tokenizer, Path(folder), 1 if options.quick else 3) | {
                "tokenizer": Path(options.tokenizer).name
            }
            print(f"{rows:,} rows are measured", flush=True)
            if not options.quick:  # what was measured stays, whatever comes next
                save(result)
        if not options.skip_training:
            updates, turns = (5, 1) if options.quick else (60, 2)
            result["updates_a_second"] = updates_a_second(updates, turns, Path(folder))
    result["rows"] = dict(sorted(result["rows"].items(), key=lambda item: int(item[0])))
    show(result)
    if not options.quick:
        save(result)


def save(result: dict) -> None:
    TARGET.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        called, *given = sys.argv[2:]
        kinds = STEPS[called].__annotations__
        values = [kind(value) for kind, value in zip(kinds.values(), given, strict=False)]
        print(json.dumps(STEPS[called](*values)))
    else:
        main()
