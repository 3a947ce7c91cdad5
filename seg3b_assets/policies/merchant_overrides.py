"""Every list of a policy that names merchants by hand and may expire, for whoever counts what of it is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seg3b_assets.laws.joined_keys import BUDGETS, EDGE_ZONES, MERCHANT_ZONES, MODES
from seg3b_assets.policies.edge_topology import MerchantBudget
from seg3b_assets.policies.loader import PolicySet
from seg3b_assets.policies.routing import RoutingMode
from seg3b_assets.policies.zones import EdgeZone, MerchantZone

Written = tuple[tuple[int, str | None], ...]


def merchant_overrides(policies: PolicySet) -> Iterator[tuple[str, Written]]:
    """Source, and merchant_id and last day of each entry; sources in a fixed order, empty ones too."""
    lists: dict[str, Sequence[MerchantBudget | MerchantZone | EdgeZone | RoutingMode]] = {
        BUDGETS: policies.edge_topology.budget.merchants,
        MERCHANT_ZONES: policies.tz_overrides.merchants,
        EDGE_ZONES: policies.tz_overrides.edges,
        MODES: policies.virtual_routing_fields.overrides,
    }
    for source, entries in lists.items():
        yield source, tuple((entry.merchant_id, entry.expires) for entry in entries)
