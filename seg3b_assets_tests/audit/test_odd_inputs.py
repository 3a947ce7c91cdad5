"""Inputs in a tree whose columns are none of the contract's: their seal is broken, and no auditor is."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from seg3b_assets.audit.verification import verify
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.audit.spoilt_tree import Tree, failed

SHIPPED = REPOSITORY / "policies"
INPUTS = (
    "outlet_catalogue",
    "zone_alloc",
    "transaction_schema_merchant_ids",
    "settlement_gazetteer",
    "tz_world",
    "world_countries",
)


def in_pairs(frame: pl.DataFrame) -> pl.DataFrame:
    """Every value twice, in an array of two."""
    return frame.select(pl.concat_list(name, name).list.to_array(2).alias(name) for name in frame.columns)


COLUMNS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "in lists": lambda frame: frame.select(pl.concat_list(name).alias(name) for name in frame.columns),
    "in arrays": in_pairs,
    "in one": lambda frame: frame.select(x=pl.struct(pl.all())),
    "of nothing": lambda frame: frame.select(pl.lit(None).alias(name) for name in frame.columns),
    "some null": lambda frame: frame.select(pl.when(pl.int_range(pl.len()) % 3 > 0).then(pl.all())),
    "of moments": lambda frame: frame.with_columns(
        pl.lit(0).cast(pl.Datetime("us")).alias(name) for name in frame.columns
    ),
    "the last alone": lambda frame: frame.select(frame.columns[-1]),
    "without a row": lambda frame: frame.clear(),
}


@pytest.mark.parametrize("columns", COLUMNS)
def test_inputs_of_other_columns_break_their_seal_and_no_auditor(
    exported: Path, tmp_path: Path, columns: str
) -> None:
    tree = Tree(exported, tmp_path / "tree")
    for name in INPUTS:
        path = next(
            one for one in (tree.root / "inputs/upstream").rglob("*.parquet") if f"/{name}/" in str(one)
        )
        out = io.BytesIO()
        COLUMNS[columns](pl.read_parquet(path.read_bytes())).write_parquet(out)
        path.unlink()
        path.write_bytes(out.getvalue())
    tree.list_again()
    found = failed(verify(tree.root, SHIPPED))
    assert "S0.sealed_digests" in found
    assert "S5.examination" not in found


@pytest.mark.e2e
@pytest.mark.parametrize("name", INPUTS)
def test_each_alone(exported: Path, tmp_path: Path, name: str) -> None:
    tree = Tree(exported, tmp_path / "tree")
    path = next(one for one in (tree.root / "inputs/upstream").rglob("*.parquet") if f"/{name}/" in str(one))
    frame = in_pairs(pl.read_parquet(path.read_bytes()))
    path.unlink()
    frame.write_parquet(path)
    found = failed(verify(tree.root, SHIPPED))
    assert "S0.sealed_digests" in found
    assert "S5.examination" not in found
