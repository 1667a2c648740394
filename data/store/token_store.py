"""The token store: an encoded corpus as flat arrays on disk, memory-mapped, shared by processes, without pickles."""

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from data.reasons import skipped_facts, skipped_lines
from data.store.arrays import GrowingArrays
from data.store.chunk import Chunk, Task, different
from data.store.words import WordCount
from data.store.workers import encode_in_processes, processes_for

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
    identity = (code_digest(), *task.identity)
    key = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    folder = cache_dir / key
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_dir / f"{key}.lock"):
            if not (folder / "store.json").is_file():
                temporary = Path(tempfile.mkdtemp(dir=cache_dir, prefix=f".{key}-"))
                try:
                    write(temporary, task, quiet, processes or processes_for(task.source))
                    shutil.rmtree(folder, ignore_errors=True)
                    os.replace(temporary, folder)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise ValueError(
            f"data.cache_dir: cannot write the token store to {cache_dir} ({error.strerror or error}); "
            "name another folder"
        ) from None
    return load(folder)


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
