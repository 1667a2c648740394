"""Every command begins and ends alike: bad input, mistakes in code, signals, warnings, --help."""

import dataclasses
import errno
import importlib
import itertools
import re
import signal
import subprocess
import sys
import warnings
from unicodedata import east_asian_width

import pytest
import torch

from engine import command
from engine.arguments.constructors import CHOICES, choices
from engine.arguments.help import entries, option_texts, train_help
from engine.arguments.parse import known_keys
from engine.command import run
from engine.config import Config
from engine.guard import NonFiniteError
from engine.repeat.runs import RunFailedError, train
from losses import LOSSES
from losses.cross_entropy import CrossEntropy

COMMANDS = {
    "train": "train", "predict": "engine.predict.__main__", "study": "engine.study.__main__",
    "repeat": "engine.repeat.__main__", "data_report": "engine.data_report.__main__",
    "notify": "engine.notify.__main__", "compare": "engine.compare", "sample": "data.sample.__main__",
}  # fmt: skip
# what a good command line comes to after its options, where something can be planted
WORK = {
    "train": "build", "predict": "best_folder", "study": "run_probes", "repeat": "finetune",
    "data_report": "read_data", "notify": "run", "compare": "compare", "sample": "vocabulary",
}  # fmt: skip
for_all = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture(autouse=True)
def quiet_warnings(monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)


@pytest.fixture
def line(options, tmp_path):
    """`line(name)`: a good command line of a command."""
    lines = {
        "train": options(), "predict": ["a", "--input", "sample:dev", "--output", f"{tmp_path}/out"],
        "study": options(), "repeat": ["--seeds", "1", "--", *options()], "data_report": options(),
        "notify": ["--", "true"], "compare": ["a", "b"], "sample": [f"{tmp_path}/sample"],
    }  # fmt: skip
    return lines.__getitem__


def main_of(name: str):
    return importlib.import_module(COMMANDS[name]).main


# bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, words, message",
    [
        ("train", ["--trian.epochs", "3"], "trian.epochs: unknown section 'trian'; sections are run, data, model, "),
        ("train", ["--train.epoch", "3"], "train.epoch: unknown key; did you mean train.epochs?"),
        ("train", ["--data.train", "nowhere.json"], "data.train: no file nowhere.json"),
        ("predict", ["a", "--input", "b", "--ouput", "c"], "--ouput: unknown option; did you mean --output?"),
        ("predict", ["a", "--input", "b"], "missing: --output; --help lists the options"),
        ("predict", ["a", "--input", "b", "--output", "c", "--vote", "x"], "--vote: invalid choice: 'x' (choose from "),
        ("predict", ["nowhere", "--input", "b", "--output", "nowhere.csv"], "nowhere: no such folder"),
        ("study", ["--poolngs", "cls"], "--poolngs: unknown option; did you mean --poolings?"),
        ("study", ["--seeds"], "--seeds: expected one argument; --help lists the options"),
        ("study", ["--losses", "focl"], "loss.name: got 'focl', expected one of cross_entropy, "),
        ("repeat", ["--seds", "1"], "--seds: unknown option; did you mean --seeds?"),
        ("repeat", ["--seeds", "x"], "--seeds: invalid int value: 'x'; --help lists the options"),
        ("repeat", ["--seeds", "1", "1"], "--seeds: got 1 1, expected different numbers"),
        ("data_report", ["--data.trian", "x"], "data.trian: unknown key; did you mean data.train?"),
        ("data_report", ["--data.train", "nowhere.json"], "data.train: no file nowhere.json"),
        ("compare", ["a", "--jsn", "x"], "--jsn: unknown option; did you mean --json?"),
        ("compare", ["nowhere"], "nowhere"),
        ("notify", ["--hepl"], "got --hepl, expected python -m engine.notify -- command [argument ...]"),
        ("sample", ["x", "--foldr"], "--foldr: unknown option"),
        ("sample", [], "missing: FOLDER; --help lists the options"),
        ("sample", [f"{__file__}/x"], f"cannot read or write {__file__}/x (Not a directory)"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_2(clean_process, capsys, name, words, message):
    assert main_of(name)(words) == 2
    said = capsys.readouterr()
    [told] = said.err.splitlines()
    assert told.startswith(f"error: {message}")
    assert said.out == ""


@pytest.mark.parametrize("name", ["train", "study", "data_report"])
def test_several_problems_are_told_at_once(clean_process, capsys, name):
    assert main_of(name)(["--train.epochs=x", "--train.batch_size=y"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [text.split(":")[0] for text in told] == ["error", "train.batch_size"]


@pytest.mark.parametrize("name", ["predict", "repeat", "compare"])
def test_several_unknown_options_are_told_at_once(capsys, name):
    assert main_of(name)(["--one", "1", "--two", "2"]) == 2
    assert capsys.readouterr().err == "error: --one: unknown option\n--two: unknown option\n"


# mistakes and failures ----------------------------------------------------------------------------------------------


def mistake(*_, **__):
    """As a user's own model, loss or reader may fail: a ValueError that nobody raised to tell something."""
    _, _ = [1]


@for_all
def test_a_users_mistake_is_a_traceback(clean_process, line, monkeypatch, capsys, name):
    """An exception that leaves main ends the process with a traceback and 1."""
    monkeypatch.setattr(f"{COMMANDS[name]}.{WORK[name]}", mistake)
    with pytest.raises(ValueError, match="not enough values to unpack"):
        main_of(name)(line(name))
    assert "error:" not in capsys.readouterr().err


def test_a_loss_that_is_wrong_is_a_traceback_in_a_study_too(options, monkeypatch):
    """A study makes each loss before it trains; its mistakes are not told as if the input were bad."""

    class Mistaken(CrossEntropy):
        def __init__(self, class_counts: torch.Tensor):
            mistake()

    monkeypatch.setitem(LOSSES, "mistaken", Mistaken)
    with pytest.raises(ValueError, match="not enough values to unpack"):
        main_of("study")(["--losses", "mistaken", *options()])


def ended(error: BaseException, begun: bool = False, kept: str = "", goes_on: str = "") -> int:
    def work(progress):
        progress.begun, progress.kept, progress.goes_on = begun, kept, goes_on
        raise error

    return run(work)


NO_ROOM = OSError(errno.ENOSPC, "No space left on device", "out.csv")
FAILURES = {
    "told": (ValueError("x: got 1, expected 2"), 2, 2, "x: got 1, expected 2"),
    "file": (NO_ROOM, 2, 1, "cannot read or write out.csv (No space left on device)"),
    "own words": (OSError("no model x\nlong advice"), 2, 1, "no model x"),
    "memory": (MemoryError(), 1, 1, "out of memory (MemoryError)"),
    "of a GPU": (torch.OutOfMemoryError("CUDA out of memory.\nSee"), 1, 1, "out of memory (CUDA out of memory.)"),
    "of a CPU": (RuntimeError("can't allocate memory: 1 TB"), 1, 1, "out of memory (can't allocate memory: 1 TB)"),
    "not finite": (NonFiniteError("logits are not finite"), 3, 3, "logits are not finite"),
    "a run": (RunFailedError(4, "a run ended with code 4"), 4, 4, "a run ended with code 4"),
    "a killed run": (RunFailedError(-9, "a run ended with code -9"), 137, 137, "a run ended with code -9"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failures(capsys, failure):
    """A file that fails is input until the command has begun to write."""
    error, early, late, text = FAILURES[failure]
    assert ended(error) == early
    assert ended(error, True, "the first 7 rows are in x", "the same command goes on") == late
    told = f"error: {text}\nerror: {text}; the first 7 rows are in x; the same command goes on\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("error", [RuntimeError("shapes do not fit"), KeyError("x"), TypeError("x")])
def test_other_errors_are_tracebacks_behind_what_was_kept(capsys, error):
    with pytest.raises(type(error)):
        ended(error, kept="the first 7 rows are in x")
    assert capsys.readouterr().err == "the first 7 rows are in x\n"


def test_a_failed_run_gives_its_code(monkeypatch, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("print('error: values are not finite'); raise SystemExit(3)")
    monkeypatch.setattr("engine.repeat.runs.TRAIN", script)
    with pytest.raises(RunFailedError, match="a run ended with code 3: error: values are not finite") as caught:
        train([], tmp_path / "log")
    assert caught.value.code == 3


# signals ------------------------------------------------------------------------------------------------------------


@for_all
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_is_one_line_that_says_how_to_go_on(clean_process, line, monkeypatch, capsys, name, number, code):
    def stop(*_, **__):
        signal.raise_signal(number)
        pytest.fail("went on")

    monkeypatch.setattr(f"{COMMANDS[name]}.{WORK[name]}", stop)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert main_of(name)(line(name)) == code
    [told] = [text for text in capsys.readouterr().err.splitlines() if not text.startswith("warning: ")]
    how = "with --run.name tiny goes on" if name == "repeat" else "starts again"
    assert re.fullmatch(rf"stopped.*; the same command {how}", told)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_the_losses_of_a_study_go_on(options, monkeypatch, capsys):
    monkeypatch.setattr("engine.study.losses.finetune", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert main_of("study")(["--losses", "focal", *options()]) == 143
    assert capsys.readouterr().err.endswith("stopped; the same command with --run.name tiny goes on\n")


def test_what_is_ignored_stays_ignored(monkeypatch):
    """As nohup and a shell's & leave it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert run(lambda progress: signal.raise_signal(signal.SIGTERM)) == 0
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_that_is_sent_twice_counts_once(capsys):
    """`timeout` tells the process, and its group."""

    def work(progress):
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            progress.kept = "all is saved"

    assert run(work) == 143
    assert capsys.readouterr().err == "stopped; all is saved; the same command starts again\n"


HANGS = """
import time
from engine import command
command.ECHO = 0.0
def work(progress):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("leaving", flush=True)
        time.sleep(60)
command.run(work)
"""


def test_a_second_signal_ends_what_hangs():
    process = subprocess.Popen(
        [sys.executable, "-c", HANGS], cwd=command.__file__.rpartition("/engine/")[0],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        for word in ("ready\n", "leaving\n"):
            assert process.stdout.readline() == word
            process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
        assert process.stderr.read() == ""


# warnings and bars --------------------------------------------------------------------------------------------------


def test_warnings_are_a_line_and_bars_of_transformers_are_off(capsys, monkeypatch):
    from transformers.utils import logging

    logging.enable_progress_bar()

    def work(progress):
        with warnings.catch_warnings():  # as without pytest, which takes them
            warnings.showwarning = lambda *given: sys.stderr.write(warnings.formatwarning(*given[:4]))
            warnings.simplefilter("always")
            warnings.warn("x has no effect", stacklevel=1)

    assert run(work) == 0
    assert capsys.readouterr().err == "warning: x has no effect\n"
    assert not logging.is_progress_bar_enabled()


# --help -------------------------------------------------------------------------------------------------------------


def columns(text: str) -> int:
    """Of a terminal; Hangul takes two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def help_of(name: str, capsys) -> list[str]:
    capsys.readouterr()
    try:
        code = main_of(name)(["--help"])
    except SystemExit as error:
        code = error.code
    said = capsys.readouterr()
    assert (code or 0, said.err) == (0, "")
    return said.out.splitlines()


def untold(lines: list[str]) -> list[str]:
    """Options without a text: neither on their line nor indented below it."""
    following = [*lines[1:], ""]
    return [
        text for text, below in zip(lines, following, strict=True)
        if re.match(r"  (-\w, )?--\w", text)
        and not re.match(r"  \S.*?\S  +[^ (]", text) and not re.match(r" {6,}[^ -]", below)
    ]  # fmt: skip


@for_all
@pytest.mark.parametrize("terminal", ["200", "30", None])
def test_help_fits_80_columns_and_tells_of_every_option(capsys, monkeypatch, name, terminal):
    monkeypatch.delenv("COLUMNS", raising=False)
    if terminal:
        monkeypatch.setenv("COLUMNS", terminal)
    lines = help_of(name, capsys)
    assert lines[0].startswith("usage: ")
    assert not [text for text in lines if columns(text) > 80]
    assert not untold(lines)
    whole = "\n".join(lines)
    assert not re.search(r"Config\(|type: |<factory>|typing\.", whole)
    if name in ("study", "repeat", "data_report"):
        assert "train.py --help lists" in whole
    if name == "predict":
        assert "  --data.columns.text_pair TEXT|INT|null\n" in whole


def test_the_help_of_an_option_without_text_is_found():
    assert untold(["  --a.b N  (default: 3)", "  --c X  (default: 1)", "      A text."]) == ["  --a.b N  (default: 3)"]
    assert untold(["  --a N", "  -h, --help  show", "  --c N   what"]) == ["  --a N"]


def test_the_help_of_train_has_a_section_a_heading(capsys):
    lines = help_of("train", capsys)
    names = [section.name for section in dataclasses.fields(Config)]
    assert [text for text in lines if text.endswith(":") and " " not in text] == [f"{name}:" for name in names]
    for name, below in itertools.pairwise(names):
        part = lines[lines.index(f"{name}:") : lines.index(f"{below}:")]
        assert {key.split(".")[0] for text in part for key in re.findall(r"^  --(\S+)", text)} == {name}
    assert "--loss.name focal --help" in " ".join(" ".join(lines).split())


def chosen_with(key: str, name: str) -> dict[str, str]:
    chosen = {choice.key: choice.default for choice in CHOICES} | {key: name}
    return chosen | {choice.key: choice.default for choice in choices(chosen["loss.name"]) if choice.key not in chosen}


PARTS = [(choice.key, name) for choice in CHOICES for name in choice.registry]


@pytest.mark.parametrize("key, name", PARTS)
def test_every_option_of_every_part_has_a_text(key, name):
    chosen = chosen_with(key, name)
    lines = train_help(chosen, "x.yaml").splitlines()
    assert {option for text in lines for option in re.findall(r"^  --(\S+)", text)} >= known_keys(chosen).keys()
    assert not untold(lines)
    assert not [text for text in lines if columns(text) > 80]


def test_every_key_of_the_configuration_has_a_text():
    """Also those below which names are listed."""
    for section in dataclasses.fields(Config):
        assert not [entry.key for entry in entries(section.default_factory, section.name) if not entry.text]


def test_every_part_is_listed_with_a_line_of_what_it_is():
    lines = train_help(chosen_with(*PARTS[0]), "x.yaml").splitlines()
    for key, name in PARTS:
        start = next(number for number, text in enumerate(lines) if text.startswith(f"  --{key} "))
        [number] = [n for n, text in enumerate(lines) if n > start and re.match(rf" {{6}}{name}  +\S", text)][:1]
        assert lines[number].endswith("."), lines[number]


def test_texts_of_a_users_loss():
    """In the docstring of class or constructor, backed by those that it inherits; what has none is listed anyway."""

    class Mine(CrossEntropy):
        """Another loss.

        Args:
            gain: how much,
                in numbers.
        """

        def __init__(self, class_counts: torch.Tensor, gain: float = 1.0, beta: float = 0.5, bare: int = 0):
            """
            beta: not that of others.
            """

    texts = option_texts(Mine)
    assert texts["gain"] == "how much, in numbers."
    assert texts["beta"] == "not that of others."
    assert texts["drw_epoch"].startswith("class weights begin with this epoch")
    assert "bare" not in texts


def test_help_is_for_the_chosen_parts(capsys):
    with pytest.raises(SystemExit):
        main_of("train")(["--loss.name", "focal", "--model.head=cnn", "--help"])
    said = capsys.readouterr().out
    assert "\n  --loss.gamma NUMBER  (default: 2.0)\n      How much less, 0 or more;" in said
    assert "\n  --model.head_options.kernels [a, b]|null  (default: null)\n" in said
    assert "\n  Options of focal; those of another:\n      --loss.name cross_entropy --help\n" in said
