"""A virtual merchant's two times: where its traffic comes from, and where it settles.

Rule LOCAL_MIDNIGHT_SETTLEMENT_ZONE: a settlement day ends at midnight of the settlement's own zone. Offsets are
the pinned tz database's, never the machine's.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.consume import arguments
from seg3b_assets.consume.arguments import Column
from seg3b_assets.laws.zone_clock import offsets_at

I64 = NDArray[np.int64]


def local_times(instants: Column, tzids: Column | str) -> pl.Series:
    """The wall clock in each row's zone.

    Args:
        instants: datetimes, one per event; without a zone of their own they are UTC.
        tzids: zone names, text or categories, one per event. One value of either is taken for all rows of the other.

    Returns:
        datetime[μs] without a zone.

    Raises:
        Seg3BError: ``INPUT_SCHEMA_MISMATCH`` naming the argument and, counted from 0, its row: a null, what is no
            datetime or no zone, columns of different lengths.
    """
    return _local_times(instants, tzids, "tzids")


def settlement_days(instants: Column, tzid_settlement: Column | str) -> pl.Series:
    """The day each event settles on; arguments and errors as ``local_times``. Returns dates."""
    return _local_times(instants, tzid_settlement, "tzid_settlement").dt.date().rename("settlement_day")


def _local_times(instants: Column, tzids: Column | str, argument: str) -> pl.Series:
    micros, names = arguments.instants(instants), arguments.zones(argument, tzids)
    length = names.shape[0] if micros.shape[0] == 1 else micros.shape[0]
    micros, names = arguments.spread("instants", micros, length), arguments.spread(argument, names, length)
    seconds = np.floor_divide(micros, 1_000_000)
    offsets = np.zeros(length, np.int64)
    for tzid, rows in _rows_by(pl.Series(names.tolist(), dtype=pl.String)):
        offsets[rows] = offsets_at(tzid, seconds[rows])
    return pl.Series("local_time", micros + offsets * 1_000_000).cast(pl.Datetime("us"))


def _rows_by(tzids: pl.Series) -> list[tuple[str, I64]]:
    grouped = pl.DataFrame({"tzid": tzids}).with_row_index("row").group_by("tzid").agg("row").sort("tzid")
    return [
        (str(tzid), rows.to_numpy().astype(np.int64))
        for tzid, rows in zip(grouped["tzid"], grouped["row"], strict=True)
    ]
