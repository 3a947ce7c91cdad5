"""The tables of S1 to S4 as the layer publishes them, held by hand against its schemas; and that this can fail."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.published import published_contract
from seg3b_assets.inputs.published import Published
from seg3b_assets_tests.contracts.published_shape import assert_published

TABLES = {
    name: declared["schema_ref"].partition("#/")[2]
    for name, declared in published_contract()["datasets"].items()
    if declared["format"] == "parquet"
}


@pytest.mark.parametrize(("dataset", "shape"), TABLES.items())
def test_a_published_table_has_the_layers_columns(published: Published, dataset: str, shape: str) -> None:
    assert_published(shape, published.table(dataset))


def test_the_alias_index_has_a_universe_hash_that_is_always_null(published: Published) -> None:
    index = published.table("edge_alias_index_3B")
    at = index.columns.index("universe_hash")
    assert index.columns[at - 1 : at + 2] == ["alias_layout_version", "universe_hash", "blob_sha256_hex"]
    assert index["universe_hash"].null_count() == index.height


def test_the_catalogues_path_is_where_its_files_are(published: Published) -> None:
    (path,) = published.table("edge_catalogue_index_3B").filter(pl.col("scope") == "GLOBAL")[
        "edge_catalogue_path"
    ]
    folder = published.path("edge_catalogue_3B")
    assert folder.as_posix().endswith(path.rstrip("/")) and "{" not in path


def test_logs_and_paths_are_where_the_layer_looks() -> None:
    for name, declared in published_contract()["datasets"].items():
        if name in ("gamma_draw_log_3B", *TABLES):
            assert contract(name).path.startswith(declared["path"]), name


CLASSIFICATION = "plan/virtual_classification_3B"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"virtual_mode": "MAYBE"}, "none of"),
        ({"is_virtual": None}, "null"),
        ({"merchant_id": 0}, "out of range"),
        ({"manifest_fingerprint": "0" * 63}, "does not match"),
        ({"rule_id": 7}, "is no string"),
        ({"seed": True}, "is no integer"),
    ],
)
def test_a_value_the_layer_refuses_is_refused(
    published: Published, change: dict[str, Any], complaint: str
) -> None:
    rows = published.table("virtual_classification_3B").head(3)
    spoilt = rows.with_columns(**{name: pl.lit(value) for name, value in change.items()})
    with pytest.raises(AssertionError, match=complaint):
        assert_published(CLASSIFICATION, spoilt)


def test_a_column_more_less_or_elsewhere_is_refused(published: Published) -> None:
    rows = published.table("virtual_classification_3B").head(3)
    first, *others = rows.columns
    for spoilt in (rows.with_columns(more=1), rows.drop("notes"), rows.select(*others, first)):
        with pytest.raises(AssertionError):
            assert_published(CLASSIFICATION, spoilt)


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("target_population", {"virtual_only": True, "who": "all"}, "unknown"),
        ("inputs", {"datasets": []}, "too few"),
        ("inputs", {"datasets": [{"logical_id": "edge_catalogue_3B"}]}, "missing"),
        ("thresholds", {"top1_share_p50_min": 1.5}, "out of range"),
        ("thresholds", {"active_rule_id_count_min": 2.5}, "is no integer"),
    ],
)
def test_what_a_struct_may_not_hold_is_refused(
    published: Published, column: str, value: dict[str, Any], complaint: str
) -> None:
    row = published.table("virtual_validation_contract_3B").head(1)
    spoilt = row.with_columns(pl.Series(column, [value], strict=False))
    with pytest.raises(AssertionError, match=complaint):
        assert_published("egress/virtual_validation_contract_3B", spoilt)
