"""Tell a person that a run, a command or a function ended: what the message says. `deliver.py` delivers it.

PLAINLOOP_NOTIFY=tgram://... python train.py
PLAINLOOP_NOTIFY=tgram://... python -m engine.notify -- any command
"""

import contextlib
import re
import time
from collections.abc import Iterator, Sequence

from engine import stops
from engine.notify.deliver import excused, send
from engine.scores.titles import SCORES

CODES = {
    1: "failure", 2: "bad input or configuration", 3: "values that are not finite",
    4: "another run holds the folder", **stops.CODES,
}  # fmt: skip


def notify_end(
    when: Sequence[str], name: str, code: int, seconds: float, report: dict | None = None, message: str = ""
) -> None:
    """Tell that the run `name` ended with exit code `code` after `seconds`, if its outcome is among `when`.

    `report`: as report.json has it, or what is known of it. `message`: what is printed last; only what stands before
    its first detail is sent. Never raises.
    """
    outcome = "finished" if code == 0 else "stopped" if code in stops.CODES else "failed"
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
