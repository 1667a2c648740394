"""Variants of a run over several seeds: each in a process of its own, then means and paired differences."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import t
from tqdm import tqdm

from engine.repeat.child import Child
from engine.repeat.finished import Hashes, same_files, same_run
from engine.tables import aligned

TRAIN = Path(__file__).resolve().parents[2] / "train.py"
OWN = ("--run.name", "--run.dir", "--run.seed", "--run.resume")  # set for each run


@dataclass(frozen=True)
class Variant:
    """A name and the options of train.py, written `--key=value`, that make it what it is."""

    name: str
    options: tuple[str, ...]

    def run_name(self, seed: int) -> str:
        """Of its run with this seed, as a folder can be called."""
        return f"{self.name.replace('/', '_')}-seed{seed}"


def paired(scores: dict[str, Sequence[float]], reference: str) -> list[dict]:
    """A row a variant: mean, sd over the seeds (sample standard deviation, None for one seed), and mean and sd of the
    differences to `reference`, seed by seed: what the seeds share cancels out of them. `difference_95` is the half
    width of the 95 % interval of their mean (Student's t). None for a score that is not there (NaN).
    """
    base = np.array(scores[reference], dtype=np.float64)
    rows = []
    for name, values in scores.items():
        values = np.array(values, dtype=np.float64)
        difference = values - base
        several = len(values) > 1
        rows.append(
            {
                "name": name,
                "scores": [finite(value) for value in values],
                "mean": finite(values.mean()),
                "sd": finite(values.std(ddof=1)) if several else None,
                "difference": finite(difference.mean()),
                "difference_sd": finite(difference.std(ddof=1)) if several else None,
                "difference_95": finite(half_width(difference)) if several else None,
            }
        )
    return rows


def finite(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def half_width(values: np.ndarray) -> float:
    """Of the 95 % interval of the mean of a few normal values."""
    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


class RunFailedError(ValueError):
    """A run ended with another exit code than 0; the command that started it ends with the same."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code if code > 0 else 128 - code  # negative: the signal that killed it


def finetune(variants: Sequence[Variant], seeds: Sequence[int], options: Sequence[str], folder: Path) -> dict:
    """Train every variant with every seed and return variant -> reports, in the order of the seeds.

    Runs live in `folder`/runs, what they print in `folder`/logs; one that is finished is not trained again, one that
    was stopped continues. Raises RunFailedError with the last line of a run that fails, and, before anything is trained
    where a finished run has other options or files, see `finished.same_run`.
    """
    runs = folder / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    # seeds in the outer loop: a study that is stopped has compared all variants over the seeds so far
    planned = [
        (variant, variant.run_name(seed), command_of(variant, seed, options, runs))
        for seed in seeds
        for variant in variants
    ]
    hashes: Hashes = {}
    for _, name, command in planned:
        if (runs / name / "report.json").is_file():
            same_run(runs / name, command, hashes)
    reports: dict[str, list[dict]] = {variant.name: [] for variant in variants}
    bar = tqdm(total=len(planned), desc="fine-tuning", unit=" runs", disable=None)
    for variant, name, command in planned:
        bar.set_postfix_str(name)
        report = runs / name / "report.json"
        if not report.is_file():
            train(command, folder / "logs" / f"{name}.log")
            same_files(runs / name, command, hashes)
        reports[variant.name].append(json.loads(report.read_text(encoding="utf-8")))
        bar.update()
    bar.close()
    return reports


def runs_go_on(name: str) -> str:
    """How to go on with the runs of a folder called `name`."""
    return f"the same command with --run.name {name} goes on"


def command_of(variant: Variant, seed: int, options: Sequence[str], runs: Path) -> list[str]:
    """The options of train.py for one run of a variant."""
    places = (f"--run.dir={runs}", f"--run.name={variant.run_name(seed)}", f"--run.seed={seed}")
    return [*without(options, OWN), *variant.options, *places]


def train(options: Sequence[str], log: Path) -> None:
    """One run of train.py in a process of its own; what it prints goes to `log`, whose folder is made.

    A signal lets the run save and end first, see `child.Child`. Raises RunFailedError, with the last line, for one
    that fails.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output:
        code = Child().run([sys.executable, str(TRAIN), *options], output)
    if code != 0:
        lines = log.read_text(encoding="utf-8").strip().splitlines() or ["it printed nothing"]
        raise RunFailedError(code, f"a run ended with code {code}: {lines[-1]} (all of it: {log})")


def without(options: Sequence[str], keys: Sequence[str]) -> list[str]:
    """A command line without some `--key value` or `--key=value`."""
    kept, words = [], list(options)
    while words:
        word = words.pop(0)
        if word in keys:
            words = words[1:]
        elif word.partition("=")[0] not in keys:
            kept.append(word)
    return kept


def lines(rows: Sequence[dict], reference: str) -> list[str]:
    """The rows of `paired` as a table."""
    cells = []
    for row in rows:
        same = row["name"] == reference
        difference, sd, half = (None if same else row[f"difference{end}"] for end in ("", "_sd", "_95"))
        numbers = shown(row["mean"]), shown(row["sd"]), shown(difference, "+"), shown(sd), shown(half, before="±")
        cells.append([row["name"], *numbers])
    return aligned(["", " mean", " sd", f" to {reference}", " sd", " 95 %"], cells)


def shown(value: float | None, sign: str = "", before: str = "") -> str:
    return "-" if value is None else f"{before}{value:{sign}.2f}"
