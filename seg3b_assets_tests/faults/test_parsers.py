"""Everything that reads what it did not write: an answer or a named error, whatever the bytes, and nothing else.

Bytes are drawn from noise, from JSON of any shape, and from sound files with pieces cut, doubled or replaced.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seg3b_assets.audit.checks import audited_datasets
from seg3b_assets.audit.exported import ExportedTree
from seg3b_assets.audit.line_diagnosis import parse_line
from seg3b_assets.audit.listing import Listing
from seg3b_assets.audit.tree import footer_violations, read_table
from seg3b_assets.certification.kept import MANIFEST as MANIFEST_OF_CERTIFICATION
from seg3b_assets.certification.kept import Certifications
from seg3b_assets.consume import open_run
from seg3b_assets.contracts import contract
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.policies.loader import POLICY_MODELS
from seg3b_assets.realism.policy_reading import load_policies, parse_policy
from seg3b_assets.store import DigestCache, Store
from seg3b_assets.store.refs import Refs
from seg3b_assets.store.runs import Runs, record_path
from seg3b_assets.store.snapshots import MANIFEST, read_snapshot
from seg3b_assets_tests.faults.contents import BYTES, spoilt
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.specimen import Specimen

_QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_MANY = settings(_QUICK, max_examples=150)
_DEEP = b"[" * 100_000
_DEEP_OBJECT = b'{"a":' * 100_000
_HUGE_NUMBER = b'{"seed":' + b"9" * 5_000 + b"}"


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(_DEEP_OBJECT)
@example(_HUGE_NUMBER)
@example(b'{"seed":1,"seed":2}')
@example(b"\xff\xfe")
def test_a_line_of_a_log(data: bytes) -> None:
    value, fault = parse_line("rng_event_edge_jitter_3B", data)
    assert (value is None) == bool(fault)


@_QUICK
@given(BYTES, st.sampled_from(sorted(POLICY_MODELS)))
@example(b"a: &x 1\nb: *x\n", "tz_nudge")
@example(b"a: !!python/object/apply:os.system ['true']\n", "tz_nudge")
@example(b"? [a, b]\n: 1\n", "tz_nudge")
@example(b"{" * 10_000, "tz_nudge")
@example(b"- " * 50_000, "tz_nudge")
@example(b"a: " + b"9" * 100_000, "tz_nudge")
@example(b"%YAML 9.9\n---\na: 1", "tz_nudge")
@example(b"a: 1\n---\nb: 2\n", "tz_nudge")
@example(b"\x00", "tz_nudge")
def test_a_policy(data: bytes, policy_id: str) -> None:
    try:
        parse_policy(f"{policy_id}.yaml", data, POLICY_MODELS[policy_id])
    except Seg3BError as error:
        assert error.code == "E3B_S0_POLICY_SCHEMA_INVALID"
        assert error.remedy


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(b'{"path":"../../../etc/passwd","size_bytes":1}')
def test_the_receipts_of_a_tree(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "run_receipt.json").write_bytes(data)
    tree = ExportedTree.of(tmp_path)
    assert set(tree.listing.files) == {"run_receipt.json"}


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(b'{"key":"x","inputs":{},"sealed":{},"outputs":{"a":{"path":"../../x"}}}')
def test_the_manifest_of_a_snapshot(tmp_path: Path, data: bytes) -> None:
    folder = tmp_path / "S0" / ("0" * 64)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(data)
    assert read_snapshot(folder) is None


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(b'{"seed":42,"states":{"S5":"../../../../etc/passwd"}}')
@example(b'{"seed":42,"states":["S5"]}')
@example(b'{"seed":42,"states":"S5"}')
def test_the_heads_of_a_seed(tmp_path: Path, data: bytes) -> None:
    _put(tmp_path / "heads" / "seed=42.json", data)
    for key in _answered(lambda: Store(tmp_path, contract).heads(42), {}).values():
        assert HEX64.fullmatch(key)


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(b'{"42":"../../../../etc/passwd"}')
@example(b'{"99999999999999999999999":"' + b"0" * 64 + b'"}')
def test_a_ref(tmp_path: Path, data: bytes) -> None:
    _put(tmp_path / "refs" / "last_good.json", data)
    for lineage_id in _answered(lambda: Refs(tmp_path).read("last_good"), {}).values():
        assert HEX64.fullmatch(lineage_id)


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(b'{"seed":42,"states":{"S0":{"key":"x","digest":"y"}},"counts":{},"flag":null}')
def test_the_record_of_a_run(tmp_path: Path, data: bytes) -> None:
    lineage_id = "0" * 64
    _put(tmp_path / record_path(lineage_id), data)
    assert _answered(lambda: Runs(tmp_path).read(lineage_id), None) is None


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(b'{"inputs":{"lineages":{"x":"y"},"certification_policy":1},"files":[1]}')
@example(b'{"inputs":{"lineages":{},"certification_policy":"p"},"files":{"../../x":"y"}}')
def test_the_manifest_of_a_certification(tmp_path: Path, data: bytes) -> None:
    _put(tmp_path / "certifications" / ("0" * 64) / MANIFEST_OF_CERTIFICATION, data)
    for kept in Certifications(tmp_path).every():
        assert all(Path(name).name == name for name in kept.files)


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(b"sha256_hex = " + b"0" * 64)
@example(b"sha256_hex = " + b"0" * 64 + b"\n")
def test_the_flag_and_the_manifest_of_a_run_that_is_consumed(
    tmp_path: Path, specimen: Specimen, data: bytes
) -> None:
    if not (tmp_path / "tree").exists():
        specimen.copy(tmp_path / "tree")
    tree = Tree(tmp_path / "tree")
    for name in ("_passed.flag", "s5_manifest_3B.json"):
        sound = tree.member(name).read_bytes()
        tree.replace(tree.member(name), data)
        with pytest.raises(Seg3BError):
            open_run(tree.root)
        tree.replace(tree.member(name), sound)


@_QUICK
@given(BYTES)
@example(b"PAR1" * 100)
@example(b"PAR1" + b"\xff" * 8 + b"PAR1")
def test_a_table_of_noise(tmp_path: Path, data: bytes) -> None:
    _put(tmp_path / "table.parquet", data)
    with pytest.raises(UnreadableTableError):
        read_table([tmp_path / "table.parquet"])


@_MANY
@given(st.data())
def test_a_table_with_pieces_cut_doubled_or_replaced(specimen: Specimen, data: st.DataObject) -> None:
    tree = Tree(specimen.tree)
    tables = [name for name in audited_datasets() if contract(name).format in ("parquet", "parquet_parts")]
    path = tree.file(data.draw(st.sampled_from(tables)))
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / path.name
        file.write_bytes(data.draw(spoilt(path.read_bytes())))
        try:
            frame = read_table([file])
            footer_violations([file], frame, None)
        except UnreadableTableError as error:
            assert str(error)


def test_a_table_of_more_rows_than_its_bytes_can_hold(tmp_path: Path, bounded: Callable[[], None]) -> None:
    bomb = tmp_path / "table.parquet"
    rows = pa.table({"seed": pa.array(np.zeros(1 << 22, np.uint64))})
    with pq.ParquetWriter(bomb, rows.schema, compression="zstd") as writer:
        for _ in range(16):
            writer.write_table(rows)
    bounded()
    with pytest.raises(UnreadableTableError, match=r"values and \d+ bytes unpacked, in \d+ bytes"):
        read_table([bomb])


@_QUICK
@given(BYTES)
@example(_DEEP)
@example(b'{"entries":[1,2,3]}')
def test_a_cache_of_digests(tmp_path: Path, data: bytes) -> None:
    remembered, file = tmp_path / "digests.json", tmp_path / "file"
    remembered.write_bytes(data)
    file.write_bytes(b"x")
    digest = DigestCache(remembered, True).file(file)
    assert digest == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


@pytest.mark.parametrize("dataset", ["validation_bundle_index_3B", "s0_gate_receipt_3B", "sealed_inputs_3B"])
@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", "a\\b", "C:x", "a\u0000b", "ä.json", "./x", ""]
)
def test_a_path_that_leaves_its_folder_breaks_the_contract(dataset: str, path: str) -> None:
    rows: dict[str, object] = {
        "validation_bundle_index_3B": {"members": [{"path": path}]},
        "s0_gate_receipt_3B": {"sealed_policy_set": [{"path": path}]},
        "sealed_inputs_3B": [{"path": path}],
    }
    violations = contract(dataset).check_document(rows[dataset])
    assert any(violation.column.endswith("/path") for violation in violations)


def test_a_folder_of_links_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "out").symlink_to("/")
    listing = Listing.of(tmp_path)
    assert listing.files == {}
    assert set(listing.strange) == {"loop", "out"}


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _answered(read: Callable[[], Any], otherwise: Any) -> Any:
    """What is read, or ``otherwise`` when it is refused with a code and a remedy."""
    try:
        return read()
    except Seg3BError as error:
        assert error.code == "E3B_S0_INPUT_OPEN_FAILED"
        assert error.remedy
        return otherwise


def test_policies_behind_a_link_to_a_device_are_refused(tmp_path: Path, bounded: Callable[[], None]) -> None:
    (tmp_path / "tz_nudge.yaml").symlink_to("/dev/zero")
    bounded()
    with pytest.raises(Seg3BError):
        load_policies(tmp_path)
