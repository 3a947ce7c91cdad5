"""One seed of a certification: brought up to date, then scored on what that very run published.

The heads are never asked: a run with other policies leaves them alone. A seed that realism blocks at S5 has
published S0 to S4, and is scored like any other; certification is where a bad posture is looked at.

How much coupling changed (gates, "Confidence layer") is asked of the same merchants' network under the policies without
it. Every draw stays at its address, so a difference between the published network and the redrawn one is the policy's
doing alone. Nothing is published of it, and zones, evidence and digests are not computed at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.inputs.published import Published
from seg3b_assets.inputs.sealed import SealedInputs
from seg3b_assets.laws.errors import BlockedError, Seg3BError, fail
from seg3b_assets.laws.identity import RunIdentity, WorldIdentity
from seg3b_assets.laws.randomness import EDGE_JITTER, EDGE_TILE_ASSIGN, WEIGHT_SHAPE, Stream
from seg3b_assets.laws.snapping import MASS_UNITS
from seg3b_assets.pipeline import RunRecord, Segment
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.pipeline.segment import SealedSeed, seal_seed
from seg3b_assets.policies import PolicySet
from seg3b_assets.progress import SILENT, Progress
from seg3b_assets.realism import CouplingMedians, SeedOutputs, SeedScore, read_outputs, score_seed
from seg3b_assets.realism.reference_tier.scoring import reference_frames, score_reference
from seg3b_assets.settings import Settings
from seg3b_assets.states.maps import read_countries
from seg3b_assets.states.s2_edges.atlas import read_atlas
from seg3b_assets.states.s2_edges.edges import EdgeSlots
from seg3b_assets.states.s2_edges.merchants import BUCKETS, CLASSES, VirtualMerchants
from seg3b_assets.states.s2_edges.placement import place
from seg3b_assets.states.s2_edges.state import require_polygons
from seg3b_assets.states.s2_edges.surface import SURFACES, TilePicks, TileSurface
from seg3b_assets.states.s2_edges.topology import draw_topology
from seg3b_assets.states.s2_edges.weights import edge_masses

LAST_BEFORE_BLOCK: Final = "S4"


@dataclass(frozen=True)
class SeedLineage:
    """What a seed's run came to.

    Attributes:
        record: of the run: to S5, or to S4 where realism blocked S5.
        blocked: the error S5 was blocked with; None where it wrote its bundle.
    """

    record: RunRecord
    blocked: Seg3BError | None = None

    @property
    def identity(self) -> RunIdentity:
        return self.record.identity

    @property
    def lineage_id(self) -> str:
        return self.record.lineage_id

    def provenance(self, policies: Mapping[str, str]) -> dict[str, Any]:
        """What the seed's figures rest on, as its metrics document says it.

        Args:
            policies: digest by policy id.
        """
        published = self.record.published
        return {
            "lineage_id": self.lineage_id,
            "sealed_inputs_digest": self.identity.sealed_inputs_digest,
            "states": self.record.keys,
            "policies": dict(policies),
            "datasets": {name: published.digest(name) for name in published.dataset_ids},
            "flag": self.record.flag,
            "blocked": None if self.blocked is None else f"{self.blocked.code}: {self.blocked.place}",
        }


def bring_up_to_date(settings: Settings, segment: Segment, progress: Progress, seed: int) -> SeedLineage:
    """Run S0 to S5, reusing what is published; where realism blocks S5, S0 to S4.

    Raises:
        Seg3BError: of a state that failed for any other reason.
    """
    try:
        return SeedLineage(SeedRun(settings, seed, segment, progress).run())
    except BlockedError as error:
        # A blocked lineage is looked at, not put in force.
        aside = replace(settings, configured=False, promote=False)
        record = SeedRun(aside, seed, segment, progress).run(until=LAST_BEFORE_BLOCK)
        return SeedLineage(record, error)


def score_lineage(
    settings: Settings, segment: Segment, policies: Mapping[str, str], lineage: SeedLineage
) -> SeedScore:
    """Score what a lineage published; its outputs are let go again.

    Args:
        policies: digest by policy id, as the certification began with them.

    Raises:
        Seg3BError: ``SEALED_INPUT_DIGEST_MISMATCH`` when policies or upstream changed since the run.
    """
    sealed = _sealed_again(settings, segment, policies, lineage)
    outputs = read_outputs(lineage.identity, lineage.record.published, sealed.inputs)
    without = uncoupled_medians(lineage, sealed, outputs, settings.workers)
    score = score_seed(outputs, sealed.policies, without, settings.workers)
    if sealed.policies.certification.reference is None:
        return score
    frames = reference_frames(outputs, lineage.record.published, sealed.inputs)
    tier = score_reference(lineage.identity, frames, sealed.policies.certification)
    return replace(score, reference=tier)


def uncoupled_medians(
    lineage: SeedLineage, sealed: SealedSeed, outputs: SeedOutputs, workers: int
) -> CouplingMedians | None:
    """The medians of the same merchants with λ = 0 and the same random numbers; None of no merchants."""
    if outputs.settlement.is_empty():
        return None
    edges = redrawn_edges(
        lineage.identity, uncoupled(sealed.policies), lineage.record.published, sealed.inputs, workers
    )
    return CouplingMedians.of_edges(outputs.settlement, edges)


def _sealed_again(
    settings: Settings, segment: Segment, policies: Mapping[str, str], lineage: SeedLineage
) -> SealedSeed:
    identity = lineage.identity
    root = segment.upstream_root(settings, identity.seed, SILENT)
    sealed = seal_seed(segment, settings, root)
    found = {policy_id: file.sha256 for policy_id, file in sealed.policies.files.items()}
    if sealed.identity == identity and found == dict(policies):
        return sealed
    changed = sorted(name for name in found if found[name] != policies.get(name))
    raise fail(
        "inputs_unchanged",
        str(settings.policies if changed else root),
        "Leave policies and upstream alone while a certification runs, then certify again.",
        seed=identity.seed,
        policies=changed,
        expected=identity.sealed_inputs_digest,
        found=sealed.identity.sealed_inputs_digest,
    )


def uncoupled(policies: PolicySet) -> PolicySet:
    """The policies with λ = 0 in every class, and nothing else changed."""
    topology = policies.edge_topology
    shares = topology.country_shares
    classes = {name: shares.by_class[name].model_copy(update={"coupling": 0.0}) for name in CLASSES}
    by_class = shares.by_class.model_copy(update=classes)
    without = shares.model_copy(update={"by_class": by_class})
    return replace(policies, edge_topology=topology.model_copy(update={"country_shares": without}))


def redrawn_edges(
    world: WorldIdentity, policies: PolicySet, published: Published, inputs: SealedInputs, workers: int
) -> pl.DataFrame:
    """Draw, place and weigh the published merchants' network again under these policies.

    Args:
        policies: those the merchants were published with, or others; their own reproduce the catalogue.
        published: S0 to S2 of the lineage: who left the prior, settlements, and who the merchants are.
        inputs: gazetteer, country polygons and tile surfaces.
        workers: threads; never changes a figure.

    Returns:
        merchant_id u64, country_iso str, lat_deg f64, lon_deg f64, edge_weight f64; a row per edge, by
        merchant_id and edge_seq_index.

    Raises:
        Seg3BError: as S2, of a country that only this network needs.
    """
    polygons = read_countries(inputs, "S2")
    atlas, _ = read_atlas(policies.cdn_country_weights, inputs, published, workers)
    policy = policies.edge_topology
    edges = draw_topology(world, published_merchants(published), atlas, policy).slots
    require_polygons(edges, polygons)
    stream = partial(Stream.of, world)
    tiles = _tiles(edges, inputs, stream(EDGE_TILE_ASSIGN), workers)
    attempts = place(edges, tiles, polygons, stream(EDGE_JITTER), policy.placement.max_attempts)
    mass = edge_masses(edges, tiles.weight, policy.edge_weights, stream(WEIGHT_SHAPE))
    return pl.DataFrame(
        {
            "merchant_id": edges.merchant_id,
            "country_iso": pl.Series(edges.country_text(), dtype=pl.String),
            "lat_deg": attempts.lat[attempts.accepted],
            "lon_deg": attempts.lon[attempts.accepted],
            "edge_weight": mass / MASS_UNITS,
        }
    )


def published_merchants(published: Published) -> VirtualMerchants:
    """The merchants as S1 settled and S2 described them."""
    profile = published.table("edge_merchant_profile_3B", ["merchant_id", "virtual_class", "size_bucket"])
    settlement = published.table("virtual_settlement_3B", ["merchant_id", "lon_deg", "lat_deg"])
    countries = published.table("virtual_settlement_lineage_3B", ["merchant_id", "settlement_country_iso"])
    rows = profile.join(settlement, on="merchant_id", how="inner", validate="1:1")
    rows = rows.join(countries, on="merchant_id", how="inner", validate="1:1").sort("merchant_id")
    lon, lat = rows["lon_deg"].to_numpy(), rows["lat_deg"].to_numpy()
    return VirtualMerchants(
        merchant_id=rows["merchant_id"].to_numpy(),
        settlement_lon=lon,
        settlement_lat=lat,
        settlement_country=rows["settlement_country_iso"].fill_null("").to_numpy().astype("U2"),
        virtual_class=_index(rows["virtual_class"], CLASSES),
        size_bucket=_index(rows["size_bucket"], BUCKETS),
    )


def _index(names: pl.Series, order: tuple[str, ...]) -> NDArray[np.int64]:
    places = {name: place for place, name in enumerate(order)}
    return names.replace_strict(places, return_dtype=pl.Int64).to_numpy()


def _tiles(edges: EdgeSlots, inputs: SealedInputs, stream: Stream, workers: int) -> TilePicks:
    surface = TileSurface.scan({name: inputs.path(name, "S2") for name in SURFACES})
    needed = np.flatnonzero(edges.counts.any(axis=0)) if edges.total else ()
    surface.require(surface.precheck([edges.iso[index] for index in needed]))
    words = stream.words(edges.merchant_id, edges.address)[0]
    return surface.pick(edges, words, workers, lambda done: None)
