"""One configuration over several seeds and folds: ordinary runs, each in a process of its own, and what they say.

    python -m engine.repeat --seeds 1 2 3 --folds 5 -- --config configs/klue_re.yaml --run.name large

Behind `--` stands what train.py would get. The folder <run.dir>/<run.name> holds runs/, summary.json (mean and sample
standard deviation, every run) and, with folds, out_of_fold/seed1.csv, ...: every training row once, predicted by the
one model that did not train on it, so that their scores are of the whole file; logs/ has what each run printed. The
same command goes on after a crash: finished runs are kept, if options and files are what they were, and a stopped one
continues; Ctrl-C and SIGTERM let it save first, a second one kills it. --final also trains on all rows, without a dev
part, for each seed; its last weights are its best/. Several runs vote by `engine.predict`, and `engine.compare` takes
the out-of-fold files.
Exit codes: see engine/command.py.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.labels import negative_number
from data.messages import listed, names_of
from data.schema import Example
from data.sentences import sentence_key
from engine.arguments.parse import parse
from engine.atomic import write_text
from engine.command import Progress, option_parser, read_options, run
from engine.compose.data import open_part
from engine.compose.run import check_names
from engine.config import Config
from engine.repeat.finished import OtherRunError
from engine.repeat.runs import Variant, finetune, runs_go_on, without
from engine.report.predictions import read_predictions
from engine.report.writers import plain_csv
from engine.scores.intervals import bootstrap, intervals_line
from engine.scores.metrics import absent_lines, headline
from engine.scores.prior import prior_of
from engine.scores.scored import Scored
from engine.scores.titles import SCORES
from engine.tables import aligned

FOLDS = ("--data.folds", "--data.fold", "--data.hold_out")


ABOUT = """Train one configuration with several seeds and folds, and summarise the runs.

Behind -- stands what train.py would get; python train.py --help lists it."""


def main(argv: Sequence[str]) -> int:
    """Run, summarise, and return the exit code."""
    return run(lambda progress: repeat(argv, progress))


def repeat(argv: Sequence[str], progress: Progress) -> None:
    words = [*argv]
    cut = words.index("--") if "--" in words else len(words)
    own, rest = read_options(arguments(), words[:cut])[0], words[cut + 1 :]
    variants = variants_of(own, rest)
    config, config_path, _ = parse(rest)
    for variant in variants:  # before anything is computed
        check_names(parse([*rest, *variant.options])[0])
    name = config.run.name or f"repeat-{config_path.stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = Path(config.run.dir) / name
    progress.begun, progress.goes_on = True, runs_go_on(name)
    print(f"{len(variants) * len(own.seeds)} runs in {folder}/runs", flush=True)
    try:
        print(leave(folder, own, config, finetune(variants, own.seeds, rest, folder)))
    except OtherRunError:
        progress.goes_on = ""
        raise


def arguments() -> argparse.ArgumentParser:
    usage = "python -m engine.repeat --seeds N ... -- [OPTION OF train.py ...]"
    parser = option_parser("engine.repeat", ABOUT, usage=usage)
    parser.add_argument("--seeds", nargs="+", type=int, required=True, metavar="N", help="run.seed of the runs")
    parser.add_argument("--folds", type=int, metavar="K", help="cut data.train into K parts; each is the dev part once")
    parser.add_argument("--final", action="store_true", help="train on all rows, too, without a dev part")
    return parser


def variants_of(options: argparse.Namespace, rest: Sequence[str]) -> list[Variant]:
    """What is trained with each seed. Raises ValueError for options that make no sense."""
    if len(set(options.seeds)) < len(options.seeds):
        raise ValueError(f"--seeds: got {' '.join(map(str, options.seeds))}, expected different numbers")
    if min(options.seeds) < 0:
        raise ValueError(f"--seeds: got {min(options.seeds)}, expected numbers from 0")
    if options.folds is not None and options.folds < 2:
        raise ValueError(f"--folds: got {options.folds}, expected 2 or more")
    if options.folds is not None and len(without(rest, FOLDS)) < len(rest):
        raise ValueError(f"--folds: it sets {', '.join(FOLDS[:2])} itself; leave {', '.join(FOLDS)} out")
    variants = [Variant("run", ())]
    if options.folds is not None:
        variants = [
            Variant(f"fold{fold}", ("--data.dev=null", f"--data.folds={options.folds}", f"--data.fold={fold}"))
            for fold in range(options.folds)
        ]
    return [*variants, *([Variant("final", final_options(rest))] if options.final else [])]


def final_options(rest: Sequence[str]) -> tuple[str, ...]:
    """A fit on all rows: no dev file, nothing held out, no fold, whatever `rest` and its YAML say."""
    data = parse(rest)[0].data
    given = [key for key in ("hold_out", "folds", "fold") if getattr(data, key) is not None]
    return ("--data.dev=null", *(f"--data.{key}=null" for key in given))


def leave(folder: Path, options: argparse.Namespace, config: Config, reports: dict[str, list[dict]]) -> str:
    """summary.json and the out-of-fold predictions; returns the table to print."""
    runs = []
    for name, of_seeds in reports.items():
        for seed, report in zip(options.seeds, of_seeds, strict=True):
            scores = {key: value for key, value in (report["dev"] or {}).items() if key in SCORES}
            runs.append({"name": f"{name}-seed{seed}", "variant": name, "seed": seed, "scores": scores,
                         "step": report["step"], "epoch": report["epoch"],
                         "labels": len(report.get("classes", ())),
                         "absent_classes": (report["dev"] or {}).get("absent_classes", 0)})  # fmt: skip
    parts = [out_of_fold(folder, options, config, seed) for seed in options.seeds] if options.folds is not None else []
    summary = {
        "seeds": options.seeds,
        "folds": options.folds,
        "metric": config.eval.metric,
        "scores": spread([run["scores"] for run in runs if run["scores"]]),
        "out_of_fold": parts,
        "out_of_fold_scores": spread([part["scores"] for part in parts]),
        "runs": runs,
    }
    write_text(folder / "summary.json", json.dumps(summary, indent=1, ensure_ascii=False))
    return "\n".join([*table(summary), "", f"{'summary':<12} {folder / 'summary.json'}"])


def spread(scores: Sequence[dict[str, float]]) -> dict[str, dict]:
    """For each score: mean, sd (sample standard deviation, None for one run), number of runs."""
    spreads = {}
    for key in scores[0] if scores else ():
        values = np.array([each[key] for each in scores])
        sd = float(values.std(ddof=1)) if len(values) > 1 else None
        spreads[key] = {"mean": float(values.mean()), "sd": sd, "runs": len(values)}
    return spreads


def out_of_fold(folder: Path, options: argparse.Namespace, config: Config, seed: int) -> dict:
    """Write out_of_fold/seed<n>.csv, in the order of the training file, and score it.

    Raises ValueError where the runs do not predict every row once, or with another label than the file has now:
    something changed between them.
    """
    rows, tables = {}, []
    for fold in range(options.folds):
        path = folder / "runs" / f"fold{fold}-seed{seed}" / "predictions" / "dev.csv"
        tables.append(read_predictions(path, path.parent.parent.name))
        if tables[-1].labels != tables[0].labels:
            raise ValueError(f"{path}: its labels are others than those of fold 0")
        if twice := rows.keys() & {*tables[-1].ids}:
            raise ValueError(f"{path}: {len(twice):,} rows are in the dev part of another fold, too")
        rows |= {row.id: row for row in tables[-1].rows()}
    examples = (example for _, example in open_part(config, "train", config.data.train, tables[0].labels).examples())
    labelled = [e for e in examples if isinstance(e, Example) and e.label is not None]
    ids = {example.id: example.label for example in labelled}
    names = names_of(config.data.train)
    if len(missing := [id for id in ids if id not in rows]) != 0 and config.data.on_bad_row == "error":
        raise ValueError(f"{names}: {len(missing):,} rows were in no dev part, the first is {missing[0]!r}")
    if strange := rows.keys() - ids.keys():
        raise ValueError(f"{names}: {len(strange):,} predicted rows are not in it any more")
    if changed := [id for id, row in rows.items() if row.label != ids[id]]:
        raise OtherRunError(
            f"{names}: {len(changed):,} rows had another label when they were predicted, the first is "
            f"{changed[0]!r}: {rows[changed[0]].label} -> {ids[changed[0]]}; put the file back or choose another "
            "run.name"
        )
    head, line = plain_csv(tables[0].labels)
    path = folder / "out_of_fold" / f"seed{seed}.csv"
    path.parent.mkdir(exist_ok=True)
    write_text(path, head + "".join(line(rows[id]) for id in ids if id in rows))
    return {
        "seed": seed,
        "file": str(path),
        "rows": len(rows),
        "left_out": len(missing),
        **file_scores(path, labelled, config),
    }


def file_scores(path: Path, examples: Sequence[Example], config: Config) -> dict:
    """Scores of the rows of an out-of-fold file, and their intervals; rows of a sentence (of `examples`) are drawn
    together."""
    predictions = read_predictions(path, path.name)
    gold, labels = predictions.numbers(), predictions.labels
    sentence = {example.id: sentence_key(example.text) for example in examples}
    scored = Scored(
        gold,
        predictions.probabilities,
        negative_number(config.data.negative_label, labels),
        labels,
        prior_of(config.eval.label_prior, labels, gold),
        np.array([sentence[id] for id in predictions.ids]),
    )
    scores = headline(scored)
    return {
        "scores": {key: value for key, value in scores.items() if key in SCORES},
        "intervals": bootstrap(scored, config.eval.resamples) if config.eval.resamples else {},
        "labels": len(labels),
        "absent_classes": scores["absent_classes"],
    }


def table(summary: dict) -> list[str]:
    """A line a run, then means and standard deviations."""
    lines = [(run["name"], run["scores"]) for run in summary["runs"]]
    for title, kind in (("", "scores"), ("out of fold, ", "out_of_fold_scores")):
        if kind == "out_of_fold_scores":
            lines += [(f"out of fold, seed {part['seed']}", part["scores"]) for part in summary["out_of_fold"]]
        if spreads := summary[kind]:
            lines += [(f"{title}{what}", {key: each[what] for key, each in spreads.items()}) for what in ("mean", "sd")]
    keys = [key for key in SCORES if any(key in scores for _, scores in lines)]
    cells = [
        [name, *("-" if scores.get(key) is None else f"{scores[key]:.2f}" for key in keys)] for name, scores in lines
    ]
    texts = aligned(["", *(f" {SCORES[key]}" for key in keys)], cells)
    for part in summary["out_of_fold"]:
        if part["intervals"]:
            texts.append(f"out of fold, seed {part['seed']}, 95 % interval: {intervals_line(part['intervals'])}")
    named = [(run["name"], run) for run in summary["runs"] if run["scores"]]
    named += [(f"out of fold, seed {part['seed']}", part) for part in summary["out_of_fold"]]
    absent: dict[str, list[str]] = {}  # what is to be said -> of whom
    for name, one in named:
        for sentence in absent_lines(one["absent_classes"], one["labels"]):
            absent.setdefault(sentence, []).append(name)
    return [*texts, *(f"{listed(names)}: {sentence}" for sentence, names in absent.items())]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
