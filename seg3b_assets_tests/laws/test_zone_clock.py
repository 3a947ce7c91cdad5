"""Calendar days by both routes, over clock changes, odd offsets and a midnight that does not exist."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from seg3b_assets.laws.zone_clock import DAY_S, ZoneClock, pinned_zone

# Havana and Santiago change their clocks at midnight, Lord Howe by half an hour; Kathmandu is at +05:45.
ZONES = [
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
]


def epoch_day(year: int, month: int, day: int) -> int:
    return (dt.date(year, month, day) - dt.date(1970, 1, 1)).days


@pytest.mark.parametrize("first", [(2022, 9, 8), (2026, 3, 5), (2026, 4, 2), (2026, 10, 30)])
def test_days_agree_with_the_wall_clock_at_every_quarter_hour(first: tuple[int, int, int]) -> None:
    clock = ZoneClock(epoch_day(*first), 6)
    days = clock.days(ZONES)
    assert days.shape == (len(ZONES), 6 * 96)
    for row, zone in enumerate(ZONES):
        for column in range(0, days.shape[1], 1):
            local = dt.datetime.fromtimestamp(int(clock.instants[column]), pinned_zone(zone))
            assert days[row, column] == epoch_day(local.year, local.month, local.day)


@pytest.mark.parametrize("first", [(2022, 9, 8), (2026, 3, 5), (2026, 10, 30)])
def test_midnights_are_where_the_day_changes(first: tuple[int, int, int]) -> None:
    clock = ZoneClock(epoch_day(*first), 6)
    days = clock.days(ZONES)
    listed, begins = clock.midnights(ZONES)
    for row in range(len(ZONES)):
        inside = np.searchsorted(begins[row], clock.instants, side="right") - 1
        assert np.array_equal(listed + inside, days[row])
        assert (np.diff(begins[row]) % 900 == 0).all()
        assert set(np.diff(begins[row]) - DAY_S) <= {-3600, -1800, 0, 1800, 3600}


def test_a_zone_the_package_does_not_ship_is_not_looked_for_on_the_machine() -> None:
    with pytest.raises(ValueError, match="no zone of the pinned"):
        pinned_zone("Europe/Atlantis")
