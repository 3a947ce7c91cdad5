"""Arguments as callers have them (lists, NumPy arrays, polars series), made columns or refused by name and row.

A float may stand for another merchant than was meant, a null for none, a column of another length for other rows: what
is not certainly what the caller means is an error that says which argument and which of its rows, counted from 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.tz_database import tz_database_zones
from seg3b_assets.laws.zone_clock import FIRST_SECOND, LAST_SECOND

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
Column = pl.Series | ArrayLike | Sequence[Any]

_UINT64_MAX: Final = 2**64 - 1
_REMEDIES: Final = {
    "whole_numbers": "Give whole numbers from 0 to 2^64-1 as integers: a float has lost digits of a long id.",
    "one_column": "Give one value per event, in one dimension.",
    "no_nulls": "Leave rows without a value out, or fill them, before you ask.",
    "lengths": "Give one value per event, or one for all.",
    "numbers": "Give numbers strictly between 0 and 1.",
    "instants": "Give datetimes: polars Datetime, numpy datetime64, or datetime.datetime; without a zone they are UTC.",
    "zones": "Give names of the pinned tz database, as Europe/Paris.",
    "count": "Give a whole number, 0 or more.",
}


def refused(rule: str, argument: str, row: int | None, found: Any, **facts: Any) -> Seg3BError:
    """The error of an argument: its place is ``argument[row]``."""
    place = argument if row is None else f"{argument}[{row}]"
    return Seg3BError(
        "S5", "INPUT_SCHEMA_MISMATCH", rule, place, _REMEDIES[rule], {"found": found, "row": row, **facts}
    )


def whole_numbers(argument: str, given: Column) -> U64:
    """A column of integers from 0 to 2^64-1; u64 (n,). A single number is a column of one."""
    values = _one_column(argument, given)
    if values.dtype.kind in "ui":
        below = np.flatnonzero(values < 0) if values.dtype.kind == "i" else np.zeros(0, np.int64)
        if below.size:
            raise refused("whole_numbers", argument, int(below[0]), int(values[below[0]]))
        return values.astype(np.uint64)
    if values.dtype.kind == "O" or values.size == 0:
        return np.fromiter(
            (_whole(argument, row, one) for row, one in enumerate(values)), np.uint64, values.size
        )
    raise refused("whole_numbers", argument, 0, _shown(values[0]), dtype=str(values.dtype))


def uniforms(given: Column) -> F64:
    """A column of numbers strictly between 0 and 1; float64 (n,)."""
    values = _one_column("uniforms", given)
    if values.dtype.kind not in "fui" and values.size:
        # A list, taken as objects: each must be a number.
        for row, one in enumerate(values):
            if isinstance(one, bool) or not isinstance(one, float | int | np.number):
                raise refused("numbers", "uniforms", row, _shown(one))
    numbers = values.astype(np.float64)
    outside = np.flatnonzero(~((numbers > 0.0) & (numbers < 1.0)))
    if outside.size:
        raise refused("numbers", "uniforms", int(outside[0]), str(numbers[outside[0]]))
    return numbers


def spread(argument: str, values: NDArray[Any], length: int) -> NDArray[Any]:
    """The column as long as the events: of that length already, or one value for all."""
    if values.shape[0] == length:
        return values
    if values.shape[0] == 1:
        return np.broadcast_to(values, (length,))
    raise refused("lengths", argument, None, values.shape[0], expected=length)


def count(argument: str, given: Any) -> int:
    """A number of things."""
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 0 or given > _UINT64_MAX:
        raise refused("count", argument, None, _shown(given))
    return int(given)


def instants(given: Column) -> I64:
    """Microseconds since 1970-01-01T00:00Z of a column of datetimes; int64 (n,)."""
    series = given if isinstance(given, pl.Series) else _series("instants", given)
    if not isinstance(series.dtype, pl.Datetime):
        found = None if series.is_empty() else _shown(series[0])
        raise refused("instants", "instants", 0, found, dtype=str(series.dtype))
    _require_whole("instants", series)
    micros: I64 = series.dt.epoch("us").to_numpy().astype(np.int64)
    seconds = np.floor_divide(micros, 1_000_000)
    outside = np.flatnonzero((seconds < FIRST_SECOND) | (seconds > LAST_SECOND))
    if outside.size:
        raise refused("instants", "instants", int(outside[0]), int(micros[outside[0]]), years="1 to 9999")
    return micros


def zones(argument: str, given: Column | str) -> NDArray[np.object_]:
    """A column of zone names of the pinned tz database; object (n,)."""
    series = (
        given
        if isinstance(given, pl.Series)
        else _series(argument, [given] if isinstance(given, str) else given)
    )
    if series.is_empty():
        return np.zeros(0, object)
    if series.dtype not in (pl.String(), pl.Categorical()) and not isinstance(series.dtype, pl.Enum):
        raise refused("zones", argument, 0, _shown(series[0]), dtype=str(series.dtype))
    _require_whole(argument, series)
    text = series.cast(pl.String)
    known = text.is_in(pl.Series(sorted(tz_database_zones())).implode())
    if not known.all():
        row = int((~known).arg_true()[0])
        raise refused("zones", argument, row, _shown(text[row]))
    return text.to_numpy()


def _one_column(argument: str, given: Column) -> NDArray[Any]:
    if isinstance(given, pl.Series):
        _require_whole(argument, given)
        values = given.to_numpy()
    else:
        # As objects first: NumPy makes floats of integers that are beside one above 2^63.
        is_array = isinstance(given, np.ndarray | np.generic) or hasattr(given, "__array__")
        values = np.asarray(given) if is_array else np.array(given, dtype=object)
    if values.ndim > 1:
        raise refused("one_column", argument, None, list(values.shape))
    return np.atleast_1d(values)


def _whole(argument: str, row: int, value: Any) -> int:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise refused("no_nulls", argument, row, None)
    if (
        isinstance(value, bool | np.bool_)
        or not isinstance(value, int | np.integer)
        or not 0 <= value <= _UINT64_MAX
    ):
        raise refused("whole_numbers", argument, row, _shown(value))
    return int(value)


def _series(argument: str, given: Any) -> pl.Series:
    try:
        return pl.Series(
            argument, np.atleast_1d(given) if isinstance(given, np.ndarray | np.generic) else [*given]
        )
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        rule = "instants" if argument == "instants" else "zones"
        raise refused(rule, argument, None, _shown(given), reason=str(error)[:120]) from error


def _require_whole(argument: str, series: pl.Series) -> None:
    if series.null_count():
        raise refused(
            "no_nulls", argument, int(series.is_null().arg_true()[0]), None, nulls=series.null_count()
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
