"""How every command begins and ends; train.py, whose run saves before it ends, has `ending.py` for the latter.

Exit codes: 0 done; 1 failure: a file or memory (one line), or a mistake in code, maybe a user's own model, loss or
reader (traceback); 2 bad input (one line a problem), a file that fails before the command has begun to write included;
3 values that are not finite; 130 and 143 stopped by Ctrl-C and SIGTERM, 129, 138 and 140 by SIGHUP, SIGUSR1 and SIGUSR2
(one line that says how to go on). A failed run
of train.py that a command started gives it its own code.

Without torch, transformers or numpy: `engine.notify` must start in a moment.
"""

import argparse
import functools
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from data.messages import nearest
from engine.failures import file_failure, first_line, is_out_of_memory, is_told
from engine.stops import CODES, SIGNALS

ECHO = 1  # seconds in which a signal counts once, as in distributed/signals.py
STARTS_AGAIN = "the same command starts again"
WIDTH = 80  # columns of every --help


@dataclass
class Progress:
    """How far a command is, filled in as it becomes known: what its last line says if it breaks off."""

    begun: bool = False
    """Whether it has begun to write what it leaves: what fails before that is input."""
    kept: str = ""
    """What was finished and where it is."""
    goes_on: str = ""
    """How to go on from there, where the same command does not start again."""


def run(work: Callable[[Progress], int | None]) -> int:
    """Do the work of a command and return its exit code: what `work` returned, or what ended it.

    Raises what nobody raised to tell something (a mistake in code) and the SystemExit of --help.
    """
    progress = Progress()
    with stopped_by_signals():
        try:
            plain_output()
            return work(progress) or 0
        except (KeyboardInterrupt, SystemExit) as error:
            code = 130 if isinstance(error, KeyboardInterrupt) else error.code
            if code not in CODES:
                raise
            tell("stopped", progress.kept, progress.goes_on or STARTS_AGAIN)
            return code
        except Exception as error:
            code, reason = meaning(error, progress.begun)
            if code is None:
                tell(progress.kept, progress.goes_on)
                raise
            tell(f"error: {reason}", progress.kept, progress.goes_on)
            return code


def meaning(error: Exception, begun: bool) -> tuple[int | None, str]:
    """The exit code and the line of an error; None where a traceback says more."""
    if isinstance(error, OSError):
        return 1 if begun else 2, file_failure(error)
    if is_out_of_memory(error):
        return 1, f"out of memory ({first_line(error)})"
    if isinstance(code := getattr(error, "code", None), int):  # NonFiniteError, a run that failed
        return code, str(error)
    if isinstance(error, ValueError) and is_told(error):
        return 2, str(error)
    return None, ""


def tell(*parts: str) -> None:
    if text := "; ".join(filter(None, parts)):
        print(text, file=sys.stderr, flush=True)


def plain_output() -> None:
    """Warnings of one line, and no bars of transformers, which say nothing here."""
    warnings.formatwarning = lambda message, category, *_: f"warning: {message}\n"
    if transformers := sys.modules.get("transformers.utils.logging"):  # not every command needs it
        transformers.disable_progress_bar()


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Signals that ask to stop raise SystemExit with their exit code; a second one ends the process at once."""
    heard = 0.0

    def stop(number: int, frame) -> None:
        nonlocal heard
        now = time.monotonic()
        if heard and now - heard < ECHO:  # `timeout` and terminals send one to the process and to its group
            return
        if heard:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        heard = now
        raise SystemExit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # what nohup ignores stays ignored
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def option_parser(name: str, about: str, **more) -> argparse.ArgumentParser:
    """A parser whose --help fits a terminal of 80 columns, whatever the terminal says."""
    formatter = functools.partial(argparse.RawDescriptionHelpFormatter, width=WIDTH, max_help_position=24)
    return argparse.ArgumentParser(
        prog=f"python -m {name}", description=about, formatter_class=formatter, allow_abbrev=False, **more
    )


def read_options(
    parser: argparse.ArgumentParser, words: Sequence[str], for_train: bool = False
) -> tuple[argparse.Namespace, list[str]]:
    """The options of a command line and, with `for_train`, the words for train.py: --config and names with a dot.

    Raises ValueError with a line a problem.
    """
    names = [name for action in parser._actions for name in action.option_strings]
    given = [word.partition("=")[0] for word in words if word.startswith("--")]
    foreign = [word for word in given if word not in names and not (for_train and ("." in word or word == "--config"))]
    if foreign and not {"--help", "-h"} & {*words}:
        raise ValueError("\n".join(f"{word}: unknown option{nearest_option(word, names)}" for word in foreign))
    parser.error = refuse
    return parser.parse_known_args(words) if for_train else (parser.parse_args(words), [])


def nearest_option(word: str, names: Sequence[str]) -> str:
    """The dashes, which all have, make no name near."""
    return nearest(word.lstrip("-"), [name.lstrip("-") for name in names]).replace("mean ", "mean --")


def refuse(message: str) -> NoReturn:
    """In place of argparse's page of usage."""
    text = message.removeprefix("argument ").replace("the following arguments are required: ", "missing: ")
    raise ValueError(f"{text}; --help lists the options")
