"""SIGTERM and Ctrl-C: whatever it is doing, a run saves and stops, and the same command ends as if nothing had been."""

import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import train as program
from conftest import metric_lines
from engine.distributed import signals
from engine.distributed.signals import StopRequested, StopSignal

ROOT = Path(__file__).parents[3]
RUN = {"model__dropout": 0.2, "train__epochs": 2, "train__save_every": 4, "eval__every": 3, "eval__batch_size": 8}


def result(folder: Path) -> dict:
    newest = max((folder / "checkpoints").glob("step-*"))
    lines = metric_lines(folder, speed=False)
    files = [newest / "model.safetensors", newest / "optimizer.safetensors", folder / "predictions" / "dev.csv"]
    return {"lines": lines, **{path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}}


STRAIGHT: list[dict] = []  # one for all tests of this file


@pytest.fixture
def straight(options, tmp_path) -> dict:
    """The result of a run without signals."""
    if not STRAIGHT:
        assert program.main(options(run__name="straight", **RUN)) == 0
        STRAIGHT.append(result(tmp_path / "runs" / "straight"))
    return STRAIGHT[0]


class SignalIn:
    """Sends a signal to this process at the n-th call of a function, before what it does."""

    def __init__(self, monkeypatch, where: str, number: int, call: int = 1):
        from importlib import import_module

        module, _, name = where.rpartition(":")
        owner = import_module(module)
        *path, name = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        original, self.calls = getattr(owner, name), 0

        def wrapped(*args, **kwargs):
            self.calls += 1
            if self.calls == call:
                os.kill(os.getpid(), number)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapped)


@pytest.mark.drill("R6")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "where, call, step",
    [
        ("engine.loop:seed_update", 2, 2),  # in an update
        ("engine.evaluate:collate", 1, 3),  # in the first batch of an evaluation
        ("engine.evaluate:collate", 5, 6),  # in the second batch of the last evaluation
        ("engine.checkpoint.checkpoints:write", 1, 3),  # in a save
    ],
    ids=["training", "evaluating", "last evaluation", "saving"],
)  # fmt: skip
def test_a_signal_at_any_phase(options, tmp_path, monkeypatch, capsys, straight, where, call, step, number):
    with monkeypatch.context() as patch:
        SignalIn(patch, where, number, call)
        assert program.main(options(run__name="stopped", **RUN)) == 128 + number
    said = capsys.readouterr()
    folder = tmp_path / "runs" / "stopped"
    newest = max((folder / "checkpoints").glob("step-*")).name
    assert f"stopped after update {int(newest[-8:])}; the same command with --run.name stopped continues" in said.err
    assert int(newest[-8:]) in (step, step + 1)
    assert f"{signal.Signals(number).name}: saving and stopping" in said.err
    assert not (folder / "report.json").exists()
    assert program.main(options(run__name="stopped", **RUN)) == 0
    assert result(folder) == straight


@pytest.mark.drill("R27")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_closed_terminal_and_a_scheduler_s_warning_save_too(options, tmp_path, monkeypatch, capsys, straight, number):
    """They ended a run at once, without saving."""
    with monkeypatch.context() as patch:
        SignalIn(patch, "engine.loop:seed_update", number, 2)
        assert program.main(options(run__name="stopped", **RUN)) == 128 + number
    said = capsys.readouterr().err
    assert f"{number.name}: saving and stopping; once more stops at once" in said
    assert "stopped after update 2; the same command with --run.name stopped continues" in said
    assert program.main(options(run__name="stopped", **RUN)) == 0
    assert result(tmp_path / "runs" / "stopped") == straight


@pytest.mark.drill("R27")
@pytest.mark.parametrize(
    "sent, left", [("INT TERM", []), ("TERM INT HUP USR1", []), ("INT INT", ["SIGINT"]), ("INT TERM TERM", ["SIGTERM"])]
)
def test_only_the_same_signal_again_stops_at_once(monkeypatch, sent, left):
    """The end of a launcher sends SIGTERM after a terminal's Ctrl-C: nobody asked twice."""
    ended = []
    monkeypatch.setattr(signals, "ECHO", 0)
    monkeypatch.setattr(signals, "later", lambda *rest: None)
    monkeypatch.setattr(signals, "leave_at_once", lambda text, number: ended.append(text.split()[0]))
    read_end, write_end = os.pipe()
    stop = signals.StopSignal()
    stop.parent = os.getppid()
    os.write(write_end, bytes(getattr(signal, f"SIG{name}") for name in sent.split()) + b"\0")
    stop.watch(read_end)
    os.close(write_end)
    assert ended == left


@pytest.mark.drill("R6")
def test_an_evaluation_that_was_broken_off_is_owed(options, tmp_path, monkeypatch, straight):
    """Not after the next update, not with other weights, not twice: also when the second start is killed after it."""

    class KilledError(Exception):
        pass

    def killed(*args):
        raise KilledError

    name = {"run__name": "owing", "track__tensorboard": "true"}
    folder = tmp_path / "runs" / "owing"
    with monkeypatch.context() as patch:
        SignalIn(patch, "engine.evaluate:collate", signal.SIGTERM)
        assert program.main(options(**name, **RUN)) == 143
    state = json.loads((folder / "checkpoints" / "step-00000003" / "state.json").read_text())["state"]
    assert (state["step"], state["owes_evaluation"], state["best_step"]) == (3, True, None)
    assert [line["split"] for line in metric_lines(folder)] == ["train"] * 3
    with monkeypatch.context() as patch:
        patch.setattr("engine.loop.seed_update", killed)  # the first thing of the next update
        with pytest.raises(KilledError):
            program.main(options(**name, **RUN))
    lines = metric_lines(folder)
    assert [(line["step"], line["split"]) for line in lines[2:]] == [(3, "train"), (3, "dev")]
    assert program.main(options(**name, **RUN)) == 0
    assert result(folder) == straight
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events.Scalars("dev/loss")] == [3, 6]
    scores = [line["micro_f1"] for line in metric_lines(folder) if line["split"] == "dev"]
    better = [3, 6] if scores[1] > scores[0] else [3]
    assert [event.step for event in events.Images("confusion/counts")] == better


@pytest.mark.drill("R6")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_tokenising_leaves_nothing_half_done(options, tmp_path, monkeypatch, capsys, number):
    cache = tmp_path / "cache"
    command = options(data__cache_dir=cache, train__max_updates=1, run__name="early")
    with monkeypatch.context() as patch:
        SignalIn(patch, "data.store.chunk:append", number, call=20)
        assert program.main(command) == 128 + number
    assert "stopped before the first update of this start; the same command starts again" in capsys.readouterr().err
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]
    assert not (tmp_path / "runs").exists()
    assert program.main(command) == 0


@pytest.mark.drill("R6")
def test_a_signal_in_the_last_scoring_leaves_the_run_unfinished(options, tmp_path, monkeypatch, capsys):
    """`best/`, predictions and report come of one piece, or not yet."""
    command = options(run__name="late", train__epochs=1)
    with monkeypatch.context() as patch:
        SignalIn(patch, "engine.report.finish:settle_best", signal.SIGTERM)
        assert program.main(command) == 143
    folder = tmp_path / "runs" / "late"
    assert "stopped after update 3" in capsys.readouterr().err
    assert not (folder / "report.json").exists()
    assert not (folder / "best").exists()
    assert program.main(command) == 0
    assert (folder / "report.json").exists()


def test_signals_are_given_back(options, monkeypatch):
    before = [signal.getsignal(number) for number in signals.SIGNALS], signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before[1])
    threads = threading.active_count()
    assert program.main(options(train__max_updates=1)) == 0
    after = [signal.getsignal(number) for number in signals.SIGNALS], signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(after[1])
    assert after == before
    for _ in range(100):
        if threading.active_count() <= threads:
            break
        threading.Event().wait(0.05)
    assert threading.active_count() <= threads


def test_a_save_that_began_is_not_given_up(monkeypatch):
    left = []
    monkeypatch.setattr("engine.distributed.signals.leave_at_once", lambda text, number: left.append(text))
    monkeypatch.setattr("engine.distributed.signals.later", lambda seconds, action, *rest: left.append(seconds))
    stop = StopSignal()
    stop.before = {signal.SIGTERM: None}
    with stop.hold():
        stop.give_up(signal.SIGTERM)
    assert left == [0.5]  # asked again
    stop.give_up(signal.SIGTERM)
    assert left[1].startswith("SIGTERM: nothing could be saved within 17 s")
    stop.agreed = True
    stop.give_up(signal.SIGTERM)
    assert len(left) == 2


def test_before_there_is_something_to_save_a_signal_raises():
    stop = StopSignal()
    with pytest.raises(StopRequested):
        stop.note(signal.SIGTERM, None)
    with pytest.raises(StopRequested):
        stop.defer()
    assert stop.number == signal.SIGTERM
    assert not issubclass(StopRequested, Exception)  # `except Exception` must not swallow it


def test_without_a_signal_nobody_stops():
    stop = StopSignal()
    stop.defer()
    assert not stop.agree()
    stop.note(signal.SIGINT, None)
    assert stop.agree()
    assert stop.agreed
    assert stop.number == signal.SIGINT


PARENT = """
import subprocess, sys
child = "import os, sys; from engine.distributed.signals import follow_launcher; follow_launcher(os.getppid()); " \
        "import signal; signal.signal(signal.SIGTERM, lambda *_: (print('told', flush=True), os._exit(0))); " \
        "print(os.getpid(), flush=True); import time; time.sleep(20); print('slept', flush=True)"
process = subprocess.Popen([sys.executable, "-c", child])
process.wait()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells of a parent's death")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("script, told", [("accelerate", True), ("my_shell", False)])
def test_a_launcher_that_dies_takes_the_run_along_and_a_shell_does_not(tmp_path, script, told):
    (tmp_path / script).write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(tmp_path / script)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with parent:
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        if told:
            assert parent.stdout.readline() == "told\n"
        else:
            assert not select.select([parent.stdout], [], [], 1)[0]
            os.kill(child, signal.SIGKILL)
