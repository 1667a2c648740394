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
from engine.build import Run, build
from engine.failures import explain
from engine.folder import finished_report
from engine.loop import train
from engine.report import finish, table
from engine.signals import StopRequested, StopSignal


def main(argv: Sequence[str]) -> int:
    """Train as the command line says and return the exit code."""
    transformers_logging.disable_progress_bar()  # its bars for loading and saving say nothing here
    warnings.formatwarning = lambda message, category, *_: f"warning: {message}\n"
    run, stop = None, StopSignal()
    with contextlib.ExitStack() as leaving:
        leaving.callback(forget_launch)
        leaving.callback(stop.leave)
        try:
            stop.listen()
            config, config_path, notices = parse(argv)
            if config.run.name is not None and config.run.resume == "auto":
                folder = Path(config.run.dir) / config.run.name
                if finished_report(folder).is_file():
                    tell(f"{folder} is finished, see its report.json; nothing was changed")
                    return 0
            for notice in notices:
                tell(notice)
            run = build(config, config_path, stop)
            leaving.callback(run.parts.accelerator.end_training)
            leaving.callback(close, run)
            tell(f"{run.summary}\n{'run folder':<12} {run.folder}\n")
            stop.defer()  # from here on there is something to save
            state = train(run.parts, config, run.state)
            report = None if stop.agreed else finish(run, state)
        except StopRequested:
            tell("stopped before the first update of this start; the same command starts again")
            return 128 + stop.number
        except Exception as error:
            told = explain(error, run, stop)
            if told is None:
                raise
            return say(*told)
        if report is None:
            tell(f"stopped after update {state.step}; the same command with --run.name {run.folder.name} continues")
            close(run)
            run.parts.accelerator.wait_for_everyone()  # a launcher ends all when the first one leaves
            return 128 + stop.number
        tell(table(report, run.folder))
    return 0


def close(run: Run) -> None:
    """Give back what a run holds besides the devices."""
    run.parts.heartbeat.stop()
    with contextlib.suppress(OSError):  # a full disk was told already
        run.parts.tracker.close()
    run.lock.close()


def forget_launch() -> None:
    """accelerate keeps device and precision for the whole process; another run in it may want others."""
    AcceleratorState._reset_state(reset_partial_state=True)


def tell(text: str) -> None:
    if int(os.environ.get("RANK", 0)) == 0:
        print(text, flush=True)


def say(message: str, code: int, everywhere: bool) -> int:
    """Print an error, once a machine unless it is one process's own, and return its exit code."""
    if message and (everywhere or int(os.environ.get("LOCAL_RANK", 0)) == 0):
        print(f"error: {message}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
