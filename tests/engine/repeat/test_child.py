"""Signals and the process below: told once, waited for, killed by a second one."""

import os
import signal
import sys
import threading
import time

import pytest

from engine.repeat import child
from engine.repeat.child import Child

STUB = """
import os, signal, sys, time
def hear(number, _):
    print("told", number, os.getpgrp() == os.getpid(), flush=True)
    if sys.argv[1] == "saves":
        time.sleep(0.5)
        print("saved", flush=True)
        os._exit(143)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, hear)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def stub(tmp_path):
    """`stub(kind, (word, number), ...)`: run the stub, send this process each signal when the stub printed the word."""
    (tmp_path / "stub.py").write_text(STUB)
    printed = tmp_path / "printed"

    def send(signals) -> None:
        for word, number in signals:
            while word not in printed.read_text():
                time.sleep(0.01)
            os.kill(os.getpid(), number)
            time.sleep(0.1)

    def run(kind, *signals):
        with printed.open("w") as output:
            sender = threading.Thread(target=send, args=(signals,))
            sender.start()
            try:
                return Child().run([sys.executable, str(tmp_path / "stub.py"), kind], output)
            finally:
                sender.join()

    run.printed = lambda: printed.read_text().split("\n")[:-1]
    return run


@pytest.mark.timeout(30)
def test_a_child_is_told_once_and_may_save_before_the_signal_takes_effect(stub):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        stub("saves", ("ready", signal.SIGINT), ("told", signal.SIGINT))  # the second within ECHO: an echo
    assert stub.printed() == ["ready", f"told {int(signal.SIGTERM)} True", "saved"]
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.timeout(30)
def test_a_second_signal_kills_a_child_that_does_not_end(stub, monkeypatch):
    monkeypatch.setattr(child, "ECHO", 0)
    with pytest.raises(KeyboardInterrupt):
        stub("stays", ("ready", signal.SIGINT), ("told", signal.SIGTERM))
    assert stub.printed() == ["ready", f"told {int(signal.SIGTERM)} True"]


@pytest.mark.timeout(30)
def test_a_signal_that_is_ignored_here_is_not_passed_on(stub, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt):
            stub("saves", ("ready", signal.SIGHUP), ("ready", signal.SIGINT))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert stub.printed() == ["ready", f"told {int(signal.SIGTERM)} True", "saved"]


@pytest.mark.timeout(30)
def test_without_a_signal_the_code_is_returned(tmp_path):
    with (tmp_path / "printed").open("w") as output:
        assert Child().run([sys.executable, "-c", "print('said'); raise SystemExit(5)"], output) == 5
    assert (tmp_path / "printed").read_text() == "said\n"
