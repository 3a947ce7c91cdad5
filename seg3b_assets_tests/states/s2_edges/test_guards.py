"""Guards on country shares hold for any policy that can hold together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seg3b_assets.laws.apportionment import apportion_rows
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies.edge_topology import Guards
from seg3b_assets.states.s2_edges.guards import guard_shares, temper
from seg3b_assets.states.s2_edges.shares import SHARE_UNITS


@st.composite
def guard_policies(draw: st.DrawFn) -> Guards:
    support = draw(st.integers(2, 20))
    # A cap or effective count exactly at what the support allows leaves no room for the grid's rounding.
    return Guards(
        sparse_tail_floor=draw(st.floats(0, 0.9 / support)) if support > 9 else draw(st.floats(0, 0.1)),
        min_support=support,
        max_single_country_share=draw(st.floats(min(1.0, 1.05 / support), 1.0)),
        min_effective_country_count=draw(st.floats(1.0, max(1.0, support * 0.95))),
    )


def random_shares(seed: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    blend = apportion_rows(rng.gamma(0.3, size=(rows, columns)) + 1e-6, SHARE_UNITS)
    drawn = apportion_rows(rng.gamma(0.05 + 20 * blend / SHARE_UNITS) + 1e-300, SHARE_UNITS)
    return drawn, blend


@settings(max_examples=60, deadline=None)
@given(guard_policies(), st.integers(0, 10**6))
def test_every_guard_holds_on_the_result(policy: Guards, seed: int) -> None:
    assume(policy.sparse_tail_floor * policy.min_support < 0.95)
    drawn, blend = random_shares(seed, 12, 40)
    guarded = guard_shares(drawn, blend, policy)
    shares = guarded.masses / SHARE_UNITS
    assert (guarded.masses.sum(axis=1) == SHARE_UNITS).all()
    assert (guarded.masses >= 0).all()
    assert ((shares > 0).sum(axis=1) >= policy.min_support).all()
    assert (shares <= policy.max_single_country_share + 1e-9).all()
    assert (1 / (shares**2).sum(axis=1) >= policy.min_effective_country_count - 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(guard_policies(), st.integers(0, 10**6))
def test_no_kept_country_is_below_the_floor(policy: Guards, seed: int) -> None:
    assume(policy.sparse_tail_floor * policy.min_support < 0.5)
    drawn, blend = random_shares(seed, 12, 40)
    shares = guard_shares(drawn, blend, policy).masses / SHARE_UNITS
    smallest = np.where(shares > 0, shares, 1.0).min(axis=1)
    assert (smallest >= policy.sparse_tail_floor - 1e-9).all()


def test_rows_do_not_depend_on_each_other() -> None:
    policy = Guards(
        sparse_tail_floor=0.0015,
        min_support=12,
        max_single_country_share=0.42,
        min_effective_country_count=8.0,
    )
    drawn, blend = random_shares(3, 30, 60)
    together = guard_shares(drawn, blend, policy).masses
    order = np.random.default_rng(0).permutation(30)
    assert (guard_shares(drawn[order], blend[order], policy).masses == together[order]).all()
    assert (guard_shares(drawn[4:5], blend[4:5], policy).masses == together[4:5]).all()


def test_neutral_guards_change_nothing() -> None:
    drawn, blend = random_shares(1, 5, 30)
    policy = Guards(
        sparse_tail_floor=0.0, min_support=1, max_single_country_share=1.0, min_effective_country_count=1.0
    )
    guarded = guard_shares(drawn, blend, policy)
    assert (guarded.masses == drawn).all()
    assert not (guarded.sparse_tail | guarded.min_support | guarded.country_cap | guarded.tempering).any()


def test_tempering_stops_at_the_largest_exponent_that_reaches_the_count() -> None:
    masses = apportion_rows(np.array([[40.0, 20, 10, 5, 5, 5, 5, 5, 3, 2]]), SHARE_UNITS)
    tempered, touched = temper(masses, 8.0)
    effective = 1 / ((tempered / SHARE_UNITS) ** 2).sum()
    assert touched.tolist() == [True]
    assert 8.0 <= effective < 8.001


def test_guards_that_cannot_hold_are_refused_with_their_key() -> None:
    drawn, blend = random_shares(2, 3, 5)
    policy = Guards(
        sparse_tail_floor=0.001,
        min_support=12,
        max_single_country_share=0.42,
        min_effective_country_count=8.0,
    )
    with pytest.raises(Seg3BError) as caught:
        guard_shares(drawn, blend, policy)
    assert caught.value.code == "E3B_S2_BUDGET_COUNTRY_WEIGHTS_INVALID"
    assert "min_support" in caught.value.place
