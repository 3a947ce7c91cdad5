"""Keys that join to nothing are counted and shown; a point far from its stated zone is found."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.joined_keys import EXAMPLES, far_from_zone, joined

BOXES = (
    ("America/Lima", shapely.box(-81, -18, -69, 0)),
    ("Asia/Kolkata", shapely.box(69, 8, 97, 35)),
    ("Pacific/Auckland", shapely.box(166, -47, 179, -34)),
    ("Pacific/Auckland", shapely.box(-177, -45, -176, -43)),
)


def ids(*values: int) -> pl.Series:
    return pl.Series(values, dtype=pl.UInt64)


def test_what_is_not_used_is_told_by_why() -> None:
    found = joined("there", ids(1, 2, 3, 9, 2**64 - 1), ids(1, 2), ids(1, 2, 3, 4))
    assert found == {
        "source": "there",
        "rows": 5,
        "used": 2,
        "idle": 1,
        "unmatched": 2,
        "examples": ["9", str(2**64 - 1)],
    }


def test_an_empty_source_is_no_fault() -> None:
    assert joined("there", ids(), ids(1), ids(1))["rows"] == 0


_IDS = st.lists(st.integers(1, 2**64 - 1), unique=True, max_size=20)


@given(_IDS, _IDS, _IDS)
def test_every_row_is_used_idle_or_nobodys(keys: list[int], virtual: list[int], others: list[int]) -> None:
    found = joined("there", ids(*keys), ids(*virtual), ids(*dict.fromkeys([*virtual, *others])))
    assert found["used"] + found["idle"] + found["unmatched"] == len(keys)
    lost = sorted(set(keys) - set(virtual) - set(others))
    assert found["examples"] == [str(one) for one in lost[:EXAMPLES]]


@pytest.mark.parametrize(
    ("tzid", "lon", "lat", "far"),
    [
        ("America/Lima", -77.04, -12.05, False),
        ("America/Lima", -12.05, -77.04, True),
        ("America/Lima", -81.05, -12.0, False),
        ("America/Lima", -81.2, -12.0, True),
        ("Asia/Calcutta", 77.2, 28.6, False),
        ("Asia/Calcutta", 28.6, 77.2, True),
        ("Pacific/Auckland", -176.5, -44.0, False),
        ("Pacific/Auckland", 0.0, 0.0, True),
        ("Etc/UTC", 0.0, 0.0, False),
    ],
)
def test_a_point_is_held_against_the_polygons_of_its_zone(
    tzid: str, lon: float, lat: float, far: bool
) -> None:
    stated = np.array([tzid, "America/Lima"], dtype="U64")
    found = far_from_zone(stated, np.array([lon, -75.0]), np.array([lat, -10.0]), BOXES, 0.1)
    assert found.tolist() == [far, False]
