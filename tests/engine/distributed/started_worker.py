"""Started by test_accelerate_files.py through a launch file: the processes that train.py would have, meeting.

Called as started_worker.py FOLDER, writes FOLDER/<process>.json.
"""

import json
import os
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[3]))

from engine.distributed.device import choose_precision, make_accelerator

accelerator = make_accelerator(choose_precision(None))
everyone = accelerator.gather(torch.tensor([accelerator.process_index])).tolist()
found = {
    "processes": accelerator.num_processes,
    "everyone": everyone,
    "type": accelerator.distributed_type.value,
    "precision": accelerator.mixed_precision,
    "machine": int(os.environ.get("GROUP_RANK", 0)),
}
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
(folder / f"{accelerator.process_index}.json").write_text(json.dumps(found))
accelerator.end_training()
