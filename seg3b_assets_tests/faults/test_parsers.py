"""Everything that reads what it did not write: an answer or a named error, whatever the bytes, and nothing else.

Bytes are drawn from noise, from JSON of any shape, and from sound files with pieces cut, doubled or replaced.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seg3b_assets.audit.exported import ExportedTree
from seg3b_assets.audit.line_diagnosis import parse_line
from seg3b_assets.audit.listing import Listing
from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import load_policies
from seg3b_assets.policies.loader import POLICY_MODELS, parse_policy
from seg3b_assets.store import DigestCache
from seg3b_assets.store.snapshots import MANIFEST, read_snapshot

_QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).map(lambda value: orjson.dumps(value, default=str))
_BYTES = st.binary(max_size=200) | _JSON.filter(lambda data: len(data) < 10_000)
_DEEP = b"[" * 100_000
_DEEP_OBJECT = b'{"a":' * 100_000
_HUGE_NUMBER = b'{"seed":' + b"9" * 5_000 + b"}"


@_QUICK
@given(_BYTES)
@example(_DEEP)
@example(_DEEP_OBJECT)
@example(_HUGE_NUMBER)
@example(b'{"seed":1,"seed":2}')
@example(b"\xff\xfe")
def test_a_line_of_a_log(data: bytes) -> None:
    value, fault = parse_line("rng_event_edge_jitter_3B", data)
    assert (value is None) == bool(fault)


@_QUICK
@given(_BYTES, st.sampled_from(sorted(POLICY_MODELS)))
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
@given(_BYTES)
@example(_DEEP)
@example(b'{"path":"../../../etc/passwd","size_bytes":1}')
def test_the_receipts_of_a_tree(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "run_receipt.json").write_bytes(data)
    tree = ExportedTree.of(tmp_path)
    assert set(tree.listing.files) == {"run_receipt.json"}


@_QUICK
@given(_BYTES)
@example(_DEEP)
@example(b'{"key":"x","inputs":{},"sealed":{},"outputs":{"a":{"path":"../../x"}}}')
def test_the_manifest_of_a_snapshot(tmp_path: Path, data: bytes) -> None:
    folder = tmp_path / "S0" / ("0" * 64)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(data)
    assert read_snapshot(folder) is None


@_QUICK
@given(_BYTES)
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


def test_policies_behind_a_link_to_a_device_are_refused(tmp_path: Path, bounded: Callable[[], None]) -> None:
    (tmp_path / "tz_nudge.yaml").symlink_to("/dev/zero")
    bounded()
    with pytest.raises(Seg3BError):
        load_policies(tmp_path)
