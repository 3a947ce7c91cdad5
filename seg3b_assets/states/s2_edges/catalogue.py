"""The edge catalogue, its index and the merchant profile, as tables (law section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.apportionment import segment_ids, segment_starts, segment_sums
from seg3b_assets.laws.canonical_rows import canonical_rows
from seg3b_assets.laws.geography import haversine_km
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.row_digests import digest_of, row_digests
from seg3b_assets.laws.snapping import DISTANCE_UNITS, MASS_UNITS, snap
from seg3b_assets.states.s2_edges.edges import EdgeSlots
from seg3b_assets.states.s2_edges.guards import GuardedShares
from seg3b_assets.states.s2_edges.merchants import BUCKETS, CLASSES, VirtualMerchants
from seg3b_assets.states.s2_edges.placement import EdgeZones
from seg3b_assets.states.s2_edges.surface import TilePicks

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]

SPATIAL_SURFACE_ID: Final = "tile_bounds"
CDN_POLICY_ID: Final = "cdn_country_weights"
RNG_STREAM_ID: Final = "3B.edge_catalogue"
EDGE_ID_BYTES: Final = 8


@dataclass(frozen=True)
class PlacedEdges:
    """Everything an edge is, columns (n,) in the order of ``EdgeSlots``."""

    slots: EdgeSlots
    tiles: TilePicks
    lon: F64
    lat: F64
    zones: EdgeZones
    mass: I64


def edge_ids(merchant_id: U64, seq: I64) -> pl.Series:
    """Last 8 bytes, hex, of SHA256("3B.EDGE" ‖ 0x1F ‖ decimal merchant_id ‖ 0x1F ‖ LE32 edge_seq_index)."""
    # Put together in hex, because polars joins text and the last four bytes are none.
    numbers = [number.to_bytes(4, "little").hex() for number in range(int(seq.max(initial=-1)) + 1)]
    merchant = pl.col("merchant").cast(pl.String).cast(pl.Binary).bin.encode("hex")
    names = pl.concat_str(pl.lit(b"3B.EDGE\x1f".hex()), merchant, pl.lit(b"\x1f".hex()), pl.col("seq"))
    edges = pl.DataFrame({"merchant": merchant_id, "seq": pl.Series(numbers, dtype=pl.String).gather(seq)})
    return edges.select(digest_of(names.str.decode("hex")).str.slice(-2 * EDGE_ID_BYTES)).to_series()


def build_catalogue(placed: PlacedEdges, identity: RunIdentity, cdn_policy_version: str) -> pl.DataFrame:
    """``edge_catalogue_3B``: one row per edge, sorted by merchant_id, edge_id."""
    edges = placed.slots
    frame = pl.DataFrame(
        {
            "merchant_id": edges.merchant_id,
            "edge_id": edge_ids(edges.merchant_id, edges.seq),
            "edge_seq_index": edges.seq,
            "country_iso": pl.Series(edges.country_text(), dtype=pl.String),
            "lat_deg": placed.lat,
            "lon_deg": placed.lon,
            "tzid_operational": pl.Series(placed.zones.tzid, dtype=pl.String),
            "tz_source": pl.Series(placed.zones.source, dtype=pl.String),
            "edge_weight": placed.mass / MASS_UNITS,
            "hrsl_tile_id": pl.Series(placed.tiles.tile_id).cast(pl.String),
            "rng_event_id": row_digests(event_names(edges)),
        },
        schema_overrides={"edge_id": pl.String, "rng_event_id": pl.String},
    ).sort("merchant_id", "edge_id")
    frame = frame.with_columns(
        seed=pl.lit(identity.seed, pl.UInt64),
        manifest_fingerprint=pl.lit(identity.manifest_fingerprint),
        spatial_surface_id=pl.lit(SPATIAL_SURFACE_ID),
        cdn_policy_id=pl.lit(CDN_POLICY_ID),
        cdn_policy_version=pl.lit(cdn_policy_version),
        rng_stream_id=pl.lit(RNG_STREAM_ID),
        sampling_rank=_sampling_rank(frame),
    )
    return frame.with_columns(edge_digest=_edge_digests(frame, identity, cdn_policy_version))


def event_names(edges: EdgeSlots) -> pl.Series:
    """`rng_stream_id|merchant_id|edge_seq_index` of each edge."""
    names = pl.DataFrame({"merchant": edges.merchant_id, "seq": edges.seq}).select(
        pl.concat_str(
            pl.lit(f"{RNG_STREAM_ID}|"),
            pl.col("merchant").cast(pl.String),
            pl.lit("|"),
            pl.col("seq").cast(pl.String),
        )
    )
    return names.to_series()


def _sampling_rank(frame: pl.DataFrame) -> pl.Series:
    """Rank by weight within the merchant, heaviest first, ties by edge_id; the frame is in edge_id order."""
    merchant, weight = frame["merchant_id"].to_numpy(), frame["edge_weight"].to_numpy()
    order = np.lexsort((np.arange(merchant.shape[0]), -weight, merchant))
    lengths = np.unique_counts(merchant).counts
    rank = np.empty(merchant.shape[0], np.int64)
    rank[order] = np.arange(merchant.shape[0]) - segment_starts(lengths)[segment_ids(lengths)]
    return pl.Series("sampling_rank", rank)


def _edge_digests(frame: pl.DataFrame, identity: RunIdentity, cdn_policy_version: str) -> pl.Series:
    """SHA-256 hex of the canonical JSON of the 18 other columns."""
    constants: dict[str, Any] = {
        "seed": identity.seed,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "spatial_surface_id": SPATIAL_SURFACE_ID,
        "cdn_policy_id": CDN_POLICY_ID,
        "cdn_policy_version": cdn_policy_version,
        "rng_stream_id": RNG_STREAM_ID,
    }
    varying = {name: frame[name] for name in frame.columns if name not in constants}
    return row_digests(canonical_rows({**constants, **varying})).alias("edge_digest")


def build_index(catalogue: pl.DataFrame, identity: RunIdentity, folder: str, part_bytes: int) -> pl.DataFrame:
    """``edge_catalogue_index_3B``: a MERCHANT row each, ascending, and one GLOBAL row, last.

    Args:
        folder: where its part files lie, relative to the tree's root.
        part_bytes: size of its part files together.
    """
    of_merchant = catalogue.group_by("merchant_id", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("edges"), pl.col("edge_digest").str.join("")
    )
    raw = of_merchant.select(pl.col("edge_digest").str.decode("hex")).to_series()
    merchants = pl.DataFrame(
        {
            "scope": pl.repeat("MERCHANT", of_merchant.height, eager=True, dtype=pl.String),
            "merchant_id": of_merchant["merchant_id"],
            "edge_count_total": of_merchant["edges"],
            "edge_digest": row_digests(raw),
            "country_mix_summary": _country_mix(catalogue),
        }
    )
    whole = bytes.fromhex("".join(merchants["edge_digest"].to_list()))
    globally = pl.DataFrame(
        {
            "scope": ["GLOBAL"],
            "edge_catalogue_path": [folder],
            "edge_catalogue_size_bytes": [part_bytes],
            "edge_count_total_all_merchants": [catalogue.height],
            "edge_catalogue_digest_global": [sha256_hex(whole)],
        }
    )
    return pl.concat([merchants, globally], how="diagonal").with_columns(
        seed=pl.lit(identity.seed, pl.UInt64),
        manifest_fingerprint=pl.lit(identity.manifest_fingerprint),
        notes=pl.lit(None, pl.String),
    )


def _country_mix(catalogue: pl.DataFrame) -> pl.Series:
    """Canonical JSON {iso: share} per merchant, ascending merchant_id."""
    mass = (pl.col("edge_weight") * MASS_UNITS).round().cast(pl.Int64)
    by_country = (
        catalogue.group_by("merchant_id", "country_iso")
        .agg(mass=mass.sum())
        .sort("merchant_id", "country_iso")
    )
    # numpy divides; polars multiplies by the rounded reciprocal, which is off by an ulp now and then.
    shares = by_country.with_columns(share=by_country["mass"].to_numpy() / MASS_UNITS)
    # One object per merchant, not per edge: at most a few hundred keys each.
    mixes = shares.group_by("merchant_id", maintain_order=True).agg("country_iso", "share")
    texts = [
        canonical_json(dict(zip(iso, share, strict=True))).decode()
        for iso, share in zip(mixes["country_iso"].to_list(), mixes["share"].to_list(), strict=True)
    ]
    return pl.Series(texts, dtype=pl.String)


def build_profile(
    merchants: VirtualMerchants,
    placed: PlacedEdges,
    scale: F64,
    alpha: F64,
    guarded: GuardedShares,
    identity: RunIdentity,
) -> pl.DataFrame:
    """``edge_merchant_profile_3B``: what each merchant's network came out as, ascending merchant_id."""
    edges = placed.slots
    country_mass = _country_masses(placed)
    share = country_mass / MASS_UNITS
    lengths = edges.per_merchant
    top1 = np.maximum.reduceat(placed.mass, segment_starts(lengths)) if edges.total else np.zeros(0)
    hhi = (share * share).sum(axis=1)
    entropy = -np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0).sum(axis=1)
    at_home = np.array(edges.iso)[None, :] == merchants.settlement_country[:, None]
    return pl.DataFrame(
        {
            "seed": pl.repeat(identity.seed, len(merchants), dtype=pl.UInt64, eager=True),
            "manifest_fingerprint": pl.repeat(
                identity.manifest_fingerprint, len(merchants), dtype=pl.String, eager=True
            ),
            "merchant_id": merchants.merchant_id,
            "virtual_class": pl.Series(np.array(CLASSES)[merchants.virtual_class], dtype=pl.String),
            "size_bucket": pl.Series(np.array(BUCKETS)[merchants.size_bucket], dtype=pl.String),
            "edge_scale": scale,
            "edge_budget": lengths.astype(np.int64),
            "alpha": alpha,
            "guard_sparse_tail": guarded.sparse_tail,
            "guard_min_support": guarded.min_support,
            "guard_country_cap": guarded.country_cap,
            "guard_tempering": guarded.tempering,
            "merchant_top1_share": top1 / MASS_UNITS,
            "merchant_top1_country_share": share.max(axis=1, initial=0.0),
            "merchant_hhi": snap(hhi),
            "merchant_entropy": snap(entropy),
            "merchant_effective_country_count": snap(1.0 / hhi),
            "settlement_overlap": np.where(at_home, country_mass, 0).sum(axis=1) / MASS_UNITS,
            "weighted_distance_km": _weighted_distance(merchants, placed),
        }
    )


def _country_masses(placed: PlacedEdges) -> I64:
    """Mass per merchant and country, int64 (merchants, countries)."""
    edges = placed.slots
    cells = edges.counts.ravel()
    masses = np.zeros(cells.shape[0], np.int64)
    masses[cells > 0] = segment_sums(placed.mass, cells[cells > 0])
    return masses.reshape(edges.counts.shape)


def _weighted_distance(merchants: VirtualMerchants, placed: PlacedEdges) -> F64:
    edges = placed.slots
    distance = haversine_km(
        merchants.settlement_lon[edges.merchant],
        merchants.settlement_lat[edges.merchant],
        placed.lon,
        placed.lat,
    )
    weighted = segment_sums(distance * placed.mass, edges.per_merchant).astype(np.float64)
    return snap(weighted / MASS_UNITS, DISTANCE_UNITS)
