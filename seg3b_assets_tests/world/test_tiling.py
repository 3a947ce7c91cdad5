"""The raster cover agrees with cutting every tile out of the polygon, whatever the polygon."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from seg3b_assets.world.tiling import Raster, cover

RASTER = Raster.of_resolution(1.0)


def clipped_tiles(polygon: BaseGeometry, raster: Raster) -> dict[int, BaseGeometry]:
    """tile_id to tile ∩ polygon, the slow and obvious way."""
    west, south, east, north = polygon.bounds
    columns = np.arange(np.floor((west + 180) / raster.side_deg), np.ceil((east + 180) / raster.side_deg))
    rows = np.arange(np.floor((90 - north) / raster.side_deg), np.ceil((90 - south) / raster.side_deg))
    column, row = (grid.ravel().astype(np.int64) for grid in np.meshgrid(columns, rows))
    boxes = shapely.box(
        raster.west(column), raster.north(row + 1), raster.west(column + 1), raster.north(row)
    )
    parts = shapely.buffer(shapely.intersection(polygon, boxes), 0)  # areas only, no touching lines
    tile_id = row * raster.ncols + column
    return {int(tile): part for tile, part in zip(tile_id, parts, strict=True) if part.area > 1e-9}


def assert_agrees(polygon: BaseGeometry, raster: Raster = RASTER) -> None:
    found = cover(polygon, raster)
    expected = clipped_tiles(polygon, raster)
    assert found.tile_id.tolist() == sorted(expected)
    parts = np.array([expected[int(tile)] for tile in found.tile_id], dtype=object)
    np.testing.assert_allclose(found.share * raster.side_deg**2, shapely.area(parts), atol=1e-6)
    bounds = np.stack([found.min_lon, found.min_lat, found.max_lon, found.max_lat], axis=1)
    wide = shapely.area(parts) > 1e-6  # the area of a sliver is rounding noise, and so are its bounds
    np.testing.assert_allclose(bounds[wide], shapely.bounds(parts)[wide], atol=1e-6)
    centre = np.stack([found.centroid_lon, found.centroid_lat], axis=1)
    np.testing.assert_allclose(
        centre[wide], shapely.get_coordinates(shapely.centroid(parts))[wide], atol=1e-5
    )


@st.composite
def star(draw: st.DrawFn) -> BaseGeometry:
    """A star-shaped polygon, often with a hole, of corners at thousandths of a degree."""
    corners = draw(st.integers(3, 12))
    angle = np.arange(corners) * 2 * np.pi / corners
    radius = np.array(draw(st.lists(st.floats(1.2, 6), min_size=corners, max_size=corners)))
    # Thousandths, the hole's centre too: beside a corner at 5e-324 GEOS, which is the slow way here, loses the hole.
    centre = np.round([draw(st.floats(-170, 170)), draw(st.floats(-80, 80))], 3)
    shell = np.round(centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), 3)
    polygon = shapely.Polygon(shell)
    if draw(st.booleans()):
        polygon = polygon.difference(shapely.Point(*centre).buffer(draw(st.floats(0.05, 0.9)), 3))
    return polygon


@settings(max_examples=60, deadline=None)
@given(star())
def test_cover_equals_clipping_every_tile(polygon: BaseGeometry) -> None:
    assert_agrees(polygon)


@pytest.mark.parametrize(
    "polygon",
    [
        shapely.box(10, 10, 12, 13),
        shapely.box(10.25, 10.25, 10.5, 10.75),
        shapely.Polygon([(0, 0), (3, 0), (3, 2), (1, 2), (1, 1), (0, 1)]),
        shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(1.5, 0.5, 4.5, 3.5)]),
        shapely.box(178.5, -1, 180, 1),
        shapely.box(-180, 89, -178.5, 90),
        shapely.box(0, 0, 5, 5).difference(shapely.box(1, 1, 3, 3)),
    ],
)
def test_borders_along_the_raster_lines_add_no_tiles(polygon: BaseGeometry) -> None:
    assert_agrees(polygon)


@settings(max_examples=20, deadline=None)
@given(star(), st.sampled_from([0.1, 0.25, 0.5, 2.0]))
def test_the_cover_has_the_polygons_area_at_every_resolution(polygon: BaseGeometry, side: float) -> None:
    found = cover(polygon, Raster.of_resolution(side))
    np.testing.assert_allclose(found.share.sum() * side * side, polygon.area, rtol=1e-9, atol=1e-6)


def test_tile_of_a_point_is_the_tile_that_holds_it() -> None:
    raster = Raster.of_resolution(0.1)
    assert raster.tile_of(np.array([-179.95]), np.array([89.95])).tolist() == [0]
    assert raster.tile_of(np.array([180.0]), np.array([-90.0])).tolist() == [3600 * 1800 - 1]
