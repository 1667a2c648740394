"""Tokens a second and memory, for the log."""

import resource
import sys
import time

import torch


class Speed:
    """Counts tokens and the time between two logs, without what evaluation and saving take."""

    def __init__(self, device: torch.device, padding_share: float, seconds_before: float = 0.0):
        self.device, self.padding_share = device, padding_share
        self.total_tokens, self.total_seconds, self.seconds_before = 0, 0.0, seconds_before
        self.tokens, self.seconds, self.since = 0, 0.0, time.perf_counter()

    def count(self, tokens: int) -> None:
        """An update is done."""
        now = time.perf_counter()
        self.tokens, self.seconds, self.since = self.tokens + tokens, self.seconds + now - self.since, now

    def read(self) -> dict[str, float]:
        """Numbers since the last reading."""
        numbers = {
            "tokens_per_second": self.tokens / max(self.seconds, 1e-9),
            "padding_share": self.padding_share,
            "memory_gib": peak_memory(self.device),
        }
        self.total_tokens, self.total_seconds = self.total_tokens + self.tokens, self.total_seconds + self.seconds
        self.tokens, self.seconds = 0, 0.0
        return numbers

    def restart(self) -> None:
        """Leave out the time since the last count: call after evaluating or saving."""
        self.since = time.perf_counter()

    def training_seconds(self) -> float:
        """Time spent in updates, over all starts of the program."""
        return self.seconds_before + self.total_seconds + self.seconds


def peak_memory(device: torch.device) -> float:
    """Most memory so far in GiB: of the device, or resident of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    kilobyte = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte / 2**30
