"""A script around the Trainer, until its first update is done: prints the time of that moment and leaves.

    python benchmarks/versus/start_trainer.py PREPARED '{"per_device_train_batch_size": 32, ...}' THREADS

It imports torch, transformers and NumPy only, and reads a data set that was tokenised before.
"""

import json
import os
import sys
import time
from pathlib import Path

import torch
from people import TokenisedRows, collator_of, model_of
from transformers import Trainer, TrainerCallback, TrainingArguments

CLASSES = 30


class Leave(TrainerCallback):
    def on_step_end(self, args, *more, **named) -> None:
        if args.device.type == "cuda":
            torch.cuda.synchronize()
        print(f"first update {time.time()}", flush=True)
        os._exit(0)


if __name__ == "__main__":
    prepared, arguments = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(int(sys.argv[3]))
    Trainer(
        model=model_of(prepared, CLASSES),
        args=TrainingArguments(**arguments),
        train_dataset=TokenisedRows(prepared / "train"),
        data_collator=collator_of(prepared),
        callbacks=[Leave()],
    ).train()
