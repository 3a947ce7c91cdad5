"""What counts as a border, and what is refused by which name."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from seg3b_assets.laws.polygons import (
    EMPTY,
    OUT_OF_RANGE,
    OVERLAPPING_PARTS,
    REFERENCE_SYSTEM,
    SELF_CROSSING,
    TYPE,
    UNREADABLE,
    WIDE_RING,
    UnfitPolygonsError,
    girding_rings,
    polygon_faults,
    polygons_of,
    read_polygons,
)

SQUARE = box(5, 45, 10, 50)
ISLAND = box(0, 45, 1, 46)
LINE = shapely.LineString([(0, 0), (1, 1)])


def fault_of(shape: shapely.Geometry | bytes | None) -> str | None:
    """The fault's name, whichever step finds it."""
    wkb = shapely.to_wkb(shape) if isinstance(shape, shapely.Geometry) else shape
    polygons, faults = read_polygons([wkb])
    found = {**polygon_faults(polygons), **faults}
    return found[0].kind if found else None


def curve_polygon(ring: shapely.Geometry, in_collection: bool = False) -> bytes:
    points = shapely.get_coordinates(ring)
    curve = (
        struct.pack("<BII", 1, 10, 1)
        + struct.pack("<BII", 1, 2, len(points))
        + points.astype("<f8").tobytes()
    )
    return struct.pack("<BII", 1, 7, 1) + curve if in_collection else curve


@pytest.mark.parametrize(
    "shape",
    [
        SQUARE,
        shapely.MultiPolygon([SQUARE, ISLAND]),
        shapely.GeometryCollection([SQUARE, LINE, shapely.Point(1, 1), ISLAND]),
        shapely.GeometryCollection(
            [shapely.GeometryCollection([shapely.MultiPolygon([SQUARE]), LINE]), ISLAND]
        ),
        SQUARE.difference(box(6, 46, 7, 47)),
        shapely.force_3d(SQUARE, 100.0),
        shapely.MultiPolygon([box(5, 45, 6, 46), box(6, 46, 7, 47)]),  # meet in a corner
        shapely.Polygon([(0, 0), (2, 2), (4, 0), (4, 4), (2, 2), (0, 4)]),  # touches itself in a point
        box(-180, -90, 180, -60),  # Antarctica holds a pole
        shapely.MultiPolygon([box(170, 60, 180, 70), box(-180, 60, -170, 70)]),
        box(-180 - 1e-9, 10, -170, 20),
    ],
)
def test_lawful_borders_are_taken(shape: shapely.Geometry) -> None:
    assert fault_of(shape) is None


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        (LINE, TYPE),
        (shapely.MultiPoint([(0, 0), (1, 1)]), TYPE),
        (SQUARE.exterior, TYPE),
        (shapely.GeometryCollection([LINE]), TYPE),
        (curve_polygon(SQUARE.exterior), TYPE),
        (curve_polygon(SQUARE.exterior, in_collection=True), TYPE),
        (shapely.MultiPolygon(), EMPTY),
        (shapely.GeometryCollection(), EMPTY),
        (None, EMPTY),
        (b"", UNREADABLE),
        (b"POLYGON ((0 0, 1 0, 1 1, 0 0))", UNREADABLE),
        (shapely.to_wkb(SQUARE)[:-8], UNREADABLE),
        (shapely.to_wkb(shapely.set_srid(SQUARE, 3857), include_srid=True), REFERENCE_SYSTEM),
        (box(653_035, 5_986_298, 1_674_006, 7_381_135), OUT_OF_RANGE),
        (box(100, 5, 101, 6).union(box(190, 5, 191, 6)), OUT_OF_RANGE),
        (shapely.transform(box(110, -40, 150, -10), lambda c: c[:, ::-1]), OUT_OF_RANGE),
        (shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)]), SELF_CROSSING),
        (
            shapely.MultiPolygon([SQUARE, shapely.Polygon([(20, 0), (24, 4), (24, 0), (20, 4)])]),
            SELF_CROSSING,
        ),
        (shapely.Polygon(SQUARE.exterior, [box(4, 46, 6, 47).exterior]), SELF_CROSSING),
        (shapely.MultiPolygon([SQUARE, SQUARE]), OVERLAPPING_PARTS),
        (shapely.MultiPolygon([SQUARE, box(9, 49, 12, 52)]), OVERLAPPING_PARTS),
        (shapely.MultiPolygon([SQUARE, box(6, 46, 7, 47)]), OVERLAPPING_PARTS),
        (box(-179, 60, 179, 70), WIDE_RING),
        (shapely.MultiPolygon([SQUARE, box(-95, -10, 95, 10)]), WIDE_RING),
    ],
)
def test_what_is_no_border_is_named(shape: shapely.Geometry | bytes | None, fault: str) -> None:
    assert fault_of(shape) == fault


@pytest.mark.parametrize("options", [{}, {"byte_order": 0}, {"include_srid": True}, {"flavor": "iso"}])
@pytest.mark.parametrize("dimension", [2, 3])
def test_every_dialect_of_well_known_binary_gives_the_same_polygon(
    options: dict[str, object], dimension: int
) -> None:
    if options.get("flavor") == "iso" and "include_srid" in options:
        pytest.skip("ISO has no SRID")
    shape = shapely.set_srid(shapely.force_3d(SQUARE, 7.0) if dimension == 3 else SQUARE, 4326)
    polygons, faults = read_polygons([shapely.to_wkb(shape, output_dimension=dimension, **options)])
    assert not faults
    assert shapely.to_wkb(polygons[0]) == shapely.to_wkb(SQUARE)


def test_every_fault_is_told_at_once_and_the_rest_is_read() -> None:
    wkb = [
        shapely.to_wkb(SQUARE),
        shapely.to_wkb(LINE),
        None,
        curve_polygon(SQUARE.exterior),
        shapely.to_wkb(ISLAND),
    ]
    polygons, faults = read_polygons(wkb)
    assert sorted(faults) == [1, 2, 3]
    assert shapely.area(polygons).tolist() == [25.0, 0.0, 0.0, 0.0, 1.0]
    with pytest.raises(UnfitPolygonsError) as raised:
        polygons_of(wkb)
    assert raised.value.faults == faults
    assert len(polygons_of([])) == 0


def test_rings_round_a_pole_are_lawful_and_told() -> None:
    polygons = np.array([SQUARE, box(-180, -90, 180, -60), box(-180, 60, 180, 70)], dtype=object)
    assert girding_rings(polygons) == [1]


@given(st.integers(3, 40), st.floats(0, 6.28), st.floats(-150, 150), st.floats(-70, 70))
def test_a_star_shaped_ring_is_sound_and_with_two_far_corners_exchanged_is_not(
    half: int, turn: float, lon: float, lat: float
) -> None:
    angle = turn + np.linspace(0, 2 * np.pi, 2 * half, endpoint=False)
    ring = np.stack([lon + 10 * np.cos(angle), lat + 10 * np.sin(angle)], axis=1)
    assert fault_of(shapely.Polygon(ring)) is None
    ring[[0, half]] = ring[[half, 0]]
    assert fault_of(shapely.Polygon(ring)) == (None if half == 1 else SELF_CROSSING)
