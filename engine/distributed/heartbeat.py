"""Several processes watch each other: where one is frozen or its machine is gone, the others end instead of waiting."""

import contextlib
import os
import sys
import threading
import time

import torch.distributed as dist
from accelerate import Accelerator

EVERY = 2.0  # seconds between two beats
SILENCE = 40.0  # seconds without one after which a process counts as gone
MEETING = 50.0  # seconds in which all processes must have come, where no launcher sees to that
LEFT = b"left"


class Heartbeat:
    """A thread a process that counts up in the launcher's key-value store and reads the others' counts.

    It beats while the main thread computes, saves or waits in a collective call: only a process that does not run at
    all falls silent. One that dies is noticed earlier, by the collective call that misses it.
    """

    def __init__(self, accelerator: Accelerator):
        self.rank, self.processes = accelerator.process_index, accelerator.num_processes
        self.stopped = threading.Event()
        if self.processes > 1:
            # a connection of its own: the main thread may be waiting in the other one
            self.store = dist.PrefixStore("plainloop", dist.distributed_c10d._get_default_store().clone())
            self.store.set(str(self.rank), "0")
            accelerator.wait_for_everyone()
            self.heard = {rank: time.monotonic() for rank in range(self.processes) if rank != self.rank}
            threading.Thread(target=self.beat, daemon=True).start()
            threading.Thread(target=self.watch, daemon=True).start()

    def beat(self) -> None:
        """Note when each count was last seen to change. It waits for ever where the store's own process is frozen."""
        others, seen, count = [str(rank) for rank in self.heard], {}, 0
        while not self.stopped.wait(EVERY):
            count += 1
            try:
                self.store.set(str(self.rank), str(count))
                counts = self.store.multi_get(others)
            except RuntimeError:  # whoever holds the store is gone: that is noticed elsewhere
                self.stopped.set()
                return
            for rank, value in zip(self.heard, counts, strict=True):
                if value != seen.get(rank) or value == LEFT:
                    seen[rank], self.heard[rank] = value, time.monotonic()

    def watch(self) -> None:
        last = time.monotonic()
        while not self.stopped.wait(EVERY):
            now = time.monotonic()
            if now - last > SILENCE / 2:  # this process itself was asleep
                self.heard = dict.fromkeys(self.heard, now)
            last = now
            if silent := [rank for rank, heard in self.heard.items() if now - heard > SILENCE]:
                end_at_once(f"process {', '.join(map(str, silent))} has not answered for {SILENCE:.0f} s")

    def stop(self) -> None:
        """Before the process ends: its silence means nothing from now on."""
        if self.processes > 1 and not self.stopped.is_set():
            self.stopped.set()
            with contextlib.suppress(RuntimeError):
                self.store.set(str(self.rank), LEFT)


@contextlib.contextmanager
def meeting():
    """Around the first meeting of the processes: one that died before it would be waited for in vain."""
    processes, here = (int(os.environ.get(name, 1)) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    seconds = MEETING if processes == here else 10 * MEETING  # machines may tokenise each for itself
    waiting = threading.Timer(seconds, end_at_once, args=(f"not all processes have come within {seconds:.0f} s",))
    waiting.daemon = True
    if processes > 1 and "TORCHELASTIC_RUN_ID" not in os.environ:  # a launcher ends all when one of them dies
        waiting.start()
    try:
        yield
    finally:
        waiting.cancel()


def end_at_once(reason: str) -> None:
    print(
        f"error: process {os.environ.get('RANK', 0)}: {reason}; stopped, the same command continues from the last "
        "checkpoint",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)
