"""How a merchant's weight lies over its edges and countries: R01 live edges, R03 atoms, R12 countries and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.snapping import MASS_UNITS
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.order_statistics import median
from seg3b_assets.realism.reference_tier.measure import Scoped, not_judged, over_all, too_few
from seg3b_assets.realism.reference_tier.statistics import (
    correlation,
    largest_window,
    median_known,
    rank_correlations,
    rank_size_slopes,
)
from seg3b_assets.realism.reference_tier.world import ReferenceWorld

F64 = NDArray[np.float64]

LIGHT_MASS: Final = MASS_UNITS // 10**6
DUST_DIVISOR: Final = 100
ATOM_RATIO: Final = 1.005
NEAR_RATIO: Final = 1.1


def light_edges(world: ReferenceWorld) -> Scoped:
    """Edges that weigh less than a millionth of their merchant's traffic."""
    edges = world.edge_mass.shape[0]
    return over_all(float(np.mean(world.edge_mass < LIGHT_MASS)) if edges else None, edges)


def one_unit_edges(world: ReferenceWorld) -> Scoped:
    """Edges that weigh the least an edge can."""
    edges = world.edge_mass.shape[0]
    return over_all(float(np.mean(world.edge_mass <= 1)) if edges else None, edges)


def dust_edges(world: ReferenceWorld) -> Scoped:
    """Edges lighter than a hundredth of an even share, in whole numbers: mass·n·100 < 10¹²."""
    edges = world.edge_mass.shape[0]
    least = -(-MASS_UNITS // (DUST_DIVISOR * world.edges_of))[world.edge_merchant]
    return over_all(float(np.mean(world.edge_mass < least)) if edges else None, edges)


def rank_size(world: ReferenceWorld) -> Scoped:
    """Median over merchants of the slope of ln weight on ln rank."""
    order = np.lexsort((-world.edge_mass, world.edge_merchant))
    value, n = median_known(rank_size_slopes(world.edge_mass[order] / MASS_UNITS, world.edges_of))
    return over_all(value, n)


def merchant_statistics(world: ReferenceWorld) -> Mapping[str, F64]:
    """The six numbers of a merchant that no two merchants share by chance, float64 (n,)."""
    n = len(world)
    top1 = np.zeros(n)
    np.maximum.at(top1, world.edge_merchant, world.edge_mass / MASS_UNITS)
    carried = np.bincount(world.edge_merchant, world.edge_km * (world.edge_mass / MASS_UNITS), n)
    return {
        "effective_countries": 1.0 / np.square(world.share).sum(axis=1),
        "top_country_share": world.share.max(axis=1, initial=0.0),
        "home_share": world.home_share,
        "settlement_overlap": world.seat_share,
        "top1_share": top1,
        "weighted_distance_km": carried,
    }


def _windows(world: ReferenceWorld, ratio: float) -> Scoped:
    if world.small:
        return too_few(world)
    return {
        name: Measurement(largest_window(values, ratio), len(world))
        for name, values in merchant_statistics(world).items()
    }


def atoms(world: ReferenceWorld) -> Scoped:
    """Largest share of merchants that have all but one value."""
    return _windows(world, ATOM_RATIO)


def near_atoms(world: ReferenceWorld) -> Scoped:
    """Largest share of merchants within a tenth of one value."""
    return _windows(world, NEAR_RATIO)


def tempered(world: ReferenceWorld) -> Scoped:
    """Merchants whose country shares were tempered."""
    return too_few(world) if world.small else over_all(float(world.tempered.mean()), len(world))


def capped(world: ReferenceWorld) -> Scoped:
    """Merchants that had a country cut to the largest single share."""
    return too_few(world) if world.small else over_all(float(world.capped.mean()), len(world))


def _count_share(world: ReferenceWorld) -> F64:
    shares: F64 = world.count / np.maximum(world.edges_of, 1)[:, None]
    return shares


def count_weight_gap(world: ReferenceWorld) -> Scoped:
    """Median over merchants of the largest difference of a country's share of edges and of weight."""
    if not len(world):
        return not_judged(0, "no virtual merchants")
    gaps = np.abs(_count_share(world) - world.share).max(axis=1)
    return over_all(median(gaps), len(world))


def count_weight_correlation(world: ReferenceWorld) -> Scoped:
    """Correlation of a country's share of edges and of weight, over all pairs with edges."""
    held = world.count > 0
    return over_all(correlation(_count_share(world)[held], world.share[held]), int(held.sum()))


def count_weight_ranks(world: ReferenceWorld) -> Scoped:
    """Median over merchants of the rank correlation of edges and weight over their countries."""
    merchant, country = np.nonzero(world.count)
    found = rank_correlations(merchant, world.count[merchant, country], world.mass[merchant, country])
    value, n = median_known(found)
    return over_all(value, n)
