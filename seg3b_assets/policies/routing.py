"""Policies ``route_rng``, ``alias_layout`` and ``virtual_routing_fields``: what the router is promised.

These bind the alias blob's bytes, the stream a pick comes from, and the fields of a routed event to columns.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.laws.overrides import is_current
from seg3b_assets.policies.policy_model import (
    Anchor,
    Day,
    EventField,
    Listed,
    MerchantId,
    Policy,
    PolicyModel,
    SchemaAnchor,
    refusal,
    require_unique,
    worded,
)


class RouteRng(Policy):
    """The random stream a consumer draws an edge with."""

    policy_id: Literal["route_rng"]
    engine: Literal["philox2x64-10"]
    module: Literal["2B.virtual_edge"]
    substream_label: Literal["cdn_edge_pick"]
    event_schema: SchemaAnchor


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


class RoutingMode(PolicyModel):
    """How a router treats one merchant, whatever it was classified as.

    Attributes:
        mode: virtual: every payment through an edge; hybrid: through an edge or an outlet; disable_virtual: never
            through an edge.
        expires: the last day it holds, against the upstream receipt's; it holds for ever without one.
    """

    merchant_id: MerchantId
    mode: Literal["virtual", "hybrid", "disable_virtual"]
    notes: Annotated[str, worded(r'^[^"\\\x00-\x1f]{3,400}$', "a sentence without a quote or a backslash")]
    expires: Day | None = None


class VirtualRoutingFields(Policy):
    """Which fields a router fills in an event, and which published column each takes its value from.

    Attributes:
        tzid_settlement_field, tzid_operational_field, settlement_day_field, ip_country_field,
            ip_latitude_field, ip_longitude_field: the event's fields.
        overrides: merchants a router treats otherwise.
        tzid_settlement_source and so on: dataset.column of their values. The settlement day has none: it is
            the day, by settlement_cutoff_rule, of the event's instant in the settlement's zone.
    """

    policy_id: Literal["virtual_routing_fields"]
    tzid_settlement_field: EventField
    tzid_settlement_source: Anchor
    tzid_operational_field: EventField
    tzid_operational_source: Anchor
    settlement_day_field: EventField
    settlement_cutoff_rule: Literal["LOCAL_MIDNIGHT_SETTLEMENT_ZONE"]
    ip_country_field: EventField
    ip_country_source: Anchor
    ip_latitude_field: EventField
    ip_latitude_source: Anchor
    ip_longitude_field: EventField
    ip_longitude_source: Anchor
    overrides: Listed[RoutingMode] = ()

    @model_validator(mode="after")
    def _each_field_once(self) -> Self:
        filled: set[str] = set()
        for key, value in self:
            if key.endswith("_field"):
                if value in filled:
                    raise refusal(key, value, "an event field that no other binding fills")
                filled.add(value)
        require_unique("overrides", (one.merchant_id for one in self.overrides), "a merchant", ".merchant_id")
        return self

    def modes(self, created_utc: str) -> tuple[RoutingMode, ...]:
        """Overrides in force, by ascending merchant_id.

        Args:
            created_utc: of the upstream receipt.
        """
        active = [one for one in self.overrides if is_current(one.expires, created_utc)]
        return tuple(sorted(active, key=lambda one: one.merchant_id))
