"""What a side's process does: make the side, answer until the other end hangs up."""

import contextlib
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
from versus.prepare import prepare
from versus.task import Case, SideError
from versus.trainer_side import TrainerSide

SIDES = {"ours": Ours, "bare": Bare, "trainer": TrainerSide}


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
