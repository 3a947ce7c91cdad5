"""One seed as segments 1A, 1B, 2A and 3A publish it: where outlets stand, every column of their tables, bundles, flags.

An outlet stands near a populated place, inside its zone. A place is drawn by its people; the outlet is moved off it by
a few kilometres, and stays on it when that would leave the zone. Zone and country follow from the place. These facts
and ``merchants`` get identity, counts that follow from them, and the names of the policies by which a real segment
would have come to them. Nothing of 3B's depends on what is added.

Each bundle lists the digests of the datasets it certifies, and each has its own index shape and flag digest (law
section 2). 1A's index lists itself; 1B's does not: both are legal upstream, so both are met here. S0 checks the same
laws by its own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.snapping import snap
from seg3b_assets.world.draws import Draws, pick_in_groups
from seg3b_assets.world.merchants import Trade
from seg3b_assets.world.recipe import MICRO, WORLD_VERSION

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SPREAD_DEG: Final = 0.04
_ATTEMPTS: Final = 3

SITE_KEY: Final = ("merchant_id", "legal_country_iso", "site_order")

_POLICIES: Final = ("prior_pack", "floor_policy", "mixture_policy", "day_effect_policy")
_WORLD_POLICY: Final = {"id": "seg3b_embedded_world", "version": WORLD_VERSION}

FLAG: Final = "_passed.flag"
INDEX: Final = "index.json"

CERTIFIED: Final[Mapping[str, tuple[str, ...]]] = {
    "1A": ("outlet_catalogue", "transaction_schema_merchant_ids"),
    "1B": ("site_locations", "tile_bounds", "tile_index", "tile_weights", "world_countries"),
    "2A": ("settlement_gazetteer", "site_timezones", "tz_world"),
    "3A": ("zone_alloc",),
}
"""Which datasets each segment answers for."""


@dataclass(frozen=True)
class SiteTables:
    """The four outlet tables of a world, sorted by their keys."""

    outlet_catalogue: pl.DataFrame
    site_locations: pl.DataFrame
    site_timezones: pl.DataFrame
    zone_alloc: pl.DataFrame


def place_sites(trade: Trade, places: pl.DataFrame, zones: pl.DataFrame, draws: Draws) -> SiteTables:
    """Give every outlet a point and a zone.

    Args:
        trade: merchants and outlets. places: the gazetteer. zones: tzid, geometry (WKB) of tz_world.
    """
    gazetteer = places.sort("country_iso", "place_id")
    country = gazetteer["country_iso"].to_numpy().astype("U2")
    start = np.searchsorted(country, trade.countries, side="left")[trade.outlet_country]
    stop = np.searchsorted(country, trade.countries, side="right")[trade.outlet_country]
    uniforms = draws.uniforms("place", start.shape[0])
    place = pick_in_groups(gazetteer["population"].to_numpy(), start, stop, uniforms)
    tzid = gazetteer["tzid"].to_numpy().astype("U40")[place]
    lon, lat = gazetteer["lon_deg"].to_numpy()[place], gazetteer["lat_deg"].to_numpy()[place]
    lon, lat = _scatter(lon, lat, tzid, zones, draws)
    return _tables(trade, lon, lat, tzid)


def _scatter(
    lon: F64, lat: F64, tzid: NDArray[np.str_], zones: pl.DataFrame, draws: Draws
) -> tuple[F64, F64]:
    """Move each point off its place, at half the distance after each miss, never out of its zone."""
    geometry = dict(zip(zones["tzid"].to_list(), shapely.from_wkb(zones["geometry"].to_list()), strict=True))
    placed_lon, placed_lat = lon.copy(), lat.copy()
    pending = np.arange(lon.shape[0])
    for attempt in range(_ATTEMPTS):
        reach = _SPREAD_DEG / (1 << attempt)
        to_lon = snap(lon + reach * _triangular(draws, f"east_{attempt}", lon.shape[0]), MICRO)[pending]
        to_lat = snap(lat + reach * _triangular(draws, f"north_{attempt}", lon.shape[0]), MICRO)[pending]
        inside = _in_zone(to_lon, to_lat, tzid[pending], geometry)
        placed_lon[pending[inside]], placed_lat[pending[inside]] = to_lon[inside], to_lat[inside]
        pending = pending[~inside]
    return placed_lon, placed_lat


def _triangular(draws: Draws, label: str, count: int) -> F64:
    """In (−1, 1), most often near 0."""
    return draws.uniforms(f"{label}_a", count) - draws.uniforms(f"{label}_b", count)


def _in_zone(
    lon: F64, lat: F64, tzid: NDArray[np.str_], geometry: dict[str, shapely.Geometry]
) -> NDArray[np.bool_]:
    inside = np.zeros(lon.shape[0], bool)
    for zone, at in groups(tzid):
        polygon = geometry[str(zone)]
        shapely.prepare(polygon)
        inside[at] = shapely.contains_xy(polygon, lon[at], lat[at])
    return inside


def _site_order(trade: Trade) -> NDArray[np.int32]:
    """1-based number of each outlet within its merchant and country."""
    key = trade.outlet_merchant * len(trade.countries) + trade.outlet_country
    new = np.ones(key.shape, bool)
    new[1:] = key[1:] != key[:-1]
    position = np.arange(key.shape[0])
    return (position - np.maximum.accumulate(np.where(new, position, 0)) + 1).astype(np.int32)


def _tables(trade: Trade, lon: F64, lat: F64, tzid: NDArray[np.str_]) -> SiteTables:
    country = np.array(trade.countries)[trade.outlet_country]
    sites = pl.DataFrame(
        [
            pl.Series("merchant_id", trade.merchant_id[trade.outlet_merchant]),
            pl.Series("legal_country_iso", country.tolist(), dtype=pl.String),
            pl.Series("site_order", _site_order(trade)),
            pl.Series("lon_deg", lon),
            pl.Series("lat_deg", lat),
            pl.Series("tzid", tzid.tolist(), dtype=pl.String),
        ]
    ).sort(SITE_KEY)
    zone_key = ("merchant_id", "legal_country_iso", "tzid")
    counted = sites.group_by(zone_key).agg(pl.len().cast(pl.Int32).alias("zone_site_count")).sort(zone_key)
    return SiteTables(
        outlet_catalogue=sites.select(SITE_KEY),
        site_locations=sites.select(*SITE_KEY, "lon_deg", "lat_deg"),
        site_timezones=sites.select(*SITE_KEY, "tzid"),
        zone_alloc=counted,
    )


def published_tables(facts: Mapping[str, pl.DataFrame], world: WorldIdentity) -> dict[str, pl.DataFrame]:
    """The five tables that depend on the seed, by dataset.

    Args:
        facts: the merchants and, sorted by their keys, ``outlet_catalogue``, ``site_locations``, ``site_timezones``
            and ``zone_alloc`` with the columns that ``SiteTables`` has.
    """
    merchants = facts["transaction_schema_merchant_ids"]
    return {
        # Ingress publishes them as signed integers; ids of this world are below 2^63.
        "transaction_schema_merchant_ids": merchants.cast({"merchant_id": pl.Int64}),
        "outlet_catalogue": _outlets(facts["outlet_catalogue"], merchants, world),
        "site_locations": facts["site_locations"].cast({"site_order": pl.Int64}),
        "site_timezones": _zones(facts["site_timezones"], world),
        "zone_alloc": _allocation(facts["zone_alloc"], world),
    }


def _outlets(outlets: pl.DataFrame, merchants: pl.DataFrame, world: WorldIdentity) -> pl.DataFrame:
    homes = merchants.select("merchant_id", "home_country_iso")
    of_merchant = pl.len().over("merchant_id")
    return outlets.join(homes, on="merchant_id", how="left", maintain_order="left").select(
        manifest_fingerprint=pl.lit(world.manifest_fingerprint),
        merchant_id="merchant_id",
        site_id=pl.col("site_order").cast(pl.String).str.zfill(6),
        home_country_iso="home_country_iso",
        legal_country_iso="legal_country_iso",
        single_vs_multi_flag=of_merchant > 1,
        raw_nb_outlet_draw=of_merchant.cast(pl.Int32),
        final_country_outlet_count=pl.len().over("merchant_id", "legal_country_iso").cast(pl.Int32),
        site_order=pl.col("site_order").cast(pl.Int32),
        global_seed=pl.lit(world.seed, pl.UInt64),
    )


def _zones(sites: pl.DataFrame, world: WorldIdentity) -> pl.DataFrame:
    return sites.select(
        seed=pl.lit(world.seed, pl.UInt64),
        manifest_fingerprint=pl.lit(world.manifest_fingerprint),
        merchant_id="merchant_id",
        legal_country_iso="legal_country_iso",
        site_order=pl.col("site_order").cast(pl.Int64),
        tzid="tzid",
        tzid_source=pl.lit("polygon"),
        override_scope=pl.lit(None, pl.String),
        nudge_lat_deg=pl.lit(None, pl.Float64),
        nudge_lon_deg=pl.lit(None, pl.Float64),
        created_utc=pl.lit(world.created_utc),
    )


def _allocation(zones: pl.DataFrame, world: WorldIdentity) -> pl.DataFrame:
    in_country = pl.col("zone_site_count").sum().over("merchant_id", "legal_country_iso").cast(pl.Int64)
    # Every policy by which a real segment allots zones is this world's one way of placing outlets.
    policies = {f"{name}_{key}": pl.lit(value) for name in _POLICIES for key, value in _WORLD_POLICY.items()}
    return zones.select(
        seed=pl.lit(world.seed, pl.UInt64),
        manifest_fingerprint=pl.lit(world.manifest_fingerprint),
        merchant_id="merchant_id",
        legal_country_iso="legal_country_iso",
        tzid="tzid",
        zone_site_count=pl.col("zone_site_count").cast(pl.Int64),
        zone_site_count_sum=in_country,
        site_count=in_country,
        **policies,
        routing_universe_hash=pl.lit(sha256_hex(f"seg3b.world|{world.parameter_hash}".encode())),
        alpha_sum_country=pl.lit(None, pl.Float64),
        notes=pl.lit(None, pl.String),
    )


def write_bundles(root: Path, world: WorldIdentity, digests: Mapping[str, str]) -> None:
    """Write all four bundles below ``root``.

    Args:
        digests: dataset id to hex digest, every dataset of ``CERTIFIED``.
    """
    for segment, datasets in CERTIFIED.items():
        folder = (
            root
            / "data/layer1"
            / segment
            / "validation"
            / f"manifest_fingerprint={world.manifest_fingerprint}"
        )
        folder.mkdir(parents=True)
        members = _members(segment, world, {dataset: digests[dataset] for dataset in datasets})
        index = canonical_json(_INDEX_OF[segment](world, members))
        digest = _flag_digest(segment, members, index)
        for name, data in {**members, INDEX: index}.items():
            (folder / name).write_bytes(data)
        (folder / FLAG).write_bytes(f"sha256_hex = {digest}\n".encode())


def _members(segment: str, world: WorldIdentity, digests: dict[str, str]) -> dict[str, bytes]:
    identity = {"manifest_fingerprint": world.manifest_fingerprint, "parameter_hash": world.parameter_hash}
    summary = {
        **identity,
        "segment": segment,
        "seed": world.seed,
        "status": "PASS",
        "produced_by": f"seg3b embedded world {WORLD_VERSION}",
    }
    return {
        f"certified_datasets_{segment}.json": canonical_json({**identity, "datasets": digests}),
        f"validation_summary_{segment}.json": canonical_json(summary),
    }


def _array_index(members: dict[str, bytes], itself: bool) -> list[dict[str, Any]]:
    paths = sorted([*members, INDEX] if itself else members)
    return [
        {
            "artifact_id": path.removesuffix(".json"),
            "kind": "summary",
            "path": path,
            "mime": "application/json",
            "notes": None,
        }
        for path in paths
    ]


def _index_1a(world: WorldIdentity, members: dict[str, bytes]) -> Any:
    return _array_index(members, itself=True)


def _index_1b(world: WorldIdentity, members: dict[str, bytes]) -> Any:
    return _array_index(members, itself=False)


def _index_2a(world: WorldIdentity, members: dict[str, bytes]) -> Any:
    return {
        "files": [{"path": path, "sha256_hex": sha256_hex(data)} for path, data in sorted(members.items())]
    }


def _index_3a(world: WorldIdentity, members: dict[str, bytes]) -> Any:
    return {
        "manifest_fingerprint": world.manifest_fingerprint,
        "parameter_hash": world.parameter_hash,
        "s6_receipt_digest": sha256_hex(members["validation_summary_3A.json"]),
        "members": [
            {
                "logical_id": path.removesuffix(".json"),
                "path": path,
                "schema_ref": f"schemas.3A.yaml#/validation/{path.removesuffix('.json')}",
                "sha256_hex": sha256_hex(data),
                "role": "evidence",
                "size_bytes": len(data),
            }
            for path, data in sorted(members.items())
        ],
    }


_INDEX_OF: Final = {"1A": _index_1a, "1B": _index_1b, "2A": _index_2a, "3A": _index_3a}


def _flag_digest(segment: str, members: dict[str, bytes], index: bytes) -> str:
    if segment == "3A":
        return sha256_hex("".join(sha256_hex(data) for _, data in sorted(members.items())).encode())
    hashed = {**members, INDEX: index} if segment == "1A" else members
    return sha256_hex(b"".join(data for _, data in sorted(hashed.items())))
