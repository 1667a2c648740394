"""Stores that are written in parts and by several processes: the same bytes, the same messages, nothing half done."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data.readers.ids import FirstUse
from data.schema import Example
from data.store import token_store, words, workers
from data.store.arrays import GrowingArrays
from data.store.chunk import Task
from data.store.token_store import prepare
from tests.data.store import test_token_store
from tests.data.store.test_token_store import LABELS, ROOT, Rows, folders, make_store, make_task, source

SKIP = {"stop": False, "need_labels": True}


def files(cache: Path) -> dict[str, bytes]:
    """The bytes of the one store in a cache."""
    (folder,) = (cache / name for name in folders(cache))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def many(bad: bool = True) -> list[dict]:
    """23 rows; some are bad, and some have an id that a row of another chunk has."""
    content = [
        row | {"guid": f"{row['guid']}-{number}", "label": row["label"] or "no_relation"}
        for number in range(5)
        for row in test_token_store.rows()
    ][:23]
    if bad:
        content[3]["guid"] = content[2]["guid"]
        content[9]["label"] = "per:friend"
        content[12]["guid"] = content[0]["guid"]
        content[13] = {"guid": "short"}
        content[14]["guid"] = content[9]["guid"]  # used by a row that was skipped
        content[20]["guid"] = content[12]["guid"]
    return content


def task(encoder=None, stop: bool = True) -> Task:
    return make_task(source(many()), encoder, need_labels=True, stop=stop)


class Here:
    """Workers without processes: parts are encoded in another order than they come, as many at a time."""

    def __init__(self, number: int, task: Task):
        self.number, self.task = number, task

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def map(self, parts):
        while some := list(islice(parts, self.number)):
            encoded = {n: workers.encode(self.task, some[n]) for n in reversed(range(len(some)))}
            for n, part in enumerate(some):
                encoded[n].texts.texts = []
                yield part, encoded[n]


@pytest.fixture
def few_texts(monkeypatch):
    """Words are looked at in the first two texts only: from the third row on, processes may encode."""
    monkeypatch.setattr(words, "TEXTS", 2)


# the same bytes -----------------------------------------------------------------------------------------------------


def test_chunks_and_processes_change_no_byte(tmp_path, monkeypatch, few_texts):
    whole = make_store(tmp_path / "whole", many(), **SKIP)
    assert [number for number, _ in whole.facts["skipped"]] == [4, 10, 13, 14, 15, 21]
    assert (
        whole.facts["skipped"][2][1]
        == "id '글-0-0' was already used in row 1; data.columns.id row numbers the rows instead"
    )
    assert (
        whole.facts["skipped"][4][1]
        == "id '글-4-1' was already used in row 10; data.columns.id row numbers the rows instead"
    )
    expected = files(tmp_path / "whole")
    for size, processes in ((4, 1), (4, 2)):
        monkeypatch.setattr(token_store, "CHUNK", size)
        make_store(tmp_path / f"{size}-{processes}", many(), processes=processes, **SKIP)
        assert files(tmp_path / f"{size}-{processes}") == expected
    monkeypatch.setattr(workers, "Workers", Here)
    for size in range(1, 9):
        monkeypatch.setattr(token_store, "CHUNK", size)
        make_store(tmp_path / f"here-{size}", many(), processes=3, **SKIP)
        assert files(tmp_path / f"here-{size}") == expected


def test_parts_come_back_in_order_and_are_bounded(monkeypatch):
    """The first part is slow: the others wait for it, but not without end."""
    monkeypatch.setattr(workers, "AHEAD", 2)
    rows = [(number, row) for number, row in task().source.rows()]
    asked = []

    def parts():
        for number in range(12):
            asked.append(number)
            yield rows[:5] * 60 if number == 0 else [rows[number]]

    with workers.Workers(2, task(stop=False)) as pool:
        for number, (part, chunk) in enumerate(pool.map(parts())):
            assert chunk.seen == len(part)
            assert len(asked) <= number + 2 * 2 + 2  # those on the way, the one due, one read ahead
    assert asked == list(range(12))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.sampled_from(["<i4", "<i8", "u1", "i1"]),
    st.sampled_from([(), (2,), (2, 3, 2)]),
    st.data(),
)
def test_growing_arrays_are_the_files_that_numpy_writes(tmp_path_factory, sizes, dtype, shape, data):
    folder = tmp_path_factory.mktemp("arrays")
    parts = [data.draw(arrays.arrays(dtype, (size, *shape))) for size in sizes]
    with GrowingArrays(folder) as files:
        for part in parts:
            files.append("x", part)
        assert files.rows("x") == sum(sizes)
        files.close()
    expected = io.BytesIO()
    np.save(expected, np.concatenate(parts), allow_pickle=False)
    assert (folder / "x.npy").read_bytes() == expected.getvalue()


@given(st.lists(st.text(max_size=2), max_size=60))
def test_first_use_is_that_of_a_dictionary(ids):
    found, expected = FirstUse(), {}
    found.make(2)  # so that it grows
    for row, id in enumerate(ids, start=1):
        first = expected.setdefault(id, row)
        assert found.earlier(id, row) == (None if first == row else first)


def test_rows_are_written_before_the_next_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(token_store, "CHUNK", 5)
    written, append = [0], token_store.append

    def counted(arrays, chunk, tokens):
        written[0] += chunk.rows
        append(arrays, chunk, tokens)

    class Streamed(Rows):
        def examples(self):
            for number in range(1, 101):
                assert number - written[0] <= 5
                yield number, Example(f"{number}", "문을 열었다.", label="no_relation")

    monkeypatch.setattr(token_store, "append", counted)
    store = prepare(make_task(Streamed(())), tmp_path, quiet=True)
    assert len(store) == written[0] == 100
    assert [store.id(n) for n in (0, 4, 5, 99)] == ["1", "5", "6", "100"]


def test_extra_inputs_are_compared_over_chunks(tmp_path, monkeypatch):
    def made(*extras):
        examples = [Example(f"{n}", "문", extra=extra) for n, extra in enumerate(extras)]
        return prepare(make_task(Rows(tuple(examples))), tmp_path, quiet=True)

    for size in (1, 2, 9):
        monkeypatch.setattr(token_store, "CHUNK", size)
        with pytest.raises(ValueError, match=r"^row '2' has the extra inputs \['y'\], the rows before it \['x'\]$"):
            made({"x": 1}, {"x": 1}, {"y": 1}, {"x": 1})
        message = r"^row '1' gives the extra input 'x' as one number a token, the rows before it as one number$"
        with pytest.raises(ValueError, match=message):
            made({"x": 1}, {"x": [1, 2, 3]})
    assert folders(tmp_path) == []


def test_large_sources_are_encoded_by_all_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)), raising=False)
    assert workers.processes_for(Rows((), size=999)) == 1
    assert workers.processes_for(Rows((), size=workers.LARGE)) == 5
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(200)), raising=False)
    assert workers.processes_for(Rows((), size=workers.LARGE)) == workers.MOST


# what goes wrong ----------------------------------------------------------------------------------------------------


def test_a_bad_row_in_a_process_names_file_and_row(tmp_path, monkeypatch, few_texts):
    monkeypatch.setattr(token_store, "CHUNK", 2)
    content = many(bad=False)
    content[17]["label"] = content[20]["label"] = "per:friend"
    with pytest.raises(ValueError) as alone:
        make_store(tmp_path, content, need_labels=True)
    assert str(alone.value).startswith("rows.json, row 18: unknown label 'per:friend'; data.labels lists no_relation, ")
    started = []
    mapped = workers.Workers.map
    monkeypatch.setattr(workers.Workers, "map", lambda self, parts: started.append(self) or mapped(self, parts))
    with pytest.raises(ValueError) as several:
        make_store(tmp_path, content, need_labels=True, processes=2)
    assert str(several.value) == str(alone.value)
    ended = [process.poll() for process in started[0].processes.values()]
    assert len(ended) == 2
    assert set(ended) <= {0, -signal.SIGKILL}  # none lives on; one may have seen its closed pipe before the signal
    assert folders(tmp_path) == []


def test_an_error_that_nobody_expects_is_told():
    broken = task()
    object.__setattr__(broken, "encoder", None)
    with workers.Workers(1, broken) as pool:
        with pytest.raises(RuntimeError, match=r"a process that tokenises failed:\nTraceback(.|\n)*'NoneType'"):
            list(pool.map(iter([[*islice(task().source.rows(), 2)]])))
        (process,) = pool.processes.values()
        # gone without a signal as soon as nobody is at the other end, which is what a killed parent looks like
        for connection in pool.processes:
            connection.close()
        assert process.wait(20) == 0


def test_a_process_that_is_gone_is_told_and_nothing_is_left(tmp_path, monkeypatch, few_texts):
    monkeypatch.setattr(token_store, "CHUNK", 2)
    mapped, started = workers.Workers.map, []

    def killed(self, parts):
        started.extend(self.processes.values())
        for number, pair in enumerate(mapped(self, parts)):
            if number == 2:
                for process in self.processes.values():
                    process.kill()
            yield pair

    monkeypatch.setattr(workers.Workers, "map", killed)
    with pytest.raises(RuntimeError, match=r"tokenises was ended by signal 9; was memory short\?"):
        make_store(tmp_path, many(bad=False), processes=2)
    assert folders(tmp_path) == []
    assert [process.poll() for process in started] == [-9, -9]


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from data.store import token_store, words, workers
from data.encode import Encoder, EncodingOptions
from data.readers.source import Source
from data.store.chunk import Task

words.TEXTS, token_store.CHUNK = 2, 2
mapped = workers.Workers.map
def slow(self, parts):
    print(*(process.pid for process in self.processes.values()), flush=True)
    for pair in mapped(self, parts):
        yield pair
        print("encoded", flush=True)
        time.sleep(60)
workers.Workers.map = slow
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(models.WordLevel({{"?": 0, "!": 1}}, unk_token="?")), unk_token="?", pad_token="!"
)
source = Source("rows.json", Path(sys.argv[1]).read_bytes(), "klue")
encoder = Encoder(tokenizer, EncodingOptions(marker="none"))
task = Task(source, encoder, {{label: number for number, label in enumerate({labels!r})}})
token_store.prepare(task, Path(sys.argv[2]), processes=2)
"""


def runs(pid: int) -> bool:
    """Whether a process is there; one that ended and that nobody waited for is not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_whoever_is_killed_leaves_no_process_and_no_store(tmp_path):
    (tmp_path / "rows.json").write_bytes(source(many(bad=False)).raw)
    cache = tmp_path / "cache"
    script = KILLED.format(root=str(ROOT), labels=LABELS)
    command = [sys.executable, "-c", script, str(tmp_path / "rows.json"), str(cache)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        started = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(started) == 2
        assert parent.stdout.readline() == "encoded\n"
        assert all(map(runs, started))
        parent.kill()
    until = time.monotonic() + 20
    while any(map(runs, started)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(map(runs, started))
    (left,) = folders(cache)
    assert left.startswith("."), "what is killed cannot clean up, but nobody takes it for a store"
