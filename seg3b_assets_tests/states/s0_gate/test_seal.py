"""A sealing lists every input once, in order, and says the same whatever the machine."""

from __future__ import annotations

import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import published_id, sealed_own_id
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, file_digest, sha256_hex
from seg3b_assets.laws.plain_files import Reach
from seg3b_assets.policies import SEALED_POLICIES, PolicySet
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.s0_gate import SealedWorld, seal
from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets_tests.states.miniature_upstream import POLICIES, Root, Tables, write, write_root

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
    segments = ("1A", "1B", "2A", "3A")
    gates = {f"validation_{what}_{segment}" for segment in segments for what in ("passed_flag", "bundle")}
    assert ids >= {published_id(policy) for policy in SEALED_POLICIES} | gates
    assert ids.isdisjoint({"certification", "virtual_settlement_coords", "tz_timetable_cache"})
    assert len(ids) == 10 + 8 + 12
    assert {sealed_own_id(row) for row in rows} >= {*SEALED_POLICIES, "segment_1A_gate", "tz_world"}


def test_published_inputs_speak_the_layers_names_owners_and_shapes(root: Root, policies: PolicySet) -> None:
    rows = {row["logical_id"]: row for row in sealed(root, policies).sealed_inputs}
    said = {name: (rows[name]["owner_segment"], rows[name]["schema_ref"]) for name in rows}
    assert said["alias_layout_policy_v1"] == ("2B", "schemas.2B.yaml#/policy/alias_layout_policy_v1")
    assert said["tz_nudge"] == ("2A", "schemas.2A.yaml#/policy/tz_nudge_v1")
    assert said["virtual_validation_policy"] == ("3B", "schemas.3B.yaml#/policy/virtual_validation_policy_v1")
    assert said["zone_alloc"] == ("3A", "schemas.3A.yaml#/egress/zone_alloc")
    assert said["world_countries"][0] == said["transaction_schema_merchant_ids"][0] == "ingress"
    assert said["edge_topology"] == ("3B", "policies/edge_topology")
    assert (
        rows["tz_world"]["schema_ref"] == "contracts/tz_world.schema.json"
    )  # 2026c: not the published release
    flag, bundle = rows["validation_passed_flag_2A"], rows["validation_bundle_2A"]
    assert flag["sha256_hex"] == bundle["sha256_hex"] and bundle["path"] + "_passed.flag" == flag["path"]
    assert flag["sha256_hex"] in (root.path / flag["path"]).read_text()


def test_zone_polygons_of_the_published_release_have_the_published_name(
    root: Root, policies: PolicySet
) -> None:
    folder = root.path / "reference/spatial/tz_world"
    (folder / "2026c").rename(folder / "2025a")
    rows = {row["logical_id"]: row for row in sealed(root, policies).sealed_inputs}
    assert "tz_world" not in rows
    assert rows["tz_world_2025a"]["schema_ref"] == "schemas.ingress.layer1.yaml#/tz_world_2025a"


def test_both_documents_keep_their_contracts(root: Root, policies: PolicySet) -> None:
    world = sealed(root, policies)
    assert contract("sealed_inputs_3B").check_document(orjson.loads(world.sealed_bytes)) == []
    assert contract("s0_gate_receipt_3B").check_document(world.receipt) == []


def test_the_receipt_binds_the_digests_of_what_was_sealed(root: Root, policies: PolicySet) -> None:
    receipt = sealed(root, policies).receipt
    digests = receipt["digests"]
    assert digests["virtual_rules_digest"] == file_digest(POLICIES / "mcc_channel_rules.yaml")
    assert digests["cdn_weights_digest"] == file_digest(POLICIES / "cdn_country_weights.yaml")
    assert digests["virtual_validation_digest"] == file_digest(POLICIES / "virtual_validation.yaml")
    assert len(digests) == 3, "a digest whose artefact is not there is left out"
    assert "notes" not in receipt
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


def with_timetables(root: Root, **changed: object) -> None:
    manifest = {
        "manifest_fingerprint": root.world.manifest_fingerprint,
        "tzdb_release_tag": "2021a",
        "tzdb_archive_sha256": "a" * 64,
        "tz_index_digest": "b" * 64,
        "rle_cache_bytes": 2,
        "created_utc": root.world.created_utc,
    }
    fingerprint = root.world.manifest_fingerprint
    folder = root.path / f"data/layer1/2A/tz_timetable_cache/manifest_fingerprint={fingerprint}"
    write(folder / "tz_timetable_cache.json", canonical_json(manifest | changed))
    write(folder / "tz_cache_v1.bin", b"\x00\x01")


def test_upstreams_timetables_are_sealed_and_their_digests_bound(root: Root, policies: PolicySet) -> None:
    with_timetables(root)
    world = sealed(root, policies)
    assert world.inputs.has("tz_timetable_cache")
    digests = world.receipt["digests"]
    assert (digests["tzdata_archive_digest"], digests["tz_index_digest"]) == ("a" * 64, "b" * 64)
    assert contract("s0_gate_receipt_3B").check_document(world.receipt) == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"manifest_fingerprint": "8" * 64}, "E3B_S0_IDENTITY_MISMATCH"),
        ({"tzdb_release_tag": "latest"}, "E3B_S0_INPUT_SCHEMA_MISMATCH"),
        ({"more": 1}, "E3B_S0_INPUT_SCHEMA_MISMATCH"),
    ],
)
def test_timetables_of_another_world_or_shape_are_refused(
    root: Root, policies: PolicySet, changed: dict[str, object], code: str
) -> None:
    with_timetables(root, **changed)
    with pytest.raises(Seg3BError) as caught:
        sealed(root, policies)
    assert caught.value.code == code and "tz_timetable_cache.json" in caught.value.place


@pytest.mark.parametrize("file", ["tz_timetable_cache.json", "route_rng_policy_v1.json"])
def test_a_document_of_the_layer_that_says_two_things_is_refused(
    root: Root, policies: PolicySet, file: str
) -> None:
    with_timetables(root)
    write(root.path / "config/layer1/2B/policy/route_rng_policy_v1.json", b'{"algorithm": "philox"}')
    path = next(root.path.rglob(file))
    twice = path.read_bytes().replace(b"{", b'{"algorithm":"x","tzdb_release_tag":"2020a",', 1)
    write(path, twice.replace(b"{", b'{"tzdb_release_tag":"2020a",', 1))
    with pytest.raises(Seg3BError) as caught:
        sealed(root, policies)
    assert caught.value.code == "E3B_S0_INPUT_SCHEMA_MISMATCH" and file in caught.value.place
    assert "more than once" in caught.value.detail["reason"]


def test_zones_newer_than_upstreams_release_are_named(tmp_path: Path, policies: PolicySet) -> None:
    root = write_root(tmp_path / "upstream")
    zones = next(root.path.glob("reference/spatial/tz_world/*/tz_world.parquet"))
    frame = pl.read_parquet(zones, glob=False)
    renamed = pl.Series("tzid", ["America/Coyhaique", *frame["tzid"][1:]])
    frame.with_columns(renamed).sort("tzid", "country_iso").write_parquet(zones)
    with_timetables(root, tzdb_release_tag="2025a")
    assert sealed(root, policies).receipt["notes"] == (
        "zones newer than 2A's tz database 2025a: America/Coyhaique"
    )
    with_timetables(root, tzdb_release_tag="2025b")
    assert "notes" not in sealed(root, policies).receipt


def test_the_layers_own_policies_are_sealed_under_the_published_id_and_compared(
    root: Root, policies: PolicySet
) -> None:
    write(root.path / "config/layer1/2A/timezone/tz_nudge.yml", b'semver: "1.3.0"\nepsilon_degrees: 0.001\n')
    layout = b'{"quantised_bits": 24, "alignment_bytes": 8, "record_layout": {"prob_qbits": 32}}'
    write(root.path / "config/layer1/2B/policy/alias_layout_policy_v1.json", layout)
    zones = b"- {scope: country, target: RS, tzid: Europe/Belgrade}\n- {scope: mcc, target: 1, tzid: Europe/Rome}\n"
    write(root.path / "config/layer1/2A/timezone/tz_overrides.yaml", zones)
    streams = (
        b'{"algorithm": "philox2x64-10", "substreams": [{"id": "virtual_edge", "label": "cdn_edge_pick"}]}'
    )
    write(root.path / "config/layer1/2B/policy/route_rng_policy_v1.json", streams)
    world = sealed(root, policies)
    rows = {row["logical_id"]: row for row in world.sealed_inputs}
    assert rows["tz_nudge"]["path"] == "config/layer1/2A/timezone/tz_nudge.yml"
    assert rows["tz_nudge_3B"]["path"] == "tz_nudge.yaml" and rows["tz_nudge_3B"]["owner_segment"] == "3B"
    assert rows["alias_layout_policy_v1"]["sha256_hex"] == sha256_hex(layout)
    assert rows["alias_layout_3B"]["schema_ref"] == "policies/alias_layout"
    assert world.inputs.digest("tz_nudge") == file_digest(POLICIES / "tz_nudge.yaml")
    assert {"layer_tz_nudge", "layer_alias_layout", "layer_tz_overrides", "layer_route_rng"} <= set(
        world.inputs.entries
    )
    notes = world.receipt["notes"]
    assert "tz_nudge of the root says epsilon_deg 0.001; tz_nudge.yaml, in force, 0.002" in notes
    assert (
        "alias_layout_policy_v1 of the root says quantised_bits 24; alias_layout.yaml, in force, 32" in notes
    )
    assert "tz_overrides of the root says overrides RS Europe/Belgrade; " in notes
    assert "alignment_bytes" not in notes and "route_rng" not in notes
    listed = [row["logical_id"] for row in world.receipt["sealed_policy_set"]]
    assert listed == sorted(listed) and {"tz_nudge", "tz_nudge_3B"} <= set(listed)
    assert contract("sealed_inputs_3B").check_document(orjson.loads(world.sealed_bytes)) == []
    assert contract("s0_gate_receipt_3B").check_document(world.receipt) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "line 2: "),
        (b"[" * 100_000, "levels"),
        (b"- " * 500_000, "levels"),
        (b"\xff\xff", "UTF-8"),
        (b"a: 1\nb: 2\na: 3\n", "line 3: a where one 'a'"),
        (b"a: !!int ''\n", "line 1: tag:yaml.org,2002:int"),
        (b"a: &a [*a]\n", "line 1: *a"),
        (b"- 1\n" * 262_144, "more than 1048576 bytes"),
    ],
)
def test_a_layer_policy_that_is_no_document_is_refused(
    root: Root, policies: PolicySet, content: bytes, reason: str
) -> None:
    path = write(root.path / "config/layer1/2A/timezone/tz_overrides.yaml", content + b"\n")
    with pytest.raises(Seg3BError) as caught:
        sealed(root, policies)
    assert caught.value.code == "E3B_S0_INPUT_SCHEMA_MISMATCH" and caught.value.place == str(path)
    assert reason in caught.value.detail["reason"]


@pytest.mark.parametrize("entry", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merge keys"])
@pytest.mark.parametrize(
    "place", ["2A/timezone/tz_nudge.yml", "2A/timezone/tz_overrides.yaml"], ids=lambda path: Path(path).stem
)
def test_a_layer_policy_whose_aliases_stand_for_a_billion_values_is_refused(
    root: Root, policies: PolicySet, place: str, entry: str
) -> None:
    lines = ["v0: &v0 {a: 1, b: 2, c: 3}"]
    lines += [f"v{n}: &v{n} {entry.format(', '.join([f'*v{n - 1}'] * 9))}" for n in range(1, 10)]
    path = write(root.path / "config/layer1" / place, "\n".join(lines).encode())
    tracemalloc.start()
    with pytest.raises(Seg3BError) as caught:
        sealed(root, policies)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.place == str(path) and "aliases written out" in caught.value.detail["reason"]
    assert most < 32 << 20


@pytest.mark.parametrize("streams", ["5", '"virtual_edge"', "[1, [2]]", '{"id": 1}', "null"])
def test_a_layer_policy_of_another_shape_has_nothing_to_compare(
    root: Root, policies: PolicySet, streams: str
) -> None:
    path = root.path / "config/layer1/2B/policy/route_rng_policy_v1.json"
    write(path, f'{{"substreams": {streams}}}'.encode())
    assert "notes" not in sealed(root, policies).receipt


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


@pytest.mark.parametrize(
    "name", ["_passed.flag", "index.json", "checks/b.json", "the whole bundle", "a dataset"]
)
def test_what_a_link_out_of_reach_leads_to_is_neither_read_nor_told(
    root: Root, policies: PolicySet, tmp_path: Path, name: str
) -> None:
    places = {"the whole bundle": root.bundle("1A"), "a dataset": root.path / "data/layer1/3A/zone_alloc"}
    place = places.get(name, root.bundle("1A") / name)
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    private = tmp_path / "private"
    private.mkdir()
    secret = private / "secret"
    secret.write_text("the key\n")
    place.symlink_to(private if name in places else secret)
    with pytest.raises(Seg3BError) as caught:
        seal(root.path, policies, DigestCache(tmp_path / "digests.json", False), Reach.of(root.path))
    assert caught.value.name == "INPUT_OPEN_FAILED"
    assert "the key" not in str(caught.value.record())


def test_a_receipt_reached_by_a_link_is_not_quoted(root: Root, policies: PolicySet, tmp_path: Path) -> None:
    private = tmp_path / "private.json"
    private.write_text('{"seed": "the key"}')
    (root.path / "run_receipt.json").unlink()
    (root.path / "run_receipt.json").symlink_to(private)
    with pytest.raises(Seg3BError) as caught:
        sealed(root, policies)
    assert caught.value.validator == "receipt_schema"
    assert "the key" not in str(caught.value.record())


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
