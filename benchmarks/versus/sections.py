"""What is measured: training, prediction, our loop's own time, start, scores. Each gives a part of the JSON."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from versus.arguments import predict_default, predict_tuned, train_default, train_tuned
from versus.summary import load, spread
from versus.task import ROOT, Case, SideError, command_line
from versus.worker import Worker

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Length:
    """How long it is measured: `turns` of `updates` after `warmup` updates that are thrown away; `settle` before each
    block; `tries` blocks for each of the first `variants` argument sets."""

    turns: int
    updates: int
    warmup: int
    settle: int
    tries: int
    variants: int
    starts: int


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def check_logits(case: Case, workers: dict[str, Worker], rows: int = 8) -> float:
    """Largest difference of the sides' logits for some training rows. Raises SideError above 1e-4."""
    chosen = list(range(rows))
    found = {name: worker.ask("logits", chosen) for name, worker in workers.items()}
    difference = float(np.max([np.abs(logits - found["ours"]) for logits in found.values()]))  # NaN stays NaN
    if not difference <= 1e-4:
        raise SideError(f"the sides compute different logits: {difference:.3g} apart in float32, expected 1e-4")
    return difference


def choose(kind: str, case: Case, sets: Sequence[dict], measure, variants: int) -> list[dict]:
    """Try argument sets, each in a process of its own; the fastest is marked as kept.

    `measure(worker)` gives real tokens a second, several times.
    """
    tried = []
    for arguments in sets[:variants]:
        row = {"arguments": arguments, "tokens_per_second": None, "error": None, "kept": False}
        try:
            with Worker("trainer", case, arguments) as worker:
                worker.receive()
                row["tokens_per_second"] = spread(measure(worker))
        except SideError as error:
            row["error"] = str(error).splitlines()[0]
        tried.append(row)
        speed = row["tokens_per_second"]
        say(f"{kind}: {arguments}: " + (f"{speed['median']:,.0f} tokens/s" if speed else row["error"]))
    working = [row for row in tried if row["error"] is None]
    if not working:
        raise SideError(f"no argument set works: {tried[0]['error']}")
    max(working, key=lambda row: row["tokens_per_second"]["median"])["kept"] = True
    return tried


def kept(tried: list[dict]) -> dict:
    return next(row["arguments"] for row in tried if row["kept"])


def rate(block: dict) -> float:
    return block["tokens"] / block["seconds"]


def train_section(case: Case, length: Length, facts: dict) -> dict:
    """Blocks of updates in turn: ours, the Trainer as people use it, the Trainer tuned, the bare loop."""

    def blocks(worker: Worker) -> list[float]:
        worker.begin_training()
        worker.block(length.warmup, 1)
        return [rate(worker.block(length.settle, length.updates)) for _ in range(length.tries)]

    tried = choose("training", case, train_tuned(case.device, facts["grouped"]), blocks, length.variants)
    arguments = {"ours": {}, "default": train_default(case.device), "tuned": kept(tried), "bare": {}}
    names = {"ours": "ours", "default": "trainer", "tuned": "trainer", "bare": "bare"}
    found: dict[str, list[dict]] = {name: [] for name in names}
    peaks: list[float] = []
    with_all = {name: Worker(names[name], case, arguments[name]) for name in names}
    with_all["matmul"] = matmul = Worker("matmul", case)
    try:
        workers = {name: with_all[name] for name in names}
        for worker in workers.values():
            worker.receive()
        difference = check_logits(case, workers)
        for worker in workers.values():
            worker.begin_training()
            worker.block(length.warmup, 1)
        loads = [load()]
        if loads[0] and loads[0][0] > 1.5 * (os.cpu_count() or 1):
            say(f"the machine is busy (load {loads[0][0]}): trust the CPU time ratios of the JSON, not the clock's")
        for turn in range(length.turns):
            peaks.append(matmul.ask("matmul", 4096 if case.device == "cuda" else 1024, 0.3))
            for name, worker in workers.items():
                found[name].append(worker.block(length.settle, length.updates))
            say(f"training: turn {turn + 1}: " + line({name: rate(found[name][-1]) for name in names}))
        loads.append(load())
        own = own_time(workers["ours"], case, length)
        shares = {name: worker.end_training()["padding_share"] for name, worker in workers.items()}
    finally:
        for worker in with_all.values():
            worker.__exit__()
    peak = max(peaks)
    sides = {}
    for name in names:
        one = side(found[name], shares[name])
        one["arguments"] = arguments[name]
        one["mfu"] = one["tokens_per_second"]["median"] * facts["operations_a_token"] / (peak * 1e12)
        sides[name] = one
    return {
        "logits_difference": difference,
        "tried": tried,
        "sides": sides,
        **both_ratios(found),
        "matmul_tflops": {"size": 4096 if case.device == "cuda" else 1024, "peak": peak, "all": peaks},
        "load_average": loads,
        "own_time": own,
    }


def side(blocks: list[dict], padding_share: float | None) -> dict:
    tokens, positions = (sum(block[key] or 0 for block in blocks) for key in ("tokens", "positions"))
    return {
        "tokens_per_second": spread([rate(block) for block in blocks]),
        "seconds_an_update": spread([block["seconds"] / block["updates"] for block in blocks]),
        "tokens": [block["tokens"] for block in blocks],
        "padding_share": 1 - tokens / positions if padding_share is None else padding_share,
        "peak_memory_gib": max(block["memory_gib"] for block in blocks),
    }


def both_ratios(found: dict[str, list[dict]]) -> dict:
    """By the clock, and by the CPU time of each side's process, which a busy machine disturbs less.

    CPU time leaves out a data loader's workers, and on a GPU it says nothing about the device.
    """
    return {
        "ratios": ratios({name: [rate(one) for one in blocks] for name, blocks in found.items()}),
        "cpu_time_ratios": ratios(
            {name: [one["tokens"] / one["cpu_seconds"] for one in blocks] for name, blocks in found.items()}
        ),
    }


def ratios(rates: dict[str, list[float]]) -> dict:
    """Ours as a multiple of each other side, turn by turn."""
    return {
        f"ours / {name}": spread([mine / theirs for mine, theirs in zip(rates["ours"], values, strict=True)])
        for name, values in rates.items()
        if name != "ours"
    }


def own_time(worker: Worker, case: Case, length: Length) -> dict:
    """Shares of an update of our loop by section, measured by timers around its calls, in blocks of their own.

    On a GPU twice: `host` waits for nothing, so sections are what the host spends in them, and a wait for the log
    counts as the loop's; `device` waits at the end of each section, so that `rest` is time in which the device has
    nothing to do, more than in a run where the host is ahead.
    """
    result = {}
    for mode in ("host", "device") if case.device == "cuda" else ("host",):
        block = worker.block(length.settle, length.updates, mode)
        shares = {name: seconds / block["seconds"] for name, seconds in block["sections"].items()}
        named = {"forward", "backward", "optimizer"}
        result[mode] = {
            "shares": shares,
            "outside_forward_backward_optimizer": 1 - sum(shares[name] for name in named),
            "rest": 1 - sum(shares.values()),
        }
    return result


def predict_section(case: Case, length: Length) -> dict:
    """The dev rows in turn: engine.evaluate.predict, Trainer.predict as people use it and tuned."""

    def turns(worker: Worker) -> list[float]:
        worker.ask("predict")
        return [rate(worker.ask("predict")) for _ in range(length.tries)]

    tried = choose("prediction", case, predict_tuned(case.device), turns, length.variants)
    arguments = {"ours": {}, "default": predict_default(case.device), "tuned": kept(tried)}
    workers = {name: Worker("ours" if name == "ours" else "trainer", case, arguments[name]) for name in arguments}
    try:
        for worker in workers.values():
            worker.receive()
        first = {name: worker.ask("predict")["probabilities"] for name, worker in workers.items()}
        found = {name: [] for name in workers}
        for turn in range(length.turns):
            for name, worker in workers.items():
                found[name].append(worker.ask("predict"))
            say(f"prediction: turn {turn + 1}: " + line({name: rate(found[name][-1]) for name in workers}))
    finally:
        for worker in workers.values():
            worker.__exit__()
    return {
        "rows": len(first["ours"]),
        "tried": tried,
        "sides": {
            name: {
                "arguments": arguments[name],
                "tokens_per_second": spread([rate(one) for one in found[name]]),
                "seconds": spread([one["seconds"] for one in found[name]]),
                "largest_difference_of_probabilities": float(np.abs(first[name] - first["ours"]).max()),
            }
            for name in workers
        },
        **both_ratios(found),
    }


def start_section(case: Case, length: Length, facts: dict) -> dict:
    """Seconds from the start of the process to the end of the first update, with everything tokenised before."""
    folder = Path(case.folder) / "start"
    ours = [
        sys.executable, str(HERE / "start_ours.py"), *command_line(dataclasses.replace(case, updates=1)),
        "--data.dev", "null", "--run.dir", str(folder), *case.options,
    ]  # fmt: skip
    arguments = train_default(case.device) | {
        "output_dir": str(folder / "trainer"), "per_device_train_batch_size": case.batch, "max_steps": 1,
        "learning_rate": facts["lr"], "save_strategy": "no", "report_to": "none", "remove_unused_columns": False,
        "use_cpu": case.device == "cpu", "disable_tqdm": True,
    }  # fmt: skip
    trainer = [
        sys.executable, str(HERE / "start_trainer.py"), str(case.prepared), json.dumps(arguments), str(case.threads),
    ]  # fmt: skip
    found: dict[str, list[float]] = {"ours": [], "default": []}
    for turn in range(length.starts + 1):
        for name, command in (("ours", [*ours, "--run.name", f"ours-{turn}"]), ("default", trainer)):
            seconds = seconds_to_first_update(command)
            if turn:  # the first one reads files that are not in memory yet
                found[name].append(seconds)
    say("start: " + ", ".join(f"{name} {spread(values)['median']:.1f} s" for name, values in found.items()))
    return {"seconds": {name: spread(values) for name, values in found.items()}}


def seconds_to_first_update(command: list[str]) -> float:
    start = time.time()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    at = re.search(r"first update ([\d.]+)", done.stdout)
    if at is None:
        raise SideError(f"{command[1]} made no update: {done.stderr[-2000:]}")
    return float(at[1]) - start


def scores_section(case: Case, seeds: Sequence[int], facts: dict) -> dict:
    """Micro-F1 of held-out rows after equally many updates, seed by seed: weights, order and dropout follow from it."""
    from engine.repeat.runs import paired  # it imports much, and most runs compare no scores

    arguments = {"default": train_default(case.device), "ours": {}}
    scores: dict[str, list[float]] = {name: [] for name in arguments}
    for seed in seeds:
        seeded = dataclasses.replace(case, seed=seed)
        with Worker("prepare", seeded) as worker:
            worker.receive()
        for name, values in scores.items():
            with Worker("ours" if name == "ours" else "trainer", seeded, arguments[name]) as worker:
                worker.receive()
                values.append(worker.ask("fit", facts["negative"])["micro_f1"])
        say(f"scores: seed {seed}: " + line({name: values[-1] for name, values in scores.items()}))
    return {"metric": "micro_f1", "seeds": list(seeds), "updates": case.updates, "rows": paired(scores, "default")}


def line(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.1f}" for name, value in values.items())
