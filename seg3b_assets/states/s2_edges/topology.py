"""From merchants to edge slots: budgets, blended and drawn shares, guards, counts (law section 4).

How many edges a merchant gets, and how concentrated its taste in countries is, are truncated lognormals by inverse
CDF of one addressed uniform, snapped. The class and size multipliers keep their shape; one common factor puts the
population's median on the policy's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.randomness import COUNTRY_ALLOC, EDGE_SCALE, PROFILE_NOISE, Stream
from seg3b_assets.laws.snapping import snap
from seg3b_assets.policies import EdgeTopology
from seg3b_assets.states.s2_edges.edges import EdgeSlots, allot_slots
from seg3b_assets.states.s2_edges.guards import GuardedShares, guard_shares
from seg3b_assets.states.s2_edges.merchants import BUCKETS, CLASSES, VirtualMerchants
from seg3b_assets.states.s2_edges.shares import CountryAtlas, blended_shares, drawn_shares

F64 = NDArray[np.float64]


class TruncatedLognormal(Protocol):
    """Parameters of the draw, in its own unit; sigma of the logarithm."""

    @property
    def median(self) -> float: ...
    @property
    def sigma(self) -> float: ...
    @property
    def minimum(self) -> float: ...
    @property
    def maximum(self) -> float: ...


def truncated_lognormal(uniform: F64, law: TruncatedLognormal) -> F64:
    """Quantiles of a lognormal cut to [minimum, maximum], snapped to 1e-9.

    x = median·exp(σ·Φ⁻¹(Φ(a) + u·(Φ(b) − Φ(a)))), a and b the bounds' standard scores. σ = 0 is the median.
    """
    if law.sigma == 0:
        return np.full(uniform.shape, float(law.median))
    low = ndtr(np.log(law.minimum / law.median) / law.sigma)
    high = ndtr(np.log(law.maximum / law.median) / law.sigma)
    drawn = law.median * np.exp(law.sigma * ndtri(low + uniform * (high - low)))
    return snap(np.clip(drawn, law.minimum, law.maximum))


def edge_budgets(
    merchants: VirtualMerchants, scale: F64, topology: EdgeTopology, created_utc: str
) -> NDArray[np.int64]:
    """Edges per merchant: scale × class × size multipliers, medianed on the policy's median, rint half even.

    A budget set by hand replaces the merchant's own and nobody else's.

    Args:
        scale: float64 (merchants,), the truncated-lognormal draw, in edges.
        created_utc: of the upstream receipt; a budget set by hand that ended before does not count.

    Raises:
        Seg3BError: ``BUDGET_TOTAL_INVALID`` when a merchant would get no edge at all.
    """
    law = topology.budget
    by_class = np.array([law.class_multiplier[name] for name in CLASSES])
    by_size = np.array([law.size_multiplier[name] for name in BUCKETS])
    shaped = scale * by_class[merchants.virtual_class] * by_size[merchants.size_bucket]
    if not shaped.size:
        return np.zeros(0, np.int64)
    budgets: NDArray[np.int64] = np.rint(shaped * (law.median / np.median(shaped))).astype(np.int64)
    for merchant, edges in law.by_hand(created_utc).items():
        budgets[merchants.merchant_id == np.uint64(merchant)] = edges
    if (budgets < 1).any():
        first = int(np.argmin(budgets))
        raise fail(
            "edge_budget_positive",
            "edge_topology.yaml:budget",
            "Raise budget.minimum or the class and size multipliers so that every merchant gets an edge.",
            merchant_id=int(merchants.merchant_id[first]),
            budget=int(budgets[first]),
        )
    return budgets


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
