"""Upstream tables that cannot be read or do not keep their contract, and anchors that are nowhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson
import polars as pl
import pytest

from seg3b_assets.pipeline import Segment, default_segment
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.context import StateContext
from seg3b_assets_tests.end_to_end.installation import STATES, Installation
from seg3b_assets_tests.end_to_end.refusals import refused_run, refused_upstream
from seg3b_assets_tests.end_to_end.upstream_copies import Change, UpstreamCopy

MERCHANTS = "transaction_schema_merchant_ids"
GAZETTEER = "settlement_gazetteer"
COORDINATES = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes\n"


@pytest.mark.parametrize(
    ("logical_id", "code"),
    [
        (MERCHANTS, "E3B_S0_INPUT_OPEN_FAILED"),
        (GAZETTEER, "E3B_S1_INPUT_OPEN_FAILED"),
        ("tz_world", "E3B_S0_INPUT_OPEN_FAILED"),
        ("world_countries", "E3B_S0_INPUT_OPEN_FAILED"),
        ("outlet_catalogue", "E3B_S2_INPUT_OPEN_FAILED"),
        ("zone_alloc", "E3B_S2_INPUT_OPEN_FAILED"),
    ],
)
def test_a_truncated_table(
    installation: Installation, upstream: UpstreamCopy, logical_id: str, code: str
) -> None:
    cut = upstream.truncate(logical_id)
    error = refused_upstream(installation, upstream)
    assert error["code"] == code
    assert str(cut).startswith(error["place"])
    assert error["detail"]["logical_id"] == logical_id


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        (lambda frame: pl.concat([frame, frame[:1]]), "S1_MERCHANT_REF_INVALID", "merchant_id"),
        (lambda frame: frame.with_columns(channel=pl.lit("fax")), "S1_MERCHANT_REF_INVALID", "channel"),
        (
            lambda frame: frame.with_columns(home_country_iso=pl.lit("uk")),
            "S0_INPUT_SCHEMA_MISMATCH",
            "home_",
        ),
        (lambda frame: frame.with_columns(colour=pl.lit("red")), "S1_INPUT_SCHEMA_MISMATCH", "colour"),
        (lambda frame: frame.drop("mcc"), "S1_INPUT_SCHEMA_MISMATCH", "mcc"),
        (lambda frame: frame.cast({"mcc": pl.String}), "S1_INPUT_SCHEMA_MISMATCH", "mcc"),
    ],
    ids=["duplicate id", "channel", "country", "unknown column", "missing column", "type"],
)
def test_a_merchant_table_that_breaks_its_contract(
    installation: Installation, upstream: UpstreamCopy, change: Change, code: str, named: str
) -> None:
    upstream.change(MERCHANTS, change)
    error = refused_upstream(installation, upstream)
    assert error["code"] == f"E3B_{code}"
    assert named in error["place"]


@pytest.mark.parametrize("logical_id", ["tz_world", "world_countries"])
def test_a_polygon_that_is_no_geometry(
    installation: Installation, upstream: UpstreamCopy, logical_id: str
) -> None:
    column = {"tz_world": "geometry", "world_countries": "geom"}[logical_id]
    upstream.change(logical_id, lambda frame: frame.with_columns(pl.lit(b"POLYGON").alias(column)))
    error = refused_upstream(installation, upstream)
    assert error["code"].endswith("_INPUT_SCHEMA_MISMATCH")
    assert column in error["place"]


@pytest.mark.parametrize(
    ("point", "zone", "code"),
    [
        ("91.0,2.35", "Europe/Paris", "SETTLEMENT_COORD_INVALID"),
        ("48.85,-180.5", "Europe/Paris", "SETTLEMENT_COORD_INVALID"),
        ("nan,2.35", "Europe/Paris", "SETTLEMENT_COORD_INVALID"),
        ("north,2.35", "Europe/Paris", "INPUT_SCHEMA_MISMATCH"),
        ("48.85,2.35", "Europe/Atlantis", "TZID_INVALID"),
        ("48.85,2.35", "", "INPUT_SCHEMA_MISMATCH"),
    ],
    ids=["latitude 91", "longitude -180.5", "not a number", "words", "no such zone", "no zone"],
)
def test_a_settlement_outside_the_world(
    installation: Installation, upstream: UpstreamCopy, point: str, zone: str, code: str
) -> None:
    merchant = pl.read_parquet(installation.path("virtual_settlement_3B"))["merchant_id"][0]
    upstream.coordinates(f"{COORDINATES}{merchant},{point},https://register.example/1,register,{zone},\n")
    error = refused_upstream(installation, upstream)
    assert error["code"] == f"E3B_S1_{code}"


def test_a_merchant_with_two_settlements(installation: Installation, upstream: UpstreamCopy) -> None:
    merchant = pl.read_parquet(installation.path("virtual_settlement_3B"))["merchant_id"][0]
    row = f"{merchant},48.85,2.35,https://register.example/1,register,Europe/Paris,\n"
    upstream.coordinates(COORDINATES + row + row)
    assert refused_upstream(installation, upstream)["code"] == "E3B_S1_SETTLEMENT_COORD_INVALID"


def test_a_gazetteer_without_the_merchants_country(
    installation: Installation, upstream: UpstreamCopy
) -> None:
    upstream.change(GAZETTEER, lambda frame: frame.filter(pl.col("country_iso") != "US"))
    error = refused_upstream(installation, upstream)
    assert error["code"] == "E3B_S1_SETTLEMENT_COORD_MISSING"
    assert error["place"] == f"{GAZETTEER}:country_iso=US"
    assert error["detail"]["countries"] == ["US"]


def test_places_that_lie_in_no_zone(installation: Installation, upstream: UpstreamCopy) -> None:
    mid_pacific = {"lat_deg": -40.0, "lon_deg": -130.0}
    upstream.change(
        GAZETTEER, lambda frame: frame.with_columns(**{k: pl.lit(v) for k, v in mid_pacific.items()})
    )
    error = refused_upstream(installation, upstream)
    assert error["code"] == "E3B_S1_TZ_RESOLUTION_FAILED"
    assert error["place"].startswith(f"{GAZETTEER}:place_id=")


def test_a_country_without_zones_leaves_the_prior_and_is_named(
    installation: Installation, upstream: UpstreamCopy
) -> None:
    homes = pl.read_parquet(sorted(upstream.dataset(MERCHANTS).glob("*.parquet")))["home_country_iso"]
    seats = load_policies(installation.policies).settlement.seat_rules
    kept = {*homes, *(one.country_iso for rule in seats for one in rule.jurisdictions)}
    edges = pl.read_parquet(installation.path("edge_catalogue_3B") / "part-00000.parquet")
    country = edges.filter(~pl.col("country_iso").is_in(list(kept)))["country_iso"][0]
    upstream.change("tz_world", lambda frame: frame.filter(pl.col("country_iso") != country))
    other = replace(installation, upstream=upstream.path)
    other.run().passed()
    placed = pl.read_parquet(sorted(other.path("edge_catalogue_3B").iterdir()))["country_iso"]
    assert country not in placed.to_list()
    assert country in orjson.loads(other.path("s0_gate_receipt_3B").read_bytes())["notes"]


def test_a_country_without_a_polygon(installation: Installation, upstream: UpstreamCopy) -> None:
    upstream.change("world_countries", lambda frame: frame.filter(pl.col("country_iso") != "DE"))
    error = refused_upstream(installation, upstream)
    assert error["code"] == "E3B_S0_INPUT_SCHEMA_MISMATCH"
    assert "DE" in str(error["detail"])


def segment_with(state: str, before: Callable[[StateContext], object]) -> Segment:
    """The real segment, with something done in a state before it runs."""
    real = default_segment()
    at = STATES.index(state)
    registered = real.states[at]

    def run(context: StateContext) -> None:
        before(context)
        registered.run(context)

    return replace(real, states=(*real.states[:at], replace(registered, run=run), *real.states[at + 1 :]))


def test_a_state_that_asks_for_what_was_not_sealed(
    installation: Installation, upstream: UpstreamCopy
) -> None:
    upstream.seal()  # other seals than the home's: every state computes
    asks = segment_with("S2", lambda context: context.inputs.path("site_rents", "S2"))
    error = refused_run(replace(installation, upstream=upstream.path), segment=asks)
    assert error["code"] == "E3B_S2_REQUIRED_INPUT_NOT_SEALED"
    assert error["place"] == "site_rents"


def test_an_input_that_changes_after_it_was_sealed(
    installation: Installation, upstream: UpstreamCopy
) -> None:
    upstream.seal()
    path = upstream.file("outlet_catalogue")

    def tamper(_: StateContext) -> None:
        outlets = pl.read_parquet(path, hive_partitioning=False)
        path.unlink()
        outlets[:-1].write_parquet(path)

    error = refused_run(replace(installation, upstream=upstream.path), segment=segment_with("S1", tamper))
    assert error["code"] == "E3B_S2_SEALED_INPUT_DIGEST_MISMATCH"
    assert str(path).startswith(error["place"])
    assert error["detail"]["expected"] != error["detail"]["found"]
