"""Runs side by side: what differs in their configurations, their scores, and what of a difference is noise.

    python -m engine.compare runs/a runs/b runs/c

Scores come from predictions/dev.csv of each run; a CSV of `engine.predict` or of `engine.repeat`'s out_of_fold/ may
stand in place of a run. Negative label and label prior are those of the first run that has one. Every score has
its 95 % interval from a bootstrap that draws sentences, not rows, and every run its paired difference to the first one:
both are scored on the same draws, so what is hard for both cancels. An interval without 0 is a difference; one run a
side says nothing of other seeds (`engine.repeat`). Exit codes: see engine/command.py.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from data.messages import names_of
from data.readers.options import ReaderOptions
from data.readers.several import open_files
from data.schema import Example
from data.sentences import sentence_key
from engine.atomic import write_text
from engine.command import Progress, option_parser, read_options, run
from engine.report.predictions import Table, in_one_order, read_predictions
from engine.scores.intervals import RESAMPLES, interval, resampled, sign_test
from engine.scores.metrics import absent_lines, headline
from engine.scores.prior import NONE, prior_of
from engine.scores.scored import Scored
from engine.scores.titles import SCORES
from engine.tables import aligned

# where a run is and what it tells, not what it is
PLACES = ("run.name", "run.dir", "run.resume", "run.threads", "data.cache_dir", "track.", "notify.")
ABSENT = "-"
NEGATIVE = "no_relation"  # the negative label of files that no run tells of


def main(argv: Sequence[str]) -> int:
    """Compare, print, and return the exit code."""
    return run(lambda progress: print_comparison(argv, progress))


def print_comparison(argv: Sequence[str], progress: Progress) -> None:
    parser = option_parser("engine.compare", "Runs side by side: configurations, scores, and what of them is noise.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or a CSV of predictions")
    parser.add_argument(
        "--resamples", type=int, metavar="N", default=RESAMPLES, help=f"draws of the bootstrap (default: {RESAMPLES})"
    )
    parser.add_argument("--json", metavar="FILE", help="write the numbers, too")
    own, _ = read_options(parser, argv)
    if own.resamples < 10:
        raise ValueError(f"--resamples: got {own.resamples}, expected 10 or more")
    found = compare(own.runs, own.resamples)
    progress.begun = True
    if own.json:
        write_text(Path(own.json), json.dumps(found, indent=1, ensure_ascii=False))
    print("\n".join(report(found)))


def compare(paths: Sequence[str], resamples: int = RESAMPLES) -> dict:
    """Rows, sentences, configuration differences, and for each run scores, intervals and differences to the first.

    Raises ValueError for what is no run, and for runs that were scored on other rows or labels.
    """
    names = short_names(paths)
    configs = [configuration(Path(path)) for path in paths]
    files = [Path(path) if Path(path).is_file() else Path(path) / "predictions" / "dev.csv" for path in paths]
    tables = in_one_order([read(file, path, name) for file, path, name in zip(files, paths, names, strict=True)])
    first = tables[0]
    if without := sum(not label for label in first.gold):
        raise ValueError(f"{first.name}: {without:,} of {len(first.gold):,} rows have no label to be scored against")
    gold, notes = first.numbers(), []
    negative = negative_of(configs, names, first.labels, notes)
    prior = prior_of(chosen_of(configs, names, "eval.label_prior", (None, NONE), notes), first.labels, gold)
    groups, note = sentences(next((config for config in configs if config), {}), first)
    predictions = [
        Scored(gold, table.probabilities, negative, first.labels, prior, groups, table.answers()) for table in tables
    ]
    drawn = resampled(predictions, resamples, seed=0)
    runs = []
    for number, table in enumerate(tables):
        scores = headline(predictions[number])
        notes += [line for line in absent_lines(scores["absent_classes"], len(first.labels)) if line not in notes]
        scores = {key: value for key, value in scores.items() if key in SCORES}
        runs.append({
            "name": table.name,
            "path": paths[number],
            "scores": {key: {"score": value} | interval(drawn[key][number]) for key, value in scores.items()},
        })  # fmt: skip
        if number:
            runs[-1]["differences"] = {
                key: difference(value - runs[0]["scores"][key]["score"], drawn[key][number] - drawn[key][0])
                for key, value in scores.items()
            }
    return {
        "rows": len(gold),
        "sentences": None if groups is None else len(np.unique(groups)),
        "note": note,
        "notes": notes,
        "resamples": resamples,
        "configuration": differing(configs, names),
        "runs": runs,
    }


def negative_of(configs: Sequence[dict], names: Sequence[str], labels: list[str], notes: list[str]) -> int | None:
    """The negative class of the first configuration that has one; without any configuration `no_relation`. What there
    is to tell of it is added to `notes`."""
    key, counted = "data.negative_label", "micro-F1 counts every label"
    if any(key in config for config in configs):
        name = chosen_of(configs, names, key, (None,), notes)
        if name is not None and name not in labels:
            notes.append(f"{key}: {name} is none of the labels: {counted}")
    else:
        name = NEGATIVE
        if name not in labels:
            notes.append(f"no configuration says the negative label, and {name} is none of the labels: {counted}")
    return labels.index(name) if name in labels else None


def chosen_of(configs: Sequence[dict], names: Sequence[str], key: str, empty: tuple, notes: list[str]) -> str | None:
    """The value of the first configuration that has one, None where none has; a note where they differ."""
    options = {name: config.get(key, empty[0]) for name, config in zip(names, configs, strict=True) if config}
    chosen = next((value for value in options.values() if value not in empty), None)
    if len({None if value in empty else value for value in options.values()}) > 1:
        values = ", ".join(f"{shown(value)} in {name}" for name, value in options.items())
        notes.append(f"{key} differs ({values}): all are scored with {chosen}")
    return chosen


def difference(score: float, drawn: np.ndarray) -> dict[str, float]:
    return {"score": score} | interval(drawn) | {"p": sign_test(drawn)}


def short_names(paths: Sequence[str]) -> list[str]:
    """The last part of each path where these differ, else the paths."""
    if len({Path(path).resolve() for path in paths}) < len(paths):
        raise ValueError(f"a run is given twice: {', '.join(paths)}")
    names = [Path(path).resolve().name for path in paths]
    return names if len(set(names)) == len(names) else [str(Path(path)) for path in paths]


def read(file: Path, path: str, name: str) -> Table:
    if not Path(path).exists():
        raise ValueError(f"{path}: no such run")
    if not file.is_file():
        raise ValueError(f"{path} has no predictions/dev.csv, which a run with a dev part leaves when it is finished")
    return read_predictions(file, name)


def configuration(path: Path) -> dict[str, Any]:
    """A run's config.yaml as dotted names; that of its run for a file in predictions/, that of one of its runs, without
    the fold, for one in out_of_fold/ of `engine.repeat`; nothing for other files of predictions."""
    written = next((file for file in configurations(path) if file.is_file()), None)
    if written is None:
        return {}
    try:
        options = flat(yaml.safe_load(written.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
        raise ValueError(f"{written}: cannot be read ({' '.join(str(error).split())})") from None
    if path.is_file() and path.resolve().parent.name == "out_of_fold":
        options.pop("data.fold", None)
    return options


def configurations(path: Path) -> list[Path]:
    """Where the configuration may be, best first."""
    if not path.is_file():
        return [path / "config.yaml"]
    folder = path.resolve().parent
    if folder.name == "predictions":
        return [folder.parent / "config.yaml"]
    if folder.name == "out_of_fold":  # seed1.csv is of the runs fold0-seed1, fold1-seed1, ...
        runs = folder.parent / "runs"
        return [*sorted(runs.glob(f"fold*-{path.stem}/config.yaml")), *sorted(runs.glob("*/config.yaml"))]
    return []


def flat(values: Mapping, prefix: str = "") -> dict[str, Any]:
    options = {}
    for key, value in values.items():
        nested = isinstance(value, dict) and value
        options |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return options


def differing(configs: Sequence[dict], names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Dotted key -> run -> value, of the keys in which runs differ; `-` where a run has none."""
    keys = dict.fromkeys(key for config in configs for key in config if not key.startswith(PLACES))
    differences = {}
    for key in keys:
        values = [shown(config[key]) if key in config else ABSENT for config in configs]
        if len({value for value, config in zip(values, configs, strict=True) if config}) > 1:
            differences[key] = dict(zip(names, values, strict=True))
    return differences


def shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def sentences(config: dict[str, Any], table: Table) -> tuple[np.ndarray | None, str]:
    """A number (N,) of each row's sentence, from the data that the run names; None, and why, where it is not there."""
    location = config.get("data.dev") or config.get("data.train")  # without a dev file the dev part is held out
    if not location:
        return None, "no run says which file the rows are from"
    options = ReaderOptions.from_flat({key.removeprefix("data."): value for key, value in config.items()})
    try:
        source = open_files(location, config["data.format"], "dev", "data.dev", options)
        text = {example.id: example.text for _, example in source.examples() if isinstance(example, Example)}
    except ValueError as error:
        return None, str(error)
    if missing := sum(id not in text for id in table.ids):
        return None, f"{missing:,} of the rows are not in {names_of(location)} any more"
    return np.array([sentence_key(text[id]) for id in table.ids]), ""


def report(comparison: dict) -> list[str]:
    """The tables to print."""
    runs = comparison["runs"]
    names = [run["name"] for run in runs]
    lines = []
    if comparison["configuration"]:
        options = [[key, *(values[name] for name in names)] for key, values in comparison["configuration"].items()]
        lines += [*aligned(["configuration", *names], options), ""]
    drawn = f"{comparison['sentences']:,} sentences" if comparison["sentences"] else "single rows"
    lines.append(f"{comparison['rows']:,} rows; 95 % intervals from {comparison['resamples']:,} draws of {drawn}")
    if note := comparison["note"]:
        lines.append(f"rows of one sentence could not be kept together ({note}): intervals may be too narrow")
    lines += comparison["notes"]
    keys = [*runs[0]["scores"]]
    titles = [SCORES[key] for key in keys]
    scores = [[run["name"], *(cell(run["scores"][key]) for key in keys)] for run in runs]
    lines += ["", *aligned(["", *titles], scores)]
    if len(runs) > 1:
        differences = [[run["name"], *(cell(run["differences"][key], "+") for key in keys)] for run in runs[1:]]
        lines += ["", *aligned([f"minus {names[0]}", *titles], differences)]
    return lines


def cell(value: dict[str, float], sign: str = "") -> str:
    text = f"{value['score']:{sign}.2f} [{value['low']:{sign}.2f}, {value['high']:{sign}.2f}]"
    return text + (f" p {value['p']:.3f}" if "p" in value else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
