"""Geometries in geometries: told before the library is asked, which would end the process."""

from __future__ import annotations

import struct

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from seg3b_assets.laws.polygons import TYPE, UNREADABLE, nested_deeper, read_polygons

SQUARE = shapely.to_wkb(box(5, 45, 10, 50))
LINE = shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)]))
LEVELS = 200_000  # more than any stack holds


def level(code: int, count: int = 1, order: str = "<", reference: bytes = b"") -> bytes:
    return struct.pack(order + "BI", order == "<", code) + reference + struct.pack(order + "I", count)


DEEP = {
    "collections": level(7) * LEVELS + SQUARE,
    "the other byte order": level(7, order=">") * LEVELS + SQUARE,
    "no byte order": b"\x01" + level(7)[1:] + (b"\x4d" + level(7)[1:]) * LEVELS + SQUARE,
    "with heights": level(1007) * LEVELS + SQUARE,
    "with heights and measures, flagged": level(0xC0000007) * LEVELS + SQUARE,
    "with a reference system": level(0x20000007, reference=struct.pack("<I", 4326)) * LEVELS + SQUARE,
    "multipolygons": level(6) * LEVELS + SQUARE,
    "points and lines, several": (level(4) + level(5)) * LEVELS + SQUARE,
    "behind others": (level(7, 3) + LINE + SQUARE) * LEVELS + SQUARE,
    "curves and surfaces": (level(9) + level(10) + level(11) + level(12)) * LEVELS + SQUARE,
    "nothing at the end": level(7) * LEVELS,
}


@pytest.mark.parametrize("wkb", DEEP.values(), ids=DEEP)
def test_what_is_nested_without_end_is_refused_and_ends_nobody(wkb: bytes) -> None:
    assert nested_deeper(wkb, 64)
    polygons, faults = read_polygons([SQUARE, wkb, None])
    assert faults[1].kind == TYPE and "more than 64 deep" in faults[1].found
    assert 0 not in faults and polygons[0].equals(box(5, 45, 10, 50))


@given(st.integers(0, 80), st.sampled_from((7, 1007, 0x80000007)))
def test_levels_are_counted_as_they_are(levels: int, code: int) -> None:
    wkb = level(code) * levels + SQUARE
    assert nested_deeper(wkb, 40) == (levels >= 40)
    assert len(wkb) == 9 * levels + len(SQUARE)


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 9, 13, 40])
@pytest.mark.parametrize("count", [0, 1, 2**32 - 1])
def test_bytes_that_are_none_are_left_to_whoever_reads_them(cut: int, count: int) -> None:
    wkb = (level(3, count) + SQUARE[9:])[:cut]
    assert not nested_deeper(wkb, 2)
    assert read_polygons([wkb])[1][0].kind in (TYPE, UNREADABLE, "empty")


@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from((level(7), level(6, 2), LINE, SQUARE, b"\0"))).map(b"".join)
)
def test_any_bytes_are_judged(wkb: bytes) -> None:
    deep = nested_deeper(wkb, 3)
    assert deep in (True, False)
    assert len(read_polygons([wkb])[0]) == 1
