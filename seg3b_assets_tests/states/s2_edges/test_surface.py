"""Tile picks are exact, and every way a surface can be wrong keeps its own name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.randomness import EDGE_TILE_ASSIGN, Stream
from seg3b_assets.states.s2_edges.surface import SURFACES, TilePicks, TileSurface
from seg3b_assets_tests.states.s2_edges import toy_world

IDS = [3, 8, 20, 21]
WEIGHTS = {"AA": [10, 0, 60, 30], "ZZ": [1, 1, 97, 1]}


def write_country(root: Path, iso: str) -> None:
    ids = pl.Series("tile_id", IDS, dtype=pl.UInt64)
    corner = np.arange(len(IDS), dtype=np.float64)
    frames = {
        f"tile_weights/part-{iso}.parquet": pl.DataFrame(
            {"tile_id": ids, "weight_fp": WEIGHTS[iso], "dp": pl.Series([2] * 4, dtype=pl.Int32)}
        ),
        f"tile_index/country={iso}/part-00000.parquet": pl.DataFrame({"tile_id": ids}),
        f"tile_bounds/country={iso}/part-00000.parquet": pl.DataFrame(
            {
                "tile_id": ids,
                "min_lon_deg": corner,
                "max_lon_deg": corner + 1,
                "min_lat_deg": -corner,
                "max_lat_deg": 1 - corner,
                "centroid_lon_deg": corner + 0.5,
                "centroid_lat_deg": 0.5 - corner,
            }
        ),
    }
    for name, frame in frames.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(root / name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for iso in WEIGHTS:
        write_country(tmp_path, iso)
    return tmp_path


def pick(root: Path, merchants: int = 40, workers: int = 2) -> TilePicks:
    edges = toy_world.slots(merchants)
    surface = TileSurface.scan({name: root / name for name in SURFACES})
    surface.require(surface.precheck(["AA", "ZZ"]))
    words = Stream.of(toy_world.WORLD, EDGE_TILE_ASSIGN).words(edges.merchant_id, edges.address)[0]
    return surface.pick(edges, words, workers, lambda done: None)


def test_a_pick_is_the_first_tile_whose_cumulative_weight_exceeds_the_position(root: Path) -> None:
    edges = toy_world.slots(40)
    words = Stream.of(toy_world.WORLD, EDGE_TILE_ASSIGN).words(edges.merchant_id, edges.address)[0]
    picks = pick(root)
    for edge in range(edges.total):
        weights = WEIGHTS[edges.iso[int(edges.country[edge])]]
        position = (int(words[edge]) * 100) >> 64
        chosen = next(k for k in range(len(IDS)) if sum(weights[: k + 1]) > position)
        assert int(picks.tile_id[edge]) == IDS[chosen]
        assert int(picks.weight[edge]) == weights[chosen]
        assert picks.min_lon[edge] == chosen


def test_a_tile_of_weight_zero_is_never_picked(root: Path) -> None:
    picks = pick(root, merchants=300)
    assert (picks.weight > 0).all()


def test_workers_do_not_show(root: Path) -> None:
    one, four = pick(root, workers=1), pick(root, workers=4)
    assert (one.tile_id == four.tile_id).all()
    assert (one.max_lat == four.max_lat).all()


def edit(root: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_parquet(root / name)).write_parquet(root / name)


FAULTS: dict[str, Callable[[Path], object]] = {
    "tile_weights_missing": lambda root: (root / "tile_weights/part-ZZ.parquet").unlink(),
    "dp_mismatch": lambda root: edit(
        root, "tile_weights/part-ZZ.parquet", lambda f: f.with_columns(weight_fp=pl.col("weight_fp") + 1)
    ),
    "tile_weights_zero_sum": lambda root: edit(
        root, "tile_weights/part-AA.parquet", lambda f: f.with_columns(weight_fp=pl.lit(0, pl.Int64))
    ),
    "tile_id_not_in_index": lambda root: edit(
        root, "tile_index/country=AA/part-00000.parquet", lambda f: f.head(3)
    ),
    "tile_bounds_missing_ids": lambda root: edit(
        root, "tile_bounds/country=AA/part-00000.parquet", lambda f: f.filter(pl.col("tile_id") != 20)
    ),
    "tile_bounds_missing": lambda root: (root / "tile_bounds/country=ZZ/part-00000.parquet").unlink(),
    "unresolved": lambda root: (root / "tile_weights/part-ZZ.parquet").rename(
        root / "tile_weights/part-3.parquet"
    ),
}


@pytest.mark.parametrize("failure", FAULTS)
def test_each_failure_keeps_its_name(root: Path, failure: str) -> None:
    FAULTS[failure](root)
    with pytest.raises(Seg3BError) as caught:
        pick(root)
    assert caught.value.code == "E3B_S2_TILE_SURFACE_INVALID"
    assert caught.value.detail["failure"] == failure
    assert caught.value.remedy


def test_a_truncated_file_cannot_be_opened(root: Path) -> None:
    path = root / "tile_bounds/country=ZZ/part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Seg3BError) as caught:
        pick(root)
    assert caught.value.code == "E3B_S2_INPUT_OPEN_FAILED"


def test_the_precheck_lists_what_is_missing_before_any_surface_is_read(root: Path) -> None:
    (root / "tile_index/country=AA/part-00000.parquet").write_bytes(b"not parquet at all")
    surface = TileSurface.scan({name: root / name for name in SURFACES})
    report = surface.precheck(["AA", "BB"])
    assert report["status"] == "FAIL"
    assert report["surfaces"]["tile_bounds"] == {"present": ["AA"], "missing": ["BB"], "unresolved": []}
