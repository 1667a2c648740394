"""What data.duplicates does to the training rows, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from data.duplicates import file_keys, repeats
from data.store.rows import Rows
from data.store.token_store import TokenStore

if TYPE_CHECKING:
    from data.readers.source import Source


def drop_repeats(
    handling: str, source: Source, store: TokenStore, train: TokenStore | Rows
) -> tuple[TokenStore | Rows, dict | None]:
    """The training part `train` without the rows that `handling` (data.duplicates) names, and their counts; None where
    nothing was asked for. `source` is the file, `store` all of its rows; what is held out of it stays as it is.

    Raises ValueError where no row would be left, or the file was changed meanwhile.
    """
    if handling == "keep":
        return train, None
    keys = file_keys(source, (number for number, _ in store.facts["skipped"]))
    if len(keys) != len(store):
        raise ValueError(f"data.train: {source.name} was changed while it was read")
    rows = train.rows if isinstance(train, Rows) else np.arange(len(store))
    found = repeats(keys[rows], np.array(train.labels))
    kept = found.kept(handling)
    if not kept.any():
        raise ValueError(f"data.duplicates: {handling} leaves none of {len(rows):,} training rows")
    told = {
        "handling": handling,
        "rows": len(rows),
        "dropped": int((~kept).sum()),
        "exact": int(found.exact.sum()),
        "conflicting": int((~kept & ~found.exact).sum()),
    }
    return Rows(store, rows[kept]), told


def repeat_lines(told: dict | None) -> list[str]:
    """What the summary says."""
    if told is None:
        return []
    conflicting = f", {told['conflicting']:,} with several labels" if told["handling"] == "drop_conflicting" else ""
    return [
        f"{'duplicates':<12} {told['handling']}: {told['dropped']:,} of {told['rows']:,} training rows dropped "
        f"({told['exact']:,} exact repeats{conflicting})"
    ]
