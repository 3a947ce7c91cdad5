"""Tests of routed traffic: what the routing probe counted, against what the published weights promise.

Every statistical test here is a bound on the chance of so large a deviation from a faithful router
; it passes while that bound is at least the policy's false-alarm rate, so the stated
rate is an upper limit at any sample size. Each also states a lower bound of its power against a named fault
of the policy's size. Picks are pooled over merchants by *rank* of edge or country within the merchant,
because a fault that shuffles tables between merchants leaves pooled totals untouched.

How surprising a count of independent yes/no events is, by a bound that holds at any sample size.

For independent events whose mean probability is q, P(mean ≥ x) ≤ exp(−n·KL(x‖q)) for x > q, and the same
for x < q. The events need not share one probability, which is why picks of different merchants can be
pooled. Source: Hoeffding, "Probability inequalities for sums of bounded random variables", JASA 58,
1963, theorem 1. Several cells are combined by Bonferroni, so every stated rate is an upper bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seg3b_assets.laws.apportionment import rank_in_segment, segment_ids, segment_starts, segment_sums
from seg3b_assets.laws.snapping import MASS_UNITS, snap_scalar
from seg3b_assets.policies.validation import Probe
from seg3b_assets.realism.measurement import NOT_APPLICABLE, Measurement
from seg3b_assets.realism.population import Population

F64 = NDArray[np.float64]

_BISECTIONS: Final = 60


def relative_entropy(x: ArrayLike, q: ArrayLike) -> F64:
    """KL(x‖q) of two Bernoulli means, in nats; infinite where q rules x out."""
    means, rates = np.broadcast_arrays(np.clip(x, 0.0, 1.0), np.clip(q, 0.0, 1.0))
    return _term(means, rates) + _term(1.0 - means, 1.0 - rates)


def _term(x: F64, q: F64) -> F64:
    term = np.zeros(x.shape)
    some = x > 0
    with np.errstate(divide="ignore"):
        term[some] = x[some] * np.log(x[some] / q[some])
    return term


def two_sided_bound(observed: ArrayLike, expected: ArrayLike, n: int) -> F64:
    """Upper bound on the chance of a count as far from its expectation, on either side.

    Args:
        observed: counts of n events each. expected: mean probability of the events of each count.
    """
    means = np.asarray(observed, np.float64) / n
    distance = np.maximum(relative_entropy(means, expected), 0.0)
    bound: F64 = np.minimum(1.0, 2.0 * np.exp(-n * distance))
    return bound


def combined(*families: F64) -> float:
    """Bonferroni over families of tests and the tests within each: a family gets an equal share.

    Returns:
        The smallest adjusted bound, at most 1.
    """
    adjusted = (len(families) * family.size * float(family.min()) for family in families if family.size)
    return min(1.0, *adjusted)


@dataclass(frozen=True)
class RejectionRegion:
    """Means at which a two-sided test of each cell rejects: at ``low`` and below, at ``high`` and above.

    A side on which no mean is far enough is NaN.
    """

    low: F64
    high: F64
    n: int

    @classmethod
    def of(cls, expected: F64, n: int, level: float) -> RejectionRegion:
        """Region of each cell, found by bisection between the expected mean and either end.

        Args:
            expected: (cells,), mean probability of each cell's events.
            level: two-sided level one cell is tested at.
        """
        needed = math.log(2.0 / level) / n
        ends = []
        for end in (0.0, 1.0):
            inner, outer = expected.copy(), np.full(expected.shape, end)
            for _ in range(_BISECTIONS):
                middle = (inner + outer) / 2.0
                rejects = relative_entropy(middle, expected) >= needed
                outer, inner = np.where(rejects, middle, outer), np.where(rejects, inner, middle)
            ends.append(np.where(relative_entropy(outer, expected) >= needed, outer, np.nan))
        return cls(ends[0], ends[1], n)

    def power(self, shifted: F64) -> float:
        """Lower bound on the chance that some cell rejects when the cells' means are the shifted ones."""
        missed = [
            np.where(beyond, np.exp(-self.n * relative_entropy(np.nan_to_num(edge), shifted)), 1.0)
            for edge, beyond in ((self.low, shifted < self.low), (self.high, shifted > self.high))
        ]
        return float(1.0 - min(part.min(initial=1.0) for part in missed))


I64 = NDArray[np.int64]

RANK_BINS: Final = 10
_POWER_BISECTIONS: Final = 20
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
        for _ in range(_POWER_BISECTIONS):
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
