"""Tell a person that a run, a command or a function ended: what the message says. `engine/deliver.py` delivers it.

PLAINLOOP_NOTIFY=tgram://... python train.py
PLAINLOOP_NOTIFY=tgram://... python -m engine.notify -- any command
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.deliver import VARIABLE, address, excused, send
from engine.scores import SCORES

CODES = {
    1: "failure", 2: "bad input or configuration", 3: "values that are not finite",
    4: "another run holds the folder", 130: "Ctrl-C", 143: "SIGTERM",
}  # fmt: skip


def notify_end(
    when: Sequence[str], name: str, code: int, seconds: float, report: dict | None = None, message: str = ""
) -> None:
    """Tell that the run `name` ended with exit code `code` after `seconds`, if its outcome is among `when`.

    `report`: as report.json has it, or what is known of it. `message`: what is printed last; only what stands before
    its first detail is sent. Never raises.
    """
    outcome = "finished" if code == 0 else "stopped" if code in (130, 143) else "failed"
    if outcome not in when:
        return
    with excused():
        report = report or {}
        scores = report.get("dev") or {}
        lines = [f"{title} {scores[key]:.2f}" for key, title in SCORES.items() if key in scores]
        if {"step", "updates", "epoch"} <= report.keys():
            lines.append(f"best update {report['step']} of {report['updates']} (epoch {report['epoch']:.2f})")
        if code != 0:
            lines += [f"exit code {code}: {CODES.get(code, 'failure')}", first_part(message)]
        lines.append(f"after {duration(seconds)}")
        send(f"{outcome}: {name}", "\n".join(filter(None, lines)), outcome)


def first_part(message: str) -> str:
    """The message up to its first detail: after a colon, a semicolon or a quote there may be a row of data."""
    return re.split(r": |; |['\"\n]", message, maxsplit=1)[0].strip()[:200]


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"


@contextlib.contextmanager
def notify(name: str) -> Iterator[None]:
    """`with notify("name"):` or `@notify("name")`: tell how the block, or each call of the function, ended.

    Of an exception only its type is told; it is raised again.
    """
    started = time.monotonic()
    outcome, reason = "finished", ""
    try:
        yield
    except KeyboardInterrupt:
        outcome, reason = "stopped", "Ctrl-C "
        raise
    except BaseException as error:
        if not (isinstance(error, SystemExit) and error.code in (None, 0)):
            outcome, reason = "failed", f"{type(error).__name__} "
        raise
    finally:
        send(f"{outcome}: {name}", f"{reason}after {duration(time.monotonic() - started)}", outcome)


def run(command: Sequence[str]) -> int:
    """Run a command, tell how it ended and return its exit code: 128 + n for signal n, 127 where there is no such."""
    started = time.monotonic()
    process, signals, early = None, [], []

    def pass_on(number: int, frame) -> None:
        signals.append(number)
        if process is None:
            early.append(number)
        elif not (number == signal.SIGINT and terminal_tells_both()):
            process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # what nohup or a shell's & ignores stays ignored
            signal.signal(number, pass_on)
    # the addresses are not for the command: it might print its environment
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    try:
        process = subprocess.Popen(command, env=environment)
        for number in early:
            process.send_signal(number)
        code = process.wait()
    except OSError as error:
        code = 127 if isinstance(error, FileNotFoundError) else 126
        print(f"error: cannot run {command[0]} ({error.strerror})", file=sys.stderr, flush=True)
    code = 128 - code if code < 0 else code
    outcome = "stopped" if signals or code in (130, 143) else "failed" if code else "finished"
    # an argument may be a secret; the name of a script is none
    words = [command[0], *(word for word in command[1:2] if Path(word).is_file())]
    name = " ".join(Path(word).name for word in words)
    send(f"{outcome}: {name}", f"exit code {code} after {duration(time.monotonic() - started)}", outcome)
    return code


def terminal_tells_both() -> bool:
    """Whether a terminal's Ctrl-C reaches the command, too: it is in our group, and the group in the foreground."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def main(argv: Sequence[str]) -> int:
    """`-- command`: run a command and tell how it ended."""
    if argv[:1] != ["--"] or len(argv) < 2:
        print("usage: python -m engine.notify -- command [argument ...]", file=sys.stderr)
        return 2
    if not address():
        print(f"warning: {VARIABLE} is not set, nobody will be told", file=sys.stderr, flush=True)
    return run(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
