"""How a merchant's traffic splits over its edges (law section 4): integer masses that sum to 10^12.

Within a country a heavy-tailed draw (Dirichlet, concentration well below 1, tilted by tile population),
across countries the guarded shares. Every edge has one unit for certain; the rest is apportioned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from seg3b_assets.laws.apportionment import apportion, segment_ids, segment_starts, segment_sums
from seg3b_assets.laws.randomness import Stream
from seg3b_assets.laws.snapping import MASS_UNITS, SCALAR_UNITS
from seg3b_assets.policies.edge_topology import EdgeWeights
from seg3b_assets.states.s2_edges.edges import EdgeSlots
from seg3b_assets.states.s2_edges.shares import SHARE_UNITS

I64 = NDArray[np.int64]


def edge_masses(edges: EdgeSlots, tile_weight: I64, law: EdgeWeights, stream: Stream) -> I64:
    """Mass of each edge, (n,), at least 1, summing to ``MASS_UNITS`` per merchant.

    Args:
        tile_weight: int64 (n,), fixed-point population weight of the edge's tile.
        stream: ``3B_S2_weight_shape``.
    """
    if not edges.total:
        return np.zeros(0, np.int64)
    if law.law == "equal":
        return 1 + apportion(np.ones(edges.total), edges.per_merchant, MASS_UNITS - edges.per_merchant)
    cells = edges.counts.ravel()
    lengths = cells[cells > 0]
    group = segment_ids(lengths)
    drawn = _within_country(edges, tile_weight, lengths, law, stream)
    of_country = segment_sums(drawn, lengths).astype(np.float64)
    share = edges.share_units.ravel()[cells > 0].astype(np.float64) / SHARE_UNITS
    weight = share[group] * (drawn / of_country[group])
    return 1 + apportion(weight, edges.per_merchant, MASS_UNITS - edges.per_merchant)


def _within_country(
    edges: EdgeSlots, tile_weight: I64, lengths: I64, law: EdgeWeights, stream: Stream
) -> I64:
    """Draws on the 1e-9 grid; a country whose draws all round to nothing splits evenly."""
    group = segment_ids(lengths)
    heaviest = np.maximum.reduceat(tile_weight, segment_starts(lengths))[group]
    tilt = (tile_weight / np.maximum(heaviest, 1)) ** law.tile_population_exponent
    gamma = gammaincinv(law.concentration, stream.uniform(edges.merchant_id, edges.address))
    drawn = np.rint(gamma * tilt * SCALAR_UNITS).astype(np.int64)
    nothing = segment_sums(drawn, lengths) == 0
    return np.where(nothing[group], 1, drawn)
