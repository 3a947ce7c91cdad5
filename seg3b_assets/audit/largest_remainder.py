"""Largest remainder by the audit's own route, and sums over runs of rows (law section 4).

States rank remainders and hand out units by rank. Here cells are put in order once, the poorest first, and the last
of each run get a unit: of integers exactly, of floats from the law's quotient w / Σw · units, whose remainder is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


def run_of(lengths: I64) -> I64:
    """The run each row belongs to: 0, 0, …, 1, 1, …"""
    return np.repeat(np.arange(lengths.shape[0]), lengths)


def place_in_run(lengths: I64) -> I64:
    """Where in its run each row stands, from 0."""
    return np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def run_sums(values: NDArray[Any], lengths: I64) -> NDArray[Any]:
    """Sum of each run, 0 of an empty one; of floats as numpy adds a run of rows."""
    sums = np.zeros(lengths.shape[0], values.dtype)
    ends = np.cumsum(lengths)
    if np.issubdtype(values.dtype, np.integer):
        upto = np.append(np.zeros(1, values.dtype), np.cumsum(values))
        return np.asarray(upto[ends] - upto[ends - lengths])
    for_some = lengths > 0
    if for_some.any():
        sums[for_some] = np.add.reduceat(values, (ends - lengths)[for_some])
    return sums


def share_out(weights: NDArray[Any], lengths: I64, units: I64) -> I64:
    """Units of each run by largest remainder, ties to the earlier row.

    Args:
        weights: int64 or float64 (n,), not negative; int64 with weights · units below 2⁶³.
        lengths, units: int64 (runs,), rows and units of each run.

    Raises:
        ValueError: a run without weight has units to share.
    """
    of_run, whole = run_of(lengths), run_sums(weights, lengths)
    if ((whole <= 0) & (units > 0) & (lengths > 0)).any() or not np.isfinite(whole).all():
        raise ValueError("a run without weight has units to share")
    if np.issubdtype(weights.dtype, np.integer):
        seats, rest = np.divmod(weights * units[of_run], np.maximum(whole, 1)[of_run])
    else:
        quota = weights / whole[of_run] * units[of_run]
        seats = np.trunc(quota).astype(np.int64)
        rest = quota - seats
    short = units - run_sums(seats, lengths)
    if (short < 0).any():
        # A quotient can round up to a unit it has not: those that have least of it give it back.
        seats = seats - least(np.where(seats > 0, rest, np.inf), lengths, -short)
    taken: I64 = seats + greatest(rest, lengths, units - run_sums(seats, lengths))
    return taken


def share_out_rows(weights: NDArray[Any], units: I64) -> I64:
    """``share_out`` of each row of a matrix (rows, columns) with its own units (rows,)."""
    rows, columns = weights.shape
    return share_out(weights.ravel(), np.full(rows, columns), units).reshape(rows, columns)


def greatest(rest: NDArray[Any], lengths: I64, count: I64) -> I64:
    """1 for each run's ``count`` greatest, the earlier of equals, else 0."""
    # From behind, an earlier row of equals comes after a later one.
    order = rest.shape[0] - 1 - np.lexsort((rest[::-1], run_of(lengths)[::-1]))
    return _marked(order, place_in_run(lengths) >= (lengths - count)[run_of(lengths)])


def least(rest: NDArray[Any], lengths: I64, count: I64) -> I64:
    """1 for each run's ``count`` least, the earlier of equals, else 0."""
    return _marked(np.lexsort((rest, run_of(lengths))), place_in_run(lengths) < count[run_of(lengths)])


def _marked(order: I64, chosen: NDArray[np.bool_]) -> I64:
    mark = np.zeros(order.shape[0], np.int64)
    mark[order[chosen]] = 1
    return mark
