"""Ids, paths and column descriptions of the dataset dictionary."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pytest

from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.contracts.dictionary import DatasetContract

TABLES = [each for each in all_contracts().values() if each.is_table]


@dataclass(frozen=True)
class Identity:
    seed: int = 42
    manifest_fingerprint: str = "f" * 64
    parameter_hash: str = "e" * 64
    run_id: str = "d" * 32


@pytest.mark.parametrize("each", all_contracts().values(), ids=lambda each: each.id)
def test_every_path_fills_and_is_relative(each: DatasetContract) -> None:
    path = each.relative_path(Identity(), version="v1", vintage="2024")
    assert "{" not in path and not path.startswith("/")
    assert all(f"{name}=" in path or name == "country" for name in each.partitions)
    is_folder = each.format in ("parquet_parts", "directory")
    assert path.endswith("/") == is_folder


def test_paths_are_those_of_the_laws() -> None:
    fingerprint, parameters, run = "f" * 64, "e" * 64, "d" * 32
    expected = {
        "edge_catalogue_3B": f"data/layer1/3B/edge_catalogue/seed=42/manifest_fingerprint={fingerprint}/",
        "sealed_inputs_3B": "data/layer1/3B/sealed_inputs/"
        f"manifest_fingerprint={fingerprint}/sealed_inputs_3B.json",
        "rng_event_edge_jitter_3B": "logs/layer1/3B/rng/events/edge_jitter/"
        f"seed=42/parameter_hash={parameters}/run_id={run}/part-00000.jsonl",
        "tile_surface_partition_precheck_3B": "reports/layer1/3B/state=S2/"
        f"seed=42/manifest_fingerprint={fingerprint}/tile_surface_partition_precheck.json",
        "gamma_draw_log_3B": f"logs/layer1/3B/gamma_draw/seed=42/manifest_fingerprint={fingerprint}/"
        "gamma_draw_log_3B.jsonl",
        "passed_flag_3B": f"data/layer1/3B/validation/manifest_fingerprint={fingerprint}/_passed.flag",
    }
    assert {name: contract(name).relative_path(Identity()) for name in expected} == expected


def test_a_mapping_serves_as_identity_and_a_missing_token_is_named() -> None:
    assert contract("tz_world").relative_path({"version": "2026c"}) == (
        "reference/spatial/tz_world/2026c/tz_world.parquet"
    )
    with pytest.raises(ValueError, match="tz_world needs version"):
        contract("tz_world").relative_path(Identity())


def test_two_datasets_never_share_a_path() -> None:
    # An exported tree is a root of its own: its receipt lies where an upstream root has its own.
    named = [each for each in all_contracts().values() if each.format != "directory"]
    paths = [(each.producer == "export", each.path) for each in named]
    assert len(paths) == len(set(paths))


def test_an_unknown_dataset_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="edge_catalog_3B"):
        contract("edge_catalog_3B")


def test_a_document_has_no_columns() -> None:
    with pytest.raises(TypeError, match="s2_summary_3B is not a table"):
        contract("s2_summary_3B").check_frame(pl.DataFrame())


@pytest.mark.parametrize("each", TABLES, ids=lambda each: each.id)
def test_columns_are_described_and_the_empty_table_passes(each: DatasetContract) -> None:
    assert each.check_frame(each.empty()) == []
    described = each.describe_columns()
    assert [name for name, *_ in described] == list(each.schema["properties"])
    assert all(description for _, _, _, description, _ in described)
    units = {unit for name, _, unit, _, _ in described if name.endswith(("_deg", "_km", "_bytes"))}
    assert units <= {"degrees", "km", "bytes"}


def test_json_lines_read_with_the_contracts_dtypes() -> None:
    line = (
        b'{"blocks_total":1,"draws_total":2,"events_total":1,"module":"3B.S2",'
        b'"rng_counter_after_hi":18446744073709551615,"rng_counter_after_lo":1,'
        b'"rng_counter_before_hi":18446744073709551615,"rng_counter_before_lo":0,'
        b'"run_id":"dddddddddddddddddddddddddddddddd","seed":42,"substream_label":"edge_jitter",'
        b'"ts_utc":"2026-01-02T03:04:05.000006Z"}\n'
    )
    trace = contract("rng_trace_log_3B")
    frame = pl.read_ndjson(line, schema=trace.polars_schema)
    assert frame.schema == pl.Schema(trace.polars_schema)
    assert frame["rng_counter_after_hi"][0] == 2**64 - 1
    assert trace.check_frame(frame) == []
