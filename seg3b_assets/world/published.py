"""The seed's tables as segments 1A, 1B, 2A and 3A publish them: every column of theirs, in their order and types.

Facts are ``merchants`` and ``sites``; here they get identity, counts that follow from them, and the names of the
policies by which a real segment would have come to them. Nothing of 3B's depends on what is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.world.recipe import WORLD_VERSION

_POLICIES: Final = ("prior_pack", "floor_policy", "mixture_policy", "day_effect_policy")
_WORLD_POLICY: Final = {"id": "seg3b_embedded_world", "version": WORLD_VERSION}


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
