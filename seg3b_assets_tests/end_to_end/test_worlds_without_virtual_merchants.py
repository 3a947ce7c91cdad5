"""A world in which nobody is virtual is valid: every state passes on empty outputs, the flag is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets_tests.end_to_end.installation import STATES, Installation
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy
from seg3b_assets_tests.policies.spoiling import spoilt

EMPTY_FILES = (
    "edge_alias_blob_3B",
    "gamma_draw_log_3B",
    "rng_event_edge_jitter_3B",
    "rng_event_edge_tile_assign_3B",
    "rng_trace_log_3B",
)
EMPTY_TABLES = ("virtual_settlement_3B", "edge_merchant_profile_3B")
INDEXES = ("edge_catalogue_index_3B", "edge_alias_index_3B")


@pytest.fixture(params=["grocers only", "no rule says virtual"])
def nobody_virtual(
    request: pytest.FixtureRequest, installation: Installation, upstream: UpstreamCopy, edited_policies: Path
) -> Installation:
    validation = edited_policies / "virtual_validation.yaml"
    validation.write_bytes(spoilt(validation.read_bytes(), "realism_enforcement_mode", "enforce"))
    if request.param == "grocers only":
        grocer = {"mcc": pl.lit(5411, pl.Int32), "channel": pl.lit("card_present")}
        upstream.change("transaction_schema_merchant_ids", lambda frame: frame.with_columns(**grocer))
        return replace(installation, upstream=upstream.path, policies=edited_policies)
    path = edited_policies / "mcc_channel_rules.yaml"
    text = path.read_bytes()
    for number in range(len(parse_document(text).value["rules"])):
        text = spoilt(text, f"rules[{number}].decision", "physical")
    path.write_bytes(text)
    return replace(installation, policies=edited_policies)


def test_every_state_passes_outputs_are_empty_and_a_second_run_reuses_them(
    nobody_virtual: Installation,
) -> None:
    first = nobody_virtual.run().passed()
    assert first["counts"] == {
        "merchants": 300,
        "virtual": 0,
        "settlements_drawn": 0,
        "edges": 0,
        "rng_events": 0,
    }
    assert len(first["flag"]) == 64
    assert not any(state["reused"] for state in first["states"].values())
    assert nobody_virtual.heads() == {name: state["key"] for name, state in first["states"].items()}

    for dataset in EMPTY_FILES:
        assert nobody_virtual.path(dataset).read_bytes() == b""
    for dataset in EMPTY_TABLES:
        frame = pl.read_parquet(nobody_virtual.path(dataset))
        assert frame.is_empty()
        assert frame.schema == contract(dataset).polars_schema
    [part] = nobody_virtual.path("edge_catalogue_3B").iterdir()
    assert pl.read_parquet(part).schema == contract("edge_catalogue_3B").polars_schema
    for dataset in INDEXES:
        assert pl.read_parquet(nobody_virtual.path(dataset))["scope"].to_list() == ["GLOBAL"]
    flag = nobody_virtual.path("passed_flag_3B").read_bytes()
    assert flag == f"sha256_hex = {first['flag']}\n".encode()
    summary = orjson.loads(nobody_virtual.path("s2_summary_3B").read_bytes())
    assert (summary["virtual_merchants"], summary["edges_total"]) == (0, 0)

    second = nobody_virtual.run().passed()
    assert [name for name, state in second["states"].items() if state["reused"]] == list(STATES)
    assert second["flag"] == first["flag"]
