"""Started on two processes by test_accelerate_files.py: several sharded runs, to import torch once.

Called as sharded_worker.py FOLDER COMMANDS, a JSON list of option lists. Each is trained; of the one with the loss
`steep`, FOLDER/<process>.json says what a gradient that is not finite leaves of a sharded model. The last command
continues the first one's checkpoint of update 3 under another name, as train.py in these processes.
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[3]))

import train as program
from engine.arguments.parse import parse
from engine.checkpoint.checkpoints import model_tensors, optimizer_tensors
from engine.checkpoint.manifest import read_tensors
from engine.compose.run import build
from engine.config import Config
from engine.guard import NonFiniteError
from engine.loop import train
from engine.parts import Run
from losses import LOSSES
from losses.cross_entropy import CrossEntropy


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


def blamed_update(run: Run, config: Config) -> dict:
    """Train with a gradient that is not finite in the first update of epoch 2: what is said, what stays as it was."""
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
    return {
        "kind": accelerator.distributed_type.value,
        "sharded": all(hasattr(parameter, "full_tensor") for parameter in parts.model.parameters()),
        "message": message,
        "blamed": blamed,
        "untouched": untouched,
    }


def main(folder: Path, commands: list[list[str]]) -> int:
    LOSSES["steep"] = Steep
    for options in commands[:-1]:
        config, path, _ = parse(options)
        run = build(config, path)
        accelerator = run.parts.accelerator
        if config.loss.name == "steep":
            result = blamed_update(run, config)
            (folder / f"{accelerator.process_index}.json").write_text(json.dumps(result))
        else:
            train(run.parts, config, run.state)
        program.close(run)
    if accelerator.is_main_process:
        step = Path("checkpoints") / "step-00000003"
        shutil.copytree(folder / "runs" / "sharded" / step, folder / "runs" / "again" / step)
    accelerator.wait_for_everyone()
    return program.main(commands[-1])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
