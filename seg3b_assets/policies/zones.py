"""Policies ``tz_nudge`` and ``tz_overrides``: what to do where no single zone polygon covers a point."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.laws.tz_database import tz_database_zones
from seg3b_assets.policies.policy_model import (
    Iso2,
    Listed,
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


class TzOverride(PolicyModel):
    """The zone a country's points get when neither polygons nor the nudge decide."""

    country_iso: Iso2
    tzid: str
    reason: Sentence

    @model_validator(mode="after")
    def _zone_exists(self) -> Self:
        if self.tzid not in tz_database_zones():
            raise refusal("tzid", self.tzid, "a zone of the pinned tz database, as Europe/Paris")
        return self


class TzOverrides(Policy):
    """Overrides by country, at most one each."""

    policy_id: Literal["tz_overrides"]
    overrides: Listed[TzOverride] = ()

    @model_validator(mode="after")
    def _names_each_country_once(self) -> Self:
        countries = (entry.country_iso for entry in self.overrides)
        require_unique("overrides", countries, "a country", ".country_iso")
        return self

    def tzid_by_country(self) -> dict[str, str]:
        """Country code to zone."""
        return {entry.country_iso: entry.tzid for entry in self.overrides}
