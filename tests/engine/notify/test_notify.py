"""Notifications against a real HTTP server on loopback: what arrives, and that nothing else changes."""

import hashlib
import http.server
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch
import yaml

from conftest import ROOT
from engine.arguments.parse import parse
from engine.notify import deliver, notify
from engine.notify.deliver import send
from engine.notify.message import duration, notify_end
from train import main

pytestmark = pytest.mark.drill("R11")

SECRET = "T0kenThatNobodyMaySee"
FINISHED = {"type": "success", "title": "finished: tiny"}


class Server(http.server.ThreadingHTTPServer):
    """Keeps what it is sent. Below /slow it never answers, below /broken it answers 500."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.messages: list[dict] = []
        self.hung_up = threading.Event()

    def address(self, path: str = "") -> str:
        return f"json://127.0.0.1:{self.server_port}{path}/{SECRET}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.messages.append(message | {"path": self.path})
        if self.path.startswith("/slow"):
            self.connection.settimeout(60)
            assert self.connection.recv(1) == b""  # the client went away
            self.server.hung_up.set()
            return
        self.send_response(500 if self.path.startswith("/broken") else 200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """The server, and its address in PLAINLOOP_NOTIFY."""
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("PLAINLOOP_NOTIFY", running.address())
        for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
            monkeypatch.delenv(name, raising=False)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        yield running
        running.shutdown()


@pytest.fixture
def sent(monkeypatch):
    """What would be sent: (title, body, outcome)."""
    messages = []
    monkeypatch.setattr("engine.notify.message.send", lambda *message: messages.append(message))
    return messages


def replace_apprise(folder: Path, monkeypatch, code: str) -> None:
    """Another module of that name in front of the installed one."""
    (folder / "apprise.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))


# delivery -----------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(30)
def test_a_message_arrives_at_every_address(server, monkeypatch, capfd):
    addresses = f" {server.address('/a')} {server.address('/b')},{server.address('/c')}\n"
    monkeypatch.setenv("PLAINLOOP_NOTIFY", addresses)
    send("제목", "첫 줄\n<둘째> & \udcff", "stopped")
    assert sorted(message["path"] for message in server.messages) == [f"/{one}/{SECRET}" for one in "abc"]
    assert {(m["title"], m["message"], m["type"]) for m in server.messages} == {
        ("제목", "첫 줄\n<둘째> & ?", "warning")
    }
    assert capfd.readouterr() == ("", "")


DEAD = f"json://127.0.0.1:9/{SECRET}"  # nothing listens on the discard port


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "addresses, reason",
    [
        (DEAD, "the service refused it or does not answer"),
        ("BROKEN", "the service refused it or does not answer"),
        (f"no address but a {SECRET}", "PLAINLOOP_NOTIFY holds an address that apprise does not know"),
        (f"pigeon://{SECRET}", "PLAINLOOP_NOTIFY holds an address that apprise does not know"),
    ],
)
def test_what_cannot_be_delivered_is_one_line(server, monkeypatch, capfd, addresses, reason):
    monkeypatch.setenv("PLAINLOOP_NOTIFY", addresses.replace("BROKEN", server.address("/broken")))
    send("t", "b")
    assert capfd.readouterr() == ("", f"notification not delivered ({reason})\n")


@pytest.mark.timeout(30)
def test_a_bad_address_does_not_spoil_the_others(server, monkeypatch, capfd):
    monkeypatch.setenv("PLAINLOOP_NOTIFY", f"{server.address()} pigeon://{SECRET}")
    send("t", "b")
    assert len(server.messages) == 1
    assert capfd.readouterr().err.startswith("notification not delivered (PLAINLOOP_NOTIFY holds an address that")


@pytest.mark.timeout(30)
def test_a_service_that_never_answers_costs_5_seconds_and_its_process_ends(server, monkeypatch, capfd):
    slow = server.address("/slow") + "?rto=60&cto=60"  # longer than apprise waits by itself
    monkeypatch.setenv("PLAINLOOP_NOTIFY", f"{slow} {server.address()}")
    started = time.monotonic()
    send("t", "b")
    assert time.monotonic() - started < 8
    assert capfd.readouterr().err == "notification not delivered (no answer within 5 s)\n"
    assert len(server.messages) == 2  # the other one has it
    assert server.hung_up.wait(10)


@pytest.mark.timeout(30)
def test_an_import_that_hangs_costs_no_more_than_the_limit(server, monkeypatch, capfd, tmp_path):
    replace_apprise(tmp_path, monkeypatch, "import time\ntime.sleep(60)\n")
    assert deliver.LIMIT == 5
    monkeypatch.setattr(deliver, "LIMIT", 1.0)
    started = time.monotonic()
    send("t", "b")
    assert time.monotonic() - started < 8
    assert capfd.readouterr().err == "notification not delivered (no answer within 1 s)\n"


@pytest.mark.timeout(30)
def test_without_apprise_the_line_says_how_to_install_it(server, monkeypatch, capfd, tmp_path):
    replace_apprise(tmp_path, monkeypatch, "raise ModuleNotFoundError('apprise')\n")
    send("t", "b")
    told = 'notification not delivered (apprise is not installed: pip install -e ".[notify]")\n'
    assert capfd.readouterr().err == told


def test_a_broken_installation_or_message_raises_nothing(server, monkeypatch, capfd):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    send("t", "b")
    assert capfd.readouterr().err == "notification not delivered (FileNotFoundError)\n"
    notify_end(["finished"], "tiny", 0, 1.0, {"dev": {"micro_f1": SECRET}})
    assert capfd.readouterr().err == "notification not delivered (ValueError)\n"
    monkeypatch.setattr(sys, "stderr", open(os.devnull))  # noqa: SIM115 (cannot be written to)
    send("t", "b")


@pytest.mark.parametrize("name, value", [("PLAINLOOP_NOTIFY", " \n"), ("PLAINLOOP_NOTIFY", None), ("RANK", "1")])
def test_nothing_is_started_without_an_address_or_beside_the_main_process(server, monkeypatch, name, value):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    send("t", "b")


@pytest.mark.timeout(30)
def test_an_interrupt_goes_through_and_leaves_no_process(server, monkeypatch):
    started = []

    class Interrupted(subprocess.Popen):
        def communicate(self, *_, **__):
            started.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        send("t", "b")
    assert started[0].wait(10) == -signal.SIGKILL
    assert SECRET not in str(started[0].args)  # others can read a command line


def test_importing_it_is_cheap():
    check = "import sys, engine.notify\nassert not {'torch', 'apprise', 'numpy', 'yaml'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True, timeout=30)


# what is told -------------------------------------------------------------------------------------------------------

REPORT = {
    "dev": {"micro_f1": 82.784, "auprc": 86.336, "accuracy": 84.0, "macro_f1": 80.2, "loss": 0.6}, "step": 1000,
    "updates": 1250, "epoch": 8.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "code, report, message, title, lines",
    [
        (0, REPORT, "", "finished: tiny", [
            "micro-F1 82.78", "AUPRC 86.34", "accuracy 84.00", "macro-F1 80.20",
            "best update 1000 of 1250 (epoch 8.00)", "after 1 min 05 s",
        ]),
        (0, REPORT | {"dev": None}, "", "finished: tiny", [
            "best update 1000 of 1250 (epoch 8.00)", "after 1 min 05 s",
        ]),
        (143, None, "stopped after update 7; the same command continues", "stopped: tiny", [
            "exit code 143: SIGTERM", "stopped after update 7", "after 1 min 05 s",
        ]),
        (130, None, "", "stopped: tiny", ["exit code 130: Ctrl-C", "after 1 min 05 s"]),
        (2, None, "a/train.json, row 2: subject entity is '다온전자' at 1..4", "failed: tiny", [
            "exit code 2: bad input or configuration", "a/train.json, row 2", "after 1 min 05 s",
        ]),
        (2, None, "train.epochs: got 'x'\ndata.marker: got 'y'", "failed: tiny", [
            "exit code 2: bad input or configuration", "train.epochs", "after 1 min 05 s",
        ]),
        (3, None, "values that are not finite in update 3 (epoch 1): examples 줄-2", "failed: tiny", [
            "exit code 3: values that are not finite", "values that are not finite in update 3 (epoch 1)",
            "after 1 min 05 s",
        ]),
        (4, None, "run.name: another run is working in x", "failed: tiny", [
            "exit code 4: another run holds the folder", "run.name", "after 1 min 05 s",
        ]),
        (1, None, "RuntimeError", "failed: tiny", ["exit code 1: failure", "RuntimeError", "after 1 min 05 s"]),
    ],
)  # fmt: skip
def test_the_message_of_a_run(sent, code, report, message, title, lines):
    notify_end(deliver.OUTCOMES, "tiny", code, 65.2, report, message)
    assert sent == [(title, "\n".join(lines), title.split(":")[0])]


def test_only_the_outcomes_that_were_chosen_are_told(sent):
    for when in ([], ["stopped"], ["finished", "failed"]):
        for code in (0, 1, 130):
            notify_end(when, "tiny", code, 1.0)
    assert [outcome for *_, outcome in sent] == ["stopped", "finished", "failed"]


@pytest.mark.parametrize(
    "seconds, text",
    [(0.04, "0.0 s"), (59.4, "59.4 s"), (59.96, "1 min 00 s"), (3599, "59 min 59 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_function_and_a_block(sent):
    @notify("half")
    def half(number: int) -> float:
        """Half of it."""
        if number > 1:
            half(number - 1)  # each call is one of its own
        return 1 / number

    assert half(2) == 0.5
    assert (half.__name__, half.__doc__) == ("half", "Half of it.")
    with pytest.raises(ZeroDivisionError):
        half(0)
    with pytest.raises(KeyboardInterrupt), notify("block"):
        raise KeyboardInterrupt
    for code in (0, 5):
        with pytest.raises(SystemExit), notify("block"):
            sys.exit(code)
    with pytest.raises(ValueError, match=SECRET), notify("block"):
        raise ValueError(SECRET)
    assert [title for title, *_ in sent] == [
        "finished: half", "finished: half", "failed: half", "stopped: block", "finished: block", "failed: block",
        "failed: block",
    ]  # fmt: skip
    assert [body.split(" after ")[0] for _, body, outcome in sent if outcome == "failed"] == [
        "ZeroDivisionError", "SystemExit", "ValueError",
    ]  # fmt: skip
    assert SECRET not in str(sent)


# any command --------------------------------------------------------------------------------------------------------


def start(*command: str, **options) -> subprocess.Popen:
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(
        [sys.executable, "-m", "engine.notify", *command], cwd=ROOT, text=True, start_new_session=True, **options
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "command, code, title, error",
    [
        (["sh", "-c", f"exit 7 # {SECRET}"], 7, "failed: sh", ""),
        (["sh", "-c", 'cat; env; test -z "$PLAINLOOP_NOTIFY"'], 0, "finished: sh", ""),
        (["sh", "-c", "kill -9 $$"], 137, "failed: sh", ""),
        (["no-such-command", SECRET], 127, "failed: no-such-command",
         "error: cannot run no-such-command (No such file or directory)\n"),
        ([str(ROOT / "README.md")], 126, "failed: README.md",
         f"error: cannot run {ROOT / 'README.md'} (Permission denied)\n"),
    ],
)  # fmt: skip
def test_a_command_keeps_its_exit_code_and_its_streams(server, command, code, title, error):
    process = start("--", *command)
    out, err = process.communicate("typed\n", timeout=50)
    assert process.returncode == code
    assert err == error
    assert SECRET not in out
    assert out.startswith("typed\n") == ("cat" in command[-1])
    [message] = server.messages
    assert message["title"] == title
    assert message["message"].startswith(f"exit code {code} after ")
    assert SECRET not in title + message["message"]


@pytest.mark.timeout(60)
def test_usage_and_a_missing_address(server, monkeypatch, tmp_path):
    for arguments in ([], ["--"], ["sh", "-c", "exit 0"]):
        process = start(*arguments)
        expected = "expected python -m engine.notify -- command [argument ...]\n"
        assert process.communicate(timeout=30)[1] == f"error: got {(*arguments, 'no command')[0]}, {expected}"
        assert process.returncode == 2
    monkeypatch.delenv("PLAINLOOP_NOTIFY")
    process = start("--", "sh", "-c", "exit 3")
    assert process.communicate(timeout=30)[1] == "warning: PLAINLOOP_NOTIFY is not set, nobody will be told\n"
    assert process.returncode == 3
    assert server.messages == []


COUNT = """
import signal, sys, time
got = []
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: got.append(number))
print("ready", flush=True)
while not got:
    time.sleep(0.02)
time.sleep(0.3)  # the same signal once more would come now
print(f"got {[int(number) for number in got]}", flush=True)
sys.exit(9)
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_command(server, number):
    process = start("--", sys.executable, "-c", COUNT)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=50)
    assert (out, err, process.returncode) == (f"got [{int(number)}]\n", "", 9)
    [message] = server.messages
    assert message["type"] == "warning"
    assert message["title"] == f"stopped: {Path(sys.executable).name}"


@pytest.mark.timeout(60)
def test_ctrl_c_at_a_terminal_reaches_the_command_once(server):
    ours, theirs = pty.openpty()
    adopt = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
    )
    command = [sys.executable, "-m", "engine.notify", "--", sys.executable, "-c", COUNT]
    process = subprocess.Popen(
        [sys.executable, "-c", adopt, *command],
        cwd=ROOT, stdin=theirs, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    os.write(ours, b"\x03")
    out, _ = process.communicate(timeout=50)
    os.close(ours)
    os.close(theirs)
    assert (out, process.returncode) == ("got [2]\n", 9)
    assert server.messages[0]["type"] == "warning"


# train.py -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def one_process(monkeypatch):
    """`main` in this process leaves nothing behind."""
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def weights(runs: Path) -> list[str]:
    files = sorted(runs.rglob("model.safetensors"))
    assert len(files) >= 2  # of the last checkpoint and of best/
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def check_no_trace(folder: Path, capfd) -> str:
    """The address is in no file below `folder` and in nothing that was printed, which is given back."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    printed = "".join(capfd.readouterr())
    for text in (SECRET, "json://"):
        assert text not in printed
        assert not [file for file in files if text.encode() in file.read_bytes()]
    return printed


@pytest.mark.timeout(120)
def test_a_finished_run_tells_its_scores_and_has_the_same_weights(
    server, options, tmp_path, monkeypatch, capfd, one_process
):
    short = {"train__epochs": 1, "track__tensorboard": "true"}
    assert main(options(**short, run__dir=tmp_path / "told")) == 0
    check_no_trace(tmp_path, capfd)
    assert list((tmp_path / "told" / "tiny").glob("events.out.*"))
    [message] = server.messages
    report = json.loads((tmp_path / "told" / "tiny" / "report.json").read_text(encoding="utf-8"))
    assert message.items() >= FINISHED.items()
    for name, key in (("micro-F1", "micro_f1"), ("AUPRC", "auprc"), ("accuracy", "accuracy"), ("macro-F1", "macro_f1")):
        assert f"{name} {report['dev'][key]:.2f}\n" in message["message"]
    assert "best update 3 of 3 (epoch 1.00)\nafter " in message["message"]

    monkeypatch.setenv("PLAINLOOP_NOTIFY", DEAD)
    assert main(options(**short, run__dir=tmp_path / "dead")) == 0
    assert "notification not delivered (the service refused it" in check_no_trace(tmp_path, capfd)
    monkeypatch.delenv("PLAINLOOP_NOTIFY")
    assert main(options(**short, run__dir=tmp_path / "silent")) == 0
    assert weights(tmp_path / "told") == weights(tmp_path / "dead") == weights(tmp_path / "silent")
    assert len(server.messages) == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("addresses", ["", DEAD], ids=["delivered", "dead"])
def test_a_failed_run_tells_it(server, options, tmp_path, monkeypatch, capfd, one_process, addresses):
    if addresses:
        monkeypatch.setenv("PLAINLOOP_NOTIFY", addresses)
    rows = json.loads(Path(options()[7].partition("=")[2]).read_text(encoding="utf-8"))
    rows[3]["label"] = "per:freind"
    (tmp_path / "bad.json").write_text(json.dumps(rows), encoding="utf-8")
    assert main(options(data__train=tmp_path / "bad.json")) == 2
    printed = check_no_trace(tmp_path, capfd)
    assert printed.splitlines()[-1].startswith("error: ")  # the one message stays the last line
    assert ("not delivered" in printed) == bool(addresses)
    if not addresses:
        [message] = server.messages
        assert (message["title"], message["type"]) == ("failed: tiny", "failure")
        assert f"exit code 2: bad input or configuration\n{tmp_path / 'bad.json'}, row 4\n" in message["message"]
        assert "freind" not in message["message"]


@pytest.mark.timeout(60)
def test_a_stopped_run_and_one_that_raises(server, options, tmp_path, monkeypatch, capfd, one_process):
    def stopped(parts, config, state):
        os.kill(os.getpid(), signal.SIGTERM)
        parts.stop.agree()
        return state

    def broken(parts, config, state):
        raise RuntimeError(SECRET)

    monkeypatch.setattr("train.train", stopped)
    assert main(options()) == 143
    monkeypatch.setattr("train.train", broken)
    with pytest.raises(RuntimeError, match=SECRET):
        main(options())
    check_no_trace(tmp_path, capfd)
    assert [(m["title"], m["type"]) for m in server.messages] == [
        ("stopped: tiny", "warning"),
        ("failed: tiny", "failure"),
    ]
    assert "exit code 143: SIGTERM\nstopped after update 0\n" in server.messages[0]["message"]
    assert "exit code 1: failure\nRuntimeError\n" in server.messages[1]["message"]


def test_a_mistake_on_the_command_line_and_help(server, capfd):
    assert main(["--train.epochs", "x"]) == 2
    with pytest.raises(SystemExit):
        main(["--help"])
    [message] = server.messages
    assert message["title"] == "failed: train.py"
    assert "exit code 2: bad input or configuration\ntrain.epochs\n" in message["message"]


# the option ---------------------------------------------------------------------------------------------------------


def test_the_option(monkeypatch, tmp_path):
    monkeypatch.setenv("PLAINLOOP_NOTIFY", DEAD)
    assert parse([])[0].notify.when == ["finished", "stopped", "failed"]
    config, _, notices = parse(["--notify.when", "[failed]"])
    assert (config.notify.when, notices) == (["failed"], [])
    assert parse(["--notify.when", "[]"])[0].notify.when == []
    assert list(config.as_dict())[-2:] == ["track", "notify"]
    assert yaml.safe_load(config.to_yaml())["notify"] == {"when": ["failed"]}
    assert SECRET not in config.to_yaml()
    for wrong, told in (("[done]", "['done'], expected a list of finished, stopped, failed"), ("failed", "'failed'")):
        with pytest.raises(ValueError) as caught:
            parse(["--notify.when", wrong])
        assert str(caught.value).startswith(f"notify.when: got {told}")
    monkeypatch.delenv("PLAINLOOP_NOTIFY")
    warning = "warning: notify.when has no effect: PLAINLOOP_NOTIFY is not set"
    assert parse(["--notify.when", "[failed]"])[2] == [warning]
    (tmp_path / "kept.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert parse(["--config", str(tmp_path / "kept.yaml")])[2] == []
