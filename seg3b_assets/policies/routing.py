"""Policies ``route_rng``, ``alias_layout`` and ``virtual_routing_fields``: what the router is promised.

These bind the alias blob's bytes, the stream a pick comes from and the columns a routed event carries.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seg3b_assets.policies.policy_model import Anchor, Identifier, Policy


class RouteRng(Policy):
    """The random stream a consumer draws an edge with."""

    policy_id: Literal["route_rng"]
    engine: Literal["philox2x64-10"]
    module: Literal["2B.virtual_edge"]
    substream_label: Literal["cdn_edge_pick"]
    event_schema: Identifier


class AliasLayout(Policy):
    """How an alias table is quantised and laid out.

    Attributes:
        quantised_bits: masses lie on a grid of 2^-quantised_bits.
        probability_bits: width of a stored threshold.
        alignment_bytes: each merchant's slice starts at a multiple of this.
    """

    policy_id: Literal["alias_layout"]
    layout_version: Literal["2B.alias.blob.v1"]
    quantised_bits: Annotated[int, Field(ge=16, le=32)]
    probability_bits: Literal[32]
    alignment_bytes: Literal[1, 2, 4, 8, 16, 32, 64]
    endianness: Literal["little"]


class VirtualRoutingFields(Policy):
    """Which columns give a routed event its zones, its settlement day and its IP geography."""

    policy_id: Literal["virtual_routing_fields"]
    tzid_settlement_field: Anchor
    tzid_operational_field: Anchor
    settlement_cutoff_rule: Literal["LOCAL_MIDNIGHT_SETTLEMENT_ZONE"]
    ip_country_field: Anchor
    ip_latitude_field: Anchor
    ip_longitude_field: Anchor
