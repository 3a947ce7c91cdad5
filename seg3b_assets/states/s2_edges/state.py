"""S2, the edge catalogue (law section 4): reads what S0 sealed and S1 published, writes nine datasets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.randomness import EDGE_JITTER, EDGE_TILE_ASSIGN, WEIGHT_SHAPE, Stream
from seg3b_assets.laws.raster import ids_on_raster
from seg3b_assets.laws.zones import ZoneResolver
from seg3b_assets.states.context import StateContext
from seg3b_assets.states.maps import read_countries, read_zones
from seg3b_assets.states.s2_edges.atlas import read_atlas
from seg3b_assets.states.s2_edges.catalogue import PlacedEdges, build_catalogue, build_index, build_profile
from seg3b_assets.states.s2_edges.edges import EdgeSlots
from seg3b_assets.states.s2_edges.evidence import (
    JITTER_DRAWS,
    TILE_ASSIGN_DRAWS,
    audit_row,
    jitter_lines,
    tile_assign_lines,
    trace_lines,
)
from seg3b_assets.states.s2_edges.merchants import VirtualMerchants, describe_merchants, outlet_footprint
from seg3b_assets.states.s2_edges.placement import Attempts, place, resolve_zones
from seg3b_assets.states.s2_edges.shares import Centroids, CountryAtlas
from seg3b_assets.states.s2_edges.spec import STATE
from seg3b_assets.states.s2_edges.surface import SURFACES, TileSurface
from seg3b_assets.states.s2_edges.topology import Topology, draw_topology
from seg3b_assets.states.s2_edges.weights import edge_masses

# The tables that this state is the first to hold against their contracts.
TABLES: Final = ("outlet_catalogue", "zone_alloc")
# What a settlement's coord_source_id says where S1 drew its place.
GAZETTEER: Final = "settlement_gazetteer"


@dataclass(frozen=True)
class _Inputs:
    merchants: VirtualMerchants
    atlas: CountryAtlas
    centroids: Centroids | None
    polygons: CountryPolygons
    zones: ZoneResolver


def run(context: StateContext) -> None:
    """Draw, place, weigh and publish every edge of the seed."""
    with context.lanes("input_resolve_and_seal"):
        inputs = _read_inputs(context)
    with context.lanes("topology"):
        topology = draw_topology(
            context.identity, inputs.merchants, inputs.atlas, context.policies.edge_topology
        )
        require_polygons(topology.slots, inputs.polygons)
    placed, attempts = _place(context, inputs, topology)
    # Evidence is mostly encoding and writing, tables mostly hashing: side by side they fill two cores.
    with ThreadPoolExecutor(1) as background:
        evidence = background.submit(_write_evidence, context, placed, attempts)
        with context.lanes("catalogue"):
            _publish_tables(context, inputs, topology, placed)
            context.out.document("s2_summary_3B", _summary(context, inputs, topology, placed, attempts))
        evidence.result()


def _write_evidence(context: StateContext, placed: PlacedEdges, attempts: Attempts) -> None:
    out, identity = context.out, context.identity
    with context.lanes("rng_evidence"):
        out.lines("rng_event_edge_tile_assign_3B", tile_assign_lines(placed, identity))
        out.lines("rng_event_edge_jitter_3B", jitter_lines(placed, attempts, identity))
        out.lines("rng_trace_log_3B", trace_lines(placed, attempts, identity))
        out.lines("rng_audit_log_3B", [canonical_json(audit_row(identity, STATE.code_version)) + b"\n"])


def _read_inputs(context: StateContext) -> _Inputs:
    read = partial(context.inputs.table, state="S2")
    merchants = read("transaction_schema_merchant_ids", columns=["merchant_id", "home_country_iso"])
    classification = context.published.table("virtual_classification_3B").select(
        "merchant_id", "is_virtual", "virtual_mode"
    )
    polygons = read_countries(context.inputs, "S2")
    described = describe_merchants(
        classification.join(merchants, on="merchant_id", how="left"),
        context.published.table("virtual_settlement_3B"),
        outlet_footprint(
            read("outlet_catalogue", columns=["merchant_id", "legal_country_iso"]),
            read("zone_alloc", columns=["merchant_id", "tzid"]),
        ),
        context.published.table("virtual_settlement_lineage_3B", ["merchant_id", "settlement_country_iso"]),
        context.policies.edge_topology,
    )
    weights = context.policies.cdn_country_weights
    atlas, centroids = read_atlas(weights, context.inputs, context.published, context.workers)
    return _Inputs(described, atlas, centroids, polygons, read_zones(context.inputs, context.policies, "S2"))


def require_polygons(edges: EdgeSlots, polygons: CountryPolygons) -> None:
    """Raise ``BUDGET_COUNTRY_WEIGHTS_INVALID`` when an edge's country has no polygon to be placed in."""
    used = np.flatnonzero(edges.counts.any(axis=0)) if edges.total else np.zeros(0, np.int64)
    absent = [edges.iso[index] for index in used if edges.iso[index] not in polygons.by_country]
    if absent:
        raise fail(
            "country_has_polygon",
            "cdn_country_weights.yaml:countries",
            "Take the countries out of the policy or supply their polygons in world_countries.",
            countries=absent[:10],
            count=len(absent),
        )


def _place(context: StateContext, inputs: _Inputs, topology: Topology) -> tuple[PlacedEdges, Attempts]:
    edges, policy = topology.slots, context.policies.edge_topology
    stream = partial(Stream.of, context.identity)
    with context.lanes("tile_assign"), context.progress.task("S2 tiles", edges.total) as step:
        surface = TileSurface.scan({name: context.inputs.path(name, "S2") for name in SURFACES})
        required = (
            [edges.iso[index] for index in np.flatnonzero(edges.counts.any(axis=0))] if edges.total else []
        )
        precheck = surface.precheck(required)
        context.out.document("tile_surface_partition_precheck_3B", {**_partition(context), **precheck})
        surface.require(precheck)
        words = stream(EDGE_TILE_ASSIGN).words(edges.merchant_id, edges.address)[0]
        tiles = surface.pick(edges, words, context.workers, step)
    with context.lanes("placement"):
        attempts = place(edges, tiles, inputs.polygons, stream(EDGE_JITTER), policy.placement.max_attempts)
        lon, lat = attempts.lon[attempts.accepted], attempts.lat[attempts.accepted]
    with context.lanes("zones"):
        zones = resolve_zones(
            edges,
            lon,
            lat,
            inputs.zones,
            context.workers,
            context.policies.tz_overrides.named(context.identity.created_utc),
        )
    with context.lanes("weights"):
        mass = edge_masses(edges, tiles.weight, policy.edge_weights, stream(WEIGHT_SHAPE))
    return PlacedEdges(edges, tiles, lon, lat, zones, mass), attempts


def _partition(context: StateContext) -> dict[str, Any]:
    identity = context.identity
    return {
        "seed": identity.seed,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
    }


def _publish_tables(context: StateContext, inputs: _Inputs, topology: Topology, placed: PlacedEdges) -> None:
    policies, identity, out = context.policies, context.identity, context.out
    catalogue = build_catalogue(placed, identity, policies.cdn_country_weights.version)
    out.table("edge_catalogue_3B", catalogue, rows_per_part=policies.edge_topology.publish.edges_per_part)
    index = build_index(
        catalogue,
        identity,
        contract("edge_catalogue_3B").relative_path(identity),
        out.outputs["edge_catalogue_3B"].bytes,
    )
    out.table("edge_catalogue_index_3B", index)
    profile = build_profile(
        inputs.merchants, placed, topology.scale, topology.alpha, topology.guarded, identity
    )
    out.table("edge_merchant_profile_3B", profile)


def _summary(
    context: StateContext, inputs: _Inputs, topology: Topology, placed: PlacedEdges, attempts: Attempts
) -> dict[str, Any]:
    edges, guarded = placed.slots, topology.guarded
    events, total = int(attempts.edge.shape[0]), edges.total
    by_country = edges.counts.sum(axis=0)
    tries, seen = np.unique_counts(attempts.attempt[attempts.accepted])
    sources = context.published.table("virtual_settlement_3B", ["coord_source_id"])["coord_source_id"]
    drawn = int((sources == GAZETTEER).sum())
    tiles = placed.tiles
    bounds = np.stack([tiles.min_lon, tiles.max_lon, tiles.min_lat, tiles.max_lat], axis=1)
    return {
        **({} if inputs.centroids is None else {"country_centroids": inputs.centroids}),
        "tile_ids_on_raster": ids_on_raster(edges.country, tiles.tile_id, bounds),
        "seed": context.identity.seed,
        "manifest_fingerprint": context.identity.manifest_fingerprint,
        "run_id": context.identity.run_id,
        "virtual_merchants": int(edges.per_merchant.shape[0]),
        "settlements_ingested": sources.len() - drawn,
        "settlements_drawn": drawn,
        "edges_total": total,
        "edges_by_country": {iso: int(n) for iso, n in zip(edges.iso, by_country, strict=True) if n},
        "attempt_histogram": {str(int(k)): int(n) for k, n in zip(tries, seen, strict=True)},
        "tz_source_counts": {
            name: int((placed.zones.source == name).sum()) for name in ("POLYGON", "NUDGE", "OVERRIDE")
        },
        "guard_counts": {
            "sparse_tail": int(guarded.sparse_tail.sum()),
            "min_support": int(guarded.min_support.sum()),
            "country_cap": int(guarded.country_cap.sum()),
            "tempering": int(guarded.tempering.sum()),
        },
        "streams": {
            EDGE_JITTER: {"events": events, "draws": JITTER_DRAWS * events, "blocks": events},
            EDGE_TILE_ASSIGN: {"events": total, "draws": TILE_ASSIGN_DRAWS * total, "blocks": total},
        },
    }
