"""Medians, quantiles and CVs against the standard library and against loops."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.realism.order_statistics import counts_cv, median, quantile, values_cv, weighted_median

FINITE = st.floats(0, 1e6, allow_nan=False)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_cv_of_counts_divides_the_population_deviation_by_the_mean(counts: list[int]) -> None:
    mean = statistics.fmean(counts)
    expected = statistics.pstdev(counts) / mean if mean else 0.0
    assert counts_cv(np.array(counts)) == pytest.approx(expected, abs=1e-9)


def test_cv_of_equal_counts_is_exactly_zero() -> None:
    assert counts_cv(np.full(313, 499)) == 0.0


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_cv_of_values_matches_the_standard_library(values: list[float]) -> None:
    mean = statistics.fmean(values)
    expected = statistics.pstdev(values) / mean if mean else 0.0
    assert values_cv(values) == pytest.approx(expected, abs=1e-9)


@given(st.lists(FINITE, min_size=1, max_size=40), st.floats(0, 1))
def test_quantile_interpolates_between_neighbours(values: list[float], level: float) -> None:
    ordered, position = sorted(values), level * (len(values) - 1)
    low = int(position)
    high = min(low + 1, len(values) - 1)
    expected = ordered[low] + (position - low) * (ordered[high] - ordered[low])
    assert quantile(np.array(values), level) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@given(st.lists(FINITE, min_size=1, max_size=40))
def test_median_averages_the_middle_pair(values: list[float]) -> None:
    assert median(np.array(values)) == statistics.median(values)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)), min_size=1, max_size=20))
def test_weighted_median_is_the_median_of_repeated_values(rows: list[tuple[int, int]]) -> None:
    values, masses = (np.array(column) for column in zip(*rows, strict=True))
    expected = statistics.median(np.repeat(values, masses).tolist())
    assert weighted_median(values.astype(float), masses) == expected


def test_weighted_median_ignores_what_has_no_mass() -> None:
    assert weighted_median(np.array([1.0, 2.0, 3.0]), np.array([5, 0, 5])) == 2.0
    assert weighted_median(np.array([1.0, 2.0, 3.0]), np.array([6, 0, 5])) == 1.0
