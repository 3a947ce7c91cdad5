"""Largest remainder, for every apportionment of the segment (law section 4).

Segments are consecutive runs of a flat array (a merchant's countries, a merchant's edges); ``lengths``
gives their sizes. All functions are exact or use + − × ÷ only, so they agree on every machine.
Source: Hamilton's method; Balinski & Young, "Fair Representation", 1982.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


def segment_ids(lengths: ArrayLike) -> I64:
    """0,0,…,1,1,…: the segment each cell belongs to."""
    sizes = np.asarray(lengths, np.int64)
    return np.repeat(np.arange(sizes.shape[0], dtype=np.int64), sizes)


def segment_starts(lengths: ArrayLike) -> I64:
    """Index of the first cell of each segment."""
    sizes = np.asarray(lengths, np.int64)
    return np.cumsum(sizes) - sizes


def segment_sums(values: NDArray[Any], lengths: ArrayLike) -> NDArray[Any]:
    """Sum per segment, in cell order; 0 for an empty segment."""
    sizes = np.asarray(lengths, np.int64)
    sums = np.zeros(sizes.shape[0], values.dtype)
    filled = sizes > 0
    if filled.any():
        sums[filled] = np.add.reduceat(values, segment_starts(sizes)[filled])
    return sums


def rank_in_segment(descending: NDArray[Any], lengths: ArrayLike) -> I64:
    """0-based rank of each cell within its segment, largest first, ties by position."""
    ids = segment_ids(lengths)
    order = np.lexsort((-descending, ids))
    ranks = np.empty(order.shape[0], np.int64)
    ranks[order] = np.arange(order.shape[0]) - segment_starts(lengths)[ids]
    return ranks


def settle(floors: I64, remainders: NDArray[Any], lengths: ArrayLike, totals: ArrayLike) -> I64:
    """Give each segment's shortfall, one unit each, to its largest remainders (ties by position).

    Args:
        floors: int64 (n,), the whole units each cell has for certain.
        remainders: (n,), what each cell falls short by; only their order matters.
        lengths, totals: (segments,), cells and units of each segment.

    Raises:
        ValueError: a segment's shortfall is negative or above its number of cells.
    """
    short = np.asarray(totals, np.int64) - segment_sums(floors, lengths).astype(np.int64)
    if (short < 0).any() or (short > np.asarray(lengths)).any():
        raise ValueError("shortfall outside 0..cells: the quotas do not belong to these totals")
    ids = segment_ids(lengths)
    return floors + (rank_in_segment(remainders, lengths) < short[ids])


def apportion(weights: F64, lengths: ArrayLike, totals: ArrayLike) -> I64:
    """Split each segment's integer total in proportion to non-negative float weights.

    Args:
        weights: float64 (n,), any scale, positive sum per non-empty segment.
        lengths, totals: (segments,).

    Returns:
        int64 (n,) summing exactly to ``totals`` per segment.
    """
    sizes = np.asarray(lengths, np.int64)
    units = np.asarray(totals, np.int64)
    ids = segment_ids(sizes)
    sums = segment_sums(weights, sizes).astype(np.float64)
    if (sums[sizes > 0] <= 0).any() or not np.isfinite(sums).all():
        raise ValueError("every segment needs a positive, finite weight sum")
    quotas = weights / sums[ids] * units[ids]
    floors = np.floor(quotas).astype(np.int64)
    excess = segment_sums(floors, sizes).astype(np.int64) - units
    if (excess > 0).any():  # rounding in the quotas can carry a whole unit too many
        remainders = quotas - floors
        takeable = np.where(floors > 0, remainders, np.inf)
        floors = floors - (rank_in_segment(-takeable, sizes) < excess[ids])
        quotas = floors + remainders
    return settle(floors, quotas - floors, sizes, units)


def apportion_exact(masses: I64, lengths: ArrayLike, totals: ArrayLike) -> I64:
    """``apportion`` for integer masses in exact integer arithmetic (masses·total below 2⁶³)."""
    sizes = np.asarray(lengths, np.int64)
    units = np.asarray(totals, np.int64)
    ids = segment_ids(sizes)
    sums = segment_sums(masses, sizes).astype(np.int64)
    product = masses * units[ids]
    divisor = np.maximum(sums, 1)[ids]
    return settle(product // divisor, product % divisor, sizes, units)


def apportion_rows(weights: F64, units: int) -> I64:
    """``apportion`` for a dense (rows, columns) matrix, each row to the same number of units."""
    rows, columns = weights.shape
    flat = apportion(weights.ravel(), np.full(rows, columns), np.full(rows, units))
    return flat.reshape(rows, columns)
