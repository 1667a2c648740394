"""Run a command and tell a person how it ended.

PLAINLOOP_NOTIFY=tgram://... python -m engine.notify -- any command
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from engine.command import run as run_command
from engine.notify.deliver import VARIABLE, address, send
from engine.notify.message import duration
from engine.stops import CODES, SIGNALS


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

    for number in SIGNALS:
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
    outcome = "stopped" if signals or code in CODES else "failed" if code else "finished"
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


USAGE = "python -m engine.notify -- command [argument ...]"
ABOUT = f"""usage: {USAGE}

Run a command and tell the addresses in {VARIABLE} how it ended. The exit
code is the command's; 126 and 127: it cannot be run.

  --help  Show this and exit."""


def main(argv: Sequence[str]) -> int:
    """`-- command`: run a command, tell how it ended and return its exit code; 2 where there is none."""
    return run_command(lambda progress: run_as_told(argv))


def run_as_told(argv: Sequence[str]) -> int:
    if argv[:1] in (["--help"], ["-h"]):
        print(ABOUT)
        return 0
    if argv[:1] != ["--"] or len(argv) < 2:
        raise ValueError(f"got {' '.join(argv[:1]) or 'no command'}, expected {USAGE}")
    if not address():
        print(f"warning: {VARIABLE} is not set, nobody will be told", file=sys.stderr, flush=True)
    return run(argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
