"""SIGTERM, Ctrl-C and the like: save and stop soon, at the same place in all processes; the same again stops at
once."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from accelerate import Accelerator

from engine.stops import SIGNALS

# schedulers and launchers send a signal to all they know, and the system when a launcher dies: nobody asked twice
ECHO = 1  # seconds in which it counts once
PATIENCE = 17  # seconds from a signal to the saving; schedulers and torchrun kill 30 s after it
LAUNCHERS = {
    "accelerate", "accelerate-launch", "torchrun", "accelerate.commands.launch", "torch.distributed.run",
    "engine.repeat", "engine.study", "hold_out.py", "semeval_minilm.py",
}  # fmt: skip
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class StopRequested(BaseException):
    """A signal came while there was nothing to save. Like KeyboardInterrupt, nobody may take it for an error."""


class StopSignal:
    """Before `defer()` a signal raises StopRequested; after it, `agree()` says so at the next place where one can stop.

    `number` is the signal's, 0 while there was none; `agreed` says that all processes stop here.
    """

    def __init__(self):
        self.number = 0
        self.agreed = False
        self.deferred = False
        self.ending = False
        self.holding = False
        self.write_end: int | None = None
        self.group: dist.ProcessGroup | None = None
        self.pending: dist.Work | None = None
        self.flag = torch.zeros((), dtype=torch.int64)
        self.before: dict[int, object] = {}

    def listen(self) -> None:
        """Take the signals over. A thread reads them too: it hears the second one while the main one waits in C."""
        if threading.current_thread() is not threading.main_thread():  # Python allows handlers nowhere else
            return
        self.parent = os.getppid()
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.write_end, False)
        self.fd_before = signal.set_wakeup_fd(self.write_end, warn_on_full_buffer=False)
        # what nohup or a shell's & ignores stays ignored; None: somebody's handler in C
        taken = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
        self.before = {number: signal.signal(number, self.note) for number in taken}
        self.watching = threading.Thread(target=self.watch, args=(self.read_end,), daemon=True)
        self.watching.start()
        follow_launcher(self.parent)

    def note(self, number: int, frame) -> None:
        """The main thread's part."""
        self.number = self.number or number
        if not self.deferred:
            raise StopRequested

    def watch(self, read_end: int) -> None:
        """The thread's part: the first signal is told and timed, the same one again ends the process at once. Another
        kind is no second one: after a Ctrl-C the end of a launcher sends SIGTERM."""
        heard: dict[int, float] = {}  # when each kind came first
        orphaned = 0.0  # when the launcher was found to be gone
        while (received := os.read(read_end, 1)) != b"\0":
            number, now = received[0], time.monotonic()
            if number not in SIGNALS:
                continue
            if os.getppid() != self.parent:
                orphaned = orphaned or now
            if number in heard and now - max(heard[number], orphaned) < ECHO:
                continue
            if number in heard:
                leave_at_once(f"{name(number)} again: stopped at once; the last checkpoint stays", number)
            heard[number] = now
            if len(heard) > 1:
                continue
            later(PATIENCE, self.give_up, number)
            if self.deferred and not self.ending:
                say(f"\n{name(number)}: saving and stopping; once more stops at once")
        os.close(read_end)

    def give_up(self, number: int) -> None:
        """Nothing may hold a stop for long, not even a process that does not answer; a save that began may end."""
        if self.holding:
            later(0.5, self.give_up, number)
        elif self.before and not self.agreed:
            leave_at_once(
                f"{name(number)}: nothing could be saved within {PATIENCE} s; the same command continues from the last "
                "checkpoint",
                number,
            )

    def join(self, accelerator: Accelerator) -> None:
        """Meet the other processes; all call it. The group is one of CPUs: asking it never waits for a GPU.

        From here on none of them leaves alone: a signal is answered by all at the same place.
        """
        if accelerator.num_processes > 1:
            self.group = dist.new_group(backend="gloo")
            self.deferred = True

    def defer(self) -> None:
        """From now on there is something to save. Raises StopRequested for a signal that came before."""
        if self.number and not self.deferred:
            raise StopRequested
        self.deferred = True

    @contextlib.contextmanager
    def hold(self):
        """Around what must not be given up half way: a save."""
        self.holding = True
        try:
            yield
        finally:
            self.holding = False

    def end(self) -> None:
        """From now on there is nothing to save and nothing to break off, only last words."""
        self.deferred = self.ending = True

    def agree(self) -> bool:
        """Whether to stop here. All processes call it at the same places and get the same answer.

        The answer is that of the call before, whose question went round meanwhile: nobody waits for it.
        """
        if self.group is None:
            self.agreed = self.number != 0
            return self.agreed
        if self.pending is not None:
            self.pending.wait()
            self.number = self.number or int(self.flag)
            self.agreed = int(self.flag) != 0
        self.flag.fill_(self.number)
        self.pending = dist.all_reduce(self.flag, dist.ReduceOp.MAX, group=self.group, async_op=True)
        return self.agreed

    def leave(self) -> None:
        """Give the signals back to whom they belonged."""
        if self.write_end is not None:
            signal.set_wakeup_fd(self.fd_before)
            for number, handler in self.before.items():
                signal.signal(number, handler)
            self.before = {}
            os.write(self.write_end, b"\0")
            os.close(self.write_end)
            self.write_end = None
            self.watching.join(timeout=5)  # a thread that wakes up while Python shuts down may abort the process


def follow_launcher(parent: int) -> None:
    """Have the system send SIGTERM when the launcher dies: `accelerate launch` of one process passes no signal on.

    Only for launchers: a shell may be closed while the run goes on. Linux only.
    """
    try:
        words = Path(f"/proc/{parent}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return
    if LAUNCHERS & {Path(word).name for word in words[1:4]}:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), signal.SIGTERM)


def name(number: int) -> str:
    return signal.Signals(number).name


def say(text: str) -> None:
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:
        with contextlib.suppress(OSError, ValueError):  # the terminal may be gone, stderr closed
            print(text, file=sys.stderr, flush=True)


def later(seconds: float, action: Callable, *arguments) -> None:
    timer = threading.Timer(seconds, action, args=arguments)
    timer.daemon = True
    timer.start()


def leave_at_once(text: str, number: int) -> None:
    later(1, os._exit, 128 + number)  # stderr may be a pipe that nobody reads
    say(text)
    os._exit(128 + number)
