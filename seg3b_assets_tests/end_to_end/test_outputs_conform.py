"""Every dataset the dictionary promises lies at its path in the form and order its contract declares."""

from __future__ import annotations

import re
import socket
import struct
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.contracts import DatasetContract, Violation, all_contracts, contract
from seg3b_assets_tests.end_to_end.installation import STATES, Installation

TIMESTAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z")
PUBLISHED = [one for one in all_contracts().values() if one.producer in STATES and one.status == "active"]


@pytest.fixture(scope="module")
def identity(coarse: Installation) -> dict[str, object]:
    receipt = orjson.loads(coarse.path("s0_gate_receipt_3B").read_bytes())
    audit = orjson.loads(coarse.path("rng_audit_log_3B").read_bytes())
    return {**{name: receipt[name] for name in ("seed", "manifest_fingerprint", "parameter_hash")}, **audit}


@pytest.mark.parametrize("declared", PUBLISHED, ids=lambda one: one.id)
def test_a_dataset_lies_at_its_path_and_keeps_its_contract(
    coarse: Installation, identity: dict[str, object], declared: DatasetContract
) -> None:
    path = coarse.snapshots()[declared.producer].root / declared.relative_path(identity)
    assert path.exists()
    assert check(declared, path) == []


def check(declared: DatasetContract, path: Path) -> list[Violation]:
    """Read a dataset as a stranger would and return what is wrong with it."""
    match declared.format:
        case "parquet":
            return declared.check_frame(pl.read_parquet(path, hive_partitioning=False))
        case "parquet_parts":
            parts = sorted(path.glob(declared.files))
            return declared.check_frame(pl.read_parquet(parts, hive_partitioning=False))
        case "jsonl" if not path.stat().st_size:
            return []
        case "jsonl":
            return declared.check_frame(pl.read_ndjson(path, schema=declared.polars_schema))
        case "json" | "json_indented":
            return declared.check_document(orjson.loads(path.read_bytes()))
        case "directory":
            return declared.check_document(sorted(file.name for file in path.iterdir()))
        case "flag":
            return declared.check_document(path.read_bytes().decode("ascii"))
        case "binary":
            return declared.check_document(decoded(path.read_bytes()))
        case other:
            raise AssertionError(f"{declared.id}: no reader for {other}")


def decoded(blob: bytes) -> list[dict[str, object]]:
    """The blob's slices, one after the other, as the schema describes them."""
    header = ("edge_count", "probability_bits", "reserved_0", "reserved_1")
    slices, at = [], 0
    while at < len(blob):
        fields = struct.unpack_from("<4I", blob, at)
        pairs = [list(struct.unpack_from("<2I", blob, at + 16 + 8 * slot)) for slot in range(fields[0])]
        slices.append({**dict(zip(header, fields, strict=True)), "pairs": pairs})
        at += 16 + 8 * fields[0]
    return slices


@pytest.mark.parametrize("dataset", [one.id for one in PUBLISHED if one.format == "jsonl"])
def test_every_line_is_canonical_and_keeps_its_contract_on_its_own(
    finished: Installation, dataset: str
) -> None:
    for line in finished.path(dataset).read_bytes().splitlines():
        value = orjson.loads(line)
        assert orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == line
        assert contract(dataset).check_document(value) == []


def test_nothing_lies_in_a_snapshot_but_what_its_manifest_lists(coarse: Installation) -> None:
    for snapshot in coarse.snapshots().values():
        listed = {path for record in snapshot.outputs.values() for path in record.locations(snapshot.root)}
        found = {path for path in snapshot.root.rglob("*") if path.is_file()}
        assert found - listed == {snapshot.root / "snapshot.json"}
        assert listed <= found


def test_no_output_knows_this_machine_or_the_clock(coarse: Installation, identity: dict[str, object]) -> None:
    local = (socket.gethostname().encode().join([b'"'] * 2), str(coarse.home).encode())
    for snapshot in coarse.snapshots().values():
        for path in snapshot.root.rglob("*.json*"):
            text = path.read_bytes()
            assert not [word for word in local if word in text], path
            assert set(TIMESTAMP.findall(text)) <= {str(identity["ts_utc"]).encode()}, path
