"""Medians, quantiles and coefficients of variation, as the gates define them (gates, "Metrics").

A median averages the middle pair, other quantiles interpolate linearly, a CV divides the population
standard deviation (ddof 0) by the mean. Counts and masses are summed as integers, so that no CPU's
vector width shows in a result. Snapping is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def median(values: F64) -> float:
    """Middle value of (n,), n ≥ 1; mean of the middle pair when n is even."""
    return float(np.median(values))


def quantile(values: F64, level: float) -> float:
    """Linearly interpolated quantile of (n,), n ≥ 1, level in [0, 1] (Hyndman & Fan 1996, type 7)."""
    return float(np.quantile(values, level, method="linear"))


def counts_cv(counts: I64) -> float:
    """CV of non-negative counts (n,), exact up to one square root: √(n·Σx² − (Σx)²) / Σx; 0 when Σx is 0."""
    numbers = [int(count) for count in np.unique_counts(counts).values]
    times = [int(repeat) for repeat in np.unique_counts(counts).counts]
    total = sum(x * k for x, k in zip(numbers, times, strict=True))
    squares = sum(x * x * k for x, k in zip(numbers, times, strict=True))
    spread = counts.shape[0] * squares - total * total
    return math.sqrt(spread) / total if total else 0.0


def values_cv(values: Sequence[float]) -> float:
    """CV of a handful of numbers; 0 when their mean is 0."""
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return math.sqrt(variance) / abs(mean) if mean else 0.0


def weighted_median(values: F64, masses: I64) -> float:
    """Value at which the cumulative mass reaches half, averaged with the next when it hits half exactly.

    Args:
        values: (n,), n ≥ 1.
        masses: int64 (n,), non-negative, positive sum below 2⁶².
    """
    order = np.argsort(values, kind="stable")
    twice = 2 * np.cumsum(masses[order])
    total = int(twice[-1]) // 2
    low = int(np.searchsorted(twice, total, side="left"))
    high = int(np.searchsorted(twice, total, side="right"))
    return float((values[order[low]] + values[order[high]]) / 2.0)
