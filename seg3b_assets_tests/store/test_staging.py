"""What a state writes: bytes that depend on values alone, digests by law, contracts enforced."""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import directory_digest, file_digest
from seg3b_assets.store import Staging, Store
from seg3b_assets.store.staging import parquet_bytes
from seg3b_assets_tests.store.toy_contracts import toy_contract, toy_edges, toy_identity


@pytest.fixture
def staged(tmp_path: Path):
    staging = Staging(tmp_path, "S2", toy_identity(), toy_contract)
    yield staging
    staging.close()


def test_table_digest_is_that_of_its_file(staged: Staging) -> None:
    staged.table("virtual_classification_3B", toy_edges(10))
    record = staged.outputs["virtual_classification_3B"]
    path = staged.path("virtual_classification_3B")
    assert record.path == "data/classes/seed=42/part-00000.parquet"
    assert (record.digest, record.rows, record.bytes) == (file_digest(path), 10, path.stat().st_size)
    assert pl.read_parquet(path).equals(toy_edges(10))


@pytest.mark.parametrize(("rows", "parts"), [(0, 1), (4, 1), (5, 2), (12, 3)])
def test_parts_are_cut_by_rows_and_digested_by_the_directory_law(
    staged: Staging, rows: int, parts: int
) -> None:
    staged.table("edge_catalogue_3B", toy_edges(rows), rows_per_part=4)
    folder = staged.path("edge_catalogue_3B")
    record = staged.outputs["edge_catalogue_3B"]
    assert [file.name for file in record.files] == [f"part-{n:05d}.parquet" for n in range(parts)]
    assert record.digest == directory_digest(folder)
    assert pl.read_parquet(sorted(folder.glob("*.parquet"))).equals(toy_edges(rows))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 999), max_size=4))
def test_parquet_bytes_do_not_depend_on_chunks(cuts: list[int]) -> None:
    frame = toy_edges(1000)
    edges = [0, *sorted(set(cuts)), 1000]
    pieces = [frame.slice(a, b - a) for a, b in itertools.pairwise(edges)]
    chunked = pl.concat(pieces, rechunk=False)
    assert bytes(parquet_bytes(chunked)) == bytes(parquet_bytes(frame))


def test_a_slice_is_written_as_the_same_rows_on_their_own(staged: Staging) -> None:
    own = pl.DataFrame(toy_edges(1000).slice(100, 50).to_dict(as_series=False), schema=toy_edges(0).schema)
    assert bytes(parquet_bytes(toy_edges(1000).slice(100, 50))) == bytes(parquet_bytes(own))


@given(st.lists(st.integers(0, 40), max_size=6))
@settings(max_examples=25, deadline=None)
def test_lines_are_hashed_and_counted_however_they_are_cut(cuts: list[int]) -> None:
    content = b'{"a":1}\n{"b":22}\n{"c":333}\n{"d":4}\n'
    edges = [0, *sorted({min(cut, len(content)) for cut in cuts}), len(content)]
    chunks = [memoryview(content)[a:b] for a, b in itertools.pairwise(edges)]
    with tempfile.TemporaryDirectory() as folder:
        staged = Staging(Path(folder), "S2", toy_identity(), toy_contract)
        staged.lines("rng_event_edge_jitter_3B", chunks)
        record = staged.outputs["rng_event_edge_jitter_3B"]
        written = staged.path("rng_event_edge_jitter_3B").read_bytes()
        staged.close()
    assert written == content
    assert (record.digest, record.rows, record.bytes) == (
        hashlib.sha256(content).hexdigest(),
        4,
        len(content),
    )


def test_no_lines_is_an_empty_file(staged: Staging) -> None:
    staged.lines("rng_event_edge_jitter_3B", [])
    record = staged.outputs["rng_event_edge_jitter_3B"]
    assert (record.rows, record.bytes, record.digest) == (0, 0, hashlib.sha256(b"").hexdigest())


def test_an_unterminated_last_line_is_refused(staged: Staging) -> None:
    with pytest.raises(ValueError, match="no newline"):
        staged.lines("rng_event_edge_jitter_3B", [b'{"a":1}\n{"b"'])


def test_documents_are_canonical_or_indented_as_the_contract_says(staged: Staging) -> None:
    staged.document("sealed_inputs_3B", [{"b": 1, "a": "é"}])
    staged.document("virtual_routing_policy_3B", {"b": 1, "a": 2})
    assert staged.path("sealed_inputs_3B").read_bytes() == '[{"a":"é","b":1}]'.encode()
    assert staged.path("virtual_routing_policy_3B").read_bytes() == b'{\n  "a": 2,\n  "b": 1\n}\n'


def test_a_bundle_counts_its_members_and_not_the_flag_beside_them(staged: Staging) -> None:
    staged.member("validation_bundle_3B", "b.json", b"{}")
    staged.member("validation_bundle_3B", "a.json", b"[]")
    staged.blob("passed_flag_3B", b"sha256_hex = 00\n")
    law = hashlib.sha256()
    for name, data in (("a.json", b"[]"), ("b.json", b"{}")):
        law.update(len(name).to_bytes(4, "little") + name.encode() + (2).to_bytes(8, "little") + data)
    record = staged.outputs["validation_bundle_3B"]
    assert record.digest == law.hexdigest()
    assert [file.name for file in record.files] == ["a.json", "b.json"]


@pytest.mark.parametrize("name", ["", "../a", "/a", "a\\b", "a:b", "ä.json", "a/../b", "./a", "a//b"])
def test_a_member_name_that_could_leave_the_bundle_is_refused(staged: Staging, name: str) -> None:
    with pytest.raises(ValueError, match="no member"):
        staged.member("validation_bundle_3B", name, b"")


def test_an_output_is_written_once(staged: Staging) -> None:
    staged.blob("edge_alias_blob_3B", b"1")
    with pytest.raises(ValueError, match="before"):
        staged.blob("edge_alias_blob_3B", b"2")


@pytest.mark.parametrize(
    ("dataset_id", "code"),
    [
        ("edge_catalogue_3B", "E3B_S2_EDGE_CATALOGUE_SCHEMA_VIOLATION"),
        ("virtual_classification_3B", "E3B_S2_OUTPUT_WRITE_FAILED"),
    ],
)
def test_rows_that_break_the_contract_are_not_written(staged: Staging, dataset_id: str, code: str) -> None:
    broken = toy_edges(3).with_columns(weight=pl.lit(None, pl.Float64))
    with pytest.raises(Seg3BError) as caught:
        staged.table(dataset_id, broken)
    assert caught.value.code == code
    assert caught.value.detail["violations"] == [{"rule": "null", "column": "weight", "count": 3}]
    assert not staged.path(dataset_id).exists()


def test_two_threads_may_write_two_datasets(store: Store) -> None:
    line = b'{"a":1}\n' * 5000
    with store.staging("S2", toy_identity()) as out, ThreadPoolExecutor(2) as pool:
        names = ("rng_event_edge_jitter_3B", "rng_event_edge_tile_assign_3B")
        list(pool.map(lambda name: out.lines(name, [line] * 20), names))
        expected = hashlib.sha256(line * 20).hexdigest()
        assert {record.digest for record in out.outputs.values()} == {expected}
        assert {record.rows for record in out.outputs.values()} == {100_000}
