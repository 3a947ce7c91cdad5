"""S1's settlements re-derived (law section 3): legal country, place, zone, ids and digests.

Where an anchor is no place of its country at all is told apart from one that is not the place drawn (``seats``).
An ingested anchor must be its row of the sealed coordinates file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.classification import MERCHANT_COLUMNS, MerchantFacts, derive_decisions, hash_draws
from seg3b_assets.audit.maps import OVERRIDE, Maps
from seg3b_assets.audit.seats import draw_places
from seg3b_assets.audit.tree import Desk
from seg3b_assets.contracts import contract
from seg3b_assets.laws.canonical_rows import canonical_rows
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.joined_keys import far_from_zone
from seg3b_assets.laws.row_digests import row_digests
from seg3b_assets.laws.tz_database import tz_database_zones
from seg3b_assets.policies import SeatRule

TEXT = NDArray[np.str_]

COORDINATES: Final = "virtual_settlement_coords"
GAZETTEER: Final = "settlement_gazetteer"
_GAZETTEER_COLUMNS: Final = ["place_id", "country_iso", "lat_deg", "lon_deg", "population"]
_COORDINATE_COLUMNS: Final = [
    "merchant_id",
    "lat_deg",
    "lon_deg",
    "evidence_url",
    "coord_source",
    "tzid_settlement",
    "notes",
]
_PLACED: Final = (
    "S1.settlement_coordinate",
    "S1.settlement_place",
    "S1.settlement_coord_digest",
    "S1.settlement_source",
    "S1.settlement_evidence",
    "S1.settlement_country",
    "S1.settlement_zone",
)


@dataclass(frozen=True)
class _Anchors:
    """Settlements in ascending merchant_id, beside what they ought to be.

    Attributes:
        table: the published rows, joined with the merchant's upstream columns.
        ingested: the coordinates row of each merchant, nulls where there is none.
        legal: legal country of each merchant; that of an ingested anchor is not known and empty.
    """

    table: pl.DataFrame
    ingested: pl.DataFrame
    legal: TEXT

    @property
    def from_file(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.ingested["lat_deg"].is_not_null().to_numpy()
        return found


def audit_settlement(
    desk: Desk,
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
    desk.findings.counts["settlements"] = table.height
    _same_merchants(desk, table, classification)
    _site_ids(desk, table)
    _tz_policy(desk, table)
    gazetteer = _gazetteer(desk)
    if merchants is None or gazetteer is None:
        desk.findings.skip("merchants or gazetteer are not at hand", *_PLACED)
        return
    anchors = _anchors(desk, table, merchants)
    _coordinates(desk, anchors, gazetteer)
    if expected is None:
        desk.findings.skip("polygons are not at hand", "S1.settlement_place")
    else:
        drawn = expected.filter(pl.col("decided_by") == "DRAWN")
        _drawn_places(desk, anchors, drawn.select("merchant_id", "place_id", "lat_deg", "lon_deg"))
    _sources(desk, anchors)
    _evidence(desk, anchors, maps)
    if maps is None:
        desk.findings.skip("polygons are not at hand", "S1.settlement_country", "S1.settlement_zone")
        return
    _countries(desk, anchors, maps)
    _zones(desk, anchors, maps)


def expected_settlements(
    desk: Desk, merchants: pl.DataFrame | None, maps: Maps | None
) -> pl.DataFrame | None:
    """Where every merchant that the policy makes virtual ought to be settled; None where that cannot be told.

    An anchor that is drawn is in the merchant's legal country. An ingested one is at home where home's polygon
    covers it, else in the first country, in ISO order, whose polygon does.

    Args:
        merchants: the upstream table.

    Returns:
        merchant_id, country ("" for none), decided_by, place_id, lat_deg and lon_deg of a drawn place.
    """
    if merchants is None or maps is None:
        return None
    seed = desk.tree.identity.seed
    decided = derive_decisions(MerchantFacts.of(merchants), desk.tree.policies.mcc_channel_rules, seed)
    anchors = _anchors(desk, merchants.filter(decided["is_virtual"]).select("merchant_id"), merchants)
    lon, lat = (anchors.ingested[name].fill_null(0.0).to_numpy() for name in ("lon_deg", "lat_deg"))
    home = anchors.table["home_country_iso"].to_numpy().astype("U2")
    covered, first = maps.covered(home, lon, lat), maps.country_of(lon, lat)
    how = np.where(covered, "HOME", np.where(first == "", "NOWHERE", "POLYGON"))
    country = np.where(anchors.from_file, np.where(covered, home, first), anchors.legal)
    expected = pl.DataFrame(
        {
            "merchant_id": anchors.table["merchant_id"],
            "country": pl.Series(country.tolist(), dtype=pl.String),
            "decided_by": pl.Series(np.where(anchors.from_file, how, "DRAWN").tolist(), dtype=pl.String),
        }
    )
    return expected.join(_draws(desk, anchors), on="merchant_id", how="left", maintain_order="left")


def _gazetteer(desk: Desk) -> pl.DataFrame | None:
    """The places; none in a world that has none, and None where they are not at hand."""
    found = desk.input_table(GAZETTEER, _GAZETTEER_COLUMNS)
    if found is None and desk.lawfully_without(GAZETTEER):
        dtypes = contract(GAZETTEER).polars_schema
        return pl.DataFrame(schema={name: dtypes[name] for name in _GAZETTEER_COLUMNS})
    return found


def _draws(desk: Desk, anchors: _Anchors) -> pl.DataFrame:
    """merchant_id, place_id, lat_deg, lon_deg of every anchor that is drawn and not ingested."""
    drawn_for = ~anchors.from_file
    gazetteer = _gazetteer(desk)
    ids = anchors.table["merchant_id"].filter(pl.Series(drawn_for)).to_numpy()
    if gazetteer is None:
        schema = {
            "merchant_id": pl.UInt64,
            "place_id": pl.String,
            "lat_deg": pl.Float64,
            "lon_deg": pl.Float64,
        }
        return pl.DataFrame(schema=schema)
    return draw_places(desk, ids, anchors.legal[drawn_for], gazetteer)


def audit_settlement_lineage(desk: Desk, lineage: pl.DataFrame | None, expected: pl.DataFrame | None) -> None:
    """``virtual_settlement_lineage_3B``: a row per virtual merchant; country and place are those of the draw.

    Args:
        expected: as ``expected_settlements`` gives them.
    """
    checks = ("S1.settlement_lineage_set", "S1.settlement_lineage")
    if lineage is None or expected is None:
        desk.findings.skip("merchants, polygons or the lineage are not at hand", *checks)
        return
    missing = expected.join(lineage, on="merchant_id", how="anti").height
    odd = lineage.join(expected, on="merchant_id", how="anti").height
    desk.findings.equal(checks[0], {"missing": missing, "not_virtual": odd}, {"missing": 0, "not_virtual": 0})
    wanted = expected.select(
        "merchant_id",
        settlement_country_iso=pl.when(pl.col("country") != "").then("country"),
        decided_by="decided_by",
        place_id="place_id",
    )
    if _gazetteer(desk) is None:
        desk.findings.skip("the gazetteer is not at hand", checks[1])
        return
    joined = lineage.join(wanted, on="merchant_id", how="inner", suffix="_expected", maintain_order="left")
    wrong = [
        joined[name].ne_missing(joined[f"{name}_expected"]).to_numpy()
        for name in wanted.columns
        if name != "merchant_id"
    ]
    desk.findings.rows(checks[1], np.logical_or.reduce(wrong), lambda row: joined.row(row, named=True))


def _same_merchants(desk: Desk, table: pl.DataFrame, classification: pl.DataFrame | None) -> None:
    if classification is None:
        desk.findings.skip("the classification is not at hand", "S1.settlement_set")
        return
    virtual = classification.filter("is_virtual")
    missing = virtual.join(table, on="merchant_id", how="anti")["merchant_id"]
    extra = table.join(virtual, on="merchant_id", how="anti")["merchant_id"]
    repeated = table.height - table["merchant_id"].n_unique()
    count = len(missing) + len(extra) + repeated
    if count:
        example = {"missing": missing[:2].to_list(), "not_virtual": extra[:2].to_list(), "repeated": repeated}
        desk.findings.fail("S1.settlement_set", count, example)
    else:
        desk.findings.ok("S1.settlement_set")


def _site_ids(desk: Desk, table: pl.DataFrame) -> None:
    names = table.select(pl.concat_str(pl.lit("3B.SETTLEMENT\x1f"), pl.col("merchant_id"))).to_series()
    expected = row_digests(names).str.slice(-16)
    _compare_column(desk, "S1.settlement_site_id", table, "settlement_site_id", expected)


def _tz_policy(desk: Desk, table: pl.DataFrame) -> None:
    files = desk.tree.policies.files
    digest = sha256_json({name: files[name].sha256 for name in ("tz_nudge", "tz_overrides")})
    expected = pl.repeat(digest, table.height, dtype=pl.String, eager=True)
    _compare_column(desk, "S1.tz_policy_digest", table, "tz_policy_digest", expected)


def _compare_column(desk: Desk, check_id: str, table: pl.DataFrame, column: str, expected: pl.Series) -> None:
    found = table[column]
    desk.findings.rows(
        check_id,
        found.ne_missing(expected).to_numpy(),
        lambda row: {
            "merchant_id": table["merchant_id"][row],
            "column": column,
            "expected": expected[row],
            "found": found[row],
        },
    )


def _anchors(desk: Desk, table: pl.DataFrame, merchants: pl.DataFrame) -> _Anchors:
    joined = table.join(merchants, on="merchant_id", how="inner", maintain_order="left")
    coordinates = desk.input_table(COORDINATES, _COORDINATE_COLUMNS)
    if coordinates is None:
        coordinates = pl.DataFrame(
            schema={"merchant_id": pl.UInt64, "lat_deg": pl.Float64, "lon_deg": pl.Float64}
            | dict.fromkeys(_COORDINATE_COLUMNS[3:], pl.String)
        )
    of_merchant = joined.select("merchant_id").join(
        coordinates.unique("merchant_id", keep="first", maintain_order=True),
        on="merchant_id",
        how="left",
        maintain_order="left",
    )
    legal = legal_countries(
        MerchantFacts.of(joined.select(MERCHANT_COLUMNS)),
        desk.tree.policies.settlement.seat_rules,
        desk.tree.identity.seed,
    )
    return _Anchors(joined, of_merchant, legal)


def legal_countries(facts: MerchantFacts, rules: tuple[SeatRule, ...], seed: int) -> TEXT:
    """Where each merchant is legally seated: home, or what the first seat rule that takes it picks."""
    legal = facts.home.copy()
    # Backwards, so that the rule asked first has the last word.
    for rule in reversed(rules):
        taken = np.flatnonzero(facts.drawn(rule.rule_id, rule.propensity, seed, facts.fits(rule.match)))
        bounds = np.cumsum([seat.weight for seat in rule.jurisdictions])
        uniform = hash_draws(f"{rule.rule_id}#pick", seed, facts.merchant_id[taken])
        seat = np.searchsorted(bounds[:-1], uniform * bounds[-1], side="right")
        legal[taken] = np.array([seat.country_iso for seat in rule.jurisdictions])[seat]
    return legal


def _coordinates(desk: Desk, anchors: _Anchors, gazetteer: pl.DataFrame) -> None:
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

    desk.findings.rows("S1.settlement_coordinate", ~placed, example)
    desk.findings.rows("S1.settlement_coord_digest", ~digested, example)


def _drawn_places(desk: Desk, anchors: _Anchors, drawn: pl.DataFrame) -> None:
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

    desk.findings.rows("S1.settlement_place", moved, example)


def _row_digests(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    return row_digests(canonical_rows({name: rows[name] for name in columns}))


def _same(left: pl.DataFrame, right: pl.DataFrame, columns: tuple[str, ...]) -> NDArray[np.bool_]:
    same = [left[name].eq_missing(right[name]).to_numpy() for name in columns]
    all_same: NDArray[np.bool_] = np.logical_and.reduce(same)
    return all_same


def _sources(desk: Desk, anchors: _Anchors) -> None:
    """coord_source_id and _version, evidence and notes are those of the anchor's source."""
    inputs, from_file = desk.tree.inputs, pl.Series(anchors.from_file)
    digest = desk.tree.digest_of(inputs[COORDINATES]) if COORDINATES in inputs else ""
    place = inputs.get(GAZETTEER)
    version = "" if place is None else place.parent.name if place.is_file() else place.name
    expected = anchors.ingested.select(
        coord_source_id=pl.when(from_file).then(pl.col("coord_source")).otherwise(pl.lit(GAZETTEER)),
        coord_source_version=pl.when(from_file).then(pl.lit(digest)).otherwise(pl.lit(version)),
        evidence_url=pl.col("evidence_url"),
        notes=pl.col("notes") if "notes" in anchors.ingested.columns else pl.lit(None, pl.String),
    )
    for column in expected.columns:
        _compare_column(desk, "S1.settlement_source", anchors.table, column, expected[column])


def _evidence(desk: Desk, anchors: _Anchors, maps: Maps | None) -> None:
    """Where the policy refuses a missing coordinate, every anchor is an ingested one; where it refuses a point off its
    zone, none is.
    """
    policy = desk.tree.policies.settlement
    refused = policy.missing_coordinate == "refuse"
    if maps is not None and policy.coordinate_outside_zone.action == "refuse":
        tzid, lon, lat = (
            anchors.table[name].to_numpy() for name in ("tzid_settlement", "lon_deg", "lat_deg")
        )
        at = np.flatnonzero(anchors.from_file)
        far = np.zeros(lon.shape[0], bool)
        off = policy.coordinate_outside_zone.tolerance_deg
        far[at] = far_from_zone(tzid[at].astype("U64"), lon[at], lat[at], maps.zone_rows, off)
        desk.findings.rows(
            "S1.settlement_evidence",
            far,
            lambda row: {"merchant_id": anchors.table["merchant_id"][row], "outside": str(tzid[row])},
        )
    desk.findings.rows(
        "S1.settlement_evidence",
        ~anchors.from_file & refused,
        lambda row: {"merchant_id": anchors.table["merchant_id"][row], "missing_coordinate": "refuse"},
    )


def _countries(desk: Desk, anchors: _Anchors, maps: Maps) -> None:
    """A drawn anchor lies in its legal country; an ingested one is used as it is."""
    lon, lat = anchors.table["lon_deg"].to_numpy(), anchors.table["lat_deg"].to_numpy()
    covered = maps.covered(anchors.legal, lon, lat)
    desk.findings.rows(
        "S1.settlement_country",
        ~covered & ~anchors.from_file,
        lambda row: {
            "merchant_id": anchors.table["merchant_id"][row],
            "legal_country": str(anchors.legal[row]),
            "lon_deg": float(lon[row]),
            "lat_deg": float(lat[row]),
        },
    )


def _zones(desk: Desk, anchors: _Anchors, maps: Maps) -> None:
    table, from_file = anchors.table, anchors.from_file
    by_hand = desk.tree.policies.tz_overrides.named(desk.tree.identity.created_utc)
    named = by_hand.of(table["merchant_id"].to_numpy())
    point = table["lon_deg"].to_numpy(), table["lat_deg"].to_numpy()
    tzid, how = maps.zone_of(anchors.legal, *point, named)
    source = np.where(from_file, "INGEST", np.where(how == OVERRIDE, "OVERRIDE", "DERIVED"))
    ingested = anchors.ingested["tzid_settlement"].fill_null("").to_numpy().astype(tzid.dtype)
    zone = np.where(from_file, ingested, tzid)
    found_zone = table["tzid_settlement"].to_numpy().astype("U64")
    found_source = table["tz_source"].to_numpy().astype("U16")
    real = np.isin(found_zone, np.array(sorted(tz_database_zones())))
    desk.findings.rows(
        "S1.settlement_zone",
        (found_zone != zone) | (found_source != source) | ~real,
        lambda row: {
            "merchant_id": table["merchant_id"][row],
            "expected": {"tzid": str(zone[row]), "tz_source": str(source[row])},
            "found": {"tzid": str(found_zone[row]), "tz_source": str(found_source[row])},
        },
    )
