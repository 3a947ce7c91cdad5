"""Policy ``settlement``: where a virtual merchant is legally seated (law section 3).

Declares seat rules, the place draw and how many merchants a place holds; state S1 draws.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.policies.classification import MerchantMatch
from seg3b_assets.policies.policy_model import (
    Channel,
    Iso2,
    Listed,
    Mcc,
    MccRange,
    Policy,
    PolicyModel,
    PositiveShare,
    RuleId,
    refusal,
    require_unique,
)


class PlaceDraw(PolicyModel):
    """Weight of a place in its country's draw: (population + population_offset)^population_exponent.

    Attributes:
        population_offset: people added to every place.
        population_exponent: 1 follows population, 0 ignores it.
        max_attempts: draws before a merchant takes the least-loaded place.
    """

    population_offset: Annotated[float, Field(ge=0, le=1e7)]
    population_exponent: Annotated[float, Field(ge=0, le=2)]
    max_attempts: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def _gives_every_place_a_weight(self) -> Self:
        if self.population_offset == 0 and self.population_exponent > 0:
            raise refusal("population_offset", 0, "above 0, since some places have no recorded population")
        return self


class PlaceCapacity(PolicyModel):
    """Merchants a place holds: max(minimum, floor(per_million · (population / 1e6)^exponent))."""

    minimum: Annotated[int, Field(ge=1, le=10_000)]
    per_million: Annotated[float, Field(ge=0, le=10_000)]
    exponent: Annotated[float, Field(ge=0, le=2)]


class Jurisdiction(PolicyModel):
    """A country a rule seats merchants in, and its share among the rule's countries (any scale)."""

    country_iso: Iso2
    weight: Annotated[float, Field(gt=0, le=1e6)]


class SeatRule(PolicyModel):
    """Merchants that may be seated away from home, how often, and where.

    Conditions are those of a channel rule; all stated ones must hold.

    Attributes:
        propensity: share of matching merchants it seats; the others go on to the next rule.
    """

    rule_id: RuleId
    mcc: Listed[Mcc] = ()
    mcc_range: Listed[MccRange] = ()
    channel: Channel | None = None
    home_country: Listed[Iso2] = ()
    not_home_country: Listed[Iso2] = ()
    propensity: PositiveShare = 1.0
    jurisdictions: Annotated[Listed[Jurisdiction], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_meaningful(self) -> Self:
        if self.match.is_empty():
            raise refusal("mcc", [], "at least one condition: mcc, mcc_range, channel or home_country")
        seats = (seat.country_iso for seat in self.jurisdictions)
        require_unique("jurisdictions", seats, "a country", ".country_iso")
        return self

    @property
    def match(self) -> MerchantMatch:
        """The rule's conditions, as the record channel rules use."""
        return MerchantMatch(
            mcc=self.mcc,
            mcc_range=self.mcc_range,
            channel=self.channel,
            home_country=self.home_country,
            not_home_country=self.not_home_country,
        )


class ZoneEvidence(PolicyModel):
    """What becomes of an ingested point that is not in the zone beside it.

    Attributes:
        action: the run is refused, or it is told and used.
        tolerance_deg: how far off the zone's polygons a point may lie.
    """

    action: Literal["refuse", "warn"]
    tolerance_deg: Annotated[float, Field(ge=0.0, le=5.0)]


class Settlement(Policy):
    """Seat rules in the order they are asked, the place draw and the capacity law.

    Attributes:
        missing_coordinate: what becomes of a virtual merchant whose coordinate upstream does not give: its
            anchor is drawn, or the run is refused.
        coordinate_outside_zone: whether an ingested point must lie in its zone.
    """

    policy_id: Literal["settlement"]
    missing_coordinate: Literal["draw", "refuse"]
    coordinate_outside_zone: ZoneEvidence
    draw: PlaceDraw
    capacity: PlaceCapacity
    seat_rules: Listed[SeatRule] = ()

    @model_validator(mode="after")
    def _has_distinct_rules(self) -> Self:
        require_unique("seat_rules", (rule.rule_id for rule in self.seat_rules), "a rule id", ".rule_id")
        return self
