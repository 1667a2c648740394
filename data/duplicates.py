"""Rows that repeat the sentence and the entities of an earlier one.

Legend: N rows.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from data.readers.source import Source
from data.schema import Example

HANDLING = ("keep", "drop_exact", "drop_conflicting")


def triple_key(example: Example) -> bytes:
    """16 bytes that stand for (sentence, subject, object): the text or texts and both places in it. Types and label do
    not count; a text without entities is its own triple."""
    places = [(span.start, span.end) for _, span in example.entities()]
    return hashlib.blake2b(repr((example.text, example.text_pair, places)).encode(), digest_size=16).digest()


def file_keys(source: Source, skipped: Iterable[int]) -> np.ndarray:
    """(N, 2) uint64, where equal rows are equal triples, of the rows of a file that a token store holds: all without
    the numbers `skipped`."""
    skipped, keys = set(skipped), bytearray()
    for number, example in source.examples():
        if number not in skipped and isinstance(example, Example):
            keys += triple_key(example)
    return np.frombuffer(bytes(keys), dtype="<u8").reshape(-1, 2)


@dataclass(frozen=True)
class Repeats:
    """Of each row (N,): `exact`, an earlier row has the same triple and label; `other_label`, an earlier row has the
    same triple, but none its label; `in_conflict`, its triple has several labels somewhere. `triple`: its number."""

    exact: np.ndarray
    other_label: np.ndarray
    in_conflict: np.ndarray
    triple: np.ndarray

    @property
    def together(self) -> np.ndarray:
        """Rows (N,) whose triple has several."""
        return np.bincount(self.triple)[self.triple] > 1

    def kept(self, handling: str) -> np.ndarray:
        """Which rows (N,) stay: all; without exact repeats; without these and all rows of triples in conflict, for
        nothing says which label is right."""
        if handling == "keep":
            return np.ones(len(self.exact), dtype=bool)
        return ~self.exact if handling == "drop_exact" else ~self.exact & ~self.in_conflict


def repeats(keys: np.ndarray, labels: np.ndarray) -> Repeats:
    """`keys` (N, 2) of `file_keys`, `labels` (N,) numbers."""
    order = np.lexsort(keys.T)
    new = np.r_[True, (np.diff(keys[order].view(np.int64), axis=0) != 0).any(axis=1)][: len(keys)]
    triple = np.empty(len(keys), dtype=np.int64)
    triple[order] = np.cumsum(new) - 1
    pairs, first_of_pair = np.unique(np.stack([triple, labels], axis=1), axis=0, return_index=True)
    several = np.bincount(pairs[:, 0]) > 1
    exact, later = np.ones(len(keys), dtype=bool), np.ones(len(keys), dtype=bool)
    exact[first_of_pair] = False
    later[np.unique(triple, return_index=True)[1]] = False
    return Repeats(exact, later & ~exact, several[triple], triple)
