"""The audit's own point in polygon agrees with the geometry library, on the rings too."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.audit import AuditTree
from seg3b_assets.audit.findings import Findings
from seg3b_assets.audit.maps import Region, ZoneMap, only_zone, read_maps, wrapped
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.audit.verification import verify_specs
from seg3b_assets.laws.zones import ZoneResolver

RING = shapely.Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(2, 2), (8, 2), (8, 8), (2, 8)]])
TWO = shapely.MultiPolygon([RING, shapely.Polygon([(4, 4), (6, 4), (5, 6)])])
STAR = shapely.Polygon([(0, 0), (3, 1), (7, 0.1), (5, 4), (9.7, 9.3), (4, 6), (0.3, 10), (2, 5)])

# Corners, points level with corners, and points anywhere.
degrees = st.one_of(st.floats(-1, 11), st.integers(-1, 11).map(float), st.sampled_from([0.1, 0.3, 9.3, 9.7]))


@given(st.lists(st.tuples(degrees, degrees), min_size=1, max_size=40))
def test_holes_parts_corners_and_edges_are_told_as_the_library_tells_them(
    points: list[tuple[float, float]],
) -> None:
    lon, lat = np.array(points, float).T.copy()
    for polygon in (RING, TWO, STAR):
        expected = shapely.intersects_xy(polygon, lon, lat)
        np.testing.assert_array_equal(Region.of(polygon).covers(lon, lat), expected)


@given(st.integers(0, 7), st.floats(0, 1))
def test_a_point_on_an_edge_or_a_bit_beside_it_is_told_exactly(edge: int, along: float) -> None:
    (west, south), (east, north) = shapely.get_coordinates(STAR)[edge : edge + 2]
    lon, lat = west + along * (east - west), south + along * (north - south)
    steps = np.arange(-2, 3) * np.spacing(lon)
    x, y = lon + steps, np.full(5, lat)
    np.testing.assert_array_equal(Region.of(STAR).covers(x, y), shapely.intersects_xy(STAR, x, y))


def test_real_countries_agree_near_and_on_their_borders(tree: AuditTree) -> None:
    maps = read_maps(AuditContext(tree, Findings(verify_specs()), 1))
    assert maps is not None
    places = pl.read_parquet(sorted(tree.inputs["settlement_gazetteer"].glob("*.parquet"))).filter(
        pl.col("country_iso").is_in(["NO", "ID", "RU"])
    )
    for (iso,), rows in places.group_by("country_iso"):
        region = maps.countries[str(iso)]
        corners = shapely.get_coordinates(region.polygon)[:400]
        lon, lat = (rows[name].to_numpy()[:200] for name in ("lon_deg", "lat_deg"))
        lon = np.concatenate([lon, corners[:, 0], corners[:, 0] + 0.01])
        lat = np.concatenate([lat, corners[:, 1], corners[:, 1]])
        np.testing.assert_array_equal(
            region.covers(lon, lat), shapely.intersects_xy(region.polygon, lon, lat)
        )


WEST, EAST = shapely.box(0, 0, 4, 8), shapely.box(4, 0, 8, 8)
BOTH = shapely.box(3, 6, 5, 8)


@pytest.mark.parametrize("listed", [True, False], ids=["by country", "without countries"])
@given(points=st.lists(st.tuples(degrees, degrees), min_size=1, max_size=30), named=st.booleans())
def test_the_rule_of_zones_is_the_laws(listed: bool, points: list[tuple[float, float]], named: bool) -> None:
    """Two routes to one law: covers, overlaps, old names, look-up steps, overrides, other countries' zones."""
    tzids = ["Asia/Calcutta", "Asia/Kolkata", "Asia/Colombo", "Asia/Dhaka"]
    shapes = [WEST, BOTH, EAST, shapely.box(8, 8, 11, 11)]
    countries = ["IN", "IN", "IN", "BD"]
    resolver = ZoneResolver.from_wkb(
        tzids, countries if listed else None, list(shapely.to_wkb(shapes)), 0.5, {"BD": "Asia/Dhaka"}
    )
    rows = tuple(
        (name, code if listed else "", Region.of(shape))
        for name, code, shape in zip(tzids, countries, shapes, strict=True)
    )
    own = ZoneMap(rows, listed, 0.5, {"BD": "Asia/Dhaka"})
    lon, lat = np.array(points, float).T.copy()
    by_hand = np.where((lon > 9) & named, "Asia/Tokyo", "").astype("U64")
    for code in ("IN", "BD", "LK"):
        for anywhere in (True, False):
            country = np.full(lon.shape[0], code)
            expected = resolver.resolve(country, lon, lat, named=by_hand, any_zone=anywhere)
            found = own.replay(code, lon, lat, by_hand, anywhere)
            np.testing.assert_array_equal(found, expected)


def test_the_present_name_stands_where_old_and_present_cover() -> None:
    rows = [("Asia/Calcutta", "IN", Region.of(WEST)), ("Asia/Kolkata", "IN", Region.of(BOTH))]
    lon, lat = np.array([1.0, 3.5, 4.5, 7.0]), np.array([1.0, 7.0, 7.0, 1.0])
    assert only_zone(rows, lon, lat).tolist() == ["Asia/Calcutta", "Asia/Kolkata", "Asia/Kolkata", ""]
    assert only_zone(rows[::-1], lon, lat).tolist() == ["Asia/Calcutta", "Asia/Kolkata", "Asia/Kolkata", ""]


def test_longitudes_wrap_to_the_east() -> None:
    assert wrapped(np.array([180.0, 180.5, -180.0, -180.5, 0.0])).tolist() == [
        180.0,
        -179.5,
        180.0,
        179.5,
        0.0,
    ]
