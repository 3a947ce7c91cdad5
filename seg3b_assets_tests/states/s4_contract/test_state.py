"""S4 staged: three documents that agree with each other and with what was published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import polars as pl
import pytest

from seg3b_assets.contracts.artefact_registry import artefacts
from seg3b_assets.contracts.published import resolve_anchor
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.realism import METRICS
from seg3b_assets.realism.measurement import ALL_MERCHANTS
from seg3b_assets.states import s4_contract
from seg3b_assets_tests.contracts.published_shape import broken
from seg3b_assets_tests.realism import worlds
from seg3b_assets_tests.states.miniature_upstream import POLICIES, write_root
from seg3b_assets_tests.states.staged import Staged, staged_run

MERCHANTS = 36


@dataclass(frozen=True)
class PublishedSoFar:
    """What S4 reads of S1 to S3: a made-up seed, or one in which nobody is virtual."""

    folder: Path
    empty: bool = False

    def document(self, dataset_id: str) -> dict[str, Any]:
        return {"universe_hash": "7" * 64}

    def table(self, dataset_id: str, columns: list[str] | None = None) -> pl.DataFrame:
        frame = self._frames()[dataset_id]
        return frame if columns is None else frame.select(columns)

    def _frames(self) -> dict[str, pl.DataFrame]:
        world = worlds.published(replace(worlds.SOUND, per_class=MERCHANTS // 3))
        edges = {"edge_merchant_profile_3B": world.profile, "edge_catalogue_3B": world.edges}
        frames = {
            "virtual_settlement_3B": world.settlement,
            "edge_alias_index_3B": world.alias_index,
            **edges,
        }
        classification, merchants = world.classification, MERCHANTS
        if self.empty:
            frames = {dataset: frame.clear() for dataset, frame in frames.items()}
            classification, merchants = classification.with_columns(is_virtual=pl.lit(False)), 0
        index = pl.DataFrame({"scope": ["MERCHANT"] * merchants + ["GLOBAL"]})
        return {**frames, "virtual_classification_3B": classification, "edge_catalogue_index_3B": index}

    def path(self, dataset_id: str) -> Path:
        blob = self.folder / "blob.bin"
        blob.write_bytes(
            b"" if self.empty else worlds.published(replace(worlds.SOUND, per_class=12)).alias_blob
        )
        return blob

    def has(self, dataset_id: str) -> bool:
        return False

    def record(self, dataset_id: str) -> SimpleNamespace:
        return SimpleNamespace(rows=self._frames()["edge_catalogue_3B"].height)


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    return staged_run(s4_contract, write_root(tmp_path / "upstream"), tmp_path, PublishedSoFar(tmp_path))


def document(staged: Staged, dataset_id: str) -> Any:
    return orjson.loads(staged.path(dataset_id).read_bytes())


def test_every_output_is_staged(staged: Staged) -> None:
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
    assert "overrides" not in policy


def test_the_routing_policy_speaks_as_published_and_every_name_in_it_resolves(staged: Staged) -> None:
    policy = document(staged, "virtual_routing_policy_3B")
    shape = resolve_anchor("schemas.3B.yaml#/egress/virtual_routing_policy_3B")
    assert broken(shape, policy) == ""
    assert policy["routing_policy_id"] == "route_rng_policy_v1"
    assert policy["virtual_validation_policy_id"] == "virtual_validation_policy"
    assert {policy[key] for key in policy if key.endswith("_manifest_key")} <= artefacts().keys()
    assert resolve_anchor(policy["virtual_edge_rng_binding"]["event_schema"])
    filled = {**policy["geo_field_bindings"], **policy["dual_timezone_semantics"]}
    filled.pop("settlement_cutoff_rule")
    assert all(name.startswith("event.") for name in filled.values()) and len(set(filled.values())) == 5


def test_the_notes_name_the_bindings_and_those_say_what_fills_each_field(staged: Staged) -> None:
    policy, bound = (document(staged, f"virtual_routing_{name}_3B") for name in ("policy", "bindings"))
    path = staged.path("virtual_routing_bindings_3B").as_posix()
    assert policy["notes"].split(" in ")[-1] in path and "event.settlement_day" in policy["notes"]
    rows = {row["bound_as"]: row for row in bound["bindings"]}
    for key, field in {**policy["geo_field_bindings"], **policy["dual_timezone_semantics"]}.items():
        if key == "settlement_cutoff_rule":
            assert rows["settlement_day_field"]["rule"] == field
            continue
        assert rows[key]["event_field"] == field and rows[key]["rule"] == "AS_PUBLISHED"
        assert resolve_anchor(rows[key]["schema_anchor"])["name"] == rows[key]["column"]
    day = rows["settlement_day_field"]
    assert (day["dataset"], day["column"]) == ("virtual_settlement_3B", "tzid_settlement")
    assert day["join_keys"] == ["merchant_id"]
    assert rows["ip_country_field"]["join_keys"] == ["merchant_id", "edge_id"]


def test_the_summary_says_what_s4_compiled_from(staged: Staged) -> None:
    summary, policy = document(staged, "s4_run_summary_3B"), document(staged, "virtual_routing_policy_3B")
    assert summary["status"] == "PASS"
    assert summary["virtual_validation_digest"] == file_digest(POLICIES / "virtual_validation.yaml")
    for key in ("cdn_key_digest", "routing_policy_version", "manifest_fingerprint", "parameter_hash"):
        assert summary[key] == policy[key]


def test_a_world_without_a_virtual_merchant_gets_the_same_contract(tmp_path: Path, staged: Staged) -> None:
    published = PublishedSoFar(tmp_path, empty=True)
    empty = staged_run(s4_contract, write_root(tmp_path / "e/up"), tmp_path / "e", published)
    dataset = "virtual_validation_contract_3B"
    assert empty.digest(dataset) == staged.digest(dataset)
    results = empty.table("virtual_validation_results_3B")
    of_all = [name for name, metric in METRICS.items() if metric.population == ALL_MERCHANTS]
    of_virtual = results.filter(~pl.col("metric").is_in(of_all))
    assert set(of_virtual["status"]) == {"NOT_APPLICABLE"}


def test_every_row_of_the_contract_has_its_result(staged: Staged) -> None:
    rows, results = (staged.table(f"virtual_validation_{name}_3B") for name in ("contract", "results"))
    assert results["test_id"].to_list() == rows["test_id"].to_list()
    assert {"PASS"} <= set(results["status"]) <= {"PASS", "FAIL", "WARN", "NOT_APPLICABLE"}
