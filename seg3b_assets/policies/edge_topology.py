"""Policy ``edge_topology``: how many edges a merchant has, where, and how heavy (law section 4).

Holds every number of S2's draw and refuses sets that no draw could honour. Computes nothing itself.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.laws.overrides import is_current
from seg3b_assets.policies.policy_model import (
    ByClass,
    BySize,
    Day,
    Iso2,
    Listed,
    MerchantId,
    Pair,
    Policy,
    PolicyModel,
    PositiveShare,
    Sentence,
    Share,
    refusal,
    require_bracket,
    require_unique,
)

Count = Annotated[int, Field(ge=1, le=1_000_000)]
Multiplier = Annotated[float, Field(gt=0, le=10)]
Spread = Annotated[float, Field(ge=0, le=3)]


class ClassificationOfMerchants(PolicyModel):
    """Countries whose law and tax attract sellers from elsewhere: a seat there makes an OFFSHORE_HUB."""

    hub_jurisdictions: Listed[Iso2]

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        require_unique("hub_jurisdictions", self.hub_jurisdictions, "a country")
        return self


class SizeThreshold(PolicyModel):
    """A merchant reaches the bucket with this many outlets, or sites in this many time zones."""

    outlets: Count
    zones: Count


class SizeBuckets(PolicyModel):
    """Thresholds of MEDIUM and LARGE; below both a merchant is SMALL."""

    medium: SizeThreshold
    large: SizeThreshold

    @model_validator(mode="after")
    def _rise(self) -> Self:
        for count in ("outlets", "zones"):
            medium, large = getattr(self.medium, count), getattr(self.large, count)
            if large <= medium:
                raise refusal(f"large.{count}", large, f"greater than medium.{count} = {medium}")
        return self


class MerchantBudget(PolicyModel):
    """The edges of one merchant, set by hand.

    Attributes:
        edges: exactly so many, whatever the draw gives.
        expires: the last day it holds, against the upstream receipt's; it holds for ever without one.
    """

    merchant_id: MerchantId
    edges: Annotated[int, Field(ge=1, lt=2**20)]
    reason: Sentence
    expires: Day | None = None


class Budget(PolicyModel):
    """Edges per merchant: a truncated lognormal, times class and size multipliers.

    Attributes:
        median, minimum, maximum: edges, before multipliers.
        sigma: standard deviation of the logarithm; 0 gives every merchant the median.
        published_median_band: edges; multipliers are scaled so that the published median lies inside.
        merchants: budgets set by hand; the others' are drawn as if there were none.
    """

    median: Annotated[float, Field(ge=1, le=100_000)]
    sigma: Spread
    minimum: Annotated[float, Field(ge=1, le=100_000)]
    maximum: Annotated[float, Field(ge=1, le=100_000)]
    class_multiplier: ByClass[Multiplier]
    size_multiplier: BySize[Multiplier]
    published_median_band: Pair[Annotated[float, Field(ge=1, le=100_000)]]
    merchants: Listed[MerchantBudget] = ()

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        require_bracket(self.minimum, self.median, self.maximum)
        low, high = self.published_median_band
        if not low <= self.median <= high:
            allowed = f"[low, high] around the median {self.median:g}"
            raise refusal("published_median_band", [low, high], allowed)
        require_unique("merchants", (one.merchant_id for one in self.merchants), "a merchant", ".merchant_id")
        return self

    def by_hand(self, created_utc: str) -> dict[int, int]:
        """Edges by merchant_id, of the budgets in force.

        Args:
            created_utc: of the upstream receipt.
        """
        return {one.merchant_id: one.edges for one in self.merchants if is_current(one.expires, created_utc)}


class ClassCoupling(PolicyModel):
    """How strongly a class's traffic follows its settlement.

    Attributes:
        coupling: λ, share of the blend that follows distance rather than the world prior.
        decay_km: τ, km over which a country's pull falls by a factor e.
        concentration: κ, how closely a merchant keeps to its blend.
    """

    coupling: Share
    decay_km: Annotated[float, Field(gt=0, le=20_100)]
    concentration: Annotated[float, Field(gt=0, le=100_000)]


class ProfileNoise(PolicyModel):
    """Merchant-by-merchant factor on the concentration: a truncated lognormal."""

    median: Annotated[float, Field(gt=0, le=1000)]
    sigma: Spread
    minimum: Annotated[float, Field(gt=0, le=1000)]
    maximum: Annotated[float, Field(gt=0, le=1000)]

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        require_bracket(self.minimum, self.median, self.maximum)
        return self


class Guards(PolicyModel):
    """Shape every merchant's country shares must have; neutral at 0, 1, 1, 1.

    Attributes:
        sparse_tail_floor: smallest share a country may keep.
        min_support: fewest countries.
        max_single_country_share: largest share of one country.
        min_effective_country_count: smallest 1 / Σ share².
    """

    sparse_tail_floor: Annotated[float, Field(ge=0, le=0.1)]
    min_support: Annotated[int, Field(ge=1, le=240)]
    max_single_country_share: PositiveShare
    min_effective_country_count: Annotated[float, Field(ge=1, le=240)]

    @model_validator(mode="after")
    def _can_hold_together(self) -> Self:
        if self.sparse_tail_floor * self.min_support > 1:
            allowed = f"at most 1 / min_support = {1 / self.min_support:.6g}"
            raise refusal("sparse_tail_floor", self.sparse_tail_floor, allowed)
        if self.max_single_country_share * self.min_support < 1:
            allowed = f"at least 1 / min_support = {1 / self.min_support:.6g}"
            raise refusal("max_single_country_share", self.max_single_country_share, allowed)
        if self.min_effective_country_count > self.min_support:
            allowed = f"at most min_support = {self.min_support}"
            raise refusal("min_effective_country_count", self.min_effective_country_count, allowed)
        return self


class CountryShares(PolicyModel):
    """The world prior, the pull of the settlement, the merchant's own taste, and the guards.

    Attributes:
        prior_exponent: k in prior^k inside the kernel.
        same_country_boost, same_region_boost: factors on the kernel at home and in the home region.
        allocation: dirichlet draws a profile per merchant; expected uses the blend itself.
    """

    prior_exponent: Annotated[float, Field(ge=0, le=2)]
    same_country_boost: Annotated[float, Field(gt=0, le=1000)]
    same_region_boost: Annotated[float, Field(gt=0, le=1000)]
    by_class: ByClass[ClassCoupling]
    allocation: Literal["dirichlet", "expected"]
    profile_noise: ProfileNoise
    guards: Guards


class EdgeWeights(PolicyModel):
    """How a country's traffic spreads over the merchant's edges in it.

    Attributes:
        law: dirichlet is heavy-tailed; equal gives every edge of the merchant the same weight.
        concentration: Dirichlet parameter per edge.
        tile_population_exponent: how strongly an edge's weight follows the people in its tile.
    """

    law: Literal["dirichlet", "equal"]
    concentration: Annotated[float, Field(gt=0, le=1000)]
    tile_population_exponent: Annotated[float, Field(ge=0, le=2)]


class Placement(PolicyModel):
    """Tries to place an edge inside tile and country before giving up."""

    max_attempts: Annotated[int, Field(ge=1, le=64)]


class Publish(PolicyModel):
    """How the catalogue is cut into files."""

    edges_per_part: Annotated[int, Field(ge=1000, le=10_000_000)]


class EdgeTopology(Policy):
    """Everything S2 draws from."""

    policy_id: Literal["edge_topology"]
    classification_of_merchants: ClassificationOfMerchants
    size_buckets: SizeBuckets
    budget: Budget
    country_shares: CountryShares
    edge_weights: EdgeWeights
    placement: Placement
    publish: Publish
