"""The zone of a point: its country's own, once, whatever rows and names a zone has; and where any zone may answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from seg3b_assets.laws.overrides import NamedZones, is_current
from seg3b_assets.laws.tz_database import present_name, tz_database_zones
from seg3b_assets.laws.zones import NUDGE, OVERRIDE, POLYGON, UNRESOLVED, ZoneResolver

Row = tuple[str, str, shapely.Geometry]
WEST: Row = ("America/New_York", "US", box(0, 0, 5, 10))
EAST: Row = ("America/Chicago", "US", box(5, 0, 10, 10))
ABROAD: Row = ("America/Toronto", "CA", box(0, 10, 10, 20))


def resolver(
    rows: list[Row], overrides: dict[str, str] | None = None, by_country: bool = True
) -> ZoneResolver:
    names, countries, shapes = zip(*rows, strict=True)
    wkb = [shapely.to_wkb(shape) for shape in shapes]
    return ZoneResolver.from_wkb(names, countries if by_country else None, wkb, 0.002, overrides or {})


def at(
    zones: ZoneResolver, lon: float, lat: float, country: str = "US", any_zone: bool = False
) -> tuple[str, str]:
    tzid, source = zones.resolve(np.array([country]), np.array([lon]), np.array([lat]), any_zone=any_zone)
    return str(tzid[0]), str(source[0])


@pytest.mark.parametrize(
    "rows",
    [
        [WEST, WEST, EAST],
        [WEST, ("America/New_York", "US", box(1, 1, 2, 2)), EAST],
        [("America/New_York", "US", box(0, 0, 3, 10)), ("America/New_York", "US", box(2, 0, 5, 10)), EAST],
        [WEST, ("US/Eastern", "US", box(0, 0, 5, 10)), EAST],  # an older release appended
    ],
)
def test_a_zone_of_several_rows_is_one_zone(rows: list[Row]) -> None:
    zones = resolver(rows)
    assert at(zones, 1.5, 1.5) == ("America/New_York", POLYGON)
    assert at(zones, 2.5, 5.0) == ("America/New_York", POLYGON)
    assert at(zones, 7.0, 5.0) == ("America/Chicago", POLYGON)


def test_an_old_name_alone_is_used_as_upstream_wrote_it() -> None:
    assert at(resolver([("Asia/Calcutta", "IN", box(0, 0, 5, 5))]), 1, 1, "IN") == ("Asia/Calcutta", POLYGON)


def test_two_zones_over_one_point_give_neither_and_are_named() -> None:
    zones = resolver([WEST, EAST, ("America/Denver", "US", box(1, 1, 2, 2))])
    assert at(zones, 1.5, 1.5) == (UNRESOLVED, UNRESOLVED)
    assert at(zones, 1.5, 1.5, any_zone=True) == (UNRESOLVED, UNRESOLVED)
    assert zones.covering("US", 1.5, 1.5) == ["America/Denver", "America/New_York"]
    assert at(resolver([WEST, EAST], {"US": "America/Denver"}), 20, 5)[1] == OVERRIDE


def test_a_point_that_its_country_holds_beyond_its_zones_takes_the_one_zone_that_is_there() -> None:
    zones = resolver([WEST, EAST, ABROAD])
    assert at(zones, 3, 15) == (UNRESOLVED, UNRESOLVED)
    assert at(zones, 3, 15, any_zone=True) == ("America/Toronto", POLYGON)
    assert at(zones, 3, 25, any_zone=True) == (UNRESOLVED, UNRESOLVED)
    # The nudge, and what a person decided for the country, come first.
    assert at(zones, 3, 9.999, any_zone=True) == ("America/New_York", POLYGON)
    assert (
        at(resolver([("America/New_York", "US", box(3, 15.001, 5, 16)), ABROAD]), 3, 15.0, any_zone=True)[1]
        == NUDGE
    )
    assert at(resolver([WEST, ABROAD], {"US": "America/Denver"}), 3, 15, any_zone=True) == (
        "America/Denver",
        OVERRIDE,
    )


def test_a_table_without_countries_is_asked_by_geometry() -> None:
    zones = resolver([WEST, EAST, ABROAD], by_country=False)
    for country in ("US", "CA", "MX"):
        assert at(zones, 3, 15, country) == ("America/Toronto", POLYGON)
        assert at(zones, 7, 5, country) == ("America/Chicago", POLYGON)
    assert at(zones, 4.999, -0.001)[1] == NUDGE
    assert at(zones, 30, 30) == (UNRESOLVED, UNRESOLVED)


@given(st.lists(st.tuples(st.floats(0.1, 9.9), st.floats(0.1, 9.9)), min_size=1, max_size=30))
def test_with_and_without_countries_agree_where_zones_do_not_leave_their_country(
    points: list[tuple[float, float]],
) -> None:
    lon, lat = np.array(points).T
    country = np.full(lon.shape[0], "US")
    found = [
        resolver([WEST, EAST, ABROAD], by_country=known).resolve(country, lon, lat) for known in (True, False)
    ]
    np.testing.assert_array_equal(found[0], found[1])


def test_several_threads_may_ask_at_once() -> None:
    zones = resolver([WEST, EAST, ABROAD], by_country=False)
    lon, lat = np.linspace(0.1, 9.9, 500), np.full(500, 15.0)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda code: zones.resolve(np.full(500, code), lon, lat)[0], ["US", "CA"] * 20))
    assert all((part == "America/Toronto").all() for part in parts)


@pytest.mark.parametrize(
    ("name", "present"),
    [
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("Asia/Saigon", "Asia/Ho_Chi_Minh"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("US/Pacific", "America/Los_Angeles"),
        ("Europe/Amsterdam", "Europe/Amsterdam"),
        ("America/Argentina/ComodRivadavia", "America/Argentina/Catamarca"),
        ("Mars/Olympus", "Mars/Olympus"),
    ],
)
def test_present_names(name: str, present: str) -> None:
    assert present_name(name) == present


def test_every_present_name_is_a_zone_and_its_own() -> None:
    for name in tz_database_zones():
        assert present_name(name) in tz_database_zones()
        assert present_name(present_name(name)) == present_name(name)


def test_an_edges_override_comes_before_its_merchants_and_that_before_the_countrys() -> None:
    square = shapely.box(0, 0, 1, 1)
    resolver = ZoneResolver.from_wkb(
        ["Europe/Oslo"], ["NO"], [shapely.to_wkb(square)], 0.001, {"NO": "Europe/Paris"}
    )
    by_hand = NamedZones({7: "Asia/Tokyo", 8: "Asia/Seoul"}, {(7, 1): "Europe/Rome"})
    merchant = np.array([7, 7, 8, 9, 7], np.uint64)
    seq = np.array([0, 1, 1, 0, 1], np.int64)
    lon = np.array([5.0, 5.0, 5.0, 5.0, 0.5])  # the last lies in a polygon, which decides
    lat = np.full(5, 0.5)
    country = np.full(5, "NO")
    tzid, source = resolver.resolve(country, lon, lat, named=by_hand.of(merchant, seq))
    assert tzid.tolist() == ["Asia/Tokyo", "Europe/Rome", "Asia/Seoul", "Europe/Paris", "Europe/Oslo"]
    assert source.tolist() == ["OVERRIDE"] * 4 + ["POLYGON"]
    assert by_hand.of(merchant).tolist() == ["Asia/Tokyo", "Asia/Tokyo", "Asia/Seoul", "", "Asia/Tokyo"]
    plain, _ = resolver.resolve(country, lon, lat)
    assert plain.tolist() == ["Europe/Paris"] * 4 + ["Europe/Oslo"]


@pytest.mark.parametrize(
    ("expires", "holds"),
    [(None, True), ("2026-11-01", True), ("2026-11-02", True), ("2026-10-31", False), ("2025-12-31", False)],
)
def test_an_override_expires_with_the_day_before_upstreams_receipt(expires: str | None, holds: bool) -> None:
    assert is_current(expires, "2026-11-01T00:00:00.000000Z") is holds
