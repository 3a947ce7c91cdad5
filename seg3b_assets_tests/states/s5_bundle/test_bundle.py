"""S5 seals a sound run as the law says, refuses a spoilt one, and writes nothing then."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import polars as pl
import pytest
import yaml

from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.contracts.artefact_registry import published_id
from seg3b_assets.laws import randomness
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, file_digest
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
from seg3b_assets.states import s5_bundle
from seg3b_assets.states.context import StateContext
from seg3b_assets.store import Staging

MEMBERS = {
    "index.json",
    "s0_gate_receipt_3B.json",
    "s4_run_summary_3B.json",
    "s5_audit_3B.json",
    "s5_digest_summary_3B.json",
    "s5_manifest_3B.json",
    "s5_realism_results_3B.json",
    "s5_rng_summary_3B.json",
    "s5_structural_summary_3B.json",
    "sealed_inputs_3B.json",
}


def sealed(context: StateContext, folder: Path) -> Path:
    """Run S5 into ``folder``; the bundle's folder."""
    staging = Staging(folder / "staged", "S5", context.identity, contract)
    s5_bundle.run(replace(context, out=staging))
    assert set(staging.outputs) == set(s5_bundle.STATE.writes)
    return staging.path("validation_bundle_3B")


@pytest.fixture(scope="module")
def bundle(context: StateContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed(context, tmp_path_factory.mktemp("bundle"))


def member(bundle: Path, name: str) -> Any:
    return orjson.loads((bundle / f"{name}.json").read_bytes())


def test_the_bundle_holds_its_members_and_the_flag(bundle: Path) -> None:
    assert {path.name for path in bundle.iterdir()} == MEMBERS | {"_passed.flag"}


def test_the_flag_is_78_bytes_over_the_members_in_path_order_without_the_index(bundle: Path) -> None:
    digest = hashlib.sha256()
    for name in sorted(MEMBERS - {"index.json"}):
        digest.update((bundle / name).read_bytes())
    flag = (bundle / "_passed.flag").read_bytes()
    assert flag == f"sha256_hex = {digest.hexdigest()}\n".encode()
    assert len(flag) == 78


def test_the_index_lists_every_member_with_its_digest_and_size(bundle: Path) -> None:
    index = member(bundle, "index")
    listed = {row["path"]: (row["sha256_hex"], row["size_bytes"]) for row in index["members"]}
    files = {name: bundle / name for name in MEMBERS - {"index.json"}}
    assert listed == {name: (file_digest(path), path.stat().st_size) for name, path in files.items()}
    assert list(listed) == sorted(listed)
    assert index["s5_manifest_digest"] == file_digest(bundle / "s5_manifest_3B.json")


def test_members_are_canonical_and_keep_their_contracts(bundle: Path) -> None:
    ids = {path.rsplit("/", 1)[-1]: id_ for id_, path in ((i, c.path) for i, c in all_contracts().items())}
    for name in MEMBERS:
        data = (bundle / name).read_bytes()
        assert canonical_json(orjson.loads(data)) == data
        dataset_id = "validation_bundle_index_3B" if name == "index.json" else ids[name]
        assert contract(dataset_id).check_document(orjson.loads(data)) == []


def test_the_manifest_vouches_for_every_dataset_of_s0_to_s4(context: StateContext, bundle: Path) -> None:
    evidence = {row["logical_id"]: row["sha256_hex"] for row in member(bundle, "s5_manifest_3B")["evidence"]}
    known = {published_id(name): context.published.digest(name) for name in context.published.dataset_ids}
    assert evidence == known and list(evidence) == sorted(evidence)
    digests = member(bundle, "s5_manifest_3B")["digests"]
    assert digests["edge_alias_blob_digest"] == evidence["edge_alias_blob_3B"]
    index = context.published.table("edge_catalogue_index_3B")
    assert digests["edge_catalogue_digest_global"] == index["edge_catalogue_digest_global"][-1]


def test_the_rng_summary_accounts_for_every_draw(context: StateContext, bundle: Path) -> None:
    summary, edges = member(bundle, "s5_rng_summary_3B"), context.published.document("s2_summary_3B")
    streams = {stream["substream_label"]: stream for stream in summary["streams"]}
    jitter, tile = streams["edge_jitter"], streams["edge_tile_assign"]
    assert jitter["draws_total"] == 2 * jitter["events_total"] == jitter["expected_draws"]
    assert tile["events_total"] == tile["draws_total"] == edges["edges_total"]
    logs = member(bundle, "s5_audit_3B")["logs"]
    assert logs["rng_event_edge_jitter"]["accepted"] == edges["edges_total"]
    assert logs["rng_trace_log"]["lines"] == jitter["events_total"] + tile["events_total"]
    digest = context.published.digest("rng_event_edge_jitter_3B")
    assert logs["rng_event_edge_jitter"]["lane_digest"] == digest


def test_every_stream_of_the_laws_is_named_and_one_without_a_log_says_what_draws_it_again(
    bundle: Path,
) -> None:
    streams = {stream["substream_label"]: stream for stream in member(bundle, "s5_rng_summary_3B")["streams"]}
    laws = {value for name, value in vars(randomness).items() if name.isupper() and isinstance(value, str)}
    # The certification's own draws are about several seeds and leave no output of a state.
    assert set(streams) == laws - {randomness.REALISM_SAMPLE}
    checks = {row["check_id"] for row in member(bundle, "s5_structural_summary_3B")["checks"]}
    for label, stream in streams.items():
        if label not in ("edge_jitter", "edge_tile_assign"):
            assert stream["events_total"] == 0 and stream["status"] == "PASS"
            assert any(f"{check_id} draws again" in stream["notes"] for check_id in checks)
        else:
            assert "notes" not in stream


def test_the_summaries_bind_policies_and_outputs(context: StateContext, bundle: Path) -> None:
    digests = member(bundle, "s5_digest_summary_3B")["digests"]
    assert digests["mcc_channel_rules_digest"] == context.inputs.digest("mcc_channel_rules")
    assert digests["route_rng_policy_digest"] == context.inputs.digest("route_rng")
    assert digests["edge_alias_index_digest"] == context.published.digest("edge_alias_index_3B")
    universe = context.published.document("edge_universe_hash_3B")["universe_hash"]
    assert digests["edge_universe_hash"] == universe
    counts = member(bundle, "s5_structural_summary_3B")["counts"]
    table = context.published.table("virtual_validation_contract_3B")
    assert counts["validation_tests"] == table.height
    assert counts["edge_merchants"] == counts["alias_merchants"] == counts["virtual_merchants"] > 0
    figures = member(bundle, "s5_audit_3B")["contract"]
    assert figures["rows_total"] == sum(figures["rows_by_severity"].values()) == table.height


def test_every_state_reports_what_it_was_bound_to_and_published(context: StateContext) -> None:
    for number in range(1, 5):
        report = context.published.document(f"s{number}_run_report_3B")
        assert (report["state"], report["status"]) == (f"S{number}", "PASS")
        assert report["run_id"] == context.identity.run_id
        outputs = {row["logical_id"]: row["sha256_hex"] for row in report["outputs"]}
        mine = {
            published_id(name): context.published.digest(name)
            for name, declared in all_contracts().items()
            if declared.producer == f"S{number}" and not name.endswith("run_report_3B")
        }
        assert outputs == mine
        assert report["policies"]["virtual_validation_policy"] == context.inputs.digest("virtual_validation")
        assert "utc" not in str(report)


def test_sealing_twice_gives_the_same_bytes(context: StateContext, bundle: Path, tmp_path: Path) -> None:
    again = sealed(replace(context, workers=1), tmp_path)
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {
        p.name: p.read_bytes() for p in bundle.iterdir()
    }


def test_a_blocking_row_that_failed_stops_s5_before_anything_is_sealed(
    context: StateContext, tmp_path: Path
) -> None:
    results = context.published.table("virtual_validation_results_3B")
    failed = results.with_columns(severity=pl.lit("BLOCKING"), status=pl.lit("FAIL")).head(2)
    published: Any = SimpleNamespace(table=lambda dataset_id: failed)
    staging = Staging(tmp_path / "staged", "S5", context.identity, contract)
    with pytest.raises(Seg3BError) as caught:
        s5_bundle.run(replace(context, out=staging, published=published))
    assert caught.value.code == "E3B_S4_REALISM_GATE_BLOCKED"
    assert caught.value.detail["failed"] == 2
    assert str(failed["metric"][0]) in caught.value.place
    assert not staging.outputs


class _Altered:
    """What was published, with one dataset elsewhere."""

    def __init__(self, published: Any, dataset_id: str, path: Path) -> None:
        self._published, self._dataset_id, self._path = published, dataset_id, path

    def path(self, dataset_id: str) -> Path:
        return self._path if dataset_id == self._dataset_id else self._published.path(dataset_id)

    def digest(self, dataset_id: str) -> str:
        return str(self._published.digest(dataset_id))

    def code_version(self, dataset_id: str) -> str:
        return str(self._published.code_version(dataset_id))

    def table(self, dataset_id: str) -> Any:
        return self._published.table(dataset_id)


@pytest.mark.parametrize(
    ("dataset_id", "code"),
    [
        ("rng_event_edge_jitter_3B", "E3B_S5_RNG_LOG_MISSING_OR_INVALID"),
        ("edge_alias_blob_3B", "E3B_S5_S3_CONTRACT_VIOLATION"),
        ("virtual_classification_3B", "E3B_S5_S1_CONTRACT_VIOLATION"),
        ("s2_summary_3B", "E3B_S5_S2_CONTRACT_VIOLATION"),
        ("virtual_routing_policy_3B", "E3B_S5_S4_CONTRACT_VIOLATION"),
    ],
)
def test_a_changed_byte_stops_s5_and_nothing_is_written(
    dataset_id: str, code: str, context: StateContext, tmp_path: Path
) -> None:
    target = tmp_path / contract(dataset_id).relative_path(context.identity)
    target.parent.mkdir(parents=True)
    data = bytearray(context.published.path(dataset_id).read_bytes())
    data[len(data) // 2] ^= 0x01
    target.write_bytes(data)
    published: Any = _Altered(context.published, dataset_id, target)
    staging = Staging(tmp_path / "staged", "S5", context.identity, contract)
    with pytest.raises(Seg3BError) as caught:
        s5_bundle.run(replace(context, out=staging, published=published))
    assert caught.value.code == code
    checks = caught.value.detail["checks"]
    assert all(row["law"].startswith("§") and row["likely_cause"] for row in checks)
    assert staging.outputs == {}


def test_a_world_without_virtual_merchants_is_sealed(settings: Settings, tmp_path: Path) -> None:
    policies = shutil.copytree(settings.policies, tmp_path / "policies")
    rules = yaml.safe_load((policies / "mcc_channel_rules.yaml").read_bytes())
    for rule in rules["rules"]:
        rule["decision"] = "physical"
    (policies / "mcc_channel_rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    record = SeedRun(replace(settings, policies=policies, home=tmp_path / "home"), 42).run()
    assert "S5" in record.keys
