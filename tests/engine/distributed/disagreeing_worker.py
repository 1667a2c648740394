"""Started on two processes by test_processes.py: runs that the two of them mean differently, to import torch once.

Called as disagreeing_worker.py FOLDER COMMANDS, JSON of name -> [options of process 0, options of process 1];
FOLDER/<process>.json says of each what `build` raised.
"""

import json
import os
import sys
from pathlib import Path

import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).parents[3]))


import train as program
from engine.arguments.parse import parse
from engine.compose.run import build


def main(folder: Path, commands: dict[str, list[list[str]]]) -> None:
    found, rank = {}, int(os.environ["RANK"])
    for name, options in commands.items():
        config, path, _ = parse(options[rank])
        try:
            program.close(build(config, path))
            found[name] = "nothing"
        except ValueError as error:
            found[name] = str(error)
    (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    os._exit(0)  # as train.py leaves: threads of the builds are still listening to the other process


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
