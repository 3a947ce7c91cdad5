"""Snapping rounds to the nearest point of the grid, half to even, as exact fractions say."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.snapping import DISTANCE_UNITS, SCALAR_UNITS, snap


@given(st.floats(-(2.0**20), 2.0**20), st.sampled_from([SCALAR_UNITS, DISTANCE_UNITS]))
def test_a_value_goes_to_the_nearest_point_of_the_grid(value: float, units: int) -> None:
    steps = round(Fraction(value * units))
    assert snap(np.array([value]), units).tolist() == [steps / units]


def test_halves_go_to_the_even_step_and_points_of_the_grid_stay() -> None:
    assert snap(np.array([0.5, 1.5, 2.5, -0.5]), 1).tolist() == [0.0, 2.0, 2.0, 0.0]
    assert snap(snap(np.array([0.1234567891])), SCALAR_UNITS).tolist() == [0.123456789]
