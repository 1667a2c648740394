"""plainloop against the Hugging Face Trainer, in one run, on the same examples, model, update size and optimizer.

    python benchmarks/versus_trainer.py --layers 4 --hidden 256 --batch 32
    python benchmarks/versus_trainer.py --device cuda --layers 12 --hidden 768 --batch 64
    python benchmarks/versus_trainer.py --quick

Both sides follow one configuration (`versus/task.py`): the same rows, first weights, dropout, learning rate, decay,
warm-up and number of updates. Our side is `engine.loop.train` and `engine.evaluate.predict` themselves, built by
`engine.compose.run.build`. The Trainer's side is what people write (`versus/people.py`): a stock backbone with the same
head in a small module, a data set of token lists, DataCollatorWithPadding. Before anything is timed the logits of all
sides must agree to 1e-4 in float32 with the first weights.

- Trainer: its defaults (random order, padded to the longest of a batch; bf16 on a GPU).
- Trainer, tuned: the fastest of the argument sets in `versus/trainer_side.py` (lengths grouped, bf16, fused AdamW,
  torch.compile, workers), tried in this run; the JSON lists them all.
- bare loop: our batches and model in the shortest loop of plain PyTorch, as the limit.

Each side is a process of its own. They take turns, a block of updates each, every block continuing the same training;
the first updates of all and of each block are not timed. Tokens are REAL tokens: the lengths of the examples trained
on. Ratios are taken turn by turn; quartiles in brackets. Neither side evaluates or saves while it is timed; ours logs
to metrics.jsonl and TensorBoard every 10 updates, the Trainer every 500 to nowhere.

Results go to benchmarks/results/versus_trainer.json, one key a configuration. The tables are printed; --readme puts
them into docs/speed.md, and a short one into both READMEs.
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
RESULTS = ROOT / "benchmarks" / "results" / "versus_trainer.json"
SECTIONS = ("train", "predict", "start")


def options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="bf16", help="of our side")
    parser.add_argument("--ours", default="", help='options of train.py for our side: --ours="--train.log_every 50"')
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--scores", type=int, metavar="UPDATES", help="compare scores after so many updates, too")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of --scores")
    parser.add_argument("--held-out", type=int, default=3000, help="rows that --scores scores")
    parser.add_argument("--turns", type=int, help="how often each side is timed")
    parser.add_argument("--updates", type=int, help="in a block")
    parser.add_argument("--warmup", type=int, help="updates thrown away before the first block")
    parser.add_argument("--variants", type=int, help="argument sets of the Trainer that are tried; default: all")
    parser.add_argument("--starts", type=int, help="how often each side is started, besides once to warm up; 0: never")
    parser.add_argument("--rows", type=int, help="dev rows that are predicted")
    parser.add_argument("--quick", action="store_true", help="few blocks, two argument sets, no start")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="where KLUE-RE lies")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "versus", help="for caches and run folders")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument(
        "--readme", action="store_true", help="put the tables into docs/speed.md, a short one into both READMEs"
    )
    parser.add_argument("--table", action="store_true", help="only print the tables of the results")
    return parser.parse_args(argv)


def measure(given: argparse.Namespace, keep: Callable[[str, dict], None]) -> None:
    """Run the sections that were asked for; `keep` takes the configuration's name and each part of its JSON."""
    if given.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # accelerate takes a GPU that it sees
    else:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # the Trainer takes all that it sees
    from versus import sections, task
    from versus.worker import Worker

    length = length_of(given)
    given.folder.mkdir(parents=True, exist_ok=True)
    files = task.find_files(given.data, given.folder, given.rows or rows_of(given))
    case = task.Case(
        device=given.device,
        threads=given.threads,
        layers=given.layers,
        hidden=given.hidden,
        batch=given.batch,
        precision=given.precision,
        train=files.train,
        dev=files.dev,
        tokenizer=files.tokenizer,
        folder=str(given.folder.resolve()),
        updates=length.warmup + 1 + (length.turns + length.tries + 2) * (length.settle + length.updates),
        options=tuple(given.ours.split()),
    )
    with Worker("prepare", case) as worker:
        facts = worker.receive()
    name = f"{facts['device']}: {given.layers} x {given.hidden}, batch {given.batch}"
    name += f", threads {given.threads}" if given.device == "cpu" else ""
    name += f", {given.ours}" if given.ours else ""
    shown = {key: value for key, value in dataclasses.asdict(case).items() if key in SHOWN}
    keep(name, {"machine": machine(), "quick": given.quick, "data": files.described, "case": shown, "facts": facts})
    if "train" in given.sections:
        keep(name, {"train": sections.train_section(case, length, facts)})
    if "predict" in given.sections:
        keep(name, {"predict": sections.predict_section(case, length)})
    if "start" in given.sections and length.starts:
        keep(name, {"start": sections.start_section(case, length, facts)})
    if given.scores:
        cut = task.hold_out(files, given.folder, given.held_out)
        case = dataclasses.replace(case, train=cut.train, dev=cut.dev, updates=given.scores)
        keep(name, {"scores": sections.scores_section(case, given.seeds, facts)})


SHOWN = ("device", "threads", "layers", "hidden", "batch", "precision", "seed", "updates", "options")


def length_of(given: argparse.Namespace):
    from versus.sections import Length

    quick, cuda = given.quick, given.device == "cuda"
    return Length(
        turns=given.turns or (3 if quick else 9),
        updates=given.updates or (6 if quick else 40 if cuda else 20),
        warmup=given.warmup or (4 if quick else 60 if cuda else 20),
        settle=2,
        tries=1 if quick else 3,
        variants=given.variants or (2 if quick else 99),
        starts=given.starts if given.starts is not None else 0 if quick else 5,
    )


def rows_of(given: argparse.Namespace) -> int:
    return 256 if given.quick else 7765 if given.device == "cuda" else 1024


def machine() -> dict:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"], capture_output=True, text=True, cwd=ROOT
    )
    versions = {name: version(name) for name in ("torch", "transformers", "accelerate")}
    return {
        "commit": commit.stdout.strip() or None,
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **versions,
    }


def main(argv: list[str]) -> int:
    given = options(argv)
    results = json.loads(given.results.read_text(encoding="utf-8")) if given.results.is_file() else {}

    def keep(name: str, part: dict) -> None:
        results.setdefault(name, {}).update(part)
        given.results.parent.mkdir(parents=True, exist_ok=True)
        given.results.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    if not given.table:
        measure(given, keep)
    from versus.table import korean, put, short, tables

    print(tables(results))
    if given.readme:
        pages = {"docs/speed.md": tables(results), "README.md": short(results), "README.ko.md": korean(short(results))}
        for name, shown in pages.items():
            page = ROOT / name
            page.write_text(put(page.read_text(encoding="utf-8"), shown), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
