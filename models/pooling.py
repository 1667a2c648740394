"""Which hidden states stand for the sentence. All read packed tokens, so padding cannot leak in.

A pooling is made with the hidden size and its own options (`model.pooling_options`); `features` is the width of what it
returns. It says of itself `needs_entities`, `needs_type_words` (reads them), `has_cls` ([CLS] is part of it already),
`with_cls` (whether [CLS] is put in front unless `model.with_cls` says otherwise) and `takes_pooler` (the backbone's).
`layers` above 1 asks for the states of so many last layers; `places` names the tokens it reads where they are few,
which spares the last layer the others. Adding one = a class and a line in POOLINGS.

Legend: B examples, T tokens of all of them, H hidden size, K layers.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from data.batch import Batch
from models.segments import largest, mean, softmax, span_mean, total

WHOLE, TYPE_WORD, WORDS = 0, 1, 2  # the parts of a span, see data/batch.py


class Pooling(nn.Module):
    """What most of them are: of the top layer, reading no entities. `forward(hidden, batch)` -> (B, features)."""

    needs_entities = False
    needs_type_words = False
    has_cls = False
    with_cls = False
    takes_pooler = False
    layers = 1
    states = 1
    """Hidden states side by side in what it returns."""

    def __init__(self, hidden_size: int):
        super().__init__()
        self.features = self.states * hidden_size

    def places(self, batch: Batch) -> Tensor | None:
        """The tokens it reads, (B, states), where they are so few in every sentence; else None."""
        return None

    def join(self, states: Tensor) -> Tensor:
        """What it makes of the states (B, states, H) at its places -> (B, features)."""
        return states.flatten(1)

    def read(self, hidden: Tensor, batch: Batch, places: Tensor | None) -> Tensor:
        """hidden as `forward` takes it or, with `places`, of those tokens alone, (B, states, H) -> (B, features)."""
        return self(hidden, batch) if places is None else self.join(hidden)


class PlacesPooling(Pooling):
    """What reads a fixed number of tokens in each sentence: the last layer need not compute the others."""

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, features)."""
        return self.join(hidden[self.places(batch)])  # (B, states, H)


class ClsPooling(PlacesPooling):
    """The state of the first token, [CLS]: (B, H)."""

    has_cls = True

    def places(self, batch: Batch) -> Tensor:
        return batch.offsets[:-1, None]  # (B, 1)


class PoolerPooling(ClsPooling):
    """[CLS] through the backbone's own pretrained pooler.

    A dense layer and tanh (Devlin et al. 2019).
    """

    has_cls = False
    takes_pooler = True

    def take(self, pooler: nn.Module) -> None:
        """The module from `models/backbone.py`; the backbone has it no more."""
        self.pooler = pooler

    def join(self, states: Tensor) -> Tensor:
        return self.pooler(states)  # (B, 1, H) -> (B, H)


class MeanPooling(Pooling):
    """The mean of all tokens' states.

    Reimers and Gurevych 2019, arXiv 1908.10084.
    """

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, H)."""
        return mean(hidden, batch.offsets, batch.rows)  # (B, H)


class MaxPooling(Pooling):
    """The largest value over all tokens, for each unit."""

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, H)."""
        return largest(hidden, batch.rows, len(batch))  # (B, H)


class ClsMeanPooling(Pooling):
    """[CLS] beside the mean of all tokens."""

    has_cls = True
    states = 2

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, 2H)."""
        whole = mean(hidden, batch.offsets, batch.rows)  # (B, H)
        return torch.cat([hidden[batch.offsets[:-1]], whole], dim=1)  # (B, 2H)


class AttentionPooling(Pooling):
    """A mean of all tokens with learned shares.

    The shares are a softmax of v . tanh(W h + b): Yang et al. 2016, equations 5-7.
    """

    def __init__(self, hidden_size: int):
        super().__init__(hidden_size)
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1, bias=False)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, H)."""
        scores = self.score(torch.tanh(self.dense(hidden)))[:, 0]  # (T,)
        shares = softmax(scores, batch.rows, len(batch))  # (T,)
        return total(shares[:, None] * hidden, batch.rows, len(batch)).to(hidden.dtype)  # (B, H)


class EntityStartPooling(PlacesPooling):
    """The first token of both marked spans.

    These are the opening markers, or the entities' own where none are used.
    Baldini Soares et al. 2019, Matching the Blanks, arXiv 1906.03158 ("entity start"): (B, 2H). [CLS] in front by
    default.
    """

    needs_entities = True
    with_cls = True
    states = 2

    def places(self, batch: Batch) -> Tensor:
        return torch.stack([batch.subject[:, WHOLE, 0], batch.object[:, WHOLE, 0]], dim=1)  # (B, 2)


class EntityStartEndPooling(PlacesPooling):
    """The first and the last token of both marked spans.

    Opening and closing markers: (B, 4H). [CLS] in front by default.
    """

    needs_entities = True
    with_cls = True
    states = 4

    def places(self, batch: Batch) -> Tensor:
        spans = batch.subject[:, WHOLE], batch.object[:, WHOLE]  # (B, 2) each, end exclusive
        return torch.stack([place for span in spans for place in (span[:, 0], span[:, 1] - 1)], dim=1)  # (B, 4)


class EntityMeanPooling(Pooling):
    """R-BERT: [CLS] and the means of both entities' words.

    Each goes through tanh, dropout and a dense layer of its own.
    Wu and He 2019, arXiv 1905.08284, equations 1-3. There the two entities share one layer: `shared` true.
    """

    needs_entities = True
    has_cls = True
    states = 3

    def __init__(self, hidden_size: int, shared: bool = False, dropout: float = 0.1):
        """
        shared: whether both entities go through the same dense layer.
        dropout: share of units dropped before the dense layers, 0 up to below 1.
        """
        super().__init__(hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.cls = nn.Linear(hidden_size, hidden_size)
        self.entities = nn.ModuleList(nn.Linear(hidden_size, hidden_size) for _ in range(1 if shared else 2))

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, 3H)."""
        rows = batch.rows
        states = [
            hidden[batch.offsets[:-1]],
            span_mean(hidden, batch.subject[:, WORDS], rows),
            span_mean(hidden, batch.object[:, WORDS], rows),
        ]
        layers = [self.cls, self.entities[0], self.entities[-1]]
        passed = [layer(self.dropout(torch.tanh(state))) for layer, state in zip(layers, states, strict=True)]
        return torch.cat(passed, dim=1)  # (B, 3H)


class EntityTypeMeanPooling(Pooling):
    """The means of both entities' words and type words.

    The marker typed_punct writes the type words into the text. [CLS] in front by default.
    """

    needs_entities = True
    needs_type_words = True
    with_cls = True
    states = 4

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) -> (B, 4H): subject, its type, object, its type."""
        rows = batch.rows
        spans = [span[:, part] for span in (batch.subject, batch.object) for part in (WORDS, TYPE_WORD)]
        return torch.cat([span_mean(hidden, span, rows) for span in spans], dim=1)  # (B, 4H)


class LastLayersPooling(Pooling):
    """The last layers mixed into one, then pooled.

    Mix mean: all alike (Devlin et al. 2019, table 7); learned: softmax shares and a scale (Peters et al. 2018, arXiv
    1802.05365, equation 1), which start as the mean. States are taken as the layers leave them: of ModernBERT only the
    top one is behind its norm.
    """

    def __init__(
        self,
        hidden_size: int,
        layers: int = 4,
        mix: Literal["mean", "learned"] = "mean",
        over: Literal["cls", "mean", "max", "cls_mean", "attention", "entity_start", "entity_start_end"] = "cls",
    ):
        """
        layers: how many of the last layers, 2 or more.
        mix: how they are mixed; mean: all alike; learned: shares that are learned.
        over: the pooling of the mixed layer.
        """
        super().__init__(hidden_size)
        if layers < 2:
            raise ValueError(f"model.pooling_options.layers: got {layers}, expected 2 or more")
        self.layers = layers
        self.over = POOLINGS[over](hidden_size)
        self.features = self.over.features
        self.needs_entities, self.has_cls, self.with_cls = (
            self.over.needs_entities,
            self.over.has_cls,
            self.over.with_cls,
        )
        self.shares = nn.Parameter(torch.zeros(layers)) if mix == "learned" else None
        self.scale = nn.Parameter(torch.ones(())) if mix == "learned" else None

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (K, T, H), top layer last -> (B, features)."""
        if self.shares is None:
            mixed = hidden.mean(dim=0)  # (T, H)
        else:
            mixed = self.scale * torch.einsum("k,kth->th", self.shares.softmax(dim=0), hidden)
        return self.over(mixed, batch)


class WithCls(Pooling):
    """The state of [CLS] in front of what another pooling returns."""

    has_cls = True

    def __init__(self, pool: Pooling, hidden_size: int):
        super().__init__(hidden_size)
        self.pool = pool
        self.features = hidden_size + pool.features
        self.needs_entities, self.needs_type_words = pool.needs_entities, pool.needs_type_words
        self.takes_pooler, self.layers = pool.takes_pooler, pool.layers

    def take(self, pooler: nn.Module) -> None:
        self.pool.take(pooler)

    def places(self, batch: Batch) -> Tensor | None:
        inner = self.pool.places(batch)
        return None if inner is None else torch.cat([batch.offsets[:-1, None], inner], dim=1)  # (B, 1 + states)

    def join(self, states: Tensor) -> Tensor:
        return torch.cat([states[:, 0], self.pool.join(states[:, 1:])], dim=1)  # (B, H + features)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden (T, H) or (K, T, H) -> (B, H + features)."""
        top = hidden[-1] if self.layers > 1 else hidden  # (T, H)
        return torch.cat([top[batch.offsets[:-1]], self.pool(hidden, batch)], dim=1)


POOLINGS = {
    "cls": ClsPooling,
    "pooler": PoolerPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "cls_mean": ClsMeanPooling,
    "attention": AttentionPooling,
    "last_layers": LastLayersPooling,
    "entity_start": EntityStartPooling,
    "entity_start_end": EntityStartEndPooling,
    "entity_mean": EntityMeanPooling,
    "entity_type_mean": EntityTypeMeanPooling,
}


def make_pooling(name: str, hidden_size: int, with_cls: bool | None, options: dict) -> Pooling:
    """The pooling called `name`, with [CLS] in front where `with_cls` (None: where it does so by itself) says so."""
    pool = POOLINGS[name](hidden_size, **options)
    if pool.has_cls and with_cls is not None:
        raise ValueError(f"model.with_cls: {name} reads [CLS] in a way of its own; leave it null")
    return WithCls(pool, hidden_size) if (pool.with_cls if with_cls is None else with_cls) else pool
