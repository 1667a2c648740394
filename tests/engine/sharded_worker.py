"""Started on two processes by test_accelerate_files.py: what a gradient that is not finite leaves of a sharded model.

Called as sharded_worker.py FOLDER OPTIONS..., writes FOLDER/<process>.json.
"""

import copy
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from engine.arguments import parse
from engine.build import build
from engine.checkpoint import model_tensors, optimizer_tensors
from engine.guard import NonFiniteError
from engine.loop import train
from engine.manifest import read_tensors
from losses import LOSSES, CrossEntropy


class Steep(CrossEntropy):
    """Cross-entropy; in the second epoch finite for one class, but with a slope that is not: a root at 0."""

    label = -1

    def forward(self, output, labels):
        losses = super().forward(output, labels)
        chosen = labels == self.label
        return losses.index_put((chosen,), (losses[chosen] - losses[chosen].detach()).sqrt())

    def at(self, epoch):
        later = copy.copy(self)
        later.label = self.label if epoch == 1 else -1
        return later


def main(folder: Path, options: list[str]) -> None:
    LOSSES["steep"] = Steep
    config, path, _ = parse(options)
    run = build(config, path)
    parts, accelerator = run.parts, run.parts.accelerator
    store, first = parts.loader.store, parts.loader.plan.updates(1)[0]
    parts.loss_fn.label = int(store.labels[first[0]])
    blamed = [store.id(row) for row in first if store.labels[row] == parts.loss_fn.label]
    try:
        train(parts, config, run.state)
        message = "trained to the end"
    except NonFiniteError as error:
        message = str(error)
    before = parts.checkpoints.path(parts.loader.updates_per_epoch)
    after = {
        "model.safetensors": model_tensors(parts.model, keep=True),
        "optimizer.safetensors": optimizer_tensors(parts.model, parts.optimizer, keep=True),
    }
    untouched = {}
    for name, tensors in after.items():
        saved = read_tensors(before / name)
        untouched[name] = tensors.keys() == saved.keys() and all(torch.equal(saved[k], v) for k, v in tensors.items())
    result = {
        "kind": accelerator.distributed_type.value,
        "sharded": all(hasattr(parameter, "full_tensor") for parameter in parts.model.parameters()),
        "message": message,
        "blamed": blamed,
        "untouched": untouched,
    }
    (folder / f"{accelerator.process_index}.json").write_text(json.dumps(result))
    parts.tracker.close()
    run.lock.close()
    accelerator.end_training()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
