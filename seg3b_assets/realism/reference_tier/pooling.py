"""Measures that need several seeds: one has too few pairs of a stratum, too few merchants with outlets abroad.

Seeds are different worlds, so nothing is compared across them: sums over each seed's own strata are added up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from types import MappingProxyType
from typing import Final

from seg3b_assets.realism.reference_tier.customers import Footprint
from seg3b_assets.realism.reference_tier.likeness import TradeEffect, effect_and_z
from seg3b_assets.realism.reference_tier.measure import ReferenceMetric, Scoped, not_judged, over_all

POOLED_Z: Final = "trade_effect_pooled_z"
POOLED_WITHOUT: Final = "trade_effect_pooled_least"
POOLED_LIFT: Final = "footprint_lift_pooled"


def _pooled(name: str, definition: str, unit: str) -> ReferenceMetric:
    return ReferenceMetric(name, definition, unit, "S2", "topology")


POOLED_METRICS: Final[Mapping[str, ReferenceMetric]] = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            _pooled(POOLED_Z, "trade_effect_z with the pairs of all seeds together.", "standard deviations"),
            _pooled(
                POOLED_WITHOUT,
                "The least trade_effect over all seeds together with any one trade family left out.",
                "ratio",
            ),
            _pooled(POOLED_LIFT, "footprint_lift with the merchants of all seeds together.", "ratio"),
        )
    }
)


def pooled_measures(
    effects: Sequence[TradeEffect | None], footprints: Sequence[Footprint | None]
) -> dict[str, Scoped]:
    """The measures over several seeds, by name and scope.

    Args:
        effects, footprints: one per seed; None of a seed that is too small.
    """
    return {**_trade([one for one in effects if one]), **_lift([one for one in footprints if one])}


def _trade(effects: Sequence[TradeEffect]) -> dict[str, Scoped]:
    if not effects:
        nothing = not_judged(0, "no seed has enough virtual merchants")
        return {POOLED_Z: nothing, POOLED_WITHOUT: nothing}
    observed = reduce(add, [effect.observed for effect in effects])
    permuted = tuple(reduce(add, sums) for sums in zip(*(effect.permuted for effect in effects), strict=True))
    families = sorted({family for effect in effects for family in effect.without})
    together = TradeEffect(
        observed,
        permuted,
        {
            family: reduce(add, [effect.without.get(family, effect.observed) for effect in effects])
            for family in families
        },
    )
    without = {family: sums.effect for family, sums in together.without.items()}
    known = {family: value for family, value in without.items() if value is not None}
    least = min(known, key=lambda family: (known[family], family), default=None)
    _, z = effect_and_z(together, observed.pairs)
    return {
        POOLED_Z: z,
        POOLED_WITHOUT: not_judged(observed.pairs, "no pairs without any one family")
        if least is None
        else over_all(known[least], observed.pairs, without=least),
    }


def _lift(footprints: Sequence[Footprint]) -> dict[str, Scoped]:
    own, others = sum(one.own for one in footprints), sum(one.others for one in footprints)
    merchants = sum(one.merchants for one in footprints)
    if not others:
        return {POOLED_LIFT: not_judged(merchants, "no merchant with outlets abroad has five others like it")}
    return {POOLED_LIFT: over_all(own / others, merchants)}
