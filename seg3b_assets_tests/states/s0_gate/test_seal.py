"""A sealing lists every input once, in order, and says the same whatever the machine."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.policies import SEALED_POLICIES, PolicySet, load_policies
from seg3b_assets.states.s0_gate import SealedWorld, seal
from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets_tests.states.miniature_upstream import POLICIES, Root, Tables, write_root

COORDINATES = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes\n"


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return load_policies(POLICIES)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return write_root(tmp_path / "upstream")


def sealed(root: Root, policies: PolicySet, enabled: bool = False) -> SealedWorld:
    return seal(root.path, policies, DigestCache(root.path.parent / "digests.json", enabled))


def test_every_input_is_sealed_once_in_order(root: Root, policies: PolicySet) -> None:
    rows = sealed(root, policies).sealed_inputs
    order = [(row["owner_segment"], row["artefact_kind"], row["logical_id"], row["path"]) for row in rows]
    assert order == sorted(order)
    ids = {row["logical_id"] for row in rows}
    assert len(ids) == len(rows)
    gates = {f"segment_{segment}_gate" for segment in ("1A", "1B", "2A", "3A")}
    assert ids >= set(SEALED_POLICIES) | gates
    assert "certification" not in ids
    assert "virtual_settlement_coords" not in ids
    assert len(ids) == 10 + 4 + 12


def test_both_documents_keep_their_contracts(root: Root, policies: PolicySet) -> None:
    world = sealed(root, policies)
    assert contract("sealed_inputs_3B").check_document(orjson.loads(world.sealed_bytes)) == []
    assert contract("s0_gate_receipt_3B").check_document(world.receipt) == []


def test_the_receipt_binds_the_digests_of_what_was_sealed(root: Root, policies: PolicySet) -> None:
    receipt = sealed(root, policies).receipt
    digests = receipt["digests"]
    assert digests["virtual_rules_digest"] == file_digest(POLICIES / "mcc_channel_rules.yaml")
    assert digests["cdn_weights_digest"] == file_digest(POLICIES / "cdn_country_weights.yaml")
    zones = root.path / "reference/spatial/tz_world/2026c/tz_world.parquet"
    assert digests["tz_index_digest"] == digests["tzdata_archive_digest"] == file_digest(zones)
    assert receipt["verified_at_utc"] == root.world.created_utc
    assert [gate["status"] for gate in receipt["upstream_gates"].values()] == ["PASS"] * 4
    flag = root.path / receipt["upstream_gates"]["segment_3A"]["flag_path"]
    assert receipt["upstream_gates"]["segment_3A"]["sha256_hex"] in flag.read_text()


def test_ingested_coordinates_are_sealed_and_bound(tmp_path: Path, policies: PolicySet) -> None:
    root = write_root(tmp_path / "upstream", Tables(coordinates=COORDINATES))
    world = sealed(root, policies)
    found = file_digest(root.path / "artefacts/virtual/virtual_settlement_coords.csv")
    assert world.inputs.digest("virtual_settlement_coords") == found
    assert world.receipt["digests"]["settlement_coord_digest"] == found


def test_the_same_bytes_elsewhere_seal_the_same(root: Root, policies: PolicySet, tmp_path: Path) -> None:
    first = sealed(root, policies)
    shutil.copytree(root.path, tmp_path / "copy")
    copied = Root(tmp_path / "copy", root.world)
    assert sealed(copied, policies).sealed_bytes == first.sealed_bytes
    assert sealed(copied, policies, enabled=True).sealed_bytes == first.sealed_bytes


def test_a_linked_surface_seals_as_if_it_were_inside(root: Root, policies: PolicySet, tmp_path: Path) -> None:
    first = sealed(root, policies)
    surface = root.path / "data/layer1/1B/tile_weights"
    shutil.move(surface, tmp_path / "shared")
    surface.symlink_to(tmp_path / "shared")
    assert sealed(root, policies).sealed_bytes == first.sealed_bytes


@pytest.mark.parametrize("change", ["reference/spatial/tz_world/2026c/tz_world.parquet", "run_receipt.json"])
def test_any_changed_input_changes_the_sealing(root: Root, policies: PolicySet, change: str) -> None:
    first = sealed(root, policies)
    path = root.path / change
    path.write_bytes(path.read_bytes() + b"\n")
    assert sealed(root, policies).sealed_inputs_digest != first.sealed_inputs_digest


def test_a_missing_dataset_names_itself(root: Root, policies: PolicySet) -> None:
    shutil.rmtree(root.path / "data/layer1/3A/zone_alloc")
    with pytest.raises(Seg3BError) as caught:
        sealed(root, policies)
    assert caught.value.code == "E3B_S0_INPUT_OPEN_FAILED"
    assert caught.value.detail["logical_id"] == "zone_alloc"


def test_a_gate_of_another_world_is_an_identity_mismatch(root: Root, policies: PolicySet) -> None:
    other = Root(root.path, replace(root.world, manifest_fingerprint="8" * 64))
    root.bundle("1B").rename(other.bundle("1B"))
    with pytest.raises(Seg3BError) as caught:
        sealed(root, policies)
    assert caught.value.code == "E3B_S0_IDENTITY_MISMATCH"


def test_a_gate_that_is_not_there_is_an_invalid_gate(root: Root, policies: PolicySet) -> None:
    shutil.rmtree(root.bundle("2A"))
    with pytest.raises(Seg3BError) as caught:
        sealed(root, policies)
    assert caught.value.code == "E3B_S0_GATE_MISSING_OR_INVALID"
