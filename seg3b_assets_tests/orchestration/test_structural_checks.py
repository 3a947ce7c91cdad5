"""Structural checks: generated from the contracts, and each finds the fault it is named after."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.contracts import all_contracts
from seg3b_assets.definitions import defs
from seg3b_assets.inputs.published import Published
from seg3b_assets.orchestration.resources import current_snapshots, published_by
from seg3b_assets.orchestration.structural_checks import structural_checks, structural_results
from seg3b_assets.pipeline import default_segment
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
from seg3b_assets.store import Store
from seg3b_assets_tests.orchestration.coarse_runs import coarse_installation

PRODUCED = [contract for contract in all_contracts().values() if contract.producer.startswith("S")]


class Altered(Published):
    """A lineage of which one dataset's file is another."""

    def __init__(self, whole: Published, dataset_id: str, file: Path) -> None:
        self.__dict__ |= whole.__dict__
        self._altered = {dataset_id: file}

    def files(self, dataset_id: str) -> list[Path]:
        return [self._altered[dataset_id]] if dataset_id in self._altered else super().files(dataset_id)

    def path(self, dataset_id: str) -> Path:
        return self._altered.get(dataset_id) or super().path(dataset_id)


@pytest.fixture(scope="module")
def lineage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    with coarse_installation(tmp_path_factory.mktemp("lineage")):
        settings, segment = Settings.from_environment(), default_segment()
        SeedRun(settings, 42).run()
        store = Store(settings.home, segment.contracts)
        yield published_by(current_snapshots(store, segment, 42), segment)


def outcome(published: Published, dataset_id: str) -> dict[str, bool]:
    return {
        str(result.check_name): bool(result.passed) for result in structural_results([dataset_id], published)
    }


def rewritten(published: Published, dataset_id: str, folder: Path, change: pl.Expr | None = None) -> Altered:
    """The lineage with one table written anew: a column changed, or its last row twice."""
    frame = pl.read_parquet(published.files(dataset_id), glob=False)
    frame = frame.vstack(frame.tail(1)) if change is None else frame.with_columns(change)
    file = folder / "altered.parquet"
    frame.write_parquet(file)
    return Altered(published, dataset_id, file)


def test_every_dataset_but_logs_blob_and_flag_has_its_schema_checked() -> None:
    checked = {
        key.asset_key.to_user_string()
        for key in defs.resolve_asset_graph().asset_check_keys
        if key.name == "schema"
    }
    assert checked == {c.id for c in PRODUCED if c.format not in ("jsonl", "binary", "flag")}


def test_every_table_with_keys_has_them_checked() -> None:
    checked = {
        key.asset_key.to_user_string()
        for key in defs.resolve_asset_graph().asset_check_keys
        if key.name == "keys"
    }
    assert checked == {c.id for c in PRODUCED if c.format.startswith("parquet")}


def test_a_sound_lineage_passes_them_all(lineage: Published) -> None:
    results = list(structural_results([c.id for c in PRODUCED], lineage))
    assert len(results) == sum(len(structural_checks(c.id)) for c in PRODUCED)
    assert [result.check_name for result in results if not result.passed] == []


def test_a_value_the_contract_forbids_fails_the_schema_and_nothing_else(
    lineage: Published, tmp_path: Path
) -> None:
    altered = rewritten(lineage, "virtual_settlement_3B", tmp_path, pl.col("lat_deg") + 200.0)
    assert outcome(altered, "virtual_settlement_3B") == {"schema": False, "keys": True}


def test_a_row_that_occurs_twice_fails_the_keys(lineage: Published, tmp_path: Path) -> None:
    altered = rewritten(lineage, "edge_merchant_profile_3B", tmp_path)
    assert outcome(altered, "edge_merchant_profile_3B") == {"schema": True, "keys": False}


def test_a_document_that_breaks_its_schema_fails(lineage: Published, tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    file.write_bytes(orjson.dumps({"seed": "forty-two"}))
    assert outcome(Altered(lineage, "s2_summary_3B", file), "s2_summary_3B") == {"schema": False}


def test_weights_that_do_not_sum_to_one_are_found_with_their_merchant(
    lineage: Published, tmp_path: Path
) -> None:
    change = pl.when(pl.int_range(pl.len()) == 0).then(pl.col("edge_weight") + 1e-12).otherwise("edge_weight")
    altered = rewritten(lineage, "edge_catalogue_3B", tmp_path, change.alias("edge_weight"))
    [result] = [
        result
        for result in structural_results(["edge_catalogue_3B"], altered)
        if result.check_name == "weights_sum_to_one"
    ]
    assert not result.passed
    first = lineage.table("edge_catalogue_3B", ["merchant_id"])["merchant_id"][0]
    assert str(first) in str(result.metadata["examples"].value)


@pytest.mark.parametrize(
    ("index", "check"),
    [
        ("edge_catalogue_index_3B", "agrees_with_catalogue"),
        ("edge_alias_index_3B", "agrees_with_blob"),
    ],
)
def test_an_index_that_counts_otherwise_than_the_catalogue_is_found(
    lineage: Published, tmp_path: Path, index: str, check: str
) -> None:
    altered = rewritten(lineage, index, tmp_path, pl.col("edge_count_total") + 1)
    assert outcome(altered, index)[check] is False


def test_a_blob_with_other_bytes_than_the_index_names_is_found(lineage: Published, tmp_path: Path) -> None:
    file = tmp_path / "blob.bin"
    file.write_bytes(lineage.path("edge_alias_blob_3B").read_bytes()[:-1] + b"\x01")
    altered = Altered(lineage, "edge_alias_blob_3B", file)
    assert outcome(altered, "edge_alias_index_3B")["agrees_with_blob"] is False


def test_a_contract_row_without_its_result_is_found(lineage: Published, tmp_path: Path) -> None:
    altered = rewritten(lineage, "virtual_validation_results_3B", tmp_path, pl.col("metric") + "_x")
    assert outcome(altered, "virtual_validation_results_3B")["answers_the_contract"] is False


def test_a_flag_that_names_another_bundle_is_found(lineage: Published, tmp_path: Path) -> None:
    file = tmp_path / "_passed.flag"
    file.write_bytes(b"sha256_hex = " + b"0" * 64 + b"\n")
    assert outcome(Altered(lineage, "passed_flag_3B", file), "passed_flag_3B") == {"seals_the_bundle": False}


def test_bytes_that_cannot_be_read_fail_and_do_not_raise(lineage: Published, tmp_path: Path) -> None:
    file = tmp_path / "cut.parquet"
    file.write_bytes(b"PAR1")
    assert not any(outcome(Altered(lineage, "edge_catalogue_3B", file), "edge_catalogue_3B").values())
