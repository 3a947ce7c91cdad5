"""S4 staged: three documents that agree with each other and with what was published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import polars as pl
import pytest

from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.states import s4_contract
from seg3b_assets_tests.states.miniature_upstream import write_root
from seg3b_assets_tests.states.staged import Staged, staged_run


@dataclass(frozen=True)
class PublishedSoFar:
    """What S4 reads of S2 and S3."""

    merchants: int = 3

    def document(self, dataset_id: str) -> dict[str, Any]:
        return {"universe_hash": "7" * 64}

    def table(self, dataset_id: str, columns: list[str]) -> pl.DataFrame:
        return pl.DataFrame({"scope": ["MERCHANT"] * self.merchants + ["GLOBAL"]}).select(columns)

    def record(self, dataset_id: str) -> SimpleNamespace:
        return SimpleNamespace(rows=self.merchants * 500)


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    return staged_run(s4_contract, write_root(tmp_path / "upstream"), tmp_path, PublishedSoFar())


def document(staged: Staged, dataset_id: str) -> Any:
    return orjson.loads(staged.path(dataset_id).read_bytes())


def test_all_three_outputs_are_staged(staged: Staged) -> None:
    assert set(staged.dataset_ids) == set(s4_contract.STATE.writes)


def test_the_routing_policy_is_indented_canonical_json(staged: Staged) -> None:
    raw = staged.path("virtual_routing_policy_3B").read_bytes()
    options = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    assert raw == orjson.dumps(orjson.loads(raw), option=options)


def test_the_routing_policy_binds_what_was_published(staged: Staged) -> None:
    policy = document(staged, "virtual_routing_policy_3B")
    assert policy["edge_universe_hash"] == "7" * 64
    assert policy["virtual_edge_rng_binding"]["substream_label"] == "cdn_edge_pick"
    seed_folder = f"seed=42/manifest_fingerprint={'2' * 64}"
    blob = f"data/layer1/3B/edge_alias_blob/{seed_folder}/edge_alias_blob_3B.bin"
    assert policy["artefact_paths"]["edge_alias_blob"] == blob
    assert "notes" not in policy
    assert "overrides" not in policy


def test_the_summary_counts_and_digests_what_was_staged(staged: Staged) -> None:
    summary = document(staged, "s4_run_summary_3B")
    table = staged.table("virtual_validation_contract_3B")
    assert summary["contract_rows_total"] == table.height
    assert summary["contract_rows_enabled"] == table["enabled"].sum()
    assert sum(summary["contract_rows_by_test_type"].values()) == table.height
    assert sum(summary["contract_rows_by_severity"].values()) == table.height
    assert summary["virtual_merchants"] == 3
    assert summary["edges_total"] == 1500
    assert summary["generated_utc"] == staged.identity.created_utc
    assert summary["run_id"] == staged.identity.run_id
    for key, dataset in (
        ("routing_policy_sha256", "virtual_routing_policy_3B"),
        ("validation_contract_sha256", "virtual_validation_contract_3B"),
    ):
        assert summary[key] == file_digest(staged.path(dataset))


def test_a_world_without_a_virtual_merchant_gets_the_same_contract(tmp_path: Path, staged: Staged) -> None:
    empty = staged_run(
        s4_contract, write_root(tmp_path / "e/up"), tmp_path / "e", PublishedSoFar(merchants=0)
    )
    assert document(empty, "s4_run_summary_3B")["edges_total"] == 0
    dataset = "virtual_validation_contract_3B"
    assert empty.digest(dataset) == staged.digest(dataset)
