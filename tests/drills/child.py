"""train.py in a process that says, in a file of one byte, what it is doing, so that a kill can be counted by phase.

As a script (`python tests/drills/child.py PHASE_FILE options of train.py`) it starts from cold, also below a launcher.
"""

import functools
import os
import sys
from pathlib import Path

PHASES = ("start", "tokenising", "training", "evaluating", "saving", "finishing")


class Marker:
    """Writes the phase. One process of several does: the first."""

    def __init__(self, path: Path):
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT)
        self.phase = "start"
        self.set("start")
        path.with_name(f"{path.name}.pid.{os.environ.get('RANK', 0)}").write_text(str(os.getpid()))

    def set(self, phase: str) -> None:
        self.phase = phase
        if int(os.environ.get("RANK", 0)) == 0:
            os.pwrite(self.handle, bytes([PHASES.index(phase)]), 0)

    def around(self, function, phase: str):
        """`function`, with `phase` marked while it runs."""

        @functools.wraps(function)
        def marked(*args, **kwargs):
            before = self.phase
            self.set(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self.set(before)

        return marked


def read_phase(path: Path) -> str:
    content = path.read_bytes() if path.exists() else b""
    return PHASES[content[0]] if content else "start"


def mark_phases(marker: Marker) -> None:
    """Wrap the places where phases begin and end."""
    import train
    from data.store import token_store
    from engine import evaluate
    from engine.checkpoint.checkpoints import Checkpoints
    from engine.tracking.tracker import Tracker

    token_store.write = marker.around(token_store.write, "tokenising")
    evaluate.predict = marker.around(evaluate.predict, "evaluating")
    Tracker.confusion = marker.around(Tracker.confusion, "evaluating")  # its figures
    Checkpoints.save = marker.around(Checkpoints.save, "saving")
    train.train = marker.around(train.train, "training")
    train.finish = marker.around(train.finish, "finishing")


def run(phase_file: Path, argv: list[str]) -> int:
    marker = Marker(phase_file)
    import train  # what takes long at a cold start

    mark_phases(marker)
    return train.main(argv)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
