"""A packed batch: the tokens of all examples end to end, no padding. Padding exists in `models/backbone.py` only.

Legend: B examples, T tokens of all of them.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from data.store.token_store import TokenStore


@dataclass(frozen=True)
class Batch:
    """What a model reads. Spans are token positions in the packed batch, end exclusive, -1 where absent.

    tokens (T,) int64; positions (T,): place inside the own example, from 0; segments (T,): 0, and 1 in a second
    segment; offsets (B+1,): where examples start; lengths (B,): tokens of each, always on the host, and longest, the
    largest of them, so that nobody synchronises to learn them; subject, object (B, 3, 2): whole marked span, type word,
    entity words; roles (T,): 1 on the subject's words, 2 on the object's, else 0; types (T,): entity type there, from
    1, else 0; index (B,): rows of the store; extra: name -> (B,) or (T,).
    """

    tokens: Tensor
    positions: Tensor
    segments: Tensor
    offsets: Tensor
    lengths: Tensor
    longest: int
    subject: Tensor
    object: Tensor
    roles: Tensor
    types: Tensor
    index: Tensor
    extra: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def rows(self) -> Tensor:
        """The example of each token, (T,)."""
        every = torch.arange(len(self.tokens), device=self.tokens.device)
        return torch.searchsorted(self.offsets[1:], every, right=True)  # (T,)

    def map(self, change) -> "Batch":
        """The batch with `change` applied to every tensor that a device computes with."""
        own = ("lengths", "longest", "extra")
        tensors = {f.name: change(getattr(self, f.name)) for f in fields(self) if f.name not in own}
        return replace(self, **tensors, extra={name: change(value) for name, value in self.extra.items()})

    def to(self, device: torch.device) -> "Batch":
        return self.map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        return self.map(Tensor.pin_memory)


def collate(store: TokenStore, index: np.ndarray) -> tuple[Batch, Tensor]:
    """The examples `index` (B,) of the store as a packed batch, and their labels (B,)."""
    asked = index
    store, index = store.locate(index)
    starts = store.offsets[index]
    lengths = store.offsets[index + 1] - starts  # (B,)
    offsets = np.concatenate([[0], np.cumsum(lengths)])  # (B+1,)
    positions = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)  # (T,)
    source = np.repeat(starts, lengths) + positions  # (T,) places in the store

    spans = store.spans[index].astype(np.int64)  # (B, 2, 3, 2)
    spans = np.where(spans >= 0, spans + offsets[:-1, None, None, None], -1)
    roles, types = np.zeros(offsets[-1], dtype=np.int64), np.zeros(offsets[-1], dtype=np.int64)
    for role in (0, 1):
        start, end = spans[:, role, 2].T  # (B,), (B,) the entity's own words
        present = start >= 0
        # a step up at each start, down at each end; the running sum paints the words between
        edges = np.zeros((2, offsets[-1] + 1), dtype=np.int64)
        kinds = store.types[index, role]
        for row, value in enumerate((np.full(len(index), role + 1), kinds)):
            np.add.at(edges[row], start[present], value[present])
            np.subtract.at(edges[row], end[present], value[present])
        painted = edges.cumsum(axis=1)[:, :-1]
        roles, types = roles + painted[0], types + painted[1]

    extra = {
        name: torch.from_numpy(values[source if len(values) != len(store) else index].astype(np.int64))
        for name, values in store.extra.items()
    }
    batch = Batch(
        tokens=torch.from_numpy(store.tokens[source].astype(np.int64)),
        positions=torch.from_numpy(positions),
        segments=torch.from_numpy((positions >= np.repeat(store.second[index], lengths)).astype(np.int64)),
        offsets=torch.from_numpy(offsets),
        lengths=torch.from_numpy(lengths),
        longest=int(lengths.max()),
        subject=torch.from_numpy(spans[:, 0]),
        object=torch.from_numpy(spans[:, 1]),
        roles=torch.from_numpy(roles),
        types=torch.from_numpy(types),
        index=torch.from_numpy(np.asarray(asked, dtype=np.int64)),
        extra=extra,
    )
    return batch, torch.from_numpy(store.labels[index].astype(np.int64))
