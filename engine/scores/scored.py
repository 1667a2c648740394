"""What is scored: the argument of every function here that makes scores of a whole set. N rows, C classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Scored:
    """Labelled rows, what a model says of them, and how they count.

    `labels` (N,) class numbers; `probabilities` (N, C), rows that sum to 1; `negative`: the class that micro-F1 leaves
    out, None = no such class; `names` (C,) of the classes, () = unknown, and no `semeval`; `prior` (C,): shares of the
    labels in the target, see `prior.row_weights`, None = no scores ending in _prior; `groups` (N,) int64: rows of one
    number are drawn together, see `intervals.draws`, None = each on its own; `answers` (N,): the predicted classes
    where something else says them, None = the most probable ones.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    negative: int | None
    names: Sequence[str] = ()
    prior: np.ndarray | None = None
    groups: np.ndarray | None = None
    answers: np.ndarray | None = None

    def __post_init__(self):
        rows = {len(each) for each in (self.labels, self.probabilities, self.groups, self.answers) if each is not None}
        assert len(rows) == 1, f"labels, probabilities, groups and answers of {sorted(rows)} rows"
        assert len(self.names) in (0, self.classes), f"{len(self.names)} names of {self.classes} classes"

    @property
    def classes(self) -> int:
        return self.probabilities.shape[1]

    @cached_property
    def predicted(self) -> np.ndarray:
        """The predicted class of each row, (N,)."""
        return self.probabilities.argmax(axis=1) if self.answers is None else self.answers
