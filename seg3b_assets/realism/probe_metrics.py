"""Tests of routed traffic: what the routing probe counted, against what the published weights promise.

Every statistical test here is a bound on the chance of so large a deviation from a faithful router
(``bernoulli_bounds``); it passes while that bound is at least the policy's false-alarm rate, so the stated
rate is an upper limit at any sample size. Each also states a lower bound of its power against a named fault
of the policy's size. Picks are pooled over merchants by *rank* of edge or country within the merchant,
because a fault that shuffles tables between merchants leaves pooled totals untouched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.apportionment import rank_in_segment, segment_ids, segment_starts, segment_sums
from seg3b_assets.laws.snapping import snap_scalar
from seg3b_assets.policies.validation import Probe
from seg3b_assets.realism.bernoulli_bounds import RejectionRegion, combined, two_sided_bound
from seg3b_assets.realism.measurement import NOT_APPLICABLE, Measurement
from seg3b_assets.realism.population import MASS_UNITS, Population

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

RANK_BINS: Final = 10
_BISECTIONS: Final = 20
_SHIFT_GRID: Final = 10**4


def rank_bins(mass: I64, lengths: I64) -> I64:
    """Tenth of its segment's mass each cell falls in when cells are laid out heaviest first, 0..9.

    A cell counts where the middle of its own mass lies; ties go by position.
    """
    ids = segment_ids(lengths)
    order = np.lexsort((rank_in_segment(mass, lengths), ids))
    cumulative = np.cumsum(mass[order])
    before = np.concatenate(([0], cumulative))[segment_starts(lengths)]
    twice_middle = 2 * (cumulative - before[ids]) - mass[order]
    total = np.maximum(segment_sums(mass, lengths), 1)
    bins = np.empty(mass.shape[0], np.int64)
    bins[order] = np.minimum(RANK_BINS * twice_middle // (2 * total[ids]), RANK_BINS - 1)
    return bins


@dataclass(frozen=True)
class RankedPicks:
    """Picks by merchant among its heaviest cells: those that hold the first tenth, two tenths, … of its mass.

    Attributes:
        observed: int64 (merchants, RANK_BINS − 1), picks.
        expected: float64 (merchants, RANK_BINS − 1), probability of such a pick.
        bins: int64 (cells,), each cell's tenth; merchants: how many.
    """

    observed: I64
    expected: F64
    bins: I64
    merchants: int

    @classmethod
    def of(cls, mass: I64, picks: I64, lengths: I64) -> RankedPicks:
        bins, merchants = rank_bins(mass, lengths), lengths.shape[0]
        cell = segment_ids(lengths) * RANK_BINS + bins

        def heaviest(values: I64) -> I64:
            tenths = np.bincount(cell, values, merchants * RANK_BINS).reshape(merchants, RANK_BINS)
            return tenths.astype(np.int64).cumsum(axis=1)[:, :-1]

        return cls(heaviest(picks), heaviest(mass) / MASS_UNITS, bins, merchants)

    def pooled(self, probability: F64) -> F64:
        """Mean over merchants of a probability per cell, among the heaviest cells: (RANK_BINS − 1,)."""
        tenths: F64 = np.bincount(self.bins, probability, RANK_BINS) / self.merchants
        return tenths.cumsum()[:-1]


def edge_usage(population: Population) -> Measurement:
    """Picks of each edge against its weight, by weight rank: pooled, and for each merchant."""
    probe, lengths = population.probe, population.merchants.edges
    if probe is None or not lengths.size:
        return NOT_APPLICABLE
    ranked = RankedPicks.of(population.edges.mass, probe.edge_picks, lengths)
    pooled = _Pooled(
        expected=ranked.pooled(population.edges.mass / MASS_UNITS),
        fault=ranked.pooled(1.0 / lengths[segment_ids(lengths)]),
        picks=probe.picks,
        families=2,
    )
    bounds = two_sided_bound(ranked.observed.sum(axis=0), pooled.expected, probe.picks)
    each = two_sided_bound(ranked.observed, ranked.expected, probe.policy.picks_per_merchant)
    detail = {
        "test": "Hoeffding bound on picks among the edges that hold the first tenth, two tenths, ... of the "
        "weight; pooled and per merchant",
        "expected": _rounded(pooled.expected),
        "observed": _rounded(ranked.observed.sum(axis=0) / probe.picks),
        "tests": bounds.size + each.size,
        "alternative": "a share of the picks falls on a uniformly drawn edge of the merchant",
        **pooled.power_record(probe.policy),
    }
    return Measurement(combined(bounds, each), probe.picks, detail)


def ip_country_mix(population: Population) -> Measurement:
    """Countries of the picks against the published mix: by country, and by country rank per merchant."""
    probe, merchants = population.probe, population.merchants
    if probe is None or not len(merchants):
        return NOT_APPLICABLE
    shape = merchants.country_mass.shape
    cell = population.edges.merchant * shape[1] + population.edges.country
    held = np.bincount(cell, minlength=shape[0] * shape[1]) > 0
    picks = np.bincount(cell, probe.edge_picks, shape[0] * shape[1]).astype(np.int64)
    ranked = RankedPicks.of(merchants.country_mass.ravel()[held], picks[held], merchants.countries)
    mix = merchants.country_mass.sum(axis=0) / (MASS_UNITS * shape[0])
    pooled = _Pooled(
        expected=ranked.pooled(merchants.country_share.ravel()[held]),
        fault=ranked.pooled(np.broadcast_to(mix, shape).ravel()[held]),
        picks=probe.picks,
        families=3,
    )
    of_country = picks.reshape(shape).sum(axis=0)
    by_country = two_sided_bound(of_country, mix, probe.picks)
    by_rank = two_sided_bound(ranked.observed.sum(axis=0), pooled.expected, probe.picks)
    each = two_sided_bound(ranked.observed, ranked.expected, probe.policy.picks_per_merchant)
    detail = {
        "test": "Hoeffding bound on picks per country, and among the countries that hold the first tenth, "
        "two tenths, ... of the merchant's weight; pooled and per merchant",
        "largest_country_deviation": snap_scalar(float(np.abs(of_country / probe.picks - mix).max())),
        "tests": by_country.size + by_rank.size + each.size,
        "alternative": "a share of the picks takes its country from another merchant's mix",
        **pooled.power_record(probe.policy),
    }
    return Measurement(combined(by_country, by_rank, each), probe.picks, detail)


def settlement_day(population: Population) -> Measurement:
    """Share of picks outside the two local midnights of their settlement day."""
    probe = population.probe
    if probe is None or not probe.picks:
        return NOT_APPLICABLE
    elsewhere = snap_scalar(int(probe.day_differs.sum()) / probe.picks)
    found = _mismatch_rate(probe.day_mismatches, probe.picks, probe.policy)
    return replace(found, detail={**found.detail, "picks_on_another_day_than_the_edge": elsewhere})


def routing_receipt(population: Population) -> Measurement:
    """Share of picks whose receipt is incomplete, contradicts the catalogue or cannot be redrawn alone."""
    probe = population.probe
    if probe is None or not probe.picks:
        return NOT_APPLICABLE
    return _mismatch_rate(probe.receipt_mismatches, probe.picks, probe.policy)


def _mismatch_rate(mismatches: I64, picks: int, policy: Probe) -> Measurement:
    """An exact test: one mismatch is a failure, and a faithful router has none."""
    found = int(mismatches.sum())
    detail: dict[str, Any] = {
        "test": "every pick is checked; a faithful router has no mismatch",
        "mismatches": found,
        "false_alarm_rate": 0.0,
        "alternative": "a share of the picks mismatches, independently of each other",
        "effect": policy.detectable_shift,
        "power": snap_scalar(1.0 - (1.0 - policy.detectable_shift) ** picks),
        "minimum_power": policy.minimum_power,
    }
    return Measurement(found / picks, picks, detail)


@dataclass(frozen=True)
class _Pooled:
    """The pooled cells of a test, for its power.

    Attributes:
        expected, fault: float64 (cells,), probability of a pick in each cell, of a faithful router and of
            one that always commits the fault.
        families: families of cells that share the false-alarm rate.
    """

    expected: F64
    fault: F64
    picks: int
    families: int

    def power_record(self, policy: Probe) -> dict[str, Any]:
        """Rate, effect and power as a result row states them, and the smallest shift surely noticed."""
        level = policy.false_alarm_rate / (self.families * self.expected.size)
        region = RejectionRegion.of(self.expected, self.picks, level)

        def power(shift: float) -> float:
            return region.power((1.0 - shift) * self.expected + shift * self.fault)

        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2.0
            low, high = (low, middle) if power(middle) >= policy.minimum_power else (middle, high)
        return {
            "false_alarm_rate": policy.false_alarm_rate,
            "effect": policy.detectable_shift,
            "power": snap_scalar(power(policy.detectable_shift)),
            "minimum_power": policy.minimum_power,
            "smallest_shift_noticed": snap_scalar(high, _SHIFT_GRID)
            if power(1.0) >= policy.minimum_power
            else None,
        }


def _rounded(values: F64) -> list[float]:
    return [snap_scalar(float(value)) for value in values]
