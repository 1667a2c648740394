"""Encoding in several processes. They are programs of their own that import this package only: 1 s, about 110 MB each.

multiprocessing's spawn would import the user's main program and with it torch in each of them; fork would copy a
process in which the tokenizer's threads may hold a lock. Messages go through a socket, the other end of which is gone
when this process is, however it ends; a worker then ends by itself.
"""

import contextlib
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from data.readers.ids import FirstUse
from data.readers.source import Source
from data.store.chunk import Chunk, Task
from data.store.words import WordCount

LARGE = 16 << 20  # bytes of a file from which on processes should pay, see benchmarks/NOTES.md
MOST = 12  # this process reads and writes for all of them, and can do so for about that many
AHEAD = 4  # chunks a worker that may wait for an earlier one, encoded
ONE_THREAD = {
    "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
}  # fmt: skip
PROGRAM = "import sys; sys.path[:] = {path!r}; from data.store.workers import serve; serve()"


def processes_for(source: Source) -> int:
    """How many processes encode a source by default: for a large one, all cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST) if source.size >= LARGE else 1


def encode_in_processes(task: Task, processes: int, size: int, words: WordCount) -> Iterator[Chunk]:
    """The rows of the task's source, `size` at a time, encoded in the order of the file. The caller adds the texts of
    each chunk to `words` before it asks for the next one."""
    first_use = FirstUse()
    rows = task.source.rows()
    parts = iter(lambda: list(islice(rows, size)), [])
    with Workers(processes, replace(task, source=task.source.without_bytes())) as workers:
        # the first texts are counted word by word; while that is done here, the others start
        while not words.full and (part := next(parts, None)):
            yield unrepeated(task, part, encode(task, part), first_use)
        for part, chunk in workers.map(parts):
            yield unrepeated(task, part, chunk, first_use)


def encode(task: Task, part: list[tuple[int, Any]]) -> Chunk:
    return task.encode([(number, task.source.example(row)) for number, row in part])


def unrepeated(task: Task, part: list[tuple[int, Any]], chunk: Chunk, first_use: FirstUse) -> Chunk:
    """The chunk, or, where an id was used before, the chunk with these rows told: no worker sees the others' ids."""
    rows, changed = dict(part), {}
    for number, id in chunk.ids.items():
        if (earlier := first_use.earlier(id, number)) is not None:
            example = task.source.example(rows[number])
            changed[number] = task.source.repeated(number, rows[number], example, earlier, first_use)
    if not changed:
        return chunk
    return task.encode((number, changed.get(number) or task.source.example(row)) for number, row in part)


class Workers:
    """Processes that encode. Leaving the `with` block ends them, whatever they are doing."""

    def __init__(self, number: int, task: Task):
        self.task = task
        self.processes: dict[Connection, subprocess.Popen] = {}
        try:
            for _ in range(number):
                self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        ours, theirs = Pipe()
        with theirs:
            self.processes[ours] = subprocess.Popen(
                [sys.executable, "-c", PROGRAM.format(path=sys.path)],
                stdin=theirs.fileno(),
                env=os.environ | ONE_THREAD,
                start_new_session=True,  # Ctrl-C in a terminal goes to its whole group; this process ends them
            )

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        for connection, process in self.processes.items():
            connection.close()
            process.kill()
        for process in self.processes.values():
            process.wait()

    def map(self, parts: Iterator[list]) -> Iterator[tuple[list, Chunk]]:
        """Each part with its chunk, in order. A bounded number of them is on the way."""
        for connection in self.processes:
            self.send(connection, self.task)
        idle, busy = [*self.processes], {}
        sent: dict[int, list] = {}
        encoded: dict[int, Chunk] = {}
        number = due = 0
        part = next(parts, None)
        while part is not None or sent:
            while idle and part is not None and number - due < AHEAD * len(self.processes):
                connection = idle.pop()
                self.send(connection, part)
                busy[connection], sent[number] = number, part
                number, part = number + 1, next(parts, None)
            while due in encoded:
                yield sent.pop(due), encoded.pop(due)
                due += 1
            for connection in wait([*busy]) if busy else ():
                encoded[busy.pop(connection)] = self.receive(connection)
                idle.append(connection)

    def send(self, connection: Connection, message: Any) -> None:
        try:
            connection.send(message)
        except OSError:
            raise self.lost(connection) from None

    def receive(self, connection: Connection) -> Chunk:
        try:
            answer = connection.recv()
        except (EOFError, OSError):
            raise self.lost(connection) from None
        if isinstance(answer, Chunk):
            return answer
        raise RuntimeError(f"a process that tokenises failed:\n{answer}")

    def lost(self, connection: Connection) -> RuntimeError:
        code = self.processes[connection].wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return RuntimeError(f"a process that tokenises {how}{'; was memory short?' if code == -9 else ''}")


def serve() -> None:
    """A worker: a task, then parts of it, until nobody asks any more."""
    connection = Connection(os.dup(0))
    with contextlib.suppress(EOFError, OSError):
        task = connection.recv()
        while True:
            part = connection.recv()
            try:
                answer: Chunk | str = encode(task, part)
                answer.texts.texts = []
            except Exception:
                answer = traceback.format_exc()
            connection.send(answer)
