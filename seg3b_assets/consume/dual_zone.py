"""A virtual merchant's two times: where its traffic comes from, and where it settles.

Rule LOCAL_MIDNIGHT_SETTLEMENT_ZONE: a settlement day ends at midnight of the settlement's own zone. Offsets are
the pinned tz database's, never the machine's.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.zone_clock import DAY_S, ZoneClock

I64 = NDArray[np.int64]


def local_times(instants: pl.Series, tzids: pl.Series) -> pl.Series:
    """The wall clock in each row's zone.

    Args:
        instants: datetime (UTC), one per event.
        tzids: zone names, text or categories, one per event.

    Returns:
        datetime[μs] without a zone.
    """
    micros = instants.dt.epoch("us").to_numpy()
    shifted = micros + _offsets(micros, tzids) * 1_000_000
    return pl.Series("local_time", shifted).cast(pl.Datetime("us"))


def settlement_days(instants: pl.Series, tzid_settlement: pl.Series) -> pl.Series:
    """The day each event settles on; arguments as ``local_times``. Returns dates."""
    return local_times(instants, tzid_settlement).dt.date().rename("settlement_day")


def _offsets(micros: I64, tzids: pl.Series) -> I64:
    """UTC offset in seconds of each row's zone at its instant."""
    seconds = np.floor_divide(micros, 1_000_000)
    offsets = np.zeros(seconds.shape[0], np.int64)
    if not seconds.size:
        return offsets
    first = int(seconds.min()) // DAY_S
    clock = ZoneClock(first, int(seconds.max()) // DAY_S - first + 1)
    for tzid, rows in _rows_by(tzids.cast(pl.String)):
        offsets[rows] = clock.offsets(tzid, seconds[rows])
    return offsets


def _rows_by(tzids: pl.Series) -> list[tuple[str, I64]]:
    grouped = pl.DataFrame({"tzid": tzids}).with_row_index("row").group_by("tzid").agg("row").sort("tzid")
    return [
        (str(tzid), rows.to_numpy().astype(np.int64))
        for tzid, rows in zip(grouped["tzid"], grouped["row"], strict=True)
    ]
