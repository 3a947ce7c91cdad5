"""Policies ``tz_nudge`` and ``tz_overrides``: what to do where no single zone polygon covers a point."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.laws.overrides import NamedZones, is_current
from seg3b_assets.laws.tz_database import tz_database_zones
from seg3b_assets.policies.policy_model import (
    Day,
    Iso2,
    Listed,
    MerchantId,
    Policy,
    PolicyModel,
    Sentence,
    refusal,
    require_unique,
)


class TzNudge(Policy):
    """How far, in degrees north-east, the look-up point moves when no single polygon covers it."""

    policy_id: Literal["tz_nudge"]
    epsilon_deg: Annotated[float, Field(gt=0, le=0.1)]


class _ZoneByHand(PolicyModel):
    """The zone points get when neither polygons nor the nudge decide.

    Attributes:
        expires: the last day it holds, against the upstream receipt's; it holds for ever without one.
    """

    tzid: str
    reason: Sentence
    expires: Day | None = None

    @model_validator(mode="after")
    def _zone_exists(self) -> Self:
        if self.tzid not in tz_database_zones():
            raise refusal("tzid", self.tzid, "a zone of the pinned tz database, as Europe/Paris")
        return self


class TzOverride(_ZoneByHand):
    """The zone of a country's points."""

    country_iso: Iso2


class MerchantZone(_ZoneByHand):
    """The zone of a merchant's points, its settlement among them."""

    merchant_id: MerchantId


class EdgeZone(_ZoneByHand):
    """The zone of one edge."""

    merchant_id: MerchantId
    edge_seq_index: Annotated[int, Field(ge=0, lt=2**20)]


class TzOverrides(Policy):
    """Overrides by country, by merchant and by edge, at most one each; an edge's is asked first, a country's last."""

    policy_id: Literal["tz_overrides"]
    overrides: Listed[TzOverride] = ()
    merchants: Listed[MerchantZone] = ()
    edges: Listed[EdgeZone] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        countries = (entry.country_iso for entry in self.overrides)
        require_unique("overrides", countries, "a country", ".country_iso")
        merchants = (entry.merchant_id for entry in self.merchants)
        require_unique("merchants", merchants, "a merchant", ".merchant_id")
        edges = ((entry.merchant_id, entry.edge_seq_index) for entry in self.edges)
        require_unique("edges", edges, "an edge", ".edge_seq_index")
        return self

    def tzid_by_country(self, created_utc: str) -> dict[str, str]:
        """Country code to zone, of the overrides in force.

        Args:
            created_utc: of the upstream receipt.
        """
        return {one.country_iso: one.tzid for one in self.overrides if is_current(one.expires, created_utc)}

    def named(self, created_utc: str) -> NamedZones:
        """Zones by merchant and by edge, of the overrides in force."""
        return NamedZones(
            {one.merchant_id: one.tzid for one in self.merchants if is_current(one.expires, created_utc)},
            {
                (one.merchant_id, one.edge_seq_index): one.tzid
                for one in self.edges
                if is_current(one.expires, created_utc)
            },
        )
