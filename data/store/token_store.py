"""The token store: an encoded corpus as flat arrays on disk, memory-mapped, shared by processes, without pickles."""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

import data.manifest
from data.reasons import skipped_facts, skipped_lines
from data.store.arrays import GrowingArrays
from data.store.chunk import Chunk, Task, different
from data.store.words import WordCount
from data.store.workers import encode_in_processes, processes_for

TOLD_AFTER = 2  # seconds
CHUNK = 1000  # rows that are Python objects at a time, in each process


@dataclass(frozen=True)
class TokenStore:
    """N encoded examples end to end. Arrays are memory-mapped and read-only.

    tokens (T,) int32; offsets (N+1,) int64 into tokens; second (N,) int32: start of the second segment inside the
    example; spans (N, 2, 3, 2) int32: see `markers.Marked`, inside the example; types (N, 2) int8; labels (N,) int64,
    -1 where unlabelled; sentences (N,) int64: see `sentences.sentence_key`; ids: utf-8 bytes with id_offsets (N+1,);
    extra: name -> (N,) or (T,) int32.
    `facts` counts what was met while encoding: rows, tokens, unknown, cut, wide, skipped [[row, reason], ...],
    lost {label: skipped rows}, notes {what a reader did on its own: rows}, and under words how well the tokenizer knows
    the language, see `words.WordCount`.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    second: np.ndarray
    spans: np.ndarray
    types: np.ndarray
    labels: np.ndarray
    sentences: np.ndarray
    id_bytes: np.ndarray
    id_offsets: np.ndarray
    extra: dict[str, np.ndarray]
    facts: dict

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, (N,)."""
        return np.diff(self.offsets)

    def locate(self, index: np.ndarray) -> tuple["TokenStore", np.ndarray]:
        """Where the rows `index` lie: here. `rows.Rows` lie elsewhere."""
        return self, index

    def id(self, row: int) -> str:
        """The id of a row, as it stands in the file."""
        return self.id_bytes[self.id_offsets[row] : self.id_offsets[row + 1]].tobytes().decode()


def prepare(task: Task, cache_dir: Path, quiet: bool = False, processes: int | None = None) -> TokenStore:
    """The store of the task's source, from the cache or made now. One process of a node makes it, the others wait for
    the file.

    `processes` encode (None = those of `workers.processes_for`); their number changes no byte.

    Raises ValueError for a bad row (`task.stop`) with its number, or when no row at all is left.
    """
    key = hashlib.sha256(repr((code_digest(), *task.identity)).encode()).hexdigest()[:32]
    folder = cache_dir / key
    if damage(folder) != "":
        try:
            cache_dir.mkdir(parents=True, exist_ok=True)
            with builders_lock(cache_dir, key, quiet):
                make(folder, task, quiet, processes)
        except OSError as error:
            raise ValueError(
                f"data.cache_dir: cannot write the token store to {cache_dir} ({error.strerror or error}); "
                "name another folder"
            ) from None
    return load(folder)


def damage(folder: Path) -> str | None:
    """What is wrong with a store, empty for a whole one, None where there is none."""
    if not folder.exists():
        return None
    try:
        return data.manifest.problem(folder, data.manifest.listed(folder))
    except (OSError, ValueError) as error:
        return f"{getattr(error, 'filename', None) or data.manifest.NAME}: {getattr(error, 'strerror', None) or error}"


@contextmanager
def builders_lock(cache_dir: Path, key: str, quiet: bool) -> Iterator[None]:
    """One process at a time makes a store; that another one does is told after a while."""
    lock = FileLock(cache_dir / f"{key}.lock")
    try:
        lock.acquire(timeout=TOLD_AFTER)
    except Timeout:
        if not quiet:
            warnings.warn(f"data.cache_dir: waiting for another process that makes the store {key}", stacklevel=3)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def make(folder: Path, task: Task, quiet: bool, processes: int | None) -> None:
    """Make a store where none is whole: under another name, on the disk before it gets its own."""
    broken = damage(folder)
    if broken == "":
        return  # made by the process that this one waited for
    if broken and not quiet:
        warnings.warn(f"data.cache_dir: the token store {folder} is damaged ({broken}); it is made anew", stacklevel=4)
    clear(folder.parent, folder.name)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        write(temporary, task, quiet, processes or processes_for(task.source))
        data.manifest.write(temporary, large=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
        data.manifest.flush(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def clear(cache_dir: Path, own: str) -> None:
    """Remove what killed builders left half made; what another process makes just now stays."""
    for left in cache_dir.glob(f".{32 * '[0-9a-f]'}-*"):
        key = left.name[1:33]
        try:
            with nullcontext() if key == own else FileLock(cache_dir / f"{key}.lock", timeout=0):
                shutil.rmtree(left, ignore_errors=True)
        except Timeout:
            continue


def code_digest() -> str:
    """Of the files of this package: whoever edits a reader or a marker in place must not get the old store."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write(folder: Path, task: Task, quiet: bool, processes: int) -> None:
    """Encode all rows of the task's source into `folder`, some at a time; the memory that it takes does not grow with
    them.
    """
    facts = {"rows": 0, "tokens": 0, "unknown": 0, "cut": 0, "wide": 0, "skipped": []}
    notes: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    words = WordCount()
    first: Chunk | None = None
    # disable=None: no bar where the output is no terminal
    bar = tqdm(desc=f"tokenising {task.source.name}", unit=" rows", disable=True if quiet else None, leave=False)
    with bar, GrowingArrays(folder) as arrays:
        for name in ("offsets", "id_offsets"):
            arrays.append(name, np.zeros(1, dtype=np.int64))
        for chunk in encoded_chunks(task, processes, words):
            bar.update(chunk.seen)
            first = first or (chunk if chunk.rows else None)
            check_order(task, first, chunk)
            facts["skipped"] += chunk.bad
            notes += chunk.notes
            lost += chunk.lost
            words.join(chunk.texts)
            if chunk.rows:
                append(arrays, chunk, facts["tokens"])
            facts["rows"] += chunk.rows
            for name, count in chunk.counts.items():
                facts[name] += count
        if first is None:
            bad = facts["skipped"]
            others = "".join(f"; {line}" for line in skipped_lines(skipped_facts(bad, {}, {}, 1))[2:])
            raise ValueError(f"{task.source.name}: all {len(bad)} rows are bad; the first: {bad[0][1]}{others}")
        arrays.close()
    facts |= {"notes": dict(notes), "lost": dict(lost)}
    facts["words"] = words.facts(task.encoder.tokenizer)
    meta = json.dumps({"facts": facts, "extra": sorted(first.extra)}, ensure_ascii=False)
    (folder / "store.json").write_text(meta, encoding="utf-8")


def encoded_chunks(task: Task, processes: int, words: WordCount) -> Iterator[Chunk]:
    """The rows of the task's source, encoded, in the order of the file."""
    if processes > 1:
        yield from encode_in_processes(task, processes, CHUNK, words)
        return
    rows = task.source.examples()
    while part := list(islice(rows, CHUNK)):
        yield task.encode(part)


def check_order(task: Task, first: Chunk | None, chunk: Chunk) -> None:
    """Raises ValueError for what is wrong first in `chunk`; `first` is the first one that has rows."""
    if chunk.rows and (
        problem := different(chunk.first, (chunk.extra, chunk.per_token), (first.extra, first.per_token))
    ):
        raise ValueError(problem)
    if chunk.mismatch:
        raise ValueError(chunk.mismatch)
    if chunk.bad and task.stop:
        number, reason = chunk.bad[0]
        raise ValueError(f"{task.source.where(number)}: {reason}")


def append(arrays: GrowingArrays, chunk: Chunk, tokens: int) -> None:
    """Add encoded rows to the store that has `tokens` already."""
    for name, array in chunk.columns.items():
        if name == "lengths":
            arrays.append("offsets", tokens + np.cumsum(array))
        elif name == "id_lengths":
            arrays.append("id_offsets", arrays.rows("id_bytes") - array.sum() + np.cumsum(array))
        else:
            arrays.append(name, array)


def load(folder: Path) -> TokenStore:
    """Open a store."""

    def column(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    meta = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    names = ("tokens", "offsets", "second", "spans", "types", "labels", "sentences", "id_bytes", "id_offsets")
    columns = {name: column(name) for name in names}
    return TokenStore(**columns, extra={n: column(f"extra.{n}") for n in meta["extra"]}, facts=meta["facts"])


def in_memory(chunk: Chunk) -> TokenStore:
    """A store of the rows of one chunk, without a file."""
    columns, extra = dict(chunk.columns), {}
    for name in chunk.extra or ():
        extra[name] = columns.pop(f"extra.{name}")
    for lengths, offsets in (("lengths", "offsets"), ("id_lengths", "id_offsets")):
        columns[offsets] = np.concatenate([[0], np.cumsum(columns.pop(lengths))])
    return TokenStore(**columns, extra=extra, facts=dict(chunk.counts))
