"""What only upstream's root shows of an exported tree: that it published what was sealed, and that its gates hold."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.audit.verification import verify
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.audit.spoilt_tree import Tree, failed, skipped

SHIPPED = REPOSITORY / "policies"


@pytest.fixture
def root(upstream: Path, tmp_path: Path) -> Path:
    """A copy of upstream's root, by hard links."""
    return Path(shutil.copytree(upstream, tmp_path / "root", copy_function=os.link))


def test_an_excerpt_that_fits_every_edge_but_not_the_surface_is_found(
    exported: Path, upstream: Path, tmp_path: Path
) -> None:
    tree = Tree(exported, tmp_path / "tree")
    path = tree.root / "inputs/tile_excerpt.parquet"
    frame = pl.read_parquet(path)
    path.unlink()
    # The first gap before a tile is given to the tile: no draw fell there.
    gap = pl.int_range(pl.len()) == int((frame["weight_before"] > 0).arg_true()[0])
    before = pl.when(gap).then(pl.col("weight_before") - 1).otherwise("weight_before")
    own = pl.when(gap).then(pl.col("weight_fp") + 1).otherwise("weight_fp")
    frame.with_columns(weight_before=before, weight_fp=own).write_parquet(path)
    tree.list_again()
    alone = verify(tree.root, SHIPPED)
    assert failed(alone) == []
    assert "no digest covers" in skipped(alone)["tree.tile_excerpt_sealed"]
    assert failed(verify(tree.root, SHIPPED, upstream))[0] == "tree.tile_excerpt_sealed"


@pytest.mark.parametrize("segment", ["1A", "1B", "2A", "3A"])
def test_an_upstream_bundle_that_does_not_hold_its_flag_is_found_with_upstream(
    segment: str, exported: Path, root: Path
) -> None:
    [member] = root.glob(f"data/layer1/{segment}/validation/*/validation_summary_{segment}.json")
    data = member.read_bytes()
    member.unlink()
    member.write_bytes(data + b" ")
    found = verify(exported, SHIPPED, root)
    assert failed(found) == ["S0.upstream_gates"]
    [result] = found.report.failed
    assert result.example is not None and result.example["segment"] == segment


def test_a_carried_input_that_is_not_upstreams_is_found(exported: Path, root: Path) -> None:
    [table] = root.glob("reference/spatial/settlement_gazetteer/*/*.parquet")
    frame = pl.read_parquet(table)
    table.unlink()
    frame[1:].write_parquet(table)
    assert failed(verify(exported, SHIPPED, root)) == ["S0.upstream_inputs"]


def test_another_worlds_root_is_told_from_a_forged_one(
    exported: Path, upstream: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    receipt = orjson.loads((upstream / "run_receipt.json").read_bytes())
    (root / "run_receipt.json").write_bytes(orjson.dumps(receipt | {"manifest_fingerprint": "0" * 64}))
    found = verify(exported, SHIPPED, root)
    assert failed(found) == ["S0.upstream_inputs"]
    assert "another world" in skipped(found)["S0.upstream_gates"]
    (root / "run_receipt.json").unlink()
    assert failed(verify(exported, SHIPPED, root)) == ["S0.upstream_inputs"]
