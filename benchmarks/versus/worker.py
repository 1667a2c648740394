"""A process a side: each has its own memory, its own accelerate, its own compiled code, and waits for its turn."""

import contextlib
import multiprocessing
import os
import platform
import sys
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from transformers.utils import logging as transformers_logging

from versus.measure import matmul_peak
from versus.ours import Bare, Ours
from versus.task import Case, prepare
from versus.trainer_side import TrainerSide

SIDES = {"ours": Ours, "bare": Bare, "trainer": TrainerSide}
BENCHMARKS = Path(__file__).resolve().parents[1]


class SideError(RuntimeError):
    """A side failed; the message is its own."""


def serve(connection: Connection, name: str, case: Case, arguments: dict) -> None:
    """Answer what the other end asks, until it hangs up."""
    sys.stdout = sys.stderr  # what is printed there are the tables
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    with contextlib.suppress(EOFError, BrokenPipeError):
        try:
            if name == "prepare":
                connection.send({"device": device_name(case.device)} | prepare(case))
                return
            if name == "matmul":
                torch.set_num_threads(case.threads)
                while True:
                    _, size, seconds = connection.recv()
                    connection.send(matmul_peak(torch.device(case.device), case.precision, size, seconds))
            side = SIDES[name](case, arguments)
            with contextlib.closing(side):
                connection.send("ready")
                while (request := connection.recv())[0] != "stop":
                    answer(side, connection, request)
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:
            connection.send(SideError(f"{type(error).__name__}: {error!s:.300}\n{traceback.format_exc()[-3000:]}"))


def answer(side, connection: Connection, request: tuple) -> None:
    word, *more = request
    if word == "train":
        side.train(connection)  # blocks are asked for and answered inside
        connection.send({"padding_share": side.padding_share})
    else:
        connection.send(getattr(side, word)(*more))


def device_name(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "CPU"


class Worker:
    """The parent's end of a side; a context manager, the process ends with it."""

    def __init__(self, name: str, case: Case, arguments: dict | None = None):
        # a server that has imported everything forks in no time; CUDA and forks do not go together
        context = multiprocessing.get_context("spawn" if case.device == "cuda" else "forkserver")
        if case.device != "cuda":
            before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
            paths = dict.fromkeys([str(BENCHMARKS), str(BENCHMARKS.parent), *filter(None, before)])
            os.environ["PYTHONPATH"] = os.pathsep.join(paths)  # the server takes nothing else over
            context.set_forkserver_preload(["versus.worker"])
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
