"""What a part of the data holds, counted. Legend: N rows, C labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from data.duplicates import Repeats, repeats
from data.store.token_store import TokenStore
from engine.report.error_rows import marked

if TYPE_CHECKING:
    from data.schema import Example


@dataclass(frozen=True)
class Part:
    """Rows of one file. `numbers` (N,): their place in it, from 1; `triples` (N, 2): see `duplicates.file_keys`;
    `characters` (N,): of the text.
    """

    name: str
    location: str
    store: TokenStore
    numbers: np.ndarray
    triples: np.ndarray
    characters: np.ndarray

    @cached_property
    def repeats(self) -> Repeats:
        return repeats(self.triples, np.array(self.store.labels))

    def shares(self, classes: int) -> np.ndarray:
        """Share of each label (C,)."""
        return np.bincount(self.store.labels, minlength=classes) / len(self.store)


def shared(train: Part, dev: Part) -> dict[str, int]:
    """Rows of dev whose sentence, whose triple, whose triple with another label stands in train."""
    label_of: dict[bytes, set[int]] = {}
    for key, label in zip(train.triples, train.store.labels, strict=True):
        label_of.setdefault(key.tobytes(), set()).add(int(label))
    known = [label_of.get(key.tobytes()) for key in dev.triples]
    return {
        "sentences": int(np.isin(dev.store.sentences, train.store.sentences).sum()),
        "triples": sum(found is not None for found in known),
        "other_label": sum(
            found is not None and int(label) not in found for found, label in zip(known, dev.store.labels, strict=True)
        ),
    }


def type_lines(part: Part, labels: Sequence[str], types: Sequence[str]) -> list[dict]:
    """A line a pair of entity types, most frequent first: rows, and how many there are of each label. Empty where the
    data has no types."""
    names = ["", *types]
    kinds = Counter(map(tuple, np.array(part.store.types).tolist()))
    if set(kinds) == {(0, 0)}:
        return []
    lines = []
    for (subject, object), rows in kinds.most_common():
        chosen = (part.store.types[:, 0] == subject) & (part.store.types[:, 1] == object)
        counts = np.bincount(np.array(part.store.labels)[chosen], minlength=len(labels)).tolist()
        lines.append(
            {"subject": names[subject], "object": names[object], "rows": rows} | dict(zip(labels, counts, strict=True))
        )
    return lines


def duplicate_lines(
    part: Part, chosen: np.ndarray, examples: Mapping[int, "Example"], labels: Sequence[str]
) -> list[dict]:
    """The rows of all triples that `chosen` (N,) rows belong to, together and in the order of the file."""
    found, order = part.repeats, []
    for triple in dict.fromkeys(found.triple[chosen].tolist()):
        order += np.flatnonzero(found.triple == triple).tolist()
    return [
        {
            "part": part.name,
            "triple": int(found.triple[row]),
            "row": int(part.numbers[row]),
            "id": part.store.id(row),
            "label": labels[part.store.labels[row]],
            "kind": "conflicting" if found.in_conflict[row] else "exact",
            "text": marked(examples[int(part.numbers[row])]),
        }
        for row in order
    ]
