"""The token store: an encoded corpus as flat arrays on disk, memory-mapped, shared by processes, without pickles."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from data.encode import Encoded, Encoder
from data.schema import Example
from data.source import Source
from data.text import shown
from data.words import WordCount

CHUNK = 1000  # rows that are Python objects at a time


@dataclass(frozen=True)
class TokenStore:
    """N encoded examples end to end. Arrays are memory-mapped and read-only.

    tokens (T,) int32; offsets (N+1,) int64 into tokens; second (N,) int32: start of the second segment inside the
    example; spans (N, 2, 3, 2) int32: see `markers.Marked`, inside the example; types (N, 2) int8; labels (N,) int64,
    -1 where unlabelled; ids: utf-8 bytes with id_offsets (N+1,); extra: name -> (N,) or (T,) int32.
    `facts` counts what was met while encoding: rows, tokens, unknown, cut, wide, skipped [[row, reason], ...], and
    under words how well the tokenizer knows the language, see `words.WordCount`.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    second: np.ndarray
    spans: np.ndarray
    types: np.ndarray
    labels: np.ndarray
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

    def id(self, row: int) -> str:
        """The id of a row, as it stands in the file."""
        return self.id_bytes[self.id_offsets[row] : self.id_offsets[row + 1]].tobytes().decode()


def prepare(
    source: Source,
    encoder: Encoder,
    labels: Sequence[str],
    cache_dir: Path,
    on_bad_row: str = "error",
    need_labels: bool = True,
    quiet: bool = False,
    learned: bool = False,
) -> TokenStore:
    """The store of `source`, from the cache or made now. One process of a node makes it, the others wait for the file.

    `learned` says that `labels` are those of the training rows, for messages.

    Raises ValueError for a bad row (`on_bad_row` "error") with its number, or when "skip" left no row at all.
    """
    identity = (
        code_digest(),
        source.identity,
        encoder.fingerprint,
        list(labels),
        on_bad_row,
        need_labels,
    )
    key = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    folder = cache_dir / key
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(cache_dir / f"{key}.lock"):
            if not (folder / "store.json").is_file():
                temporary = Path(tempfile.mkdtemp(dir=cache_dir, prefix=f".{key}-"))
                try:
                    write(temporary, source, encoder, labels, on_bad_row, need_labels, quiet, learned)
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
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def write(
    folder: Path,
    source: Source,
    encoder: Encoder,
    labels: Sequence[str],
    on_bad_row: str,
    need_labels: bool,
    quiet: bool,
    learned: bool = False,
) -> None:
    """Encode all rows of `source` into `folder`."""
    number_of = {label: number for number, label in enumerate(labels)}
    arrays: dict[str, list] = {"tokens": [], "second": [], "spans": [], "types": [], "labels": [], "ids": []}
    extra: dict[str, list] = {}
    facts = {"rows": 0, "tokens": 0, "unknown": 0, "cut": 0, "wide": 0, "skipped": []}
    words = WordCount()

    rows = checked_rows(source, number_of, need_labels, learned)
    # disable=None: no bar where the output is no terminal
    bar = tqdm(desc=f"tokenising {source.name}", unit=" rows", disable=True if quiet else None, leave=False)
    while chunk := list(islice(rows, CHUNK)):
        good = [(number, example) for number, example in chunk if isinstance(example, Example)]
        encoded = encoder.encode([example for _, example in good]) if good else iter(())
        bar.update(len(chunk))
        for number, example_or_error in chunk:
            result = next(encoded) if isinstance(example_or_error, Example) else example_or_error
            if isinstance(result, ValueError):
                if on_bad_row == "error":
                    raise ValueError(f"{source.name}, {source.place(number)}: {result}")
                facts["skipped"].append([number, str(result)])
                continue
            append(result, example_or_error, number_of, arrays, extra, facts["rows"])
            facts["rows"] += 1
            facts["tokens"] += len(result.tokens)
            facts["cut"] += result.cut
            facts["wide"] += result.wide
            words.add(example_or_error.text, result.pieces, result.unknown)
    bar.close()
    if not facts["rows"]:
        raise ValueError(
            f"{source.name}: all {len(facts['skipped'])} rows are bad; the first: {facts['skipped'][0][1]}"
        )

    tokens = np.concatenate(arrays["tokens"])
    facts["unknown"] = int((tokens == encoder.tokenizer.unk_token_id).sum())
    facts["words"] = words.facts(encoder.tokenizer)
    ids = [text.encode() for text in arrays["ids"]]
    save = {
        "tokens": tokens,
        "offsets": starts([len(tokens) for tokens in arrays["tokens"]]),
        "second": np.array(arrays["second"], dtype=np.int32),
        "spans": np.stack(arrays["spans"]),
        "types": np.stack(arrays["types"]),
        "labels": np.array(arrays["labels"], dtype=np.int64),
        "id_bytes": np.frombuffer(b"".join(ids), dtype=np.uint8),
        "id_offsets": starts([len(text) for text in ids]),
    }
    for name, values in extra.items():
        flat = np.concatenate(values) if isinstance(values[0], np.ndarray) else np.array(values, dtype=np.int32)
        save[f"extra.{name}"] = flat
    for name, array in save.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    meta = json.dumps({"facts": facts, "extra": sorted(extra)}, ensure_ascii=False)
    (folder / "store.json").write_text(meta, encoding="utf-8")


def checked_rows(source: Source, number_of: dict[str, int], need_labels: bool, learned: bool) -> Iterator:
    """(row number, Example or ValueError), with labels checked against the list."""
    for number, example in source.examples():
        if isinstance(example, Example):
            if example.label is None and need_labels:
                reason = "the row has no label, which training and evaluation need"
                yield number, ValueError(reason + source.label_hint)
                continue
            if example.label is not None and example.label not in number_of:
                known, advice = ", ".join(number_of)[:1000], ""
                if learned:
                    known, advice = f"{known} (learned from the training rows)", "; give it a file with all labels"
                problem = f"unknown label {shown(example.label)}; data.labels lists {known}{advice}"
                yield number, ValueError(problem)
                continue
        yield number, example


def append(result: Encoded, example: Example, number_of: dict, arrays: dict, extra: dict, row: int) -> None:
    """Add one encoded example to the columns."""
    arrays["tokens"].append(result.tokens)
    arrays["second"].append(result.second)
    arrays["spans"].append(result.spans)
    arrays["types"].append(result.types)
    arrays["labels"].append(-1 if example.label is None else number_of[example.label])
    arrays["ids"].append(example.id)
    if row and set(result.extra) != set(extra):
        raise ValueError(
            f"row {example.id!r} has the extra inputs {sorted(result.extra)}, the rows before it {sorted(extra)}"
        )
    for name, value in result.extra.items():
        extra.setdefault(name, []).append(value)


def starts(lengths: Sequence[int]) -> np.ndarray:
    """Lengths (N,) to offsets (N+1,)."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def load(folder: Path) -> TokenStore:
    """Open a store."""

    def column(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)

    meta = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    names = ("tokens", "offsets", "second", "spans", "types", "labels", "id_bytes", "id_offsets")
    columns = {name: column(name) for name in names}
    return TokenStore(**columns, extra={n: column(f"extra.{n}") for n in meta["extra"]}, facts=meta["facts"])
