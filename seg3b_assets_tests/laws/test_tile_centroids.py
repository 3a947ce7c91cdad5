"""Where a country is by its tiles: the known answer, and that no order of tiles and no processor shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.geography import tile_centroid, weighted_centroid

# Law section 4: longitude, latitude and weight_fp of three tiles, two of them on either side of 180 degrees.
VECTOR = (np.array([179.5, -179.5, 178.25]), np.array([-16.5, -16.75, -18.125]), np.array([1, 3, 4]) * 10**11)
KNOWN = (179.253798, -17.408976)


def test_the_known_answer() -> None:
    assert tile_centroid(*VECTOR) == KNOWN


def test_one_tile_is_where_it_is() -> None:
    one = np.array([1])
    assert tile_centroid(np.array([12.5]), np.array([-33.25]), one) == (12.5, -33.25)


@pytest.mark.parametrize("scale", [1, 10**3, 10**6])
def test_the_scale_of_the_weights_does_not_matter(scale: int) -> None:
    lon, lat, weight = VECTOR
    assert tile_centroid(lon, lat, weight * scale) == KNOWN


def test_a_country_all_round_the_globe_has_no_direction() -> None:
    assert np.isnan(tile_centroid(np.array([0.0, 180.0]), np.zeros(2), np.array([5, 5]))).all()


@given(
    st.lists(
        st.tuples(st.floats(-40, 40), st.floats(-60, 60), st.integers(1, 10**12)), min_size=1, max_size=60
    ),
    st.randoms(),
)
def test_order_does_not_show_and_the_plain_mean_is_near(
    tiles: list[tuple[float, float, int]], shuffled: object
) -> None:
    lon, lat, weight = (np.array(column) for column in zip(*tiles, strict=True))
    order = np.arange(len(tiles))
    shuffled.shuffle(order)  # type: ignore[attr-defined]
    found = tile_centroid(lon, lat, weight)
    assert tile_centroid(lon[order], lat[order], weight[order]) == found
    assert np.allclose(found, weighted_centroid(lon, lat, weight.astype(float)), atol=1e-4)
