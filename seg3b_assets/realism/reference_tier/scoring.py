"""One seed's score in the reference tier.

A score is small: gates, the sums that are pooled, and one number or mix per merchant, so that four seeds can be judged
without holding four seeds' outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.randomness import REALISM_SAMPLE, Stream
from seg3b_assets.policies import Certification
from seg3b_assets.realism.outputs import STATE, SeedOutputs
from seg3b_assets.realism.reference_tier.class_bands import BANDED, TOP1_SPREAD
from seg3b_assets.realism.reference_tier.customers import Footprint, footprint
from seg3b_assets.realism.reference_tier.gates import ReferenceGateResult, reference_gates
from seg3b_assets.realism.reference_tier.likeness import TradeEffect, trade_effect
from seg3b_assets.realism.reference_tier.measure import Scoped
from seg3b_assets.realism.reference_tier.registry import measure_reference
from seg3b_assets.realism.reference_tier.weights import merchant_statistics
from seg3b_assets.realism.reference_tier.world import (
    Band,
    ReferenceFrames,
    ReferenceWorld,
    reference_world,
)

if TYPE_CHECKING:
    from seg3b_assets.inputs.published import Published
    from seg3b_assets.inputs.sealed import SealedInputs

F64 = NDArray[np.float64]

_GUARDS: Final = {"tempered": "guard_tempering", "capped": "guard_country_cap"}


@dataclass(frozen=True)
class ReferenceScore:
    """What one seed came to.

    Attributes:
        merchants: virtual merchants.
        measured: every measure, by name and scope.
        gates: by id; of those that need several seeds, the parts that do not.
        effect, footprint: what is pooled; None of a seed too small.
        statistics: float64 (merchants,) by name, for the comparison between seeds.
        home: ISO by merchant. mix: float64 (merchants, countries), weight by country; countries ascending ISO.
    """

    identity: RunIdentity
    merchants: int
    measured: Mapping[str, Scoped]
    gates: Mapping[str, ReferenceGateResult]
    effect: TradeEffect | None
    footprint: Footprint | None
    statistics: Mapping[str, F64]
    home: NDArray[np.str_]
    countries: NDArray[np.str_]
    mix: F64

    @property
    def seed(self) -> int:
        return self.identity.seed


def reference_frames(outputs: SeedOutputs, published: Published, inputs: SealedInputs) -> ReferenceFrames:
    """The columns the tier reads of a seed's outputs; guards from the published profile, outlets from upstream."""
    guards = published.table("edge_merchant_profile_3B", ["merchant_id", *_GUARDS.values()])
    outlets = inputs.table("outlet_catalogue", STATE, ["merchant_id", "legal_country_iso"])
    return ReferenceFrames(
        merchants=outputs.merchants.join(
            outputs.classification.select("merchant_id", "is_virtual"),
            on="merchant_id",
            how="left",
            maintain_order="left",
        ),
        virtual=outputs.settlement.select(
            "merchant_id", "lat_deg", "lon_deg", seat_country="settlement_country"
        )
        .join(outputs.profile, on="merchant_id", how="left", maintain_order="left")
        .join(
            guards.rename({theirs: ours for ours, theirs in _GUARDS.items()}), on="merchant_id", how="left"
        ),
        edges=outputs.edges.select("merchant_id", "country_iso", "lat_deg", "lon_deg", "edge_weight"),
        outlets=outlets.group_by("merchant_id", country_iso="legal_country_iso").agg(outlets=pl.len()),
    )


def class_bands_of(policy: Certification) -> dict[str, Band]:
    """The stretch bands that are also asked of every class."""
    bands: dict[str, Band] = {TOP1_SPREAD: (policy.min_top1_spread, None)}
    for rule in policy.stretch_gates.values():
        for metric in set(rule.metrics) & set(BANDED):
            if isinstance(rule.threshold, tuple):
                bands[metric] = rule.threshold
            else:
                bands[metric] = (rule.threshold, None) if rule.operator == ">=" else (None, rule.threshold)
    return bands


def score_reference(identity: RunIdentity, frames: ReferenceFrames, policy: Certification) -> ReferenceScore:
    """Measure a seed and hold it against the tier's gates.

    Raises:
        ValueError: the policy has no tier.
    """
    tier = policy.reference
    if tier is None:
        raise ValueError("the certification policy has no reference tier")
    world = reference_world(frames, Stream.of(identity, REALISM_SAMPLE), tier.terms, class_bands_of(policy))
    measured = measure_reference(world)
    return ReferenceScore(
        identity=identity,
        merchants=len(world),
        measured=measured,
        gates=reference_gates(measured, tier.gates),
        effect=None if world.small else trade_effect(world),
        footprint=None if world.small or world.outlets is None else footprint(world),
        statistics=_statistics(world),
        home=world.countries.iso[world.home],
        countries=world.countries.iso,
        mix=world.share,
    )


def _statistics(world: ReferenceWorld) -> dict[str, F64]:
    found = dict(merchant_statistics(world))
    return {
        "top1_share": found["top1_share"],
        "edges": world.edges_of.astype(np.float64),
        "countries": (world.count > 0).sum(axis=1).astype(np.float64),
        "effective_countries": found["effective_countries"],
        "home_share": found["home_share"],
        "weighted_distance_km": found["weighted_distance_km"],
    }
