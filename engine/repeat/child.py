"""A process below this one: a signal tells it once, and it may save before the signal takes effect here."""

import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO

from engine.distributed.signals import ECHO, name, say
from engine.stops import SIGNALS


class Child:
    """A command in a session of its own, so that a terminal's Ctrl-C reaches this process alone, and it only once."""

    def __init__(self):
        self.process: subprocess.Popen | None = None
        self.number = 0
        self.heard = 0.0
        self.told = False

    def run(self, command: Sequence[str], output: IO) -> int:
        """Its exit code, negative for a signal that killed it; what it prints goes to `output`.

        A signal is passed on as SIGTERM, and a second one, after more than ECHO seconds, kills the child. When it has
        ended the first does here what it would have done at once: KeyboardInterrupt, a handler's exception, the end.
        """
        main = threading.current_thread() is threading.main_thread()  # Python allows handlers nowhere else
        taken = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
        before = {number: signal.signal(number, self.hear) for number in taken if main}
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            self.tell()  # of what came while it was started
            code = self.process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.number:
            signal.raise_signal(self.number)
        return code

    def hear(self, number: int, frame) -> None:
        now = time.monotonic()
        if not self.number:
            self.number, self.heard = number, now
            say(f"\n{name(number)}: the run that is under way saves and stops; once more kills it")
            self.tell()
        elif now - self.heard >= ECHO and self.process is not None:
            self.process.kill()

    def tell(self) -> None:
        if self.number and self.process is not None and not self.told:
            self.told = True
            self.process.send_signal(signal.SIGTERM)
