"""SIGTERM and Ctrl-C: save and stop after the update at hand."""

import os
import signal
import sys
import threading

import torch
from accelerate import Accelerator


class StopSignal:
    """The first signal asks the loop to stop, the second one ends the process at once.

    `number` is the signal's, 0 while there was none; `agreed` says that all processes stop after the same update.
    """

    def __init__(self):
        self.number = 0
        self.agreed = False
        self.before: dict[int, object] = {}

    def listen(self) -> None:
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
            self.before = {number: signal.signal(number, self.note) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(self, number: int, frame) -> None:
        if self.number:
            os._exit(128 + number)
        self.number = number
        print(f"\n{signal.Signals(number).name}: saving and stopping; once more stops at once", file=sys.stderr)

    def agree(self, accelerator: Accelerator, ask_others: bool) -> bool:
        """Whether to stop now. Processes ask each other only where `ask_others` says so, at the same update in all."""
        if accelerator.num_processes == 1:
            self.agreed = self.number != 0
        elif ask_others:
            numbers = accelerator.gather(torch.tensor([self.number], device=accelerator.device))
            self.number = self.number or int(numbers.max())
            self.agreed = self.number != 0
        return self.agreed

    def leave(self) -> None:
        """Give the signals back to whom they belonged."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
