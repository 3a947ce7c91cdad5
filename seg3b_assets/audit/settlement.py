"""S1's settlements re-derived (law section 3): legal country, place, zone, ids and digests.

Where an anchor is no place of its country at all is told apart from one that is not the place drawn (``anchors``).
An ingested anchor must be its row of the sealed coordinates file.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.anchors import COORDINATES, GAZETTEER, Anchors, anchors_of, gazetteer_of
from seg3b_assets.audit.checks import check
from seg3b_assets.audit.maps import OVERRIDE, Maps
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.canonical_rows import canonical_rows
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.joined_keys import far_from_zone
from seg3b_assets.laws.row_digests import row_digests
from seg3b_assets.laws.tz_database import tz_database_zones

TEXT = NDArray[np.str_]

_PLACED: Final = (
    "S1.settlement_coordinate",
    "S1.settlement_place",
    "S1.settlement_coord_digest",
    "S1.settlement_source",
    "S1.settlement_evidence",
    "S1.settlement_country",
    "S1.settlement_zone",
)


def audit_settlement(
    context: AuditContext,
    table: pl.DataFrame | None,
    classification: pl.DataFrame | None,
    merchants: pl.DataFrame | None,
    maps: Maps | None,
    expected: pl.DataFrame | None,
) -> None:
    """Every settlement check.

    Args:
        table: ``virtual_settlement_3B``; classification: ``virtual_classification_3B``.
        merchants: the upstream table; maps: country and zone polygons; expected: ``expected_settlements``.
    """
    if table is None:
        return
    context.findings.counts["settlements"] = table.height
    _same_merchants(context, table, classification)
    _site_ids(context, table)
    _tz_policy(context, table)
    gazetteer = gazetteer_of(context)
    if merchants is None or gazetteer is None:
        context.findings.skip("merchants or gazetteer are not at hand", *_PLACED)
        return
    anchors = anchors_of(context, table, merchants)
    _coordinates(context, anchors, gazetteer)
    if expected is None:
        context.findings.skip("polygons are not at hand", "S1.settlement_place")
    else:
        drawn = expected.filter(pl.col("decided_by") == "DRAWN")
        _drawn_places(context, anchors, drawn.select("merchant_id", "place_id", "lat_deg", "lon_deg"))
    _sources(context, anchors)
    _evidence(context, anchors, maps)
    if maps is None:
        context.findings.skip("polygons are not at hand", "S1.settlement_country", "S1.settlement_zone")
        return
    _countries(context, anchors, maps)
    _zones(context, anchors, maps)


@check("S1.settlement_lineage_set", "§3 settlement", "a settlement without its country, or a country of none")
@check(
    "S1.settlement_lineage", "§3 settlement", "the country is not that the anchor was drawn for, or lies in"
)
def audit_settlement_lineage(
    context: AuditContext, lineage: pl.DataFrame | None, expected: pl.DataFrame | None
) -> None:
    """``virtual_settlement_lineage_3B``: a row per virtual merchant; country and place are those of the draw.

    Args:
        expected: as ``expected_settlements`` gives them.
    """
    checks = ("S1.settlement_lineage_set", "S1.settlement_lineage")
    if lineage is None or expected is None:
        context.findings.skip("merchants, polygons or the lineage are not at hand", *checks)
        return
    context.findings.same_set(checks[0], lineage["merchant_id"], expected["merchant_id"])
    wanted = expected.select(
        "merchant_id",
        settlement_country_iso=pl.when(pl.col("country") != "").then("country"),
        decided_by="decided_by",
        place_id="place_id",
    )
    if gazetteer_of(context) is None:
        context.findings.skip("the gazetteer is not at hand", checks[1])
        return
    names = [name for name in wanted.columns if name != "merchant_id"]
    joined = lineage.join(wanted, on="merchant_id", how="inner", suffix="_expected", maintain_order="left")
    context.findings.compare(
        checks[1], joined, joined.select(pl.col(f"{name}_expected").alias(name) for name in names)
    )


@check("S1.settlement_set", "§3 settlement", "a virtual merchant without its one settlement")
def _same_merchants(context: AuditContext, table: pl.DataFrame, classification: pl.DataFrame | None) -> None:
    if classification is None:
        context.findings.skip("the classification is not at hand", "S1.settlement_set")
        return
    virtual = classification.filter("is_virtual")["merchant_id"]
    context.findings.same_set("S1.settlement_set", table["merchant_id"], virtual)


@check("S1.settlement_site_id", "§3 settlement", "the id is not the merchant's")
def _site_ids(context: AuditContext, table: pl.DataFrame) -> None:
    names = table.select(pl.concat_str(pl.lit("3B.SETTLEMENT\x1f"), pl.col("merchant_id"))).to_series()
    expected = row_digests(names).str.slice(-16)
    context.findings.compare("S1.settlement_site_id", table, {"settlement_site_id": expected})


@check("S1.tz_policy_digest", "§3 settlement", "the zone policies are not those of the row")
def _tz_policy(context: AuditContext, table: pl.DataFrame) -> None:
    files = context.tree.policies.files
    digest = sha256_json({name: files[name].sha256 for name in ("tz_nudge", "tz_overrides")})
    expected = pl.repeat(digest, table.height, dtype=pl.String, eager=True)
    context.findings.compare("S1.tz_policy_digest", table, {"tz_policy_digest": expected})


@check("S1.settlement_coordinate", "§3 settlement", "the anchor is no place of its country, nor ingested")
@check("S1.settlement_coord_digest", "§3 settlement", "the anchor or its digest was edited")
def _coordinates(context: AuditContext, anchors: Anchors, gazetteer: pl.DataFrame) -> None:
    """The point is a place of the legal country, or the ingested one; the digest names that very source."""
    places = gazetteer.rename({"country_iso": "legal"})
    points = (
        anchors.table.select("merchant_id", "lat_deg", "lon_deg", "settlement_coord_digest")
        .with_columns(legal=pl.Series(anchors.legal.tolist(), dtype=pl.String))
        .with_row_index("at")
        .join(places, on=["legal", "lat_deg", "lon_deg"], how="inner")
    )
    drawn_digest = _row_digests(points, ("merchant_id", "place_id", "lat_deg", "lon_deg"))
    matched = points.filter(points["settlement_coord_digest"] == drawn_digest)["at"].to_numpy()
    from_file = anchors.from_file
    is_place, named = np.zeros_like(from_file), np.zeros_like(from_file)
    is_place[points["at"].to_numpy()] = True
    named[matched] = True
    same_point = _same(anchors.table, anchors.ingested, ("lat_deg", "lon_deg"))
    ingested_digest = _row_digests(anchors.ingested, ("merchant_id", "evidence_url", "lat_deg", "lon_deg"))
    same_digest = (anchors.table["settlement_coord_digest"] == ingested_digest).to_numpy()
    placed = np.where(from_file, same_point, is_place)
    digested = np.where(from_file, same_digest, named | ~is_place)

    def example(row: int) -> dict[str, object]:
        shown = ["merchant_id", "lat_deg", "lon_deg", "settlement_coord_digest"]
        facts = anchors.table.select(shown).row(row, named=True)
        return {**facts, "legal_country": str(anchors.legal[row]), "ingested": bool(from_file[row])}

    context.findings.rows("S1.settlement_coordinate", ~placed, example)
    context.findings.rows("S1.settlement_coord_digest", ~digested, example)


@check("S1.settlement_place", "§3 settlement", "the anchor is not the place the draw gives")
def _drawn_places(context: AuditContext, anchors: Anchors, drawn: pl.DataFrame) -> None:
    """The point of every drawn anchor is that of the place the merchant's draw gives.

    Args:
        drawn: merchant_id, place_id, lat_deg, lon_deg.
    """
    both = anchors.table.join(drawn, on="merchant_id", how="inner", suffix="_drawn", maintain_order="left")
    moved = ~_same(
        both, both.select(lat_deg="lat_deg_drawn", lon_deg="lon_deg_drawn"), ("lat_deg", "lon_deg")
    )

    def example(row: int) -> dict[str, object]:
        names = ["merchant_id", "place_id", "lat_deg_drawn", "lon_deg_drawn", "lat_deg", "lon_deg"]
        facts = both.select(names).row(row, named=True)
        expected = {
            "place_id": facts["place_id"],
            "lat_deg": facts["lat_deg_drawn"],
            "lon_deg": facts["lon_deg_drawn"],
        }
        found = {name: facts[name] for name in ("lat_deg", "lon_deg")}
        return {"merchant_id": facts["merchant_id"], "expected": expected, "found": found}

    context.findings.rows("S1.settlement_place", moved, example)


def _row_digests(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    return row_digests(canonical_rows({name: rows[name] for name in columns}))


def _same(left: pl.DataFrame, right: pl.DataFrame, columns: tuple[str, ...]) -> NDArray[np.bool_]:
    same = [left[name].eq_missing(right[name]).to_numpy() for name in columns]
    all_same: NDArray[np.bool_] = np.logical_and.reduce(same)
    return all_same


@check("S1.settlement_source", "§3 settlement", "source or evidence is not the sealed one")
def _sources(context: AuditContext, anchors: Anchors) -> None:
    """coord_source_id and _version, evidence and notes are those of the anchor's source."""
    inputs, from_file = context.tree.inputs, pl.Series(anchors.from_file)
    digest = context.tree.digest_of(inputs[COORDINATES]) if COORDINATES in inputs else ""
    place = inputs.get(GAZETTEER)
    version = "" if place is None else place.parent.name if place.is_file() else place.name
    expected = anchors.ingested.select(
        coord_source_id=pl.when(from_file).then(pl.col("coord_source")).otherwise(pl.lit(GAZETTEER)),
        coord_source_version=pl.when(from_file).then(pl.lit(digest)).otherwise(pl.lit(version)),
        evidence_url=pl.col("evidence_url"),
        notes=pl.col("notes") if "notes" in anchors.ingested.columns else pl.lit(None, pl.String),
    )
    context.findings.compare("S1.settlement_source", anchors.table, expected)


@check(
    "S1.settlement_evidence", "§3 settlement", "an anchor drawn, or off its zone, where policy refuses that"
)
def _evidence(context: AuditContext, anchors: Anchors, maps: Maps | None) -> None:
    """Where the policy refuses a missing coordinate, every anchor is an ingested one; where it refuses a point off its
    zone, none is.
    """
    policy = context.tree.policies.settlement
    refused = policy.missing_coordinate == "refuse"
    if maps is not None and policy.coordinate_outside_zone.action == "refuse":
        tzid, lon, lat = (
            anchors.table[name].to_numpy() for name in ("tzid_settlement", "lon_deg", "lat_deg")
        )
        at = np.flatnonzero(anchors.from_file)
        far = np.zeros(lon.shape[0], bool)
        off = policy.coordinate_outside_zone.tolerance_deg
        far[at] = far_from_zone(tzid[at].astype("U64"), lon[at], lat[at], maps.zone_rows, off)
        context.findings.rows(
            "S1.settlement_evidence",
            far,
            lambda row: {"merchant_id": anchors.table["merchant_id"][row], "outside": str(tzid[row])},
        )
    context.findings.rows(
        "S1.settlement_evidence",
        ~anchors.from_file & refused,
        lambda row: {"merchant_id": anchors.table["merchant_id"][row], "missing_coordinate": "refuse"},
    )


@check("S1.settlement_country", "§3 settlement", "the anchor was moved out of its legal country")
def _countries(context: AuditContext, anchors: Anchors, maps: Maps) -> None:
    """A drawn anchor lies in its legal country; an ingested one is used as it is."""
    lon, lat = anchors.table["lon_deg"].to_numpy(), anchors.table["lat_deg"].to_numpy()
    covered = maps.covered(anchors.legal, lon, lat)
    context.findings.rows(
        "S1.settlement_country",
        ~covered & ~anchors.from_file,
        lambda row: {
            "merchant_id": anchors.table["merchant_id"][row],
            "legal_country": str(anchors.legal[row]),
            "lon_deg": float(lon[row]),
            "lat_deg": float(lat[row]),
        },
    )


@check("S1.settlement_zone", "§3 settlement", "the zone is not what polygons and overrides give")
def _zones(context: AuditContext, anchors: Anchors, maps: Maps) -> None:
    table, from_file = anchors.table, anchors.from_file
    by_hand = context.tree.policies.tz_overrides.named(context.tree.identity.created_utc)
    named = by_hand.of(table["merchant_id"].to_numpy())
    point = table["lon_deg"].to_numpy(), table["lat_deg"].to_numpy()
    tzid, how = maps.zone_of(anchors.legal, *point, named)
    source = np.where(from_file, "INGEST", np.where(how == OVERRIDE, "OVERRIDE", "DERIVED"))
    ingested = anchors.ingested["tzid_settlement"].fill_null("").to_numpy().astype(tzid.dtype)
    zone = np.where(from_file, ingested, tzid)
    found_zone = table["tzid_settlement"].to_numpy().astype("U64")
    found_source = table["tz_source"].to_numpy().astype("U16")
    real = np.isin(found_zone, np.array(sorted(tz_database_zones())))
    context.findings.rows(
        "S1.settlement_zone",
        (found_zone != zone) | (found_source != source) | ~real,
        lambda row: {
            "merchant_id": table["merchant_id"][row],
            "expected": {"tzid": str(zone[row]), "tz_source": str(source[row])},
            "found": {"tzid": str(found_zone[row]), "tz_source": str(found_source[row])},
        },
    )
