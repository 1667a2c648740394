"""Predictions of one run, or of several together, for any file that a reader knows.

    python -m engine.predict runs/a runs/b --input test_data.csv --output submission.csv --format boostcamp

A run is a folder with best/, or a best/ itself. Several vote: each with its own markers, tokenizer and order of labels.
The file is read some rows at a time; the output has its name when it is whole. What the readers were told in training
(data.format, data.columns, ...) holds here, too; the same options on this command line win. Rows need no labels; where
they have some, scores are printed, with 95 % intervals. What was finished of an output that breaks off stays in
<output>.part. Exit codes: see engine/command.py.

From Python: `from engine.predict import Predictor`, see engine/predict/predictor.py.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data.labels import negative_number
from data.readers import FORMATS
from data.readers.classes import Classes
from data.readers.options import ReaderOptions
from data.readers.source import open_source
from data.sentences import sentence_key
from engine.arguments.help import reader_lines
from engine.arguments.parse import parse
from engine.atomic import write_text
from engine.command import Progress, option_parser, read_options
from engine.command import run as run_command
from engine.config import reader_options
from engine.distributed.device import set_threads
from engine.predict.check import check_rows, examples
from engine.predict.predictor import Prediction, Predictor
from engine.predict.settings import Settings, best_folder, labels_of, settings_of, verify
from engine.predict.vote import VOTES, check_weights
from engine.report.writers import WRITERS, Output, Row, csv_line, digits
from engine.scores.intervals import bootstrap, intervals_line
from engine.scores.metrics import absent_lines, headline
from engine.scores.prior import prior_of
from engine.scores.probabilities import check_probabilities, columns
from engine.scores.scored import Scored
from engine.scores.titles import SCORES

__all__ = ["Prediction", "Predictor", "main"]

CHUNK = 10_000  # rows in memory at a time: enough that batches are of like length, and so is the memory they take


def main(argv: Sequence[str]) -> int:
    """Predict as the command line says and return the exit code."""
    return run_command(lambda progress: predict(argv, progress))


def predict(argv: Sequence[str], progress: Progress) -> None:
    words, rest = divided(argv)
    parser = arguments()
    if {"--help", "-h"} & {*words}:
        title = "reading: as the first run read its files, unless said otherwise"
        parser.epilog = "\n".join([title, *reader_lines()])
    own, _ = read_options(parser, words)
    output = Output(Path(own.output), own.overwrite)
    try:
        print(run(own, rest, output, progress))
    except BaseException:
        progress.kept = output.broken_off()
        raise


def divided(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The command line without the options of readers, and these."""
    own, readers, words = [], [], list(argv)
    while words:
        word = words.pop(0)
        if word.startswith("--data."):
            readers += [word] if "=" in word else [word, *words[:1]]
            words = words if "=" in word else words[1:]
        else:
            own.append(word)
    return own, readers


def arguments() -> argparse.ArgumentParser:
    parser = option_parser("engine.predict", "Predict the rows of a file by one run, or by a vote of several.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or a best/")
    parser.add_argument(
        "--unverified", action="store_true", help="take a best/ whose files were changed on purpose as it is"
    )
    files = parser.add_argument_group("files")
    files.add_argument("--input", required=True, metavar="FILE", help="as data.dev: a file, sample:dev, hub:...")
    files.add_argument("--output", required=True, metavar="FILE", help="what is written")
    files.add_argument("--format", choices=WRITERS, default="csv", help="of the output (default: csv)")
    files.add_argument("--overwrite", action="store_true", help="replace an output that is there")
    files.add_argument("--unlabelled", action="store_true", help="do not look at the labels of the file")
    files.add_argument(
        "--on_bad_row",
        choices=("error", "skip"),
        default="error",
        help="skip: left out and listed in <output>.skipped.csv (default: error)",
    )
    vote = parser.add_argument_group("vote and scores")
    vote.add_argument(
        "--vote", choices=VOTES, default="soft", help="mean of the probabilities, or majority (default: soft)"
    )
    vote.add_argument("--weights", nargs="+", type=float, metavar="W", help="one a run (default: equal)")
    vote.add_argument(
        "--resamples", type=int, metavar="N", help="of intervals, 0 = none (default: eval.resamples of the first run)"
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument("--batch_size", type=int, metavar="N", help="examples at a time (default: eval.batch_size)")
    machine.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    machine.add_argument(
        "--precision",
        choices=("fp32", "bf16", "fp16"),
        help="of the forward pass (default: fp32 on a CPU, half on a GPU)",
    )
    machine.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    return parser


def run(own: argparse.Namespace, rest: Sequence[str], output: Output, progress: Progress) -> str:
    """Predict all rows; returns what to print."""
    shares = check_weights(own.weights, len(own.runs))
    if own.resamples is not None and own.resamples < 0:
        raise ValueError(f"--resamples: got {own.resamples}, expected 0 or more")
    folders = [best_folder(Path(name)) for name in own.runs]
    if twice := sorted({str(folder) for folder in folders if folders.count(folder) > 1}):
        raise ValueError(f"{', '.join(twice)}: given twice; --weights gives one run more weight")
    for folder in () if own.unverified else folders:
        verify(folder)
    names, lists = own.runs, [labels_of(folder) for folder in folders]
    labels = lists[0]
    orders = [columns(labels, each, name, names[0]) for each, name in zip(lists, names, strict=True)]
    head, line = WRITERS[own.format](labels)
    settings = reading([settings_of(folder) for folder in folders], names, rest)
    settings = settings if own.resamples is None else replace(settings, resamples=own.resamples)
    if Path(own.input).exists() and output.path.exists() and os.path.samefile(own.input, output.path):
        raise ValueError(f"--output: {own.output} is the input")
    source = open_source(own.input, settings.format, "dev", "--input", settings.options)
    source = replace(source, classes=Classes(tuple(labels), settings.numbered))
    set_threads(own.threads)
    predictors = [Predictor(folder, own.device, own.precision, own.batch_size, False) for folder in folders]
    for name, predictor in zip(names, predictors, strict=True):
        print(f"{name}: {predictor.precision} on {predictor.device}, data.marker {predictor.encoder.options.marker}")
    checked = check_rows(source, predictors, own.unlabelled, own.on_bad_row == "skip")
    total = checked.rows

    output.open(head)
    progress.begun = True
    started, gold, parts, sentences = time.monotonic(), [], [], []
    rows = examples(source, own.unlabelled, [number for number, _ in checked.bad])
    title = "predicting" if len(names) == 1 else f"predicting with {len(names)} runs"
    with tqdm(total=total * len(names), desc=title, unit=" rows", disable=None, leave=False) as bar:
        while part := list(islice(rows, CHUNK)):
            of_models = [
                predictor.predict(part, source, bar.update)[1][:, order]
                for predictor, order in zip(predictors, orders, strict=True)
            ]
            probabilities, texts = written(VOTES[own.vote](np.stack(of_models), shares))
            answers = [
                Row(example.id, example.label, labels[answer], text)
                for (_, example), answer, text in zip(part, probabilities.argmax(axis=1), texts, strict=True)
            ]
            output.write([line(row) for row in answers])
            labelled = [number for number, row in enumerate(answers) if row.label is not None]
            gold += [predictors[0].number_of[answers[number].label] for number in labelled]
            sentences += [sentence_key(part[number][1].text) for number in labelled]
            parts.append(probabilities[labelled])
    output.close()
    written_to = write_skipped(output.path, checked.bad)
    seconds, lines = time.monotonic() - started, []
    if gold:
        gold, negative = np.array(gold), negative_number(settings.negative_label, labels)
        prior = prior_of(settings.label_prior, labels, gold)
        scored = Scored(gold, np.concatenate(parts), negative, labels, prior, np.array(sentences))
        lines = score_lines(scored, settings.resamples, total)
    speed = f"{output.rows:,} in {seconds:.1f} s, {output.rows / max(seconds, 1e-9):,.0f} rows/s"
    lines = [*checked.lines(), *lines, f"{'rows':<15} {speed}", f"{'written to':<15} {output.path}"]
    return "\n".join([*lines, *written_to])


def write_skipped(path: Path, bad: Sequence[Sequence]) -> list[str]:
    """The rows that were left out and why, beside the output; says where. An earlier list goes where none was."""
    beside = path.with_name(f"{path.name}.skipped.csv")
    if not bad:
        beside.unlink(missing_ok=True)
        return []
    write_text(beside, csv_line(["row", "reason"]) + "".join(map(csv_line, bad)))
    return [f"{'left out':<15} {beside}"]


def written(probabilities: np.ndarray) -> tuple[np.ndarray, list[list[str]]]:
    """Probabilities (N, C) as a file holds them, in numbers and texts: answers and scores are those of the file."""
    check_probabilities(probabilities, "the vote")
    texts = digits(probabilities)
    return np.array([[float(text) for text in row] for row in texts]), texts


def reading(settings: Sequence[Settings], names: Sequence[str], rest: Sequence[str]) -> Settings:
    """How the file is read: as the runs read theirs, except for what the command line says.

    Raises ValueError for other options than those of readers, and where the runs differ in one that is not given.
    """
    keys = ["data.format", *(f"data.{name}" for name in settings[0].options.flat())]
    given = {word.removeprefix("--").partition("=")[0] for word in rest if word.startswith("--data.")}
    if foreign := sorted(given - {*keys}):
        raise ValueError(f"{foreign[0]}: no option of prediction, which reads files by {', '.join(keys)}")

    def flat(one: Settings) -> dict:
        # klue and boostcamp are told apart by the file, and their columns have the same names
        kind = "auto" if one.format in ("klue", "boostcamp") else one.format
        return {"data.format": kind} | {f"data.{name}": value for name, value in one.options.flat().items()}

    trained = flat(settings[0])
    for name, other in zip(names, settings, strict=True):
        for key, value in flat(other).items():
            if key not in given and value != trained[key]:
                raise ValueError(
                    f"{key}: {names[0]} was trained with {trained[key]!r}, {name} with {value!r}; say how the input is "
                    f"read by --{key}"
                )
    config = parse(rest)[0]
    flags = reader_options(config.data).flat()
    asked = {"data.format": config.data.format} | {f"data.{name}": value for name, value in flags.items()}
    chosen = trained | {key: asked[key] for key in given}
    if chosen["data.format"] not in {"auto": None} | FORMATS:
        raise ValueError(f"data.format: got {chosen['data.format']!r}, expected one of auto, {', '.join(FORMATS)}")

    options = ReaderOptions.from_flat({key.removeprefix("data."): value for key, value in chosen.items()})
    return replace(settings[0], format=chosen["data.format"], options=options)


def score_lines(scored: Scored, resamples: int, total: int) -> list[str]:
    """A line a score of the rows that have a label, of `total`, and their intervals."""
    rows, scores = len(scored.labels), headline(scored)
    lines = [] if rows == total else [f"scores of the {rows:,} of {total:,} rows that have a label"]
    lines += [f"{title:<15} {scores[name]:.2f}" for name, title in SCORES.items() if name in scores]
    if resamples:
        lines.append(f"{'95 % interval':<15} {intervals_line(bootstrap(scored, resamples))}")
    return [*lines, *absent_lines(scores["absent_classes"], scored.classes)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
