"""Zones tile their country; places lie where they say; the awkward countries are all there."""

from __future__ import annotations

import numpy as np
import shapely

from seg3b_assets.laws.tz_database import tz_database_zones
from seg3b_assets.world.geometry import zone_polygons
from seg3b_assets_tests.world.conftest import World


def test_zones_of_a_country_tile_it(world: World) -> None:
    zones = world.table("tz_world")
    geometry = np.array(shapely.from_wkb(zones["geometry"].to_list()), dtype=object)
    assert shapely.is_valid(geometry).all()
    assert shapely.coverage_is_valid(geometry)
    countries = world.countries()
    codes = zones["country_iso"].to_numpy()
    assert set(countries) == set(codes)
    for country, polygon in countries.items():
        union = shapely.union_all(geometry[codes == country])
        assert polygon.is_valid
        assert shapely.equals(union, polygon), country


def test_every_zone_is_in_the_pinned_database(world: World) -> None:
    assert set(world.table("tz_world")["tzid"]) <= tz_database_zones()


def test_inhabited_countries_are_present_and_empty_ones_are_not(world: World) -> None:
    present = set(world.countries())
    assert {"FR", "NO", "MC", "VA", "GI", "MO", "HK", "TK", "NU", "PN", "AX", "BQ", "SX", "EH"} <= present
    assert not present & {"AQ", "BV", "HM", "UM"}


def test_places_lie_in_their_country_and_in_one_zone_of_it(world: World) -> None:
    places, zones = world.table("settlement_gazetteer"), world.table("tz_world")
    country, tzid = places["country_iso"].to_numpy(), places["tzid"].to_numpy()
    lon, lat = places["lon_deg"].to_numpy(), places["lat_deg"].to_numpy()
    for code, polygon in world.countries().items():
        at = country == code
        assert at.any(), f"{code} has no place"
        shapely.prepare(polygon)
        assert shapely.intersects_xy(polygon, lon[at], lat[at]).all(), code
    covering = np.zeros(places.height, np.int64)
    for zone, code, wkb in zones.select("tzid", "country_iso", "geometry").iter_rows():
        polygon = shapely.from_wkb(wkb)
        shapely.prepare(polygon)
        covered = shapely.intersects_xy(polygon, lon, lat) & (country == code)
        assert (covered == (tzid == zone)).all(), zone
        covering += covered
    assert (covering == 1).all()


def test_places_have_people_and_come_in_place_id_order(world: World) -> None:
    places = world.table("settlement_gazetteer")
    assert places["population"].min() > 0
    assert places["place_id"].is_sorted()
    assert places["place_id"].is_unique().all()
    assert places.height > 150_000


def test_the_smallest_country_keeps_its_shape(world: World) -> None:
    vatican = world.countries()["VA"]
    assert 0.95 < vatican.area / 5.334e-05 < 1.05
    assert vatican.covers(shapely.Point(12.4534, 41.9033))


def test_two_cuts_of_the_same_borders_are_identical() -> None:
    some = frozenset({"VA", "SM", "MC", "LI", "CH"})
    first, second = zone_polygons(some, 0.01), zone_polygons(some, 0.01)
    assert shapely.to_wkb(first.geometry).tolist() == shapely.to_wkb(second.geometry).tolist()
    assert first.country_iso.tolist() == ["CH", "LI", "MC", "SM", "VA"]


def test_overlapping_zones_leave_the_overlap_to_the_smaller(world: World) -> None:
    zones = dict(world.table("tz_world").select("tzid", "geometry").iter_rows())
    kashgar = shapely.Point(75.99, 39.47)
    assert shapely.from_wkb(zones["Asia/Urumqi"]).covers(kashgar)
    assert not shapely.from_wkb(zones["Asia/Shanghai"]).covers(kashgar)
