"""Calendar days in many zones at once, by the pinned tz database (rule LOCAL_MIDNIGHT_SETTLEMENT_ZONE).

Instants lie on a grid of quarter hours, on which every zone in use has its midnight. Two routes are kept
apart on purpose: ``days`` goes from UTC to the wall clock, ``midnights`` from the wall clock to UTC, and the
routing probe holds one against the other.
"""

from __future__ import annotations

import datetime as dt
import importlib.resources
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.tz_database import tz_database_zones

I64 = NDArray[np.int64]

STEP_S: Final = 900
DAY_S: Final = 86_400
# What a datetime holds in every zone: a day less than years 1 to 9999.
FIRST_SECOND, LAST_SECOND = -62_135_510_400, 253_402_214_400


@cache
def pinned_zone(tzid: str) -> zoneinfo.ZoneInfo:
    """A zone of the tz database package, never of the machine's own; a name is looked up there before it is a path.

    Raises:
        ValueError: the database has no zone of that name.
    """
    if tzid not in tz_database_zones():
        raise ValueError(f"{tzid[:80]!r} is no zone of the pinned tz database")
    resource = importlib.resources.files("tzdata").joinpath("zoneinfo", *tzid.split("/"))
    with resource.open("rb") as handle:
        return zoneinfo.ZoneInfo.from_file(handle, key=tzid)


@dataclass(frozen=True)
class ZoneClock:
    """A window of whole UTC days.

    Attributes:
        first_day: days since 1970-01-01 of the first.
        window_days: how many.
    """

    first_day: int
    window_days: int

    @property
    def instants(self) -> I64:
        """Seconds since 1970-01-01T00:00Z of every quarter hour of the window."""
        steps = np.arange(self.window_days * DAY_S // STEP_S, dtype=np.int64)
        return self.first_day * DAY_S + STEP_S * steps

    def days(self, tzids: Sequence[str]) -> I64:
        """Calendar day (days since 1970-01-01) in each zone at each instant, (zones, instants)."""
        instants = self.instants
        offsets = np.empty((len(tzids), instants.shape[0]), np.int64)
        for row, tzid in enumerate(tzids):
            offsets[row] = self.offsets(tzid, instants)
        return (instants[None, :] + offsets) // DAY_S

    def midnights(self, tzids: Sequence[str]) -> tuple[int, I64]:
        """UTC second at which each calendar day begins in each zone.

        Returns:
            The first day listed and int64 (zones, days), two days beyond the window at either end.
        """
        first, count = self.first_day - 2, self.window_days + 5
        dates = [dt.datetime(1970, 1, 1) + dt.timedelta(days=first + k) for k in range(count)]
        begins = [
            [int(date.replace(tzinfo=pinned_zone(tzid)).timestamp()) for date in dates] for tzid in tzids
        ]
        return first, np.array(begins, np.int64).reshape(len(tzids), count)

    def offsets(self, tzid: str, instants: I64) -> I64:
        """UTC offset in seconds at each instant of the window (seconds since 1970), on the grid or not.

        Probed at day boundaries and bisected where they differ.
        """
        bounds = (self.first_day + np.arange(self.window_days + 1)) * DAY_S
        probed = [_offset_at(tzid, int(second)) for second in bounds]
        changes, values = [int(bounds[0])], [probed[0]]
        for at in range(self.window_days):
            if probed[at] != probed[at + 1]:
                changes.append(_change_between(tzid, int(bounds[at]), int(bounds[at + 1])))
                values.append(probed[at + 1])
        piece = np.searchsorted(np.array(changes), instants, side="right") - 1
        return np.array(values, np.int64)[piece]


def offsets_at(tzid: str, instants: I64) -> I64:
    """UTC offset in seconds at each instant (seconds since 1970, years 1 to 9999), in any order.

    Probed at the bounds of the days that have instants, and bisected where they differ: the cost goes with those days,
    however far apart they are.
    """
    days = np.unique(instants // DAY_S)
    begins = days * DAY_S
    ends = np.minimum(begins + DAY_S, LAST_SECOND)
    bounds, place = np.unique(np.concatenate([begins, ends]), return_inverse=True)
    probed = np.array([_offset_at(tzid, int(second)) for second in bounds], np.int64)
    before, after = probed[place[: days.size]], probed[place[days.size :]]
    changed = np.flatnonzero(before != after)
    change = np.full(days.size, LAST_SECOND + 1, np.int64)
    change[changed] = [_change_between(tzid, int(begins[day]), int(ends[day])) for day in changed]
    day = np.searchsorted(begins, instants, side="right") - 1
    return np.where(instants >= change[day], after[day], before[day])


def _offset_at(tzid: str, second: int) -> int:
    moment = dt.datetime.fromtimestamp(second, pinned_zone(tzid))
    offset = moment.utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def _change_between(tzid: str, low: int, high: int) -> int:
    """First second of (low, high] with the offset that holds at ``high``."""
    after = _offset_at(tzid, high)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_at(tzid, middle) == after:
            high = middle
        else:
            low = middle
    return high
