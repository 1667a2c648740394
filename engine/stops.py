"""The signals that ask a command to stop, and the exit codes that say so."""

import signal

# kill and schedulers, Ctrl-C, a terminal that is closed, what Slurm's --signal and the like send before the time is up
NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
CODES = {128 + number: "Ctrl-C" if number == signal.SIGINT else number.name for number in SIGNALS}
