"""What a state reads of earlier ones: paths of its own lineage, contents checked on the way in."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.store import Staging, Store
from seg3b_assets.store.staging import parquet_bytes
from seg3b_assets_tests.store.conftest import publish
from seg3b_assets_tests.store.toy_contracts import toy_contract, toy_edges


def write(out: Staging) -> None:
    out.table("edge_catalogue_3B", toy_edges(10), rows_per_part=4)
    out.document("sealed_inputs_3B", [{"a": 1}])


@pytest.fixture
def published(store: Store) -> Published:
    return Published("S3", [publish(store, write)], toy_contract)


def _overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_table_comes_back_in_order_whole_or_by_column(published: Published) -> None:
    assert published.table("edge_catalogue_3B").equals(toy_edges(10))
    assert published.table("edge_catalogue_3B", ["country_iso"]).equals(toy_edges(10).select("country_iso"))
    assert published.document("sealed_inputs_3B") == [{"a": 1}]
    assert [path.name for path in published.files("edge_catalogue_3B")] == [
        "part-00000.parquet",
        "part-00001.parquet",
        "part-00002.parquet",
    ]
    assert published.dataset_ids == ("edge_catalogue_3B", "sealed_inputs_3B")


def test_a_dataset_nobody_published_is_refused(published: Published) -> None:
    with pytest.raises(Seg3BError) as caught:
        published.path("edge_alias_blob_3B")
    assert caught.value.code == "E3B_S3_REQUIRED_INPUT_NOT_SEALED"


def test_a_truncated_table_is_an_open_failure(published: Published) -> None:
    part = published.files("edge_catalogue_3B")[1]
    _overwrite(part, part.read_bytes()[:100])
    with pytest.raises(Seg3BError) as caught:
        published.table("edge_catalogue_3B")
    assert caught.value.code == "E3B_S3_INPUT_OPEN_FAILED"


def test_other_columns_are_a_schema_mismatch_also_by_column(published: Published) -> None:
    part = published.files("edge_catalogue_3B")[0]
    _overwrite(part, bytes(parquet_bytes(toy_edges(4).with_columns(weight=pl.lit(1, pl.Int64)))))
    for columns in (None, ["country_iso"]):
        with pytest.raises(Seg3BError) as caught:
            published.table("edge_catalogue_3B", columns)
        assert caught.value.code == "E3B_S3_INPUT_SCHEMA_MISMATCH"
        assert caught.value.detail["columns"] == {"weight": {"expected": "Float64", "found": "Int64"}}


def test_values_the_contract_forbids_are_a_schema_mismatch(published: Published) -> None:
    part = published.files("edge_catalogue_3B")[0]
    _overwrite(part, bytes(parquet_bytes(toy_edges(4).with_columns(weight=pl.lit(None, pl.Float64)))))
    with pytest.raises(Seg3BError) as caught:
        published.table("edge_catalogue_3B")
    assert caught.value.code == "E3B_S3_INPUT_SCHEMA_MISMATCH"


@pytest.mark.parametrize(
    ("content", "name"), [(b"{", "INPUT_OPEN_FAILED"), (b"3", "INPUT_SCHEMA_MISMATCH")], ids=["cut", "other"]
)
def test_a_document_altered_after_publishing_is_refused(
    published: Published, content: bytes, name: str
) -> None:
    _overwrite(published.path("sealed_inputs_3B"), content)
    with pytest.raises(Seg3BError) as caught:
        published.document("sealed_inputs_3B")
    assert caught.value.name == name


def test_a_panic_over_a_published_table_is_an_error_with_its_place(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panic(*_arguments: object, **_options: object) -> None:
        raise pl.exceptions.PanicException("index out of bounds")

    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(Seg3BError, match="published_readable"):
        published.table("edge_catalogue_3B")
