"""Train a sentence classifier: parse -> build -> train -> report.

    accelerate launch train.py --config configs/sample.yaml --train.epochs 3 --run.name first

Exit codes: 0 done, 1 failure, 2 bad input or configuration, 3 stopped by values that are not finite, 4 another run
holds the folder, 143 / 130 stopped by SIGTERM / SIGINT with a checkpoint saved. The last line printed is always the one
message.
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the packages beside this file, wherever it is called from

from accelerate.state import AcceleratorState
from transformers.utils import logging as transformers_logging

from engine.arguments import parse
from engine.build import build
from engine.checkpoint import CheckpointError
from engine.folder import FolderBusyError, finished_report
from engine.guard import NonFiniteError
from engine.loop import train
from engine.report import finish, table


def main(argv: Sequence[str]) -> int:
    """Train as the command line says and return the exit code."""
    transformers_logging.disable_progress_bar()  # its bars for loading and saving say nothing here
    warnings.formatwarning = lambda message, category, *_: f"warning: {message}\n"
    with contextlib.ExitStack() as leaving:
        leaving.callback(forget_launch)
        try:
            config, config_path, notices = parse(argv)
            if config.run.name is not None and config.run.resume == "auto":
                folder = Path(config.run.dir) / config.run.name
                if finished_report(folder).is_file():
                    tell(f"{folder} is finished, see its report.json; nothing was changed")
                    return 0
            for notice in notices:
                tell(notice)
            run = build(config, config_path)
        except FolderBusyError as error:
            return say(error, 4)
        except (ValueError, OSError) as error:
            return say(error, 2)

        accelerator = run.parts.accelerator
        for close in (accelerator.end_training, run.lock.close, run.parts.tracker.close):
            leaving.callback(close)
        accelerator.print(f"{run.summary}\n{'run folder':<12} {run.folder}\n")
        stop = run.parts.stop
        stop.listen()
        leaving.callback(stop.leave)
        try:
            state = train(run.parts, config, run.state)
            if stop.agreed and not state.finished(run.parts.total):
                tell(f"stopped after update {state.step}; the same command with --run.name {run.folder.name} continues")
                return 128 + stop.number
            report = finish(run, state)
        except NonFiniteError as error:
            return say(error, 3)
        except CheckpointError as error:
            return say(error, 1)
        accelerator.print(table(report, run.folder))
    return 0


def forget_launch() -> None:
    """accelerate keeps device and precision for the whole process; another run in it may want others."""
    AcceleratorState._reset_state(reset_partial_state=True)


def tell(text: str) -> None:
    if int(os.environ.get("RANK", 0)) == 0:
        print(text)


def say(error: Exception, code: int) -> int:
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:  # once a machine, however many processes found it
        print(f"error: {error}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
