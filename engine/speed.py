"""Tokens a second and memory, for the log."""

import resource
import sys
import time

import torch


class Speed:
    """Counts tokens and the time between two logs, without what evaluation and saving take."""

    def __init__(self, device: torch.device, padding_share: float, tokens: int = 0, seconds: float = 0.0):
        self.device, self.padding_share = device, padding_share
        self.tokens, self.seconds = tokens, seconds  # of all updates, over all starts of the program
        self.read_tokens, self.read_seconds, self.since = tokens, seconds, time.perf_counter()

    def count(self, tokens: int) -> None:
        """An update is done."""
        now = time.perf_counter()
        self.tokens, self.seconds, self.since = self.tokens + tokens, self.seconds + now - self.since, now

    def read(self) -> dict[str, float]:
        """Numbers since the last reading."""
        tokens, seconds = self.tokens - self.read_tokens, self.seconds - self.read_seconds
        self.read_tokens, self.read_seconds = self.tokens, self.seconds
        return {
            "tokens_per_second": tokens / max(seconds, 1e-9),
            "padding_share": self.padding_share,
            "memory_gib": peak_memory(self.device),
        }

    def restart(self) -> None:
        """Leave out the time since the last count: call after evaluating or saving."""
        self.since = time.perf_counter()


def peak_memory(device: torch.device) -> float:
    """Most memory so far in GiB: of the device, or resident of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    kilobyte = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte / 2**30
