"""Policy ``cdn_country_weights``: where on earth online custom comes from (law section 4, prior).

The file is derived (``python -m seg3b_assets.policies.derive_country_weights``), not typed in.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.policies.policy_model import Iso2, Listed, Policy, PolicyModel, refusal, worded

SUM_TOLERANCE: Final = 1e-9

Region = Annotated[str, worded(r"^[A-Z][A-Z_]{1,39}$", "a region name in capitals and underscores")]


class CountryWeight(PolicyModel):
    """One country or territory with people.

    Attributes:
        weight: its share of the world's internet users, a decimal of at most twelve places.
        region: name shared by the countries that count as its neighbourhood.
    """

    country_iso: Iso2
    weight: Annotated[float, Field(gt=0, le=1)]
    region: Region


class CdnCountryWeights(Policy):
    """Prior weights of all countries, ascending by code, summing to 1."""

    policy_id: Literal["cdn_country_weights"]
    # What a world does that has no polygon, tiles or zones for a country; a file from before the key has it dropped.
    missing_country: Literal["drop", "refuse"] = "drop"
    countries: Annotated[Listed[CountryWeight], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_a_distribution(self) -> Self:
        codes = [country.country_iso for country in self.countries]
        for at, (before, code) in enumerate(pairwise(codes), start=1):
            if code <= before:
                allowed = f"codes in rising order, so one after {before}"
                raise refusal(f"countries[{at}].country_iso", code, allowed)
        total = math.fsum(country.weight for country in self.countries)
        if abs(total - 1.0) > SUM_TOLERANCE:
            raise refusal("countries", total, f"weights that sum to 1 (within {SUM_TOLERANCE:g})")
        return self
