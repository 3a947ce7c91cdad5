"""Budgets keep the published median; masses sum to 10^12 with every edge holding at least one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import lognorm

from seg3b_assets.laws.randomness import WEIGHT_SHAPE, Stream
from seg3b_assets.laws.snapping import MASS_UNITS
from seg3b_assets.policies.edge_topology import EdgeWeights, ProfileNoise
from seg3b_assets.states.s2_edges.edges import allot_slots
from seg3b_assets.states.s2_edges.shares import SHARE_UNITS
from seg3b_assets.states.s2_edges.topology import truncated_lognormal
from seg3b_assets.states.s2_edges.weights import edge_masses
from seg3b_assets_tests.states.s2_edges import toy_world

LAW = ProfileNoise(median=2.4, sigma=0.55, minimum=0.6, maximum=8.0)


def test_truncated_lognormal_is_the_conditional_distribution() -> None:
    uniform = np.linspace(0.001, 0.999, 99)
    reference = lognorm(s=LAW.sigma, scale=LAW.median)
    low, high = reference.cdf(LAW.minimum), reference.cdf(LAW.maximum)
    drawn = truncated_lognormal(uniform, LAW)
    assert drawn == pytest.approx(reference.ppf(low + uniform * (high - low)), abs=1e-8)
    assert ((drawn >= LAW.minimum) & (drawn <= LAW.maximum)).all()


def test_without_spread_every_draw_is_the_median() -> None:
    flat = LAW.model_copy(update={"sigma": 0.0})
    assert truncated_lognormal(np.array([0.01, 0.5, 0.99]), flat).tolist() == [2.4] * 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(3, 400), min_size=1, max_size=6),
    st.integers(0, 10**6),
    st.sampled_from(["dirichlet", "equal"]),
    st.floats(0.01, 2.0),
    st.floats(0.0, 2.0),
)
def test_masses_sum_and_stay_positive(
    budgets: list[int], seed: int, law: str, concentration: float, exponent: float
) -> None:
    rng = np.random.default_rng(seed)
    masses = rng.multinomial(SHARE_UNITS, [0.7, 0.3], size=len(budgets))
    ids = np.arange(1, len(budgets) + 1, dtype=np.uint64)
    edges = allot_slots(ids, ["AA", "ZZ"], masses, np.array(budgets))
    policy = EdgeWeights(law=law, concentration=concentration, tile_population_exponent=exponent)  # type: ignore[arg-type]
    tile_weight = rng.integers(0, 10**9, edges.total)
    got = edge_masses(edges, tile_weight, policy, Stream.of(toy_world.WORLD, WEIGHT_SHAPE))
    per_merchant = np.add.reduceat(got, np.cumsum(budgets) - np.array(budgets))
    assert (per_merchant == MASS_UNITS).all()
    assert (got >= 1).all()
    assert edges.per_merchant.tolist() == budgets


def test_equal_law_gives_every_edge_of_a_merchant_the_same() -> None:
    edges = toy_world.slots(merchants=2, budget=500)
    policy = EdgeWeights(law="equal", concentration=1.0, tile_population_exponent=0.0)
    got = edge_masses(edges, np.ones(edges.total, np.int64), policy, Stream.of(toy_world.WORLD, WEIGHT_SHAPE))
    assert set(got.tolist()) == {MASS_UNITS // 500}


def test_slots_are_dense_within_merchant_and_country() -> None:
    edges = toy_world.slots(merchants=3, budget=10)
    assert edges.seq.tolist() == list(range(10)) * 3
    assert edges.slot.tolist() == [*range(6), *range(4)] * 3
    assert edges.counts.tolist() == [[6, 4]] * 3
