"""Train a sentence classifier: parse -> build -> train -> report.

    accelerate launch train.py --config configs/sample.yaml --train.epochs 3 --run.name first

Exit codes: 0 done, 1 failure, 2 bad input or configuration, 3 stopped by values that are not finite, 4 another run
holds the folder, 143 / 130 / 129 / 138 / 140 stopped by SIGTERM / SIGINT / SIGHUP / SIGUSR1 / SIGUSR2: saved, unless
the last line says that nothing could be. The last line printed is always the one message.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the packages beside this file, wherever it is called from

from accelerate.state import AcceleratorState

from engine.arguments.parse import parse
from engine.checkpoint.folder import is_finished
from engine.command import plain_output
from engine.compose.run import build
from engine.distributed.signals import StopRequested, StopSignal
from engine.ending import Ending
from engine.loop import train
from engine.parts import Run
from engine.report.finish import finish, table


def main(argv: Sequence[str]) -> int:
    """Train as the command line says and return the exit code."""
    ending, stop = Ending(), StopSignal()
    with contextlib.ExitStack() as leaving:
        leaving.callback(forget_launch)
        leaving.callback(stop.leave)
        try:
            stop.listen()
            plain_output()
            run_to_end(argv, ending, stop, leaving)
        except StopRequested:
            ending.stopped(stop, "stopped before the first update of this start; the same command starts again")
        except Exception as error:
            if not ending.failed(error, stop):
                ending.tell_person()
                raise
        stop.end()
        ending.announce()
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            leave_with_others(ending)
    return ending.code


def run_to_end(argv: Sequence[str], ending: Ending, stop: StopSignal, leaving: contextlib.ExitStack) -> None:
    """The run; `ending` takes what becomes known of it."""
    config, config_path, notices = parse(argv)
    ending.name, ending.when = config.run.name or config_path.stem, config.notify.when
    if config.run.name is not None and config.run.resume == "auto":
        folder = Path(config.run.dir) / config.run.name
        if is_finished(folder):
            ending.message, ending.when = f"{folder} is finished, see its report.json; nothing was changed", ()
            return
    for notice in notices:
        tell(notice)
    run = ending.run = build(config, config_path, stop)
    leaving.callback(run.parts.accelerator.end_training)
    leaving.callback(close, run)
    ending.name = run.folder.name
    tell(f"{run.summary}\n{'run folder':<12} {run.folder}\n")

    stop.defer()  # from here on there is something to save
    state = train(run.parts, config, run.state)
    ending.report = None if stop.agreed else finish(run, state)
    if ending.report is None:
        name = run.folder.name
        ending.stopped(stop, f"stopped after update {state.step}; the same command with --run.name {name} continues")
    else:
        ending.message = table(ending.report, run.folder)


def leave_with_others(ending: Ending) -> NoReturn:
    """End this process of several without taking down what connects them: that can hang, each waiting for another."""
    threading.Timer(30, os._exit, args=(ending.code,)).start()  # whatever follows
    if ending.run is not None:
        with contextlib.suppress(OSError):  # a full disk was told already
            ending.run.parts.tracker.close()
        if ending.shared:  # a launcher ends all when the first one leaves with an error, so all leave together
            with contextlib.suppress(RuntimeError):  # one of them is gone
                ending.run.parts.accelerator.wait_for_everyone()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ending.code)


def close(run: Run) -> None:
    """Give back what a run holds besides the devices."""
    run.heartbeat.stop()
    with contextlib.suppress(OSError):
        run.parts.tracker.close()
    run.lock.close()


def forget_launch() -> None:
    """accelerate keeps device and precision for the whole process; another run in it may want others."""
    AcceleratorState._reset_state(reset_partial_state=True)


def tell(text: str) -> None:
    if int(os.environ.get("RANK", 0)) == 0:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
