"""Deliver a message to the addresses in PLAINLOOP_NOTIFY, through apprise, within 5 s.

The addresses are secrets: they stand in the environment alone, on no command line and in no message or file. A process
of its own delivers and is killed at the limit, so a dead, slow or wrong address cannot hold or change a run.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "PLAINLOOP_NOTIFY"
OUTCOMES = ("finished", "stopped", "failed")
LIMIT = 5.0  # seconds that a notification may add
SPARE = 0.3  # of them, for starting and ending the process that delivers
SELF = str(Path(__file__).resolve())
REFUSED, UNKNOWN, MISSING = 10, 11, 12  # exit codes of that process
REASONS = {
    0: "",
    REFUSED: "the service refused it or does not answer",
    UNKNOWN: f"{VARIABLE} holds an address that apprise does not know",
    MISSING: 'apprise is not installed: pip install -e ".[notify]"',
}


def address() -> str:
    """What PLAINLOOP_NOTIFY holds: one address or several, with blanks or commas between; "" = nobody is told."""
    return os.environ.get(VARIABLE, "").strip()


def send(title: str, body: str, outcome: str = "finished") -> None:
    """Deliver a message from the main process within 5 s; what goes wrong is one line on stderr, never an exception.

    `outcome`: finished, stopped or failed; it gives the message its colour where a service has colours.
    """
    if not address() or os.environ.get("RANK", "0") != "0":
        return
    with excused():
        reason = try_to_send(json.dumps({"title": str(title), "body": str(body), "outcome": outcome}))
        if reason:
            complain(reason)


@contextlib.contextmanager
def excused() -> Iterator[None]:
    """A mistake in a notification must not become the run's; only its type is told, its text may hold anything."""
    try:
        yield
    except Exception as error:
        complain(type(error).__name__)


def complain(reason: str) -> None:
    with contextlib.suppress(Exception):  # stderr may be closed
        print(f"notification not delivered ({reason})", file=sys.stderr, flush=True)


def try_to_send(message: str) -> str:
    """Hand `message` to a process of its own; why it failed, or ""."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-P", SELF],  # -P: the modules beside this file must not hide those that apprise imports
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C meant for the run does not reach it, and its group can be killed
    )  # fmt: skip
    try:
        process.communicate(message.encode(), timeout=LIMIT - SPARE - (time.monotonic() - started))
    except subprocess.TimeoutExpired:
        return f"no answer within {LIMIT:.0f} s"
    finally:
        if process.returncode is None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(SPARE / 2)  # not longer: a process that waits for a disk cannot be killed
    return REASONS.get(process.returncode, "the process that delivers it failed")


def main() -> int:
    """That process: the message from stdin to every address."""
    signal.alarm(int(LIMIT) + 1)  # the limit holds even if the run is killed meanwhile
    message = {key: text.encode(errors="replace").decode() for key, text in json.load(sys.stdin).items()}
    try:
        import apprise
    except ImportError:
        return MISSING
    kinds = {"finished": apprise.NotifyType.SUCCESS, "stopped": apprise.NotifyType.WARNING}
    services = apprise.Apprise()
    all_known = services.add(address())
    if not len(services):
        return UNKNOWN
    delivered = services.notify(  # to all at the same time
        title=message["title"],
        body=message["body"],
        notify_type=kinds.get(message["outcome"], apprise.NotifyType.FAILURE),
        body_format=apprise.NotifyFormat.TEXT,
    )
    if not delivered:
        return REFUSED
    return 0 if all_known else UNKNOWN


if __name__ == "__main__":
    sys.exit(main())
