"""The folder of a run: one run at a time works in it."""

import errno
import fcntl
import json
from pathlib import Path


class FolderBusyError(RuntimeError):
    """Another run works in the folder."""

    code = 4


class RunFolder:
    """`run.dir/run.name`, held by a lock that the system drops when the process ends, however it ends."""

    def __init__(self, path: Path):
        self.path = path
        self.handle = None

    def open(self) -> None:
        """Make the folder and lock it. Raises ValueError if it cannot be written, FolderBusyError if it is held."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # lockf belongs to this process alone; flock would stay with a child after kill -9
            self.handle = (self.path / "run.lock").open("a")
        except OSError as error:
            raise ValueError(f"run.dir: cannot write to {self.path} ({error.strerror})") from None
        try:
            fcntl.lockf(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.handle.close()
            if error.errno not in (errno.EACCES, errno.EAGAIN):  # the disk knows no locks
                raise ValueError(f"run.dir: cannot lock {self.path} ({error.strerror}); choose another disk") from None
            raise FolderBusyError(f"run.name: another run is working in {self.path}") from None

    def close(self) -> None:
        """Give the lock back. Its file stays: removing it would let two others lock two files of the same name."""
        if self.handle is not None:
            self.handle.close()


def finished_report(path: Path) -> Path:
    """The file that says that the run in this folder came to its end."""
    return path / "report.json"


def is_finished(path: Path) -> bool:
    """Whether the run in this folder came to its end and its report is whole."""
    try:
        return isinstance(json.loads(finished_report(path).read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False
