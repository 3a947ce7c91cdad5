"""From merchants to edge slots: budgets, blended and drawn shares, guards, counts (law section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.randomness import COUNTRY_ALLOC, EDGE_SCALE, PROFILE_NOISE, Stream
from seg3b_assets.policies import EdgeTopology
from seg3b_assets.states.s2_edges.budget import edge_budgets, truncated_lognormal
from seg3b_assets.states.s2_edges.edges import EdgeSlots, allot_slots
from seg3b_assets.states.s2_edges.guards import GuardedShares, guard_shares
from seg3b_assets.states.s2_edges.merchants import CLASSES, VirtualMerchants
from seg3b_assets.states.s2_edges.shares import CountryAtlas, blended_shares, drawn_shares


@dataclass(frozen=True)
class Topology:
    """Every merchant's network before it has places.

    Attributes:
        scale, alpha: float64 (merchants,), the budget draw in edges and the concentration draw.
        guarded: country shares and whom each guard touched.
        slots: one row per edge.
    """

    scale: NDArray[np.float64]
    alpha: NDArray[np.float64]
    guarded: GuardedShares
    slots: EdgeSlots


def draw_topology(
    world: WorldIdentity, merchants: VirtualMerchants, atlas: CountryAtlas, policy: EdgeTopology
) -> Topology:
    """Draw every merchant's budget, shares and slots. A merchant's draws depend on nobody else's."""
    law = policy.country_shares
    ids = merchants.merchant_id
    scale = truncated_lognormal(Stream.of(world, EDGE_SCALE).uniform(ids, 0), policy.budget)
    alpha = truncated_lognormal(Stream.of(world, PROFILE_NOISE).uniform(ids, 0), law.profile_noise)
    blend = blended_shares(merchants, atlas, policy)
    if law.allocation == "dirichlet":
        kappa = np.array([law.by_class[name].concentration for name in CLASSES])[merchants.virtual_class]
        drawn = drawn_shares(blend, kappa * alpha, Stream.of(world, COUNTRY_ALLOC), ids, atlas.iso)
    else:
        drawn = blend
    guarded = guard_shares(drawn, blend, law.guards)
    budgets = edge_budgets(merchants, scale, policy, world.created_utc)
    return Topology(scale, alpha, guarded, allot_slots(ids, atlas.iso, guarded.masses, budgets))
