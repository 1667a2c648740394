"""Medians with quartiles, and how busy the machine was."""

import os
import statistics
from collections.abc import Sequence

import numpy as np


def spread(values: Sequence[float]) -> dict:
    """Median and quartiles of some values, and the values."""
    low, high = np.quantile(values, [0.25, 0.75])
    return {"median": statistics.median(values), "quartiles": [float(low), float(high)], "all": list(values)}


def load() -> list[float] | None:
    """Load averages: whether somebody else used the machine."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None
