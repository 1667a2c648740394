"""What the losses cost: forward and backward against torch's cross-entropy, in one run, in turn.

    python benchmarks/losses_cost.py

Prints medians over many turns and the ratio to torch.nn.functional.cross_entropy of the same turn, for small and large
logits, and writes benchmarks/results/losses_cost.json. B rows of logits: losses with two views have B / 2 examples.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from losses import LOSSES  # noqa: E402 (found through the line above)

SIZES = {(64, 30): 300, (4096, 1000): 12}  # (B, C): turns


def once(loss, output, labels) -> float:
    output.logits.grad = output.features.grad = None
    start = time.perf_counter()
    loss(output, labels).sum().backward()
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    result = {}
    for (rows, classes), turns in SIZES.items():
        counts = torch.randint(1, 1000, (classes,))
        labels = torch.randint(0, classes, (rows // 2,)).repeat_interleave(2)
        output = SimpleNamespace(
            logits=torch.randn(rows, classes, requires_grad=True), features=torch.randn(rows, 256, requires_grad=True)
        )
        made = {name: kind(class_counts=counts) for name, kind in LOSSES.items()}
        made = {"torch": lambda out, y: F.cross_entropy(out.logits, y, reduction="none")} | made
        seconds = {name: [] for name in made}
        for turn in range(turns + 2):
            for name, loss in made.items():
                taken = once(loss, output, labels)
                if turn >= 2:  # the first ones warm up
                    seconds[name].append(taken)
        base = seconds["torch"]
        table = {
            name: {
                "milliseconds": 1000 * statistics.median(taken),
                "ratio": statistics.median(a / b for a, b in zip(taken, base, strict=True)),
            }
            for name, taken in seconds.items()
        }
        result[f"{rows} x {classes}"] = table
        print(f"\n{rows} x {classes}, one thread, {turns} turns")
        for name, row in table.items():
            print(f"{name:<26} {row['milliseconds']:>9.3f} ms  {row['ratio']:>6.2f}")
    target = ROOT / "benchmarks" / "results" / "losses_cost.json"
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
