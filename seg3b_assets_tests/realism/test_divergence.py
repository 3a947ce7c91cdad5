"""Pairwise Jensen–Shannon divergence against scipy, and the sampled median against the exact one."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from seg3b_assets.laws.randomness import REALISM_SAMPLE, Stream
from seg3b_assets.realism.divergence import (
    PairSampling,
    median_divergence,
    pairwise_divergences,
    sampled_pairs,
)
from seg3b_assets_tests.realism.worlds import identity

SAMPLING = PairSampling(2000, 100_000, Stream.of(identity(), REALISM_SAMPLE))


def random_mixes(seed: int, merchants: int, countries: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    raw = rng.gamma(0.4, size=(merchants, countries)) * (rng.random((merchants, countries)) < 0.5)
    raw[np.arange(merchants), rng.integers(0, countries, merchants)] += 0.1
    return raw / raw.sum(axis=1, keepdims=True)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 12))
def test_every_pair_agrees_with_scipy(seed: int, merchants: int, countries: int) -> None:
    mixes = random_mixes(seed, merchants, countries)
    expected = [jensenshannon(mixes[a], mixes[b]) ** 2 for a, b in combinations(range(merchants), 2)]
    assert pairwise_divergences(mixes, 1) == pytest.approx(expected, abs=1e-9)


def test_two_thousand_merchants_are_compared_pair_by_pair() -> None:
    found = median_divergence(random_mixes(9, 2000, 120), SAMPLING)
    assert found.exact and found.pairs == 2000 * 1999 // 2


def test_equal_mixes_do_not_diverge_and_disjoint_ones_diverge_by_ln_2() -> None:
    assert median_divergence(np.full((5, 4), 0.25), SAMPLING).median == pytest.approx(0.0, abs=1e-15)
    assert median_divergence(np.eye(6), SAMPLING).median == pytest.approx(math.log(2.0), abs=1e-15)


def test_blocks_and_threads_do_not_show_in_the_result() -> None:
    mixes = random_mixes(3, 150, 20)
    one, many = (pairwise_divergences(mixes, workers) for workers in (1, 4))
    assert one.shape == (150 * 149 // 2,)
    assert np.array_equal(one, many)
    assert one[149] == pytest.approx(jensenshannon(mixes[1], mixes[2]) ** 2, abs=1e-12)


def test_sampled_pairs_are_two_different_rows_and_uniform() -> None:
    first, second = sampled_pairs(7, SAMPLING)
    assert (first != second).all()
    share = np.bincount(np.minimum(first, second) * 7 + np.maximum(first, second), minlength=49) / first.size
    assert share[share > 0].size == 21
    assert share[share > 0] == pytest.approx(np.full(21, 1 / 21), abs=0.004)


def test_the_sample_is_the_same_for_any_number_of_threads_and_brackets_the_exact_median() -> None:
    mixes = random_mixes(5, 120, 15)
    exact = median_divergence(mixes, SAMPLING)
    sampling = replace(SAMPLING, exact_up_to=100)
    sampled = median_divergence(mixes, sampling)
    assert exact.exact and exact.pairs == 120 * 119 // 2
    assert not sampled.exact and sampled.pairs == 100_000
    assert sampled.low <= exact.median <= sampled.high
    assert sampled.low < sampled.median < sampled.high
    assert sampled == median_divergence(mixes, replace(sampling, workers=1))


def test_the_interval_covers_the_median_about_as_often_as_it_says() -> None:
    mixes = random_mixes(8, 60, 12)
    exact = median_divergence(mixes, SAMPLING).median
    hits = 0
    for seed in range(100):
        stream = Stream.of(identity(seed), REALISM_SAMPLE)
        found = median_divergence(mixes, PairSampling(2, 400, stream, workers=1))
        hits += found.low <= exact <= found.high
    assert hits >= 88
