"""Some rows of a token store, as a store: what a split trains on and what it holds out."""

from functools import cached_property

import numpy as np

from data.store.token_store import TokenStore


class Rows:
    """The rows `rows` (n,) of `whole`, numbered from 0; tokens stay where they are, memory-mapped."""

    def __init__(self, whole: TokenStore, rows: np.ndarray):
        self.whole, self.rows = whole, rows

    def __len__(self) -> int:
        return len(self.rows)

    def locate(self, index: np.ndarray) -> tuple[TokenStore, np.ndarray]:
        """The store that holds the rows `index` (B,), and their numbers there."""
        return self.whole, self.rows[index]

    @cached_property
    def lengths(self) -> np.ndarray:
        return self.whole.lengths[self.rows]

    @cached_property
    def labels(self) -> np.ndarray:
        return np.array(self.whole.labels[self.rows])

    @cached_property
    def sentences(self) -> np.ndarray:
        return np.array(self.whole.sentences[self.rows])

    def id(self, row: int) -> str:
        return self.whole.id(self.rows[row])
