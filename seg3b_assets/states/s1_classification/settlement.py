"""The table ``virtual_settlement_3B``, one legal anchor per virtual merchant, and its country (law section 3).

A merchant with a row in the ingested coordinates is anchored there, zone included; every other one is drawn
from the gazetteer of its legal country and its zone resolved from polygons. Rows of the ingested file about
merchants that are not virtual in this world, or not in it at all, are left unused: the file's path carries
no seed, so one file may serve several worlds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from seg3b_assets.laws.canonical_rows import canonical_rows
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.geography import NOWHERE, CountryPolygons, covering_countries, groups
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.overrides import NamedZones
from seg3b_assets.laws.row_digests import row_digests
from seg3b_assets.laws.tz_database import tz_database_zones
from seg3b_assets.laws.zones import OVERRIDE, UNRESOLVED, ZoneResolver
from seg3b_assets.policies import PolicySet
from seg3b_assets.states.maps import unresolved_zone
from seg3b_assets.states.s1_classification.anchors import draw_anchors

GAZETTEER: Final = "settlement_gazetteer"
COORDINATES: Final = "virtual_settlement_coords"
INGEST: Final = "INGEST"
SHOWN_MISSING: Final = 20
DERIVED: Final = "DERIVED"
DRAWN: Final = "DRAWN"
HOME: Final = "HOME"
BY_POLYGON: Final = "POLYGON"
UNCOVERED: Final = "NOWHERE"
_LINEAGE: Final = ("settlement_country_iso", "decided_by", "place_id")
TZ_POLICIES: Final = ("tz_nudge", "tz_overrides")

_ANCHOR: Final = {
    "merchant_id": pl.UInt64,
    "lat_deg": pl.Float64,
    "lon_deg": pl.Float64,
    "tzid_settlement": pl.String,
    "tz_source": pl.String,
    "coord_source_id": pl.String,
    "coord_source_version": pl.String,
    "settlement_coord_digest": pl.String,
    "evidence_url": pl.String,
    "notes": pl.String,
    "settlement_country_iso": pl.String,
    "decided_by": pl.String,
    "place_id": pl.String,
}
_SITE_PREFIX: Final = "3B.SETTLEMENT\x1f"


@dataclass(frozen=True)
class AnchorSources:
    """What an anchor can come from.

    Attributes:
        gazetteer: place_id, country_iso, lat_deg, lon_deg, population; None where there is none.
        gazetteer_version: its version folder.
        zones: the zone polygons.
        ingested: the coordinates file's columns, or None where upstream has no such file.
        ingested_digest: hex64 of that file.
        polygons: of the countries, where there are ingested coordinates.
    """

    gazetteer: pl.DataFrame | None
    gazetteer_version: str
    zones: ZoneResolver
    ingested: pl.DataFrame | None = None
    ingested_digest: str = ""
    polygons: CountryPolygons | None = None


def settlement_tables(
    virtual: pl.DataFrame, sources: AnchorSources, policies: PolicySet, world: WorldIdentity
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Anchor every virtual merchant.

    Args:
        virtual: merchant_id u64 (ascending), mcc, channel, home_country_iso of the virtual merchants.

    Returns:
        The columns of ``virtual_settlement_3B`` and of ``virtual_settlement_lineage_3B``, ascending merchant_id.

    Raises:
        Seg3BError: ``SETTLEMENT_COORD_MISSING`` (a legal country without a place; a merchant without an
            ingested coordinate where the policy refuses those), ``TZ_RESOLUTION_FAILED``,
            ``TZID_INVALID``.
    """
    ingested = _ingested_anchors(virtual, sources)
    missing = virtual.join(ingested, on="merchant_id", how="anti", maintain_order="left")
    if policies.settlement.missing_coordinate == "refuse" or sources.gazetteer is None:
        _require_none(missing, sources)
    drawn = _drawn_anchors(missing, sources, policies, world)
    anchors = pl.concat([ingested, drawn]).sort("merchant_id")
    _check_zones(anchors)
    names = anchors.select(pl.concat_str(pl.lit(_SITE_PREFIX), pl.col("merchant_id"))).to_series()
    whose = {
        "seed": pl.lit(world.seed, pl.UInt64),
        "manifest_fingerprint": pl.lit(world.manifest_fingerprint),
        "merchant_id": pl.col("merchant_id"),
    }
    lineage = anchors.select(**whose, **{name: pl.col(name) for name in _LINEAGE})
    settled = anchors.select(
        **whose,
        settlement_site_id=row_digests(names).str.slice(-16),
        lat_deg=pl.col("lat_deg"),
        lon_deg=pl.col("lon_deg"),
        tzid_settlement=pl.col("tzid_settlement"),
        tz_source=pl.col("tz_source"),
        coord_source_id=pl.col("coord_source_id"),
        coord_source_version=pl.col("coord_source_version"),
        settlement_coord_digest=pl.col("settlement_coord_digest"),
        tz_policy_digest=pl.lit(tz_policy_digest(policies)),
        evidence_url=pl.col("evidence_url"),
        notes=pl.col("notes"),
    )
    return settled, lineage


def _require_none(missing: pl.DataFrame, sources: AnchorSources) -> None:
    if not missing.height:
        return
    file = "has no row for them" if sources.ingested is not None else "is not there"
    otherwise = "let their anchors be drawn: missing_coordinate: draw in settlement.yaml"
    if sources.gazetteer is None:
        otherwise = "the world, which has none, a gazetteer to draw from (`seg3b gazetteer build` makes one)"
    raise fail(
        "coordinate_ingested",
        f"{COORDINATES}:merchant_id={missing['merchant_id'][0]}",
        f"Give each of these merchants a row in the coordinates file, which {file}, or {otherwise}.",
        merchants=missing.height,
        examples=missing.head(SHOWN_MISSING).select("merchant_id", "home_country_iso").to_dicts(),
    )


def tz_policy_digest(policies: PolicySet) -> str:
    """SHA-256 of the canonical JSON {policy_id: file digest} of the two zone policies."""
    return sha256_json({policy: policies.files[policy].sha256 for policy in TZ_POLICIES})


def _ingested_anchors(virtual: pl.DataFrame, sources: AnchorSources) -> pl.DataFrame:
    if sources.ingested is None:
        return pl.DataFrame(schema=_ANCHOR)
    homes = virtual.select("merchant_id", "home_country_iso")
    rows = homes.join(sources.ingested, on="merchant_id", maintain_order="left")
    return rows.select(
        "merchant_id",
        "lat_deg",
        "lon_deg",
        "tzid_settlement",
        tz_source=pl.lit(INGEST),
        coord_source_id=pl.col("coord_source"),
        coord_source_version=pl.lit(sources.ingested_digest),
        settlement_coord_digest=_coordinate_digests(rows, "evidence_url"),
        evidence_url=pl.col("evidence_url"),
        notes=pl.col("notes") if "notes" in rows.columns else pl.lit(None, pl.String),
        **_ingested_countries(rows, sources.polygons),
        place_id=pl.lit(None, pl.String),
    )


def _ingested_countries(rows: pl.DataFrame, polygons: CountryPolygons | None) -> dict[str, pl.Series]:
    """At home where home's polygon covers the point, else the first country in ISO order whose polygon does.

    Args:
        rows: lon_deg, lat_deg, home_country_iso.
    """
    if polygons is None:
        raise ValueError("ingested coordinates need the country polygons")
    lon, lat = rows["lon_deg"].to_numpy(), rows["lat_deg"].to_numpy()
    home = rows["home_country_iso"].to_numpy().astype("U2")
    at_home = np.zeros(home.shape[0], bool)
    for code, at in groups(home):
        if str(code) in polygons.by_country:
            at_home[at] = polygons.covers(str(code), lon[at], lat[at])
    country = np.where(at_home, home, covering_countries(polygons, lon, lat))
    how = np.where(at_home, HOME, np.where(country == NOWHERE, UNCOVERED, BY_POLYGON))
    named = pl.Series(country.tolist(), dtype=pl.String)
    return {
        "settlement_country_iso": named.set(named == NOWHERE, None),
        "decided_by": pl.Series(how.tolist(), dtype=pl.String),
    }


def _drawn_anchors(
    merchants: pl.DataFrame, sources: AnchorSources, policies: PolicySet, world: WorldIdentity
) -> pl.DataFrame:
    if sources.gazetteer is None:  # and nobody to draw for
        return pl.DataFrame(schema=_ANCHOR)
    drawn = draw_anchors(merchants, sources.gazetteer, policies.settlement, world)
    tzid, source = _resolve_zones(drawn, sources.zones, policies.tz_overrides.named(world.created_utc))
    return drawn.select(
        "merchant_id",
        "lat_deg",
        "lon_deg",
        tzid_settlement=tzid,
        tz_source=source,
        coord_source_id=pl.lit(GAZETTEER),
        coord_source_version=pl.lit(sources.gazetteer_version),
        settlement_coord_digest=_coordinate_digests(drawn, "place_id"),
        evidence_url=pl.lit(None, pl.String),
        notes=pl.lit(None, pl.String),
        settlement_country_iso=pl.col("country_iso"),
        decided_by=pl.lit(DRAWN),
        place_id=pl.col("place_id"),
    )


def _coordinate_digests(rows: pl.DataFrame, evidence: str) -> pl.Series:
    names = ("merchant_id", evidence, "lat_deg", "lon_deg")
    return row_digests(canonical_rows({name: rows[name] for name in names}))


def _resolve_zones(
    drawn: pl.DataFrame, resolver: ZoneResolver, by_hand: NamedZones
) -> tuple[pl.Series, pl.Series]:
    country = drawn["country_iso"].to_numpy().astype("U2")
    named = by_hand.of(drawn["merchant_id"].to_numpy())
    point = drawn["lon_deg"].to_numpy(), drawn["lat_deg"].to_numpy()
    tzid, how = resolver.resolve(country, *point, named=named)
    resolved = pl.Series(tzid.tolist(), dtype=pl.String)
    missed = drawn.filter(resolved == UNRESOLVED)
    if missed.height:
        first = missed.row(0, named=True)
        raise unresolved_zone(
            "S1",
            "settlement_zone",
            f"{GAZETTEER}:place_id={first['place_id']}",
            (first["country_iso"], first["lon_deg"], first["lat_deg"]),
            resolver,
            {"merchants": missed.height, "example": first},
        )
    source = (pl.Series(how.tolist(), dtype=pl.String) == OVERRIDE).replace_strict(
        {True: OVERRIDE, False: DERIVED}, return_dtype=pl.String
    )
    return resolved, source


def _check_zones(anchors: pl.DataFrame) -> None:
    known = pl.Series(sorted(tz_database_zones())).implode()
    unknown = anchors.filter(~pl.col("tzid_settlement").is_in(known))
    if unknown.height:
        first = unknown.select("merchant_id", "tzid_settlement", "coord_source_id").row(0, named=True)
        raise fail(
            "zone_in_tz_database",
            f"merchant {first['merchant_id']}: {first['tzid_settlement']}",
            "Use a zone of the pinned tz database, as Europe/Paris, in the coordinates or the zone polygons.",
            in_state="S1",
            merchants=unknown.height,
            example=first,
        )
