"""Guards on a merchant's country shares (law section 4), in the law's order, renormalising after each.

All arithmetic is on integer masses (rows sum to ``SHARE_UNITS``), so the guards are exact and agree on
every machine; only tempering takes a power, and it is apportioned to the grid before it is judged. No
guard looks at the settlement: overlap comes out of the coupling alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.apportionment import apportion_exact, apportion_rows
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.policies.edge_topology import Guards
from seg3b_assets.states.s2_edges.shares import SHARE_UNITS

I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]

TEMPER_STEPS: Final = 2**20


@dataclass(frozen=True)
class GuardedShares:
    """Shares after the guards, and whom each guard touched.

    Attributes:
        masses: int64 (merchants, countries), rows summing to ``SHARE_UNITS``.
        sparse_tail, min_support, country_cap, tempering: bool (merchants,).
    """

    masses: I64
    sparse_tail: BOOL
    min_support: BOOL
    country_cap: BOOL
    tempering: BOOL


def guard_shares(masses: I64, blend: I64, guards: Guards) -> GuardedShares:
    """Apply all four guards.

    Args:
        masses: int64 (merchants, countries), the drawn shares.
        blend: int64 (merchants, countries), the expected shares; says which country is taken in next.

    Raises:
        Seg3BError: ``BUDGET_COUNTRY_WEIGHTS_INVALID`` when the guards cannot hold together, for instance
            a support of two under a cap of 0.42.
    """
    if not masses.shape[0]:
        none = np.zeros(0, bool)
        return GuardedShares(masses, none, none, none, none)
    floor = _units(guards.sparse_tail_floor)
    shares, sparse = drop_sparse_tail(masses, floor)
    shares, widened = widen_support(shares, blend, guards.min_support, floor)
    shares, capped = cap_country(shares, _units(guards.max_single_country_share))
    shares, tempered = temper(shares, guards.min_effective_country_count)
    return GuardedShares(shares, sparse, widened, capped, tempered)


def _units(share: float) -> int:
    return round(share * SHARE_UNITS)


def drop_sparse_tail(masses: I64, floor: int) -> tuple[I64, BOOL]:
    """Shares below the floor go; a row with nothing above it keeps its largest."""
    largest = masses == masses.max(axis=1, keepdims=True)
    kept = np.where((masses >= floor) | (largest & (masses.max(axis=1, keepdims=True) < floor)), masses, 0)
    touched = ((masses > 0) & (kept == 0)).any(axis=1)
    return _renormalised(kept), touched


def widen_support(masses: I64, blend: I64, min_support: int, floor: int) -> tuple[I64, BOOL]:
    """A row with too few countries takes in further ones, by blend descending, each at the floor."""
    lacking = min_support - (masses > 0).sum(axis=1)
    touched = lacking > 0
    if not touched.any():
        return masses, touched
    candidates = np.where(masses > 0, 0, blend)
    order = np.argsort(-candidates, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], axis=1)
    added = (rank < lacking[:, None]) & (candidates > 0)
    floor = max(floor, 1)
    short = min_support - ((masses > 0) | added).sum(axis=1)
    if (short > 0).any() or min_support * floor > SHARE_UNITS:
        raise _infeasible("min_support", {"min_support": min_support, "countries_short": int(short.max())})
    return _hold_floor(np.where(added, floor, masses), added, floor), touched


def _hold_floor(masses: I64, fixed: BOOL, floor: int) -> I64:
    """Renormalise with ``fixed`` cells at the floor, joined by any cell that would sink below it."""
    while True:
        room = SHARE_UNITS - floor * fixed.sum(axis=1)
        free = _to_totals(np.where(fixed, 0, masses), room)
        sunk = (masses > 0) & ~fixed & (free < floor)
        # The largest free cell must stay free, or a row of tiny shares would have nothing to absorb the rest.
        sunk &= free < free.max(axis=1, keepdims=True)
        if not sunk.any():
            return np.where(fixed, floor, free)
        fixed = fixed | sunk


def cap_country(masses: I64, cap: int) -> tuple[I64, BOOL]:
    """No country above the cap; the excess goes to the others in proportion, until none is above."""
    touched: BOOL = np.asarray((masses > cap).any(axis=1))
    if ((masses > 0).sum(axis=1) * cap < SHARE_UNITS).any():
        raise _infeasible(
            "max_single_country_share", {"cap_units": cap, "support": int((masses > 0).sum(axis=1).min())}
        )
    at_cap = masses > cap
    while at_cap.any():
        free = _to_totals(np.where(at_cap, 0, masses), SHARE_UNITS - cap * at_cap.sum(axis=1))
        masses = np.where(at_cap, cap, free)
        over = masses > cap
        if not over.any():
            break
        at_cap = at_cap | over
    return masses, touched


def temper(masses: I64, min_effective: float) -> tuple[I64, BOOL]:
    """p^t, t the largest multiple of 2⁻²⁰ at which 1/Σp² reaches the minimum; the rows below it only."""
    touched = ~_effective_enough(masses, min_effective)
    rows = np.flatnonzero(touched)
    if not rows.size:
        return masses, touched
    shares = masses[rows] / SHARE_UNITS
    best = _power(shares, np.zeros(rows.size))
    if not _effective_enough(best, min_effective).all():
        raise _infeasible("min_effective_country_count", {"min_effective_country_count": min_effective})
    low, high = np.zeros(rows.size, np.int64), np.full(rows.size, TEMPER_STEPS, np.int64)
    while (high - low > 1).any():
        middle = (low + high) // 2
        tried = _power(shares, middle / TEMPER_STEPS)
        enough = _effective_enough(tried, min_effective)
        best = np.where(enough[:, None], tried, best)
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    tempered = masses.copy()
    tempered[rows] = best
    return tempered, touched


def _power(shares: NDArray[np.float64], exponent: NDArray[np.float64]) -> I64:
    powered = np.where(shares > 0, np.power(np.maximum(shares, 1e-300), exponent[:, None]), 0.0)
    return apportion_rows(powered, SHARE_UNITS)


def _effective_enough(masses: I64, minimum: float) -> BOOL:
    """1/Σp² ≥ minimum, from the exact integer Σm²."""
    squares = (masses * masses).sum(axis=1)
    enough: BOOL = float(SHARE_UNITS) * float(SHARE_UNITS) / squares >= minimum
    return enough


def _renormalised(masses: I64) -> I64:
    return _to_totals(masses, np.full(masses.shape[0], SHARE_UNITS, np.int64))


def _to_totals(masses: I64, totals: I64) -> I64:
    rows, columns = masses.shape
    return apportion_exact(masses.ravel(), np.full(rows, columns), totals).reshape(rows, columns)


def _infeasible(guard: str, detail: Mapping[str, Any]) -> Seg3BError:
    return fail(
        "guards_feasible",
        f"edge_topology.yaml:country_shares.guards.{guard}",
        "The guards cannot hold together: widen min_support, raise the cap or lower the effective count.",
        **detail,
    )
