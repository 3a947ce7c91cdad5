"""The bounds hold: never smaller than the exact binomial chance, never a power larger than the exact one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr
from scipy.stats import binom

from seg3b_assets.realism.probe_metrics import (
    RejectionRegion,
    combined,
    relative_entropy,
    two_sided_bound,
)

RATES = st.floats(0.001, 0.999)


@settings(deadline=None)
@given(st.floats(0, 1), RATES)
def test_relative_entropy_is_scipys(x: float, q: float) -> None:
    expected = rel_entr(x, q) + rel_entr(1 - x, 1 - q)
    assert relative_entropy(x, q) == pytest.approx(expected, abs=1e-12)


def test_relative_entropy_is_infinite_where_the_rate_rules_the_mean_out() -> None:
    assert relative_entropy(0.1, 0.0) == math.inf
    assert relative_entropy(0.0, 0.0) == 0.0
    assert relative_entropy(0.9, 1.0) == math.inf


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.floats(0.01, 0.99))
def test_the_bound_is_at_least_the_exact_chance(n: int, q: float) -> None:
    counts = np.arange(n + 1)
    upper, lower = binom.sf(counts - 1, n, q), binom.cdf(counts, n, q)
    exact = np.minimum(1.0, 2.0 * np.minimum(upper, lower))
    assert (two_sided_bound(counts, q, n) >= exact - 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 300), st.floats(0.02, 0.98), st.floats(1e-6, 0.2))
def test_a_faithful_count_is_rejected_no_more_often_than_the_level(n: int, q: float, level: float) -> None:
    counts = np.arange(n + 1)
    rejected = two_sided_bound(counts, q, n) < level
    assert binom.pmf(counts[rejected], n, q).sum() <= level


def test_events_need_not_share_one_probability() -> None:
    """Sums of unequal Bernoulli variables, exactly, by convolution."""
    rng = np.random.default_rng(4)
    rates = rng.random(60) ** 2
    law = np.array([1.0])
    for rate in rates:
        law = np.convolve(law, [1 - rate, rate])
    exact = np.minimum(law[::-1].cumsum()[::-1], law.cumsum())
    bound = two_sided_bound(np.arange(61), rates.mean(), 60)
    assert (bound >= np.minimum(1.0, 2 * exact) - 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 400), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_stated_power_is_at_most_the_exact_power(n: int, q: float, shifted: float) -> None:
    level = 0.01
    region = RejectionRegion.of(np.array([q]), n, level)
    counts = np.arange(n + 1)
    rejected = two_sided_bound(counts, q, n) <= level * (1 + 1e-9)
    assert region.power(np.array([shifted])) <= binom.pmf(counts[rejected], n, shifted).sum() + 1e-9


def test_power_grows_with_the_shift_and_is_none_without_one() -> None:
    region = RejectionRegion.of(np.array([0.1, 0.5]), 10_000, 1e-7)
    powers = [region.power(np.array([0.1, 0.5 + shift])) for shift in (0.0, 0.03, 0.05, 0.1)]
    assert powers[0] == 0.0
    assert powers == sorted(powers) and powers[-1] > 0.999


def test_a_cell_that_can_never_reject_has_no_power() -> None:
    region = RejectionRegion.of(np.array([0.0, 1.0, 0.5]), 3, 1e-7)
    assert region.power(np.array([0.0, 1.0, 0.5])) == 0.0
    assert np.isnan(region.high[2]) and np.isnan(region.low[2])


def test_combining_charges_for_every_test() -> None:
    assert combined(np.array([0.01, 0.5]), np.full(10, 0.9)) == pytest.approx(2 * 2 * 0.01)
    assert combined(np.array([0.5]), np.zeros(0)) == 1.0
