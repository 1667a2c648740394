"""A process a side: each has its own memory, its own accelerate, its own compiled code, and waits for its turn."""

import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

from versus.task import Case, SideError

BENCHMARKS = Path(__file__).resolve().parents[1]


def serve(connection: Connection, name: str, case: Case, arguments: dict) -> None:
    """The process of a side. What it needs is imported there; the parent stays light."""
    from versus.serve import serve

    serve(connection, name, case, arguments)


class Worker:
    """The parent's end of a side; a context manager, the process ends with it."""

    def __init__(self, name: str, case: Case, arguments: dict | None = None):
        # a server that has imported everything forks in no time; CUDA and forks do not go together
        context = multiprocessing.get_context("spawn" if case.device == "cuda" else "forkserver")
        if case.device != "cuda":
            before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
            paths = dict.fromkeys([str(BENCHMARKS), str(BENCHMARKS.parent), *filter(None, before)])
            os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # the server takes nothing else over
            context.set_forkserver_preload(["versus.serve"])
        self.connection, theirs = context.Pipe()
        # no daemon: the Trainer's data loader may start processes of its own
        self.process = context.Process(target=serve, args=(theirs, name, case, arguments or {}))
        self.process.start()
        theirs.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error) -> None:
        self.connection.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()

    def receive(self):
        """Raises SideError where the side failed or died."""
        try:
            found = self.connection.recv()
        except EOFError:
            self.process.join(10)
            raise SideError(f"the process of a side ended with exit code {self.process.exitcode}") from None
        if isinstance(found, SideError):
            raise found
        return found

    def ask(self, *request):
        self.connection.send(request)
        return self.receive()

    def block(self, settle: int, updates: int, mode: str | None = None) -> dict:
        """Time `updates` updates after `settle` others; see measure.Gate."""
        return self.ask("block", settle, updates, mode)

    def begin_training(self) -> None:
        self.connection.send(("train",))

    def end_training(self) -> dict:
        return self.ask("end")
