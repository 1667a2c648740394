"""The table of what was tried and what held: R1-R27, trials, passes.

python -m tests.drills                 short: about a minute, and the figures of its runs are blank
python -m tests.drills --long          50 and 20 killed runs, every signal and launcher, the marked tests: half an hour
python -m tests.drills --long --rows R1 R6 --write benchmarks/results/drills.json
"""

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.drills import elastic, killing, marked, processes, saving, splits, stopping, tiny

ROOT = Path(__file__).resolve().parents[2]
CPU_PROCESSES = ROOT / "configs" / "accelerate" / "cpu_processes.yaml"
ROWS = {
    "R1": "SIGKILL at random moments, at least twice a run, 1 process",
    "R2": "the same with 2 processes, all or one of them killed",
    "R3": "SIGKILL before, after and in the middle of every step of saving",
    "R4": "checkpoint files truncated, emptied, zeroed, deleted, every byte flipped",
    "R5": "full disk (ENOSPC of a real file system)",
    "R6": "SIGTERM and Ctrl-C by phase and launcher, second signal, frozen process",
    "R7": "values that are not finite",
    "R8": "malformed inputs",
    "R9": "entities and markers survive truncation",
    "R10": "hub that cannot be reached",
    "R11": "notification: service dead, slow, refusing, address wrong",
    "R12": "folder in use, not writable, with other files in it",
    "R13": "changed configuration, data, code; 2 processes -> 1 and 1 -> 2",
    "R14": "gradients, losses, weights for every split of a batch, 1, 2, 4 processes",
    "R15": "scores and predictions of 1, 2, 4 processes",
    "R16": "the same command twice",
    "R17": "save, load, predict",
    "R18": "out of memory",
    "R19": "GPU: deterministic bf16 resume, no synchronisation in a step",
    "R20": "token store damaged, cut off, edited, half built",
    "R21": "best/ edited or damaged; the best checkpoint lost in training",
    "R22": "processes with other data, options, code",
    "R26": "runs without a name in one second",
    "R27": "SIGHUP, SIGUSR1, SIGUSR2; another signal is no second one",
}


@dataclass
class Row:
    """A line of the table."""

    trials: int = 0
    passes: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, trials: int, passes: int, problems: list[str]) -> None:
        self.trials, self.passes = self.trials + trials, self.passes + passes
        self.problems += problems


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="all trials instead of a minute's worth")
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="R1", help="only these")
    parser.add_argument("--seed", type=int, default=None, help="of the moments to kill (without it: the time)")
    parser.add_argument("--write", type=Path, help="a JSON file for the table")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored, and children inherit that
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it tells of every purge
    seed = int(time.time()) if options.seed is None else options.seed
    begin, base = time.monotonic(), Path(tempfile.mkdtemp(prefix="plainloop-drills-"))
    processes.import_everything()
    if not options.long:
        tiny.blank_figures()
    try:
        rows, table = run(options.rows, options.long, seed, base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    show(rows, table, seed, time.monotonic() - begin)
    if options.write:
        content = {"seed": seed, "seconds": round(time.monotonic() - begin), "cores": os.cpu_count()}
        content |= {"rows": {name: {"what": ROWS[name], **asdict(row)} for name, row in rows.items()}, "splits": table}
        options.write.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if any(row.problems or row.passes < row.trials for row in rows.values()) else 0


def run(wanted: list[str], long: bool, seed: int, base: Path) -> tuple[dict[str, Row], list]:
    rows, table = {name: Row() for name in wanted}, []
    data = base / "data"
    tiny.write_data(data)

    def told(name: str) -> None:
        print(f"{name}: {ROWS[name]}", flush=True)

    for name, count, runs, cold in (("R1", 1, 50 if long else 1, 6 if long else 0), ("R2", 2, 20 if long else 1, 0)):
        if name in rows:
            told(name)
            tally = killing.drill(base, data, runs, count, seed, cold)
            rows[name].add(runs, tally.equal, tally.problems)
            rows[name].notes.append(tally.table())
            if count > 1:
                rows[name].notes.append(f"slowest end of a process left alone: {tally.slowest_end:.0f} s")
    if "R3" in rows:
        told("R3")
        for how in ("before", "after", "half"):
            rows["R3"].add(*processes.isolated(saving.crash_drill, base / how, how))
    if "R4" in rows:
        told("R4")
        rows["R4"].add(*processes.isolated(saving.damage_drill, base, 1 if long else 23))
    references = {}
    if {"R5", "R6", "R16"} & set(rows):
        references = {1: killing.reference(base / "alone", data, 1)[0]}
    if long and "R6" in rows:
        references[2] = killing.reference(base / "pair", data, 2)[0]
    if "R5" in rows:
        told("R5")
        trials, passes, problems = saving.full_disk_drill(base, data, references[1], 10 if long else 1)
        rows["R5"].add(trials, passes, problems if trials else [])
        rows["R5"].notes += [] if trials else problems
    if "R6" in rows:
        told("R6")
        chosen = stopping.trials(CPU_PROCESSES if CPU_PROCESSES.exists() else None)
        short = ("evaluating, SIGTERM", "second signal, main thread busy")
        rows["R6"].add(
            *stopping.drill(base, data, references, chosen if long else [t for t in chosen if t[0] in short])
        )
    if "R13" in rows:
        told("R13")
        some = {} if long else {"ways": [(2, 1)], "stops": [20]}
        rows["R13"].add(*elastic.drill(base, data, **some))
    if {"R14", "R15"} & set(rows):
        told("R14")
        worlds = splits.WORLDS if long else splits.WORLDS[:2]
        splits.run_all(base / "splits", worlds)
        table, problems, trials, passes = processes.isolated(splits.compare, base / "splits", worlds)
        if "R14" in rows:
            rows["R14"].add(trials, passes, problems)
        if "R15" in rows:
            rows["R15"].add(*splits.compare_scores(base / "splits", worlds))
    if "R16" in rows and long:
        told("R16")
        rows["R16"].add(*elastic.twice(base, data, references[1], 10))
    if "R19" in rows:
        rows["R19"].notes.append("not checked: this command runs on CPUs")
    if long:
        for name, (trials, passes, problems) in marked.run(set(rows)).items():
            rows[name].add(trials, passes, problems)
        for name in set(rows) - {"R19"}:
            if not rows[name].trials and not rows[name].notes:
                rows[name].problems.append("nothing was tried")
    return rows, table


def show(rows: dict[str, Row], table: list, seed: int, seconds: float) -> None:
    width = max(len(text) for text in ROWS.values())
    print(f"\n{'':<4} {'what':<{width}} {'trials':>7} {'passes':>7}")
    for name, row in rows.items():
        counted = f"{row.trials:>7} {row.passes:>7}" if row.trials else f"{'-':>7} {'-':>7}"
        print(f"{name:<4} {ROWS[name]:<{width}} {counted}")
        for note in [*row.notes, *(f"FAILED {problem}" for problem in row.problems)]:
            print(f"{'':<4} {note}")
    if table:
        print("\nlargest relative difference to plain PyTorch over all splits")
        titles = ["processes", "numbers", "loss", "gradient", "logged loss", "weights after 20 updates"]
        for line in [titles, *table]:
            print("  ".join(f"{cell:<13}" for cell in line).rstrip())
    if any(not row.trials for row in rows.values()):
        print("\nrows without numbers: pytest runs them, --long counts them (R19 needs a GPU)")
    print(f"\nseed {seed}, {seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
