"""Clocks, blocks of updates, time by section, the peak of matrix multiplication."""

import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch

from engine.speed import peak_memory


class Enough(Exception):  # noqa: N818 (no error: it leaves a training loop after the last block)
    """Every block was timed."""


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Gate:
    """Holds a training loop between two blocks of updates, so that sides can take turns in one run.

    Both loops report each update after their optimizer step. A block is `settle` updates that are not timed and
    `updates` that are: from the end of one update to the end of another, the device waited for at both.
    `progress()` gives tokens and positions (tokens and padding) computed so far; None where only the plan knows.
    """

    def __init__(self, connection: Connection, device: torch.device, progress: Callable[[], tuple[int, int | None]]):
        self.connection, self.device, self.progress = connection, device, progress
        self.watch: Callable[[str | None], dict] = lambda mode: {}

    def wait(self) -> None:
        """For the next block. Raises Enough where there is none."""
        word, *numbers = self.connection.recv()
        if word == "end":
            raise Enough
        self.settle, self.updates, self.mode = numbers
        self.done = 0

    def update_done(self) -> None:
        self.done += 1
        if self.done == self.settle:
            self.watch(self.mode)
            synchronise(self.device)
            self.before = self.progress()
            self.cpu, self.start = time.process_time(), time.perf_counter()
        if self.done == self.settle + self.updates:
            synchronise(self.device)
            seconds, cpu = time.perf_counter() - self.start, time.process_time() - self.cpu
            tokens, positions = self.progress()
            self.connection.send(
                {
                    "updates": self.updates,
                    "seconds": seconds,
                    "cpu_seconds": cpu,
                    "tokens": tokens - self.before[0],
                    "positions": None if positions is None else positions - self.before[1],
                    "memory_gib": peak_memory(self.device),
                    **self.watch(None),
                }
            )
            self.wait()


class Sections:
    """Time inside forward, loss, backward, clipping, optimizer step and zero_grad of our loop, from outside of it.

    `mode` "host": host time, nobody waits for the device. "device": the device is waited for at the end of each, so
    that what is left is time in which it has nothing to do.
    """

    def __init__(self, parts, device: torch.device):
        self.device, self.waits, self.seconds, self.undo = device, False, {}, []
        self.places = {
            "forward": (parts.model, "forward"),
            "loss": (parts.loss_fn, "forward"),
            "backward": (parts.accelerator, "backward"),
            "clip": (parts.accelerator, "clip_grad_norm_"),
            "optimizer": (parts.optimizer, "step"),
            "zero_grad": (parts.optimizer, "zero_grad"),
        }

    def watch(self, mode: str | None) -> dict:
        """Start (a mode) or stop (None); stopping returns the seconds by section."""
        found = {"sections": dict(self.seconds)} if self.undo else {}
        for owner, name, own in self.undo:
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
        self.undo = []
        if mode is not None:
            self.waits, self.seconds = mode == "device", dict.fromkeys(self.places, 0.0)
            for section, (owner, name) in self.places.items():
                self.undo.append((owner, name, vars(owner).get(name)))
                setattr(owner, name, self.timed(section, getattr(owner, name)))
        return found

    def timed(self, section: str, function: Callable) -> Callable:
        def call(*args, **named):
            start = time.perf_counter()
            result = function(*args, **named)
            if self.waits:
                synchronise(self.device)
            self.seconds[section] += time.perf_counter() - start
            return result

        return call


def matmul_peak(device: torch.device, precision: str, size: int, seconds: float) -> float:
    """Most floating-point operations a second of square matrix products of this size, in tera."""
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    for _ in range(3):
        left @ right
    synchronise(device)
    best, end = 0.0, time.perf_counter() + seconds
    calls = 10 if device.type == "cuda" else 1  # a GPU is asked several times between two looks at the clock
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(calls):
            left @ right
        synchronise(device)
        best = max(best, calls * 2 * size**3 / (time.perf_counter() - start))
    return best / 1e12
