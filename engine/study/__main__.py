"""Which token stands for the sentence? A study of poolings and layers.

    python -m engine.study --config configs/klue_re.yaml --poolings cls mean entity_start --seeds 3

Linear probes: the backbone stays as it is, its states are computed once, and a logistic regression reads each pooling
of each layer; each seed trains on another part of the training rows. With --finetune the poolings are also trained, one
run of train.py a pooling and seed, each in a process of its own. The rest of the command line is train.py's. The folder
of the study holds study.json, study.csv and the pictures, TensorBoard the same; the --run.name of a study that was
stopped continues it.

    python -m engine.study --config configs/klue_re.yaml --losses focal focal,gamma=1 balanced_softmax --seeds 3

trains losses instead, each with each seed, and compares them to cross-entropy: on the whole and on the frequent, middle
and rare third of the classes (losses.json, losses.csv, a picture of F1 against class count, TensorBoard's hparams).
After the loss come its options, and others of train.py with their section: cross_entropy,model.head=cosine. ldam gets
the head cosine.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from engine.arguments.parse import parse
from engine.atomic import write_text
from engine.command import Progress, option_parser, read_options, run
from engine.compose.corpus_checks import rows_without_entities
from engine.compose.data import read_data, with_types_of
from engine.compose.loss import check_loss
from engine.compose.model import check_parts, make_model
from engine.compose.run import check_names
from engine.config import Config
from engine.distributed.device import set_threads
from engine.parts import Data
from engine.repeat.runs import Variant, finetune, lines, paired, runs_go_on
from engine.scores.metrics import headline
from engine.scores.scored import Scored
from engine.study.losses import compare_losses, loss_variants
from engine.study.probe import Cell, draws, features, probe
from engine.tables import as_csv
from engine.tracking import figures
from models.pooling import POOLINGS, Pooling, make_pooling

REFERENCE = "cls"
DEFAULT = ("mean", "max", "entity_start", "entity_start_end")
PROBES = {
    "rows": 10000,
    "share": 0.8,
    "strength": 0.01,
}  # defaults; None in the parser, to see what was given


ABOUT = """Compare poolings by linear probes of each layer, or losses by training them.

Options with a dot in their name and --config are train.py's:
python train.py --help lists them."""


def main(argv: Sequence[str]) -> int:
    """Run the study and return the exit code, see engine/command.py."""
    return run(lambda progress: study(argv, progress))


def study(argv: Sequence[str], progress: Progress) -> None:
    own, rest = read_options(study_parser(), argv, for_train=True)
    config, config_path, notices = parse(rest)
    for notice in notices:
        print(notice)
    if not config.has_dev:
        raise ValueError("data.dev: a study compares scores on it, expected a file, or data.hold_out")
    check_own(own, config)
    vars(own).update({key: value for key, value in PROBES.items() if getattr(own, key) is None})
    asked = own.poolings or (DEFAULT if config.data.format != "text" else ("mean", "max"))
    poolings = [REFERENCE, *(name for name in asked if name != REFERENCE)]
    variants = [variant(name, config) for name in poolings] if own.finetune else []
    losses = loss_variants(own.losses or ())
    check_variants(losses if own.losses else variants, rest)
    seeds = list(range(config.run.seed, config.run.seed + own.seeds))
    name = config.run.name or f"study-{config_path.stem}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder = Path(config.run.dir) / name
    folder.mkdir(parents=True, exist_ok=True)

    if own.losses:
        print(compare_losses(config, losses, seeds, rest, folder, progress))
        return
    found = {"metric": config.eval.metric, "seeds": seeds, "probe": run_probes(config, own, poolings, seeds)}
    progress.begun = True
    table = leave(folder, found, config.track.tensorboard and not variants)
    if variants:  # the probes are on the disk by now
        progress.goes_on = runs_go_on(name)
        reports = finetune(variants, seeds, rest, folder)
        scores = {name: [report["dev"][config.eval.metric] for report in r] for name, r in reports.items()}
        found["finetune"] = paired(scores, REFERENCE)
        table = leave(folder, found, config.track.tensorboard)
    print(table)


def study_parser() -> argparse.ArgumentParser:
    usage = "python -m engine.study [option ...] [OPTION OF train.py ...]"
    parser = option_parser("engine.study", ABOUT, usage=usage)
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="counted from run.seed (default: 3)")
    poolings = parser.add_argument_group("poolings")
    poolings.add_argument("--poolings", nargs="+", metavar="NAME", help=f"beside cls (default: {' '.join(DEFAULT)})")
    poolings.add_argument("--layers", nargs="+", type=int, metavar="K", help="0 = embeddings (default: all)")
    poolings.add_argument("--rows", type=int, metavar="N", help="training rows of a probe, at most (default: 10000)")
    poolings.add_argument("--share", type=float, metavar="S", help="of those rows, for each seed others (default: 0.8)")
    poolings.add_argument("--strength", type=float, metavar="C", help="of the logistic regression (default: 0.01)")
    poolings.add_argument(
        "--finetune", action="store_true", default=None, help="also train each pooling with each seed (train.py)"
    )
    losses = parser.add_argument_group("losses")
    losses.add_argument(
        "--losses", nargs="+", metavar="NAME", help="train these and cross_entropy instead, such as focal,gamma=1"
    )
    return parser


def check_own(options: argparse.Namespace, config: Config) -> None:
    """Ranges of the study's own options. Raises ValueError that names the option."""
    if unknown := [name for name in options.poolings or () if name not in POOLINGS]:
        raise ValueError(f"--poolings: got {', '.join(unknown)}, expected some of {', '.join(POOLINGS)}")
    for_probes = ("rows", "poolings", "layers", "share", "strength", "finetune")
    if options.losses and (idle := [f"--{name}" for name in for_probes if getattr(options, name) is not None]):
        raise ValueError(f"--losses: got {', '.join(idle)} with it, expected none of them: they are for poolings")
    for option, value, least in (("seeds", options.seeds, 1), ("rows", options.rows, 10)):
        if value is not None and value < least:
            raise ValueError(f"--{option}: got {value}, expected {least} or more")
    if options.share is not None and not 0 < options.share < 1:
        raise ValueError(f"--share: got {options.share}, expected a number between 0 and 1: seeds differ in their rows")
    if options.strength is not None and not options.strength > 0:
        raise ValueError(f"--strength: got {options.strength}, expected a number above 0")
    if config.model.reinit and not options.losses:
        raise ValueError("model.reinit: a probe would read layers that never learned; expected 0")


def variant(name: str, config: Config) -> Variant:
    """A pooling as options of train.py; one that reads [CLS] in its own way takes no model.with_cls."""
    without_cls = POOLINGS[name].has_cls and config.model.with_cls is not None
    return Variant(name, (f"--model.pooling={name}", *(("--model.with_cls=null",) if without_cls else ())))


def check_variants(variants: Sequence[Variant], options: Sequence[str]) -> None:
    """Raises ValueError, before anything is computed, for a variant that train.py would refuse."""
    for each in variants:
        config, _, _ = parse([*options, *each.options, f"--run.name={each.run_name(0)}"])
        check_names(config)
        check_loss(config)


def run_probes(config: Config, options: argparse.Namespace, names: list[str], seeds: list[int]) -> dict:
    """Scores of the linear probes: for each layer a row a pooling, see `runs.paired`."""
    check_names(config)
    set_threads(config.run.threads)
    data = read_data(config, quiet=False)
    config = with_types_of(config, data)
    torch.manual_seed(config.run.seed)
    model = make_model(config, data.tokenizer, data.new, len(data.labels))
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    top = model.config.backbone.num_hidden_layers
    layers = sorted(set(options.layers)) if options.layers else list(range(top + 1))
    if layers[0] < 0 or layers[-1] > top:
        raise ValueError(f"--layers: got {layers}, expected numbers from 0 (embeddings) to {top} (the top layer)")
    poolings = readable(names, config, data, model.config.backbone.hidden_size, options.finetune)
    probed = [(name, layer) for name in poolings for layer in layers]

    train, dev = data.stores["train"], data.stores["dev"]
    rows = np.sort(np.random.default_rng(config.run.seed).permutation(len(train))[: options.rows])
    size = config.eval.batch_size
    read = features(model, poolings, probed, train, rows, size, "reading train")
    read_dev = features(model, poolings, probed, dev, np.arange(len(dev)), size, "reading dev")
    labels, gold = np.array(train.labels)[rows], np.array(dev.labels)
    scores: dict[Cell, list[float]] = {cell: [] for cell in probed}
    bar = tqdm(total=len(seeds) * len(probed), desc="probing", unit=" probes", disable=None)
    for seed, drawn in draws(len(rows), options.share, seeds):
        for cell in probed:
            bar.set_postfix_str(f"{cell[0]}, layer {cell[1]}")
            probabilities = probe(
                read[cell][drawn], labels[drawn], read_dev[cell], len(data.labels), options.strength, seed
            )
            scored = Scored(gold, probabilities, data.negative, data.labels, data.prior)
            scores[cell].append(headline(scored)[config.eval.metric])
            bar.update()
    bar.close()
    return {
        "rows": len(rows),
        "share": options.share,
        "strength": options.strength,
        "layers": layers,
        "cells": [
            {"layer": layer} | row
            for layer in layers
            for row in paired({name: values for (name, k), values in scores.items() if k == layer}, REFERENCE)
        ],
    }


def readable(names: list[str], config: Config, data: Data, hidden_size: int, finetuned: bool) -> dict[str, Pooling]:
    """The poolings that a probe can read: without weights of their own, of one layer. Others are refused, or left to
    the fine-tuning where there is one.
    """
    poolings = {}
    for name in names:
        check_parts(dataclasses.replace(config.model, pooling=name, head="linear", with_cls=None), config.data.marker)
        if POOLINGS[name].needs_entities:
            for part, store in data.files.items():
                rows_without_entities(f"data.{part}", store, name, "--poolings")
        own_way = POOLINGS[name].has_cls  # reads [CLS] without being told
        pool = make_pooling(name, hidden_size, None if own_way else config.model.with_cls, {}).eval()
        if not list(pool.parameters()) and pool.layers == 1 and not pool.takes_pooler:
            poolings[name] = pool
        elif not finetuned:
            raise ValueError(
                f"--poolings: {name} has weights of its own or mixes layers, so that a probe of one layer cannot read "
                "it; leave it out or add --finetune"
            )
    return poolings


def leave(folder: Path, study: dict, tensorboard: bool) -> str:
    """study.json, study.csv, pictures and TensorBoard in the folder of the study; returns the table to print."""
    metric, cells, layers = study["metric"], study["probe"]["cells"], study["probe"]["layers"]
    names = [row["name"] for row in cells if row["layer"] == layers[0]]
    means = np.array([[row["mean"] for row in cells if row["name"] == name] for name in names])
    titles = [str(layer) for layer in layers]
    picture = figures.heat_map(means, names, titles, f"{metric} of linear probes", "layer (0: embeddings)", "pooling")
    picture.savefig(folder / "probe.png")
    write_text(folder / "study.json", json.dumps(study, indent=1, ensure_ascii=False))
    columns = ("mean", "sd", "difference", "difference_sd", "difference_95", "scores")
    table = [
        {"kind": kind, "layer": row.get("layer", ""), "name": row["name"]} | {column: row[column] for column in columns}
        for kind, rows in (("probe", cells), ("finetune", study.get("finetune", [])))
        for row in rows
    ]
    write_text(folder / "study.csv", as_csv(table))

    best = max(cells, key=lambda row: row["mean"])
    texts = [f"linear probes, top layer ({layers[-1]}), {metric} over {len(study['seeds'])} seeds"]
    texts += lines([row for row in cells if row["layer"] == layers[-1]], REFERENCE)
    texts += ["", f"best of all layers: {best['name']} of layer {best['layer']}, {best['mean']:.2f}"]
    if "finetune" in study:
        texts += ["", f"fine-tuned, {metric} over {len(study['seeds'])} seeds", *lines(study["finetune"], REFERENCE)]
    if tensorboard:
        with SummaryWriter(folder) as writer:
            writer.add_figure("study/probe", picture)
            writer.add_text("study", "    " + "\n    ".join(texts))
            for row in cells:
                writer.add_scalar(f"probe/{row['name']}", row["mean"], row["layer"])
    return "\n".join(["", *texts, "", f"study        {folder}"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
