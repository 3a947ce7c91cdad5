"""Cells of published tables that a column can hold and its contract refuses: findings, and no auditor's end."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from seg3b_assets.audit.verification import verify
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.audit.spoilt_tree import Tree, failed

INDEX, ALIAS, RESULTS, ROWS, TERMS, EDGES = (
    "edge_catalogue_index_3B.parquet",
    "edge_alias_index_3B.parquet",
    "virtual_validation_results_3B.parquet",
    "virtual_validation_contract_3B.parquet",
    "virtual_validation_terms_3B.parquet",
    "edge_catalogue/",
)
CELLS: list[tuple[str, str, pl.Expr, str]] = [
    (INDEX, "edge_digest", pl.lit(None, pl.String), "S2.edge_catalogue_index_3B.contract"),
    (INDEX, "edge_digest", pl.lit("zz"), "S2.edge_catalogue_index_3B.contract"),
    (INDEX, "edge_digest", pl.lit("é" * 64), "S2.index_digests"),
    (INDEX, "edge_count_total", pl.lit(None, pl.Int64), "S2.index_merchants"),
    (INDEX, "country_mix_summary", pl.lit(None, pl.String), "S2.index_country_mix"),
    (ALIAS, "alias_table_length", pl.lit(None, pl.Int64), "S3.alias_bounds"),
    (ALIAS, "blob_offset_bytes", pl.lit(None, pl.Int64), "S3.alias_bounds"),
    (ALIAS, "blob_length_bytes", pl.lit(None, pl.Int64), "S3.edge_alias_index_3B.contract"),
    (ALIAS, "edge_count_total", pl.lit(None, pl.Int64), "S3.edge_alias_index_3B.contract"),
    (ALIAS, "merchant_id", pl.lit(None, pl.UInt64), "S3.alias_rows"),
    (RESULTS, "threshold", pl.lit("no JSON"), "S5.realism_results"),
    (RESULTS, "threshold", pl.lit(None, pl.String), "S4.virtual_validation_results_3B.contract"),
    (ROWS, "test_type", pl.lit("\x1b[2J"), "S4.families"),
    (ROWS, "test_id", pl.lit("nobody's"), "S4.terms_set"),
    (TERMS, "metric", pl.lit("nothing"), "S4.rows"),
    (TERMS, "test_id", pl.lit("nobody's"), "S4.terms_set"),
    (EDGES, "edge_digest", pl.lit("no hex"), "S2.edge_digest"),
]


@pytest.mark.parametrize(
    ("table", "column", "cell", "check"), CELLS, ids=[f"{column} {cell}" for _, column, cell, _ in CELLS]
)
def test_such_cells_are_findings_and_every_auditor_goes_on(
    exported: Path, tmp_path: Path, table: str, column: str, cell: pl.Expr, check: str
) -> None:
    tree = Tree(exported, tmp_path / "tree")
    path = next(one for one in sorted((tree.root / "data").rglob("*.parquet")) if table in str(one))
    frame = pl.read_parquet(path.read_bytes())
    some = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 3 == 0)
        .then(cell.cast(frame.schema[column]))
        .otherwise(column)
        .alias(column)
    )
    out = io.BytesIO()
    some.write_parquet(out, compression="zstd")
    path.unlink()
    path.write_bytes(out.getvalue())
    tree.list_again()
    found = failed(verify(tree.root, REPOSITORY / "policies"))
    assert check in found
    assert "S5.examination" not in found


TABLES = (INDEX, ALIAS, RESULTS, "virtual_validation_contract_3B", "virtual_classification/")


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        *((table, "text") for table in TABLES),
        *((INDEX, kind) for kind in ("lists", "moments")),
        *(
            pytest.param(table, kind, marks=pytest.mark.e2e)
            for table in TABLES[1:]
            for kind in ("lists", "moments")
        ),
    ],
)
def test_columns_of_another_type_are_findings_too(
    exported: Path, tmp_path: Path, table: str, kind: str
) -> None:
    tree = Tree(exported, tmp_path / "tree")
    path = next(one for one in sorted((tree.root / "data").rglob("*.parquet")) if table in str(one))
    frame = pl.read_parquet(path.read_bytes())
    others = {
        "text": lambda name: pl.lit("x"),
        "lists": pl.concat_list,
        "moments": lambda name: pl.lit(0).cast(pl.Datetime("us")),
    }
    out = io.BytesIO()
    frame.select(others[kind](name).alias(name) for name in frame.columns).write_parquet(
        out, compression="zstd"
    )
    path.unlink()
    path.write_bytes(out.getvalue())
    tree.list_again()
    found = failed(verify(tree.root, REPOSITORY / "policies"))
    assert any(check.endswith(".contract") for check in found)
    assert "S5.examination" not in found
