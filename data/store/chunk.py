"""Some rows in, their part of the token store out: what one process does at a time."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from data.alike import nearly
from data.encode import Encoded, Encoder
from data.messages import shown
from data.readers.source import Source
from data.schema import Example
from data.sentences import sentence_key
from data.store.words import Texts

UNLISTED = "entity types that data.types does not list, and that neither marker nor embedding reads"


LEARN = "; data.labels learned takes those of the training rows"


@dataclass
class Chunk:
    """Encoded rows as the store's columns, with lengths in place of offsets.

    `lists` (column -> a value or array a row) are filled by `append` and become `columns` at the end; `per_token` are
    the extra inputs with a number a token. `bad`: [row, reason] of rows that were left out, `lost`:
    how many there are of each label, where that can be told; `ids`: row -> id of every
    row that is an example; `mismatch`: what is wrong between two rows of the chunk; `notes`: rows of each of
    `Example.notes`.
    """

    lists: dict[str, list] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    extra: tuple[str, ...] | None = None
    per_token: tuple[str, ...] = ()
    first: str = ""
    rows: int = 0
    seen: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"tokens": 0, "unknown": 0, "cut": 0, "wide": 0})
    bad: list[list] = field(default_factory=list)
    lost: Counter = field(default_factory=Counter)
    ids: dict[int, str] = field(default_factory=dict)
    mismatch: str = ""
    texts: Texts = field(default_factory=Texts)
    notes: Counter = field(default_factory=Counter)


@dataclass(frozen=True)
class Task:
    """Everything that rows are encoded with. `number_of`: label -> class; `learned`: those of the training rows, for
    messages; `stop`: a bad row ends the store, so that nothing after it matters.
    """

    source: Source
    encoder: Encoder
    number_of: dict[str, int]
    need_labels: bool = True
    learned: bool = False
    stop: bool = True

    @property
    def identity(self) -> tuple:
        """What makes the store what it is, but for the code."""
        labels = list(self.number_of)
        return (
            self.source.identity,
            self.source.ids,
            self.encoder.fingerprint,
            labels,
            self.need_labels,
            self.learned,
            self.stop,
            self.encoder.needs_types,
        )

    def encode(self, rows: Iterable[tuple[int, Example | ValueError]]) -> Chunk:
        """The chunk of (row number, Example or what is wrong with the row)."""
        made = Chunk()
        checked = [(number, example, self.problem(example)) for number, example in rows]
        good = [example for _, example, problem in checked if problem is None]
        encoded = self.encoder.encode(good) if good else iter(())
        for number, example, problem in checked:
            made.seen += 1
            if isinstance(example, Example):
                made.ids[number] = example.id
            result = next(encoded) if problem is None else problem
            if isinstance(result, ValueError):
                made.bad.append([number, str(result)])
                made.lost.update([label] if (label := getattr(example, "label", None)) is not None else [])
                if self.stop:
                    break
                continue
            append(made, result, example, self.number_of)
            made.notes.update([UNLISTED] if self.encoder.unlisted(example) else [])
            if made.mismatch:
                break
        close(made, self.encoder.unknown)
        return made

    def problem(self, example: Example | ValueError) -> ValueError | None:
        """What is wrong with a row before it is encoded: that it is none, or its label."""
        if isinstance(example, ValueError):
            return example
        if example.label is None and self.need_labels:
            return ValueError("the row has no label, which training and evaluation need" + self.source.label_hint)
        if example.label is None or example.label in self.number_of:
            return None
        known, alike = ", ".join(self.number_of)[:1000], nearly(example.label, [*self.number_of])
        advice = alike or LEARN
        if self.learned:
            known, advice = f"{known} (learned from the training rows)", alike or "; give it a file with all labels"
        return ValueError(f"unknown label {shown(example.label)}; data.labels lists {known}{advice}")


def append(made: Chunk, result: Encoded, example: Example, number_of: dict[str, int]) -> None:
    """Add one encoded example to the chunk, or say why it does not go with those before it."""
    extra = tuple(sorted(result.extra))
    per_token = tuple(name for name in extra if isinstance(result.extra[name], np.ndarray))
    if made.extra is None:
        made.extra, made.per_token, made.first = extra, per_token, example.id
    made.mismatch = different(example.id, (extra, per_token), (made.extra, made.per_token))
    if made.mismatch:
        return
    identity = example.id.encode()
    values = {
        "tokens": result.tokens,
        "lengths": len(result.tokens),
        "second": result.second,
        "spans": result.spans,
        "types": result.types,
        "labels": -1 if example.label is None else number_of[example.label],
        "sentences": sentence_key(example.text),
        "id_bytes": identity,
        "id_lengths": len(identity),
        **{f"extra.{name}": value for name, value in result.extra.items()},
    }
    for name, value in values.items():
        made.lists.setdefault(name, []).append(value)
    made.rows += 1
    made.notes.update(example.notes)
    made.counts["cut"] += result.cut
    made.counts["wide"] += result.wide
    made.texts.add(example.text, result.pieces, result.unknown, result.lost)


def different(id: str, inputs: tuple[tuple, tuple], before: tuple[tuple, tuple]) -> str:
    """What is wrong where a row has other extra inputs than the rows before it; `inputs` are (extra, per_token)."""
    if inputs[0] != before[0]:
        return f"row {id!r} has the extra inputs {[*inputs[0]]}, the rows before it {[*before[0]]}"
    if inputs[1] != before[1]:
        name = min(set(inputs[1]) ^ set(before[1]))
        kinds = ["one number a token", "one number"]
        kinds = kinds if name in inputs[1] else kinds[::-1]
        return f"row {id!r} gives the extra input {name!r} as {kinds[0]}, the rows before it as {kinds[1]}"
    return ""


def close(made: Chunk, unknown: int) -> None:
    """Turn the lists into columns."""
    lists = made.lists
    if made.rows:
        made.columns = {
            "tokens": np.concatenate(lists["tokens"]),
            "lengths": np.array(lists["lengths"], dtype=np.int64),
            "second": np.array(lists["second"], dtype=np.int32),
            "spans": np.stack(lists["spans"]),
            "types": np.stack(lists["types"]),
            "labels": np.array(lists["labels"], dtype=np.int64),
            "sentences": np.array(lists["sentences"], dtype=np.int64),
            "id_bytes": np.frombuffer(b"".join(lists["id_bytes"]), dtype=np.uint8),
            "id_lengths": np.array(lists["id_lengths"], dtype=np.int64),
        }
        for name in made.extra or ():
            values = lists[f"extra.{name}"]
            flat = chain.from_iterable(values) if name in made.per_token else values
            made.columns[f"extra.{name}"] = np.array([*flat], dtype=np.int32)
        made.counts["tokens"] = len(made.columns["tokens"])
        made.counts["unknown"] = int((made.columns["tokens"] == unknown).sum())
    made.lists = {}
