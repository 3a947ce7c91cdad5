"""Any root in the contract's paths will do: --upstream, ingested coordinates, whose results are in force."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy
from seg3b_assets_tests.policies.spoiling import spoilt

COORDINATES = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes\n"


def test_a_root_elsewhere_gives_the_outputs_of_the_embedded_world_and_leaves_the_heads(
    empty: Installation, finished: Installation, upstream: UpstreamCopy
) -> None:
    aside = empty.run("--upstream", str(upstream.path)).passed()
    assert {name: state["key"] for name, state in aside["states"].items()} == finished.heads()
    assert aside["flag"] == finished.run().passed()["flag"]
    assert empty.heads() == {}
    empty.run("--upstream", str(upstream.path), "--promote").passed()
    assert empty.digests() == finished.digests()
    assert empty.heads() == finished.heads()


def test_a_folder_of_roots_by_seed_is_an_upstream_too(
    installation: Installation, upstream: UpstreamCopy
) -> None:
    upstream.path.rename(upstream.path.with_name("seed=42"))
    record = installation.run("--upstream", str(upstream.path.parent)).passed()
    assert all(state["reused"] for state in record["states"].values())


def test_the_heads_follow_a_configured_root_and_stay_for_another_until_promoted(
    installation: Installation, finished: Installation, upstream: UpstreamCopy
) -> None:
    upstream.change("transaction_schema_merchant_ids", lambda merchants: merchants[:40])
    aside = installation.run("--upstream", str(upstream.path)).passed()
    assert aside["counts"]["merchants"] == 40
    assert installation.heads() == finished.heads()
    configured = replace(installation, upstream=upstream.path)
    assert all(state["reused"] for state in configured.run().passed()["states"].values())
    assert configured.heads() == {name: state["key"] for name, state in aside["states"].items()}


def test_ingested_coordinates_are_used_exactly_and_only_for_their_merchants(
    finished: Installation, empty: Installation, upstream: UpstreamCopy, edited_policies: Path
) -> None:
    settlement = edited_policies / "settlement.yaml"
    settlement.write_bytes(spoilt(settlement.read_bytes(), "coordinate_outside_zone.action", "warn"))
    drawn = pl.read_parquet(finished.path("virtual_settlement_3B"))
    chosen, afloat = drawn["merchant_id"][3], drawn["merchant_id"][5]
    classified = pl.read_parquet(finished.path("virtual_classification_3B"))
    physical = classified.filter(~pl.col("is_virtual"))["merchant_id"][0]
    url = "https://register.example/entry?id=7&lang=de"
    rows = [
        f'{chosen},48.137154123456,11.576124987654,{url},register,Europe/Berlin,"Seat, by the book"',
        f"{afloat},-40.0,-130.0,{url},register,Pacific/Pitcairn,",  # in no polygon, and still as evidenced
        f"{physical},1.0,1.0,{url},register,Europe/Berlin,",
        f"{2**63 + 5},1.0,1.0,{url},register,Europe/Berlin,",
    ]
    upstream.coordinates(COORDINATES + "\n".join(rows) + "\n")
    with_evidence = replace(empty, upstream=upstream.path, policies=edited_policies)
    ran = with_evidence.run().passed()

    settled = pl.read_parquet(with_evidence.path("virtual_settlement_3B"))
    anchor = settled.filter(pl.col("merchant_id") == chosen).row(0, named=True)
    assert anchor["tz_source"] == "INGEST"
    assert (anchor["lat_deg"], anchor["lon_deg"]) == (48.137154123456, 11.576124987654)
    assert (anchor["tzid_settlement"], anchor["evidence_url"]) == ("Europe/Berlin", url)
    assert (anchor["coord_source_id"], anchor["notes"]) == ("register", "Seat, by the book")
    named = {
        "merchant_id": chosen,
        "evidence_url": url,
        "lat_deg": anchor["lat_deg"],
        "lon_deg": anchor["lon_deg"],
    }
    canonical = orjson.dumps(named, option=orjson.OPT_SORT_KEYS)
    assert anchor["settlement_coord_digest"] == hashlib.sha256(canonical).hexdigest()

    assert settled["merchant_id"].equals(drawn["merchant_id"])
    ingested = settled.filter(pl.col("tz_source") == "INGEST")
    assert ingested["merchant_id"].to_list() == [chosen, afloat]
    at_sea = ingested.select("lat_deg", "lon_deg", "tzid_settlement").row(1)
    assert at_sea == (-40.0, -130.0, "Pacific/Pitcairn")

    told = orjson.loads(with_evidence.path("s1_run_report_3B").read_bytes())["warnings"]
    assert [(row["row"], row["merchant_id"], row["tzid_settlement"]) for row in told] == [
        (2, str(afloat), "Pacific/Pitcairn")
    ]
    notes = {note["kind"]: note for note in ran["input_notes"]}
    assert (notes["COORDINATE_OUTSIDE_ZONE"]["count"], notes["KEYS_UNUSED"]["count"]) == (1, 2)
    assert f"merchant {afloat}" in notes["COORDINATE_OUTSIDE_ZONE"]["sentence"]
    assert str(2**63 + 5) in notes["KEYS_UNUSED"]["sentence"]

    receipt = orjson.loads(with_evidence.path("s0_gate_receipt_3B").read_bytes())
    file = upstream.path / "artefacts/virtual/virtual_settlement_coords.csv"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert receipt["digests"]["settlement_coord_digest"] == digest
    sealed = orjson.loads(with_evidence.path("sealed_inputs_3B").read_bytes())
    [row] = [row for row in sealed if row["logical_id"] == "virtual_settlement_coords"]
    assert row["sha256_hex"] == digest


def test_a_root_may_show_what_it_shares_with_others_by_links(
    installation: Installation, upstream: UpstreamCopy, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    for logical_id in (
        "tile_weights",
        "tile_index",
        "tile_bounds",
        "world_countries",
        "settlement_gazetteer",
    ):
        place = upstream.dataset(logical_id)
        shared = place.rename(tmp_path / "shared" / logical_id)
        place.symlink_to(shared, target_is_directory=shared.is_dir())
    refused = installation.run("--upstream", str(upstream.path)).error
    assert (refused["code"], refused["validator"]) == ("E3B_S0_INPUT_OPEN_FAILED", "link_within_reach")
    assert "SEG3B_SHARED" in refused["remedy"]
    told = replace(
        installation, variables={**installation.variables, "SEG3B_SHARED": str(tmp_path / "shared")}
    )
    record = told.run("--upstream", str(upstream.path)).passed()
    assert all(state["reused"] for state in record["states"].values())


LINKED = {
    "a dataset": "transaction_schema_merchant_ids",
    "a surface's part": "tile_weights",
    "the receipt": "run_receipt",
}


@pytest.mark.parametrize("place", LINKED.values(), ids=LINKED)
def test_a_link_out_of_the_root_is_refused_by_every_door(
    finished: Installation, empty: Installation, upstream: UpstreamCopy, tmp_path: Path, place: str
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    file = (
        upstream.path / "run_receipt.json"
        if place == "run_receipt"
        else upstream.file(place, "FR" if place == "tile_weights" else "")
    )
    file.rename(private / file.name)
    file.symlink_to(private / file.name)
    for command in (("run", "--seed", "42"), ("plan", "--seed", "42")):
        refused = empty.seg3b(*command, "--upstream", str(upstream.path), "--json").error
        assert (refused["validator"], refused["place"]) == ("link_within_reach", str(file))
        assert refused["detail"]["target"] == str(private / file.name)
    tree = tmp_path / "tree"
    refused = finished.seg3b(
        "export", "heads", str(tree), "--seed", "42", "--upstream", str(upstream.path), "--json"
    )
    assert refused.error["validator"] == "link_within_reach"
    assert not tree.exists()
    finished.seg3b("export", "heads", str(tree), "--seed", "42", "--json").passed()
    verified = finished.seg3b("verify", str(tree), "--upstream", str(upstream.path), "--json")
    told = [check for check in verified.json["checks"] if check["check_id"] == "S0.upstream_inputs"]
    assert "a link that leads out" in str(told[0]["example"])


def test_folders_may_have_any_name(
    finished: Installation, root_of: Callable[[int], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "ümlaut, a=b, * and [brackets]?"
    upstream = UpstreamCopy.of(root_of(42), folder / "upstream")
    other = replace(finished, home=folder / "home", upstream=upstream.path)
    assert other.run().passed()["flag"] == finished.run().passed()["flag"]
