"""What grows with the data and what does not: token stores, their memory, the plan, the time to the first update.

    python benchmarks/scaling.py                       32 and 100 thousand, 1 million rows
    python benchmarks/scaling.py --rows 10000000
    python benchmarks/scaling.py --quick               a short form

Sentences are put together from words of the bundled sample, as long as those of KLUE-RE (characters: log-normal, mean
97), and read as a Boostcamp CSV. Everything is measured in a process of its own (`scaling_steps.py`), from a file on
disk. Memory is the sum over all processes that build (PSS, looked at five times a second). `--tokenizer` takes the
folder of a real one. Then updates/s of train.py in 1 and 2 processes with a thread each. Results of the same sizes are
replaced in benchmarks/results/scaling.json, others stay.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
STEPS = ROOT / "benchmarks" / "scaling_steps.py"
TARGET = ROOT / "benchmarks" / "results" / "scaling.json"
ROWS = (32_470, 100_000, 1_000_000)
QUICK = (2_000, 50_000)
ALONE = 100_000  # rows up to which one process is timed, too, where several are the default
TRAINED = 40_000  # rows up to which train.py is started
MODEL = ["--model.scratch.hidden_size", "256", "--model.scratch.layers", "4", "--model.scratch.heads", "4"]


def step(name: str, *arguments) -> dict:
    """The result of a step, and the most memory that its processes had together."""
    import psutil

    command = [sys.executable, str(STEPS), name, *map(str, arguments)]
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
        "--run.dir", str(runs), "--run.name", "run", "--run.threads", "1",
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
    main()
