"""How a run ends when something goes wrong: one line, the right code, and nothing lost."""

import errno
import os
import re
import signal

import pytest
import torch

import train as program
from engine.checkpoint.folder import FolderBusyError
from engine.checkpoint.manifest import CheckpointError, verify
from engine.distributed.agreement import FailedElsewhereError, exit_code, on_main
from engine.distributed.signals import StopSignal
from engine.ending import Ending, memory_advice
from engine.guard import NonFiniteError
from engine.tracking import tracker
from losses import LOSSES
from losses.cross_entropy import CrossEntropy
from models.relation import RelationModel

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def several(monkeypatch):
    """As torchrun tells the second of two workers."""
    for key, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(key, value)


def failed(error: Exception, stop: StopSignal | None = None) -> Ending:
    ending = Ending()
    assert ending.failed(error, stop or StopSignal())
    return ending


def small_memory(monkeypatch, most: int, training: bool) -> None:
    """A device that has room for `most` examples at a time."""
    forward = RelationModel.forward

    def limited(self, batch):
        if self.training == training and len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation")
        return forward(self, batch)

    monkeypatch.setattr(RelationModel, "forward", limited)


@pytest.mark.drill("R18")
@pytest.mark.parametrize("most", [5, 9, 16])
def test_out_of_memory_says_shapes_and_a_size_that_fits_with_the_same_result(
    options, tmp_path, monkeypatch, capsys, most
):
    """Following the advice, as often as it comes, ends with the weights of a device with more memory."""
    given = {"train__max_updates": 4, "train__epochs": 2, "optim__lr": 0.01, "train__save_every": 1}
    assert program.main(options(run__name="large", **given)) == 0
    small_memory(monkeypatch, most, training=True)
    size, seen = "null", []
    for _ in range(6):
        code = program.main(options(run__name="small", train__micro_batch_size=size, **given))
        last = capsys.readouterr().err.strip().splitlines()[-1:]
        if code == 0:
            break
        assert code == 1
        found = re.fullmatch(
            r"error: out of memory in a forward and backward pass of (\d+) examples of at most (\d+) tokens "
            r"\(CUDA out of memory\. Tried to allocate 2\.00 GiB\.\); try --train\.micro_batch_size (\d+), which gives "
            r"the same gradient; the last checkpoint stays",
            last[0],
        )
        assert found, last
        examples, tokens, size = map(int, found.groups())
        assert examples > most
        assert 20 <= tokens <= 60
        assert size == examples // 2
        seen.append(size)
    assert code == 0
    assert seen[-1] <= most
    runs = [sorted((tmp_path / "runs" / name / "checkpoints").glob("step-*"))[-1] for name in ("large", "small")]
    from safetensors.torch import load_file

    mine, theirs = (load_file(folder / "model.safetensors") for folder in runs)
    for name, weights in mine.items():
        if not name.endswith("key.bias"):
            torch.testing.assert_close(weights, theirs[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize("limit, advice", [(400, r"--train.micro_tokens {} "), (60, "--model.gradient_checkpointing")])
def test_out_of_memory_under_micro_tokens_lowers_them(start, limit, advice):
    """To half of the largest pass, which no later cut can keep; a pass of one row has no half."""
    run = start(train__micro_tokens=limit)
    loader = run.parts.loader
    for _ in loader.updates(0, 0, run.parts.loss_fn.weight):
        break
    run.parts.model.train()
    largest = max(len(micro.batch) * micro.batch.longest for micro in loader.current.micro_batches)
    assert largest <= limit
    said = memory_advice(torch.OutOfMemoryError("CUDA out of memory"), run)
    assert f"try {advice.format(largest // 2)}" in said.replace(",", " ")


@pytest.mark.drill("R18")
def test_one_example_that_does_not_fit(options, monkeypatch, capsys):
    small_memory(monkeypatch, 0, training=True)
    assert program.main(options(train__micro_batch_size=1)) == 1
    assert "of 1 examples" in (last := capsys.readouterr().err.strip().splitlines()[-1])
    assert "try --model.gradient_checkpointing true, a lower data.max_length or a smaller model" in last


@pytest.mark.drill("R18")
def test_out_of_memory_in_evaluation_names_its_own_option(options, monkeypatch, capsys):
    small_memory(monkeypatch, 10, training=False)
    assert program.main(options(eval__batch_size=24, train__save_every=2)) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "out of memory in evaluation, with 24 examples" in last
    assert "try --eval.batch_size 12" in last
    assert program.main(options(eval__batch_size=10, train__save_every=2)) == 0


def test_the_cpu_runs_out_of_memory_too():
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried")
    assert failed(error).message.startswith("[enforce fail")
    assert failed(MemoryError()).message == "MemoryError"


@pytest.mark.drill("R5")
@pytest.mark.parametrize(
    "where, number",
    [
        ("save_file", errno.ENOSPC), ("flush", errno.ENOSPC), ("os.replace", errno.ENOSPC),
        ("Path.write_text", errno.ENOSPC), ("Path.mkdir", errno.EROFS), ("flush", errno.EIO),
    ],
)  # fmt: skip
def test_a_disk_that_fails_in_a_save(options, tmp_path, monkeypatch, capsys, where, number):
    """One message, the checkpoint before it, no leftover that fills the disk; when it works again the run goes on."""

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    given = {"train__epochs": 2, "train__save_every": 2, "eval__every": 100, "model__dropout": 0.1}
    assert program.main(options(run__name="straight", **given)) == 0
    straight = tmp_path / "runs" / "straight"
    capsys.readouterr()

    from engine.checkpoint import checkpoints

    with monkeypatch.context() as patch:
        write = checkpoints.write

        def starved(folder, tensors, content):
            if folder.name == "step-00000004":
                with pytest.MonkeyPatch.context() as inner:
                    inner.setattr(f"{'data' if where == 'flush' else 'engine.checkpoint'}.manifest.{where}", fail)
                    write(folder, tensors, content)
            write(folder, tensors, content)

        patch.setattr(checkpoints, "write", starved)
        assert program.main(options(run__name="full", **given)) == 1
    folder = tmp_path / "runs" / "full"
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == (
        f"error: {folder / 'checkpoints' / 'step-00000004'} cannot be written ({os.strerror(number)}); "
        "step-00000002 stays, and the same command continues from it"
    )
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000002"]
    verify(folder / "checkpoints" / "step-00000002")
    assert program.main(options(run__name="full", **given)) == 0
    for name in ("model.safetensors", "optimizer.safetensors"):
        mine, theirs = (f / "checkpoints" / "step-00000006" / name for f in (folder, straight))
        assert mine.read_bytes() == theirs.read_bytes()


@pytest.mark.drill("R5")
def test_a_disk_that_fills_up_in_the_log(options, tmp_path, monkeypatch, capsys):
    def full(self, split, step, *rest):
        if step == 5:
            raise FULL

    monkeypatch.setattr(tracker.Tracker, "log", full)
    assert program.main(options(train__epochs=2, train__save_every=2)) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == "error: cannot read or write a file (No space left on device); the last checkpoint stays"
    verify(tmp_path / "runs" / "tiny" / "checkpoints" / "step-00000004")


@pytest.mark.usefixtures("several")
def test_a_process_that_is_gone_is_told_by_those_that_miss_it():
    lost = RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]")
    ending = failed(lost)
    assert ending.message == (
        f"process 1: another process is gone ({lost}); the same command continues from the last checkpoint"
    )
    assert (ending.code, ending.shared) == (1, False)
    stop = StopSignal()
    stop.number = signal.SIGTERM
    assert failed(lost, stop).code == 1  # nothing was saved
    assert failed(lost, stop).message.startswith("process 1: SIGTERM, and another process was gone")


def test_a_mistake_in_somebodys_code_keeps_its_traceback(options, monkeypatch, capsys):
    def broken(self, batch):
        raise RuntimeError("shapes (3, 4) and (5, 6) do not fit")

    monkeypatch.setattr(RelationModel, "forward", broken)
    with pytest.raises(RuntimeError, match="do not fit"):
        program.main(options())
    assert not Ending().failed(RuntimeError("x"), StopSignal())
    assert not Ending().failed(KeyError("x"), StopSignal())


def test_a_mistake_in_somebodys_constructor_keeps_its_traceback(options, monkeypatch):
    """A ValueError that nobody raised on purpose is no bad input."""

    class Mistaken(CrossEntropy):
        def __init__(self, class_counts: torch.Tensor):
            super().__init__(class_counts)
            _, _ = [1]

    monkeypatch.setitem(LOSSES, "mistaken", Mistaken)
    with pytest.raises(ValueError, match="not enough values to unpack"):
        program.main(options(loss__name="mistaken"))

    class Choosy(CrossEntropy):
        def __init__(self, class_counts: torch.Tensor):
            raise ValueError("loss.name: choosy wants a GPU")

    monkeypatch.setitem(LOSSES, "choosy", Choosy)
    assert program.main(options(loss__name="choosy")) == 2


def test_codes():
    assert [exit_code(e) for e in (ValueError(), OSError(), RuntimeError())] == [2, 1, 1]
    assert [exit_code(e) for e in (CheckpointError(), NonFiniteError(), FolderBusyError())] == [1, 3, 4]


class Main:
    """An accelerator of one process of several."""

    num_processes, device = 1, torch.device("cpu")

    def __init__(self, is_main_process: bool):
        self.is_main_process = is_main_process


def test_the_others_end_with_the_code_of_the_main_process_and_say_nothing(monkeypatch):
    told = []
    main, other = Main(True), Main(False)
    main.num_processes = other.num_processes = 2

    def busy():
        raise FolderBusyError("in use")

    monkeypatch.setattr("engine.distributed.agreement.broadcast", lambda tensor: told.append(tensor) or tensor)
    with pytest.raises(FolderBusyError):
        on_main(main, busy)
    monkeypatch.setattr("engine.distributed.agreement.broadcast", lambda tensor: told[0])
    with pytest.raises(FailedElsewhereError) as caught:
        on_main(other, busy)
    ending = failed(caught.value)
    assert (ending.code, ending.message) == (4, "")
