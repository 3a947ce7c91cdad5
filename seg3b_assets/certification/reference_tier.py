"""The reference tier of a certification: each seed's gates, what seeds come to together, and grade A+.

Over several seeds: RX1 seeds of one kind, RX2 no copies, RX3 other worlds.

Not finding a difference proves nothing, so RX1 asks for the opposite: that the largest distance of two seeds'
distributions is small, and would still be with other merchants. RX2 asks that they are not the same world again: means
may differ no less and no more than chance makes them, and no merchant of one may be one of the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.randomness import REALISM_SAMPLE, Stream, draw_position
from seg3b_assets.laws.snapping import snap_scalar
from seg3b_assets.policies.reference_tier import AcrossSeeds, ReferenceTier
from seg3b_assets.realism.order_statistics import quantile
from seg3b_assets.realism.reference_tier.gates import ReferenceGateResult, all_hold, reference_gates
from seg3b_assets.realism.reference_tier.likeness import cross_divergences
from seg3b_assets.realism.reference_tier.pooling import pooled_measures
from seg3b_assets.realism.reference_tier.scoring import ReferenceScore
from seg3b_assets.realism.yardsticks import yardstick_digests

F64 = NDArray[np.float64]

EQUIVALENCE: Final = "3B-RX1"
NO_COPIES: Final = "3B-RX2"
OTHER_WORLDS: Final = "3B-RX3"

COMPARED: Final = (
    "top1_share",
    "edges",
    "countries",
    "effective_countries",
    "home_share",
    "weighted_distance_km",
)
# The median of edges is scaled to a policy's, so their mean says little about chance.
AVERAGED: Final = ("top1_share", "countries", "effective_countries", "home_share", "weighted_distance_km")

# Draws of ``realism_sample`` at this address, which no merchant has and no other resampling uses.
_ADDRESS: Final = 1
_RESAMPLES_PER_CHUNK: Final = 250


@dataclass(frozen=True)
class AcrossGate:
    """One gate over several seeds.

    Attributes:
        passed: None where it cannot be judged.
        reason: why it cannot, "" where it can. facts: what it rests on, JSON-serialisable.
    """

    gate_id: str
    passed: bool | None
    reason: str
    facts: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """As in the document of the tier."""
        return {"pass": self.passed, "reason": self.reason or None, **self.facts}


@dataclass(frozen=True)
class ReferenceVerdict:
    """What the seeds come to in the tier.

    Attributes:
        scores: by seed, in the order they were given.
        pooled: gates, of their parts those over all seeds together.
        across: RX1 to RX3, by id.
    """

    scores: Mapping[int, ReferenceScore]
    pooled: Mapping[str, ReferenceGateResult]
    across: Mapping[str, AcrossGate]

    @property
    def seeds_hold(self) -> bool:
        """Whether every seed meets every gate that can judge it, and one gate can."""
        return all(all_hold(list(score.gates.values())) for score in self.scores.values())

    @property
    def passed(self) -> bool:
        """Whether every gate of the tier holds, those over several seeds among them."""
        together = list(self.pooled.values())
        return self.seeds_hold and all_hold(together) and all(gate.passed for gate in self.across.values())

    def record(self) -> dict[str, Any]:
        """As in the document of the tier, without what the certification says of itself."""
        return {
            "yardsticks": yardstick_digests(),
            "seeds": {
                str(seed): {
                    "run_id": score.identity.run_id,
                    "merchants": score.merchants,
                    "gates": _records(score.gates),
                    "pass": all_hold(list(score.gates.values())),
                }
                for seed, score in self.scores.items()
            },
            "pooled": _records(self.pooled),
            "across": {gate_id: gate.record() for gate_id, gate in self.across.items()},
            "pass": self.passed,
        }


def _records(gates: Mapping[str, ReferenceGateResult]) -> dict[str, Any]:
    return {gate_id: gate.record() for gate_id, gate in gates.items()}


def reference_verdict(scores: Sequence[ReferenceScore], tier: ReferenceTier) -> ReferenceVerdict:
    """Hold the seeds against the tier, one by one and together."""
    pooled = pooled_measures([score.effect for score in scores], [score.footprint for score in scores])
    return ReferenceVerdict(
        scores={score.seed: score for score in scores},
        pooled=reference_gates(pooled, tier.gates),
        across=across_gates(scores, tier.across_seeds, tier.terms.least.merchants),
    )


def across_gates(scores: Sequence[ReferenceScore], policy: AcrossSeeds, least: int) -> dict[str, AcrossGate]:
    """RX1 to RX3, by id.

    Args:
        least: virtual merchants that every seed needs.
    """
    small = [str(score.seed) for score in scores if score.merchants < least]
    reason = ""
    if len(scores) < 2:
        reason = "one seed cannot be compared with another"
    elif small:
        reason = f"fewer than {least} virtual merchants: seed {', '.join(small)}"
    if reason:
        found = [
            AcrossGate(EQUIVALENCE, None, reason, {**_kinds_stated(policy), "pairs": []}),
            AcrossGate(NO_COPIES, None, reason, {**_copies_stated(policy), "means": [], "pairs": []}),
        ]
    else:
        found = [equivalence(scores, policy), no_copies(scores, policy)]
    untold = "no certification of the same policies over another world is kept"
    return {gate.gate_id: gate for gate in (*found, AcrossGate(OTHER_WORLDS, None, untold, {}))}


def equivalence(scores: Sequence[ReferenceScore], policy: AcrossSeeds) -> AcrossGate:
    """RX1: every two seeds lie close in every statistic, and still would with other merchants."""
    pairs = []
    for first, second in combinations(scores, 2):
        for name in COMPARED:
            distance, upper = ks_with_end(first, second, name, policy)
            near = distance <= policy.ks_most and upper <= policy.ks_upper
            pairs.append(
                {
                    "seeds": [first.seed, second.seed],
                    "statistic": name,
                    "distance": distance,
                    "upper": upper,
                    "pass": near,
                }
            )
    facts = {**_kinds_stated(policy), "pairs": pairs}
    return AcrossGate(EQUIVALENCE, all(pair["pass"] for pair in pairs), "", facts)


def _kinds_stated(policy: AcrossSeeds) -> dict[str, Any]:
    return {"most": policy.ks_most, "upper_most": policy.ks_upper, "resamples": policy.resamples}


def ks_with_end(
    first: ReferenceScore, second: ReferenceScore, name: str, policy: AcrossSeeds
) -> tuple[float, float]:
    """Distance of two empirical distributions, and the policy's quantile of it over resamples of the merchants."""
    a, b = first.statistics[name], second.statistics[name]
    distance = float(_distances(a[None, :], b[None, :])[0])
    drawn = []
    for start in range(0, policy.resamples, _RESAMPLES_PER_CHUNK):
        rows = range(start, min(start + _RESAMPLES_PER_CHUNK, policy.resamples))
        drawn.append(_distances(_resampled(first, a, rows), _resampled(second, b, rows)))
    return snap_scalar(distance), snap_scalar(quantile(np.concatenate(drawn), policy.level))


def _resampled(score: ReferenceScore, values: F64, rows: range) -> F64:
    n = values.shape[0]
    draws = np.arange(rows.start * n, rows.stop * n, dtype=np.uint64)
    words = Stream.of(score.identity, REALISM_SAMPLE).words(_ADDRESS, draws)[0]
    drawn: F64 = values[draw_position(words, np.uint64(n)).astype(np.int64)].reshape(len(rows), n)
    return drawn


def _distances(a: F64, b: F64) -> F64:
    """Kolmogorov-Smirnov distance row by row: (r, n) and (r, m) to (r,). Ties are passed in one step."""
    both = np.concatenate([a, b], axis=1)
    order = np.argsort(both, axis=1, kind="stable")
    step = np.where(order < a.shape[1], 1.0 / a.shape[1], -1.0 / b.shape[1])
    gap = np.abs(np.cumsum(step, axis=1))
    ordered = np.take_along_axis(both, order, axis=1)
    last = np.concatenate(
        [ordered[:, 1:] != ordered[:, :-1], np.ones((both.shape[0], 1), dtype=bool)], axis=1
    )
    distance: F64 = np.where(last, gap, 0.0).max(axis=1)
    return distance


def no_copies(scores: Sequence[ReferenceScore], policy: AcrossSeeds) -> AcrossGate:
    """RX2: means differ as chance makes them, no less and no more; hardly a merchant is there twice."""
    means = [_means(scores, name, policy) for name in AVERAGED]
    pairs = [
        {"seeds": [first.seed, second.seed], "share": share, "pass": share <= policy.copies_share}
        for first, second in combinations(scores, 2)
        for share in (copied_share(first, second, policy.copies_js),)
    ]
    passed = all(row["pass"] for row in (*means, *pairs))
    return AcrossGate(NO_COPIES, passed, "", {**_copies_stated(policy), "means": means, "pairs": pairs})


def _copies_stated(policy: AcrossSeeds) -> dict[str, Any]:
    return {"p": policy.means_p, "divergence": policy.copies_js, "most": policy.copies_share}


def _means(scores: Sequence[ReferenceScore], name: str, policy: AcrossSeeds) -> dict[str, Any]:
    """Homogeneity of the seeds' means by their own standard errors (Cochran 1937), both tails."""
    from scipy import stats  # noqa: PLC0415 - a second to import, and a run of one seed needs none of it

    values = [score.statistics[name] for score in scores]
    mean = np.array([one.mean() for one in values])
    variance = np.array([one.var(ddof=1) / one.shape[0] for one in values])
    if not (variance > 0).all():
        return {"statistic": name, "chi2": None, "p": None, "pass": False}
    weight = 1.0 / variance
    chi2 = float((weight * np.square(mean - (weight * mean).sum() / weight.sum())).sum())
    freedom = len(scores) - 1
    p = 2.0 * min(float(stats.chi2.cdf(chi2, freedom)), float(stats.chi2.sf(chi2, freedom)))
    p = snap_scalar(min(p, 1.0))
    return {"statistic": name, "chi2": snap_scalar(chi2), "p": p, "pass": p >= policy.means_p}


def copied_share(first: ReferenceScore, second: ReferenceScore, divergence: float) -> float:
    """Merchants, of both seeds, that have one of the other with the same home and all but the same customers."""
    countries = np.union1d(first.countries, second.countries)
    a, b = _aligned(first, countries), _aligned(second, countries)
    copied = 0
    for home in np.intersect1d(first.home, second.home):
        here, there = np.flatnonzero(first.home == home), np.flatnonzero(second.home == home)
        near = cross_divergences(a[here], b[there]) < divergence
        copied += int(near.any(axis=1).sum()) + int(near.any(axis=0).sum())
    return snap_scalar(copied / (first.merchants + second.merchants))


def _aligned(score: ReferenceScore, countries: NDArray[np.str_]) -> F64:
    mix = np.zeros((score.merchants, countries.shape[0]))
    mix[:, np.searchsorted(countries, score.countries)] = score.mix
    return mix
