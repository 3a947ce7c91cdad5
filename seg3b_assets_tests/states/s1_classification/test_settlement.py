"""One legal anchor per virtual merchant: drawn or ingested, with a zone, whatever the order of the input."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import orjson
import polars as pl
import pytest
import shapely

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.zones import ZoneResolver
from seg3b_assets.policies import PolicySet, SeatRule
from seg3b_assets.policies.settlement import PlaceCapacity
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.s1_classification.anchors import legal_countries
from seg3b_assets.states.s1_classification.evidence import joined_sources, zone_warnings
from seg3b_assets.states.s1_classification.settlement import AnchorSources, settlement_tables
from seg3b_assets_tests.states.miniature_upstream import (
    POLICIES,
    SQUARES,
    WORLD,
    countries,
    gazetteer,
    merchants,
)
from seg3b_assets_tests.states.staged import homebound_policies

SHIPPED = load_policies(POLICIES)


def _zones(
    squares: tuple[tuple[str, str, tuple[float, float, float, float]], ...] = SQUARES,
    overrides: dict[str, str] | None = None,
) -> ZoneResolver:
    return ZoneResolver.from_wkb(
        [tzid for _, tzid, _ in squares],
        [country for country, _, _ in squares],
        [shapely.to_wkb(shapely.box(*square)) for _, _, square in squares],
        SHIPPED.tz_nudge.epsilon_deg,
        overrides or {},
    )


AT_HOME = homebound_policies()
SQUARE_COUNTRIES = countries()
POLYGONS = CountryPolygons.from_wkb(*(SQUARE_COUNTRIES[name].to_list() for name in ("country_iso", "geom")))
SOURCES = AnchorSources(gazetteer(12), "v3", _zones(), polygons=POLYGONS)
CROWD = merchants(30)


def settled(
    crowd: pl.DataFrame, sources: AnchorSources = SOURCES, policies: PolicySet = AT_HOME
) -> pl.DataFrame:
    return with_lineage(crowd, sources, policies)[0]


def with_lineage(
    crowd: pl.DataFrame, sources: AnchorSources = SOURCES, policies: PolicySet = AT_HOME
) -> tuple[pl.DataFrame, pl.DataFrame]:
    table, lineage = settlement_tables(crowd, sources, policies, WORLD)
    assert contract("virtual_settlement_3B").check_frame(table) == []
    assert contract("virtual_settlement_lineage_3B").check_frame(lineage) == []
    return table, lineage


def ingested(crowd: pl.DataFrame, **changes: object) -> pl.DataFrame:
    """The coordinates file of two merchants of the crowd and one nobody knows."""
    ids = [*crowd["merchant_id"][:2], 999_999]
    columns: dict[str, object] = {
        "merchant_id": pl.Series(ids, dtype=pl.UInt64),
        "lat_deg": [1.25, -90.0, 3.0],
        "lon_deg": [103.8, 180.0, 3.0],
        "evidence_url": ["https://registry.example/1", "https://registry.example/2", "urn:x"],
        "coord_source": ["company register", "filing", "filing"],
        "tzid_settlement": ["Asia/Singapore", "Antarctica/McMurdo", "UTC"],
        "notes": ["seen", None, None],
    }
    return pl.DataFrame(columns | changes)


@pytest.mark.parametrize(
    ("merchant", "site"),
    [(1, "cebb668894c82c94"), (10000, "f30443f3395eebe9"), (2**64 - 1, "3e6188c0839b1b98")],
)
def test_site_ids_are_the_known_answers(merchant: int, site: str) -> None:
    crowd = CROWD[:1].with_columns(merchant_id=pl.lit(merchant, pl.UInt64))
    assert settled(crowd)["settlement_site_id"].to_list() == [site]


def test_everyone_settles_once_in_their_legal_country() -> None:
    table = settled(CROWD)
    assert table["merchant_id"].to_list() == CROWD["merchant_id"].to_list()
    zone_of = {country: tzid for country, tzid, _ in SQUARES}
    homes = CROWD["home_country_iso"].to_list()
    assert table["tzid_settlement"].to_list() == [zone_of[home] for home in homes]
    assert set(table["tz_source"]) == {"DERIVED"}
    assert set(table["coord_source_id"]) == {"settlement_gazetteer"}
    assert set(table["coord_source_version"]) == {"v3"}


def test_the_rows_of_the_gazetteer_may_come_in_any_order() -> None:
    shuffled = replace(SOURCES, gazetteer=gazetteer(12).sample(fraction=1.0, shuffle=True, seed=1))
    assert settled(CROWD, shuffled).equals(settled(CROWD))


def test_countries_do_not_touch_each_other() -> None:
    alone = CROWD.filter(pl.col("home_country_iso") == "GB")
    together = settled(CROWD).join(alone.select("merchant_id"), on="merchant_id", how="semi")
    assert settled(alone).equals(together)


def test_no_place_takes_more_than_its_capacity() -> None:
    room = PlaceCapacity(minimum=2, per_million=0.0, exponent=0.0)
    policies = replace(AT_HOME, settlement=AT_HOME.settlement.model_copy(update={"capacity": room}))
    table = settled(CROWD, policies=policies)
    assert table.filter(pl.len().over("lat_deg", "lon_deg") > 2).is_empty()


def test_a_drawn_digest_is_that_of_its_place() -> None:
    place_of = {(row["lat_deg"], row["lon_deg"]): row["place_id"] for row in gazetteer(12).to_dicts()}
    for row in settled(CROWD).to_dicts():
        stated = {
            "merchant_id": row["merchant_id"],
            "place_id": place_of[row["lat_deg"], row["lon_deg"]],
            "lat_deg": row["lat_deg"],
            "lon_deg": row["lon_deg"],
        }
        expected = hashlib.sha256(orjson.dumps(stated, option=orjson.OPT_SORT_KEYS)).hexdigest()
        assert row["settlement_coord_digest"] == expected


def test_the_zone_policies_are_bound_together() -> None:
    files = {policy: SHIPPED.files[policy].sha256 for policy in ("tz_nudge", "tz_overrides")}
    assert set(settled(CROWD)["tz_policy_digest"]) == {sha256_json(files)}


def test_an_ingested_coordinate_is_used_as_it_is_and_the_rest_are_drawn() -> None:
    table = settled(CROWD, replace(SOURCES, ingested=ingested(CROWD), ingested_digest="e" * 64))
    assert table.height == CROWD.height
    first, second, *others = table.to_dicts()
    assert (first["lat_deg"], first["lon_deg"], first["tzid_settlement"]) == (1.25, 103.8, "Asia/Singapore")
    assert (first["tz_source"], first["coord_source_id"], first["notes"]) == (
        "INGEST",
        "company register",
        "seen",
    )
    assert first["coord_source_version"] == "e" * 64
    stated = {
        "merchant_id": first["merchant_id"],
        "evidence_url": "https://registry.example/1",
        "lat_deg": 1.25,
        "lon_deg": 103.8,
    }
    assert first["settlement_coord_digest"] == sha256_json(stated)
    assert second["tz_source"] == "INGEST"
    assert {row["tz_source"] for row in others} == {"DERIVED"}


REFUSING = replace(AT_HOME, settlement=AT_HOME.settlement.model_copy(update={"missing_coordinate": "refuse"}))


@pytest.mark.parametrize("held", [None, 2])
def test_a_merchant_without_a_coordinate_is_refused_where_the_policy_says_so(held: int | None) -> None:
    sources = (
        SOURCES if held is None else replace(SOURCES, ingested=ingested(CROWD), ingested_digest="e" * 64)
    )
    with pytest.raises(Seg3BError) as caught:
        settled(CROWD, sources, REFUSING)
    assert caught.value.code == "E3B_S1_SETTLEMENT_COORD_MISSING"
    lacking = CROWD[held or 0 :]
    assert caught.value.detail["merchants"] == lacking.height
    shown = [example["merchant_id"] for example in caught.value.detail["examples"]]
    assert shown == lacking["merchant_id"].to_list()[: len(shown)] and shown
    assert caught.value.place == f"virtual_settlement_coords:merchant_id={shown[0]}"
    assert "missing_coordinate: draw" in caught.value.remedy


def test_where_every_merchant_has_a_coordinate_nothing_is_refused_and_nothing_drawn() -> None:
    two = CROWD[:2]
    sources = replace(SOURCES, ingested=ingested(CROWD), ingested_digest="e" * 64)
    table = settled(two, sources, REFUSING)
    assert table.equals(settled(two, sources))
    assert set(table["tz_source"]) == {"INGEST"}
    assert settled(CROWD[:0], SOURCES, REFUSING).is_empty()


def test_an_ingested_zone_no_database_knows_is_refused() -> None:
    bad = ingested(CROWD, tzid_settlement=["Mars/Olympus", "UTC", "UTC"])
    with pytest.raises(Seg3BError) as caught:
        settled(CROWD, replace(SOURCES, ingested=bad))
    assert caught.value.code == "E3B_S1_TZID_INVALID"
    assert caught.value.detail["example"]["merchant_id"] == CROWD["merchant_id"][0]


def test_a_country_without_a_place_is_named() -> None:
    bare = gazetteer(12).filter(pl.col("country_iso") != "MT")
    with pytest.raises(Seg3BError) as caught:
        settled(CROWD, replace(SOURCES, gazetteer=bare))
    assert caught.value.code == "E3B_S1_SETTLEMENT_COORD_MISSING"
    assert caught.value.detail["countries"] == ["MT"]
    assert caught.value.remedy


def test_a_place_in_no_zone_takes_its_countrys_override_or_fails() -> None:
    nowhere = replace(SOURCES, zones=_zones(SQUARES[:2]))
    with pytest.raises(Seg3BError) as caught:
        settled(CROWD, nowhere)
    assert caught.value.code == "E3B_S1_TZ_RESOLUTION_FAILED"
    overridden = replace(SOURCES, zones=_zones(SQUARES[:2], {"MT": "Europe/Malta"}))
    table = settled(CROWD, overridden)
    assert set(table.filter(pl.col("tzid_settlement") == "Europe/Malta")["tz_source"]) == {"OVERRIDE"}
    assert set(table["tz_source"]) == {"DERIVED", "OVERRIDE"}


def test_a_place_in_two_zones_is_told_with_both_and_no_override_for_the_country_is_advised() -> None:
    doubled = _zones((*SQUARES, ("MT", "Europe/Rome", SQUARES[2][2])))
    with pytest.raises(Seg3BError) as caught:
        settled(CROWD, replace(SOURCES, zones=doubled))
    assert caught.value.code == "E3B_S1_TZ_RESOLUTION_FAILED"
    assert caught.value.detail["zones_covering"] == ["Europe/Malta", "Europe/Rome"]
    assert "Europe/Malta or Europe/Rome" in caught.value.remedy
    assert "tz_overrides" not in caught.value.remedy


def test_nobody_virtual_is_an_empty_table() -> None:
    assert settled(CROWD.clear()).is_empty()


def test_a_seat_rule_moves_its_share_to_its_jurisdictions() -> None:
    rule = SeatRule.model_validate(
        {
            "rule_id": "SEAT_TEST",
            "not_home_country": ("MT",),
            "propensity": 0.5,
            "jurisdictions": ({"country_iso": "MT", "weight": 3}, {"country_iso": "FR", "weight": 1}),
        }
    )
    crowd = merchants(3000)
    legal = legal_countries(crowd, (rule,), 42)
    home = crowd["home_country_iso"].to_numpy()
    assert (legal[home == "MT"] == "MT").all()
    from_gb = legal[home == "GB"].tolist()
    for country, share in (("MT", 0.375), ("FR", 0.125), ("GB", 0.5)):
        assert abs(from_gb.count(country) / len(from_gb) - share) < 0.06


def test_a_drawn_anchor_is_in_the_country_it_was_drawn_for_whoever_reaches_over_it() -> None:
    everywhere = CountryPolygons.from_wkb(
        ["AA", "FR", "GB", "MT"], [shapely.to_wkb(shapely.box(-10, 30, 20, 60))] * 4
    )
    settlement, lineage = with_lineage(CROWD, replace(SOURCES, polygons=everywhere))
    assert lineage["decided_by"].unique().to_list() == ["DRAWN"]
    assert lineage["settlement_country_iso"].to_list() == CROWD["home_country_iso"].to_list()
    places = dict(SOURCES.gazetteer.select("place_id", pl.struct("lon_deg", "lat_deg")).iter_rows())
    found = [(places[place]["lon_deg"], places[place]["lat_deg"]) for place in lineage["place_id"].to_list()]
    assert found == settlement.select("lon_deg", "lat_deg").rows()


@pytest.mark.parametrize(
    ("shapes", "home", "country", "how"),
    [
        ({"AA": (0, 0, 5, 5), "FR": (0, 0, 5, 5)}, "FR", "FR", "HOME"),
        ({"AA": (0, 0, 5, 5), "FR": (0, 0, 5, 5)}, "GB", "AA", "POLYGON"),
        ({"ZZ": (0, 0, 5, 5)}, "FR", "ZZ", "POLYGON"),
        ({"FR": (3, 3, 5, 5)}, "FR", None, "NOWHERE"),
        ({"FR": (1, 1, 5, 5)}, "FR", "FR", "HOME"),  # on the border
    ],
)
def test_an_ingested_anchor_is_at_home_where_home_covers_it(
    shapes: dict[str, tuple[float, float, float, float]], home: str, country: str | None, how: str
) -> None:
    crowd = CROWD[:1].with_columns(home_country_iso=pl.lit(home))
    polygons = CountryPolygons.from_wkb(
        list(shapes), [shapely.to_wkb(shapely.box(*box)) for box in shapes.values()]
    )
    row = ingested(crowd.vstack(crowd))[:1].with_columns(lon_deg=pl.lit(1.0), lat_deg=pl.lit(1.0))
    sources = replace(SOURCES, ingested=row, ingested_digest="f" * 64, polygons=polygons)
    _, lineage = with_lineage(crowd, sources)
    assert lineage.select("settlement_country_iso", "decided_by", "place_id").rows() == [(country, how, None)]


def outside_zone(action: str) -> PolicySet:
    rule = AT_HOME.settlement.coordinate_outside_zone.model_copy(update={"action": action})
    update = {"coordinate_outside_zone": rule}
    return replace(AT_HOME, settlement=AT_HOME.settlement.model_copy(update=update))


def test_a_point_outside_its_zone_is_named_with_row_merchant_and_zone() -> None:
    rows = ingested(CROWD, tzid_settlement=["Europe/Paris", "Antarctica/McMurdo", "UTC"])
    with pytest.raises(Seg3BError) as refused:
        zone_warnings(rows, CROWD, SOURCES.zones, outside_zone("refuse"))
    assert refused.value.code == "E3B_S1_SETTLEMENT_COORD_INVALID"
    assert f"row 1, merchant {rows['merchant_id'][0]}" in refused.value.place
    assert refused.value.detail["tzid_settlement"] == "Europe/Paris"


def test_by_policy_it_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    rows = ingested(CROWD, tzid_settlement=["Europe/Paris", "Antarctica/McMurdo", "UTC"])
    (warning,) = zone_warnings(rows, CROWD, SOURCES.zones, outside_zone("warn"))
    assert "outside its zone Europe/Paris" in caplog.text
    assert warning == {
        "kind": "COORDINATE_OUTSIDE_ZONE",
        "severity": "WARNING",
        "source": "virtual_settlement_coords",
        "row": 1,
        "merchant_id": str(rows["merchant_id"][0]),
        "lat_deg": rows["lat_deg"][0],
        "lon_deg": rows["lon_deg"][0],
        "tzid_settlement": "Europe/Paris",
    }


def test_a_row_that_is_not_used_is_not_judged() -> None:
    rows = ingested(CROWD, tzid_settlement=["UTC", "UTC", "Europe/Paris"])
    assert zone_warnings(rows, CROWD, SOURCES.zones, outside_zone("refuse")) == []
    assert zone_warnings(rows, CROWD, SOURCES.zones, outside_zone("warn")) == []


def test_rows_of_nobody_are_counted_and_said(caplog: pytest.LogCaptureFixture) -> None:
    rows = ingested(CROWD)
    (found,) = joined_sources(CROWD, CROWD[:1], rows, AT_HOME, WORLD.created_utc)
    assert (found["rows"], found["used"], found["idle"], found["unmatched"]) == (3, 1, 1, 1)
    assert found["examples"] == ["999999"]
    assert "999999" in caplog.text


def test_override_lists_are_joined_to_all_merchants() -> None:
    rules = AT_HOME.mcc_channel_rules
    accept = rules.overrides.accept.model_copy(update={"merchants": (CROWD["merchant_id"][0], 999_999)})
    overrides = rules.overrides.model_copy(update={"accept": accept})
    policies = replace(AT_HOME, mcc_channel_rules=rules.model_copy(update={"overrides": overrides}))
    (found,) = joined_sources(CROWD, CROWD[:0], None, policies, WORLD.created_utc)
    assert (found["source"], found["used"], found["unmatched"]) == (
        "mcc_channel_rules:overrides.accept",
        1,
        1,
    )
