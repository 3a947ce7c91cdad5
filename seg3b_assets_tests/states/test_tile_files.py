"""Some of a country's tiles, of a file that S2 has yet to judge: whatever it holds, tiles or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from seg3b_assets.states.tile_files import BOUNDS, sample_bounds

TILES = pl.DataFrame({name: np.arange(10.0) + at for at, name in enumerate(BOUNDS)}).with_columns(
    max_lon_deg=pl.col("min_lon_deg") + 1.0
)
NONE: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "no rows": lambda frame: frame.clear(),
    "structs": lambda frame: frame.select(pl.struct(name).alias(name) for name in BOUNDS),
    "lists": lambda frame: frame.select(pl.concat_list(name, name).alias(name) for name in BOUNDS),
    "words": lambda frame: frame.select(pl.lit("west").alias(name) for name in BOUNDS),
    "bytes": lambda frame: frame.select(pl.lit(b"west").alias(name) for name in BOUNDS),
    "moments": lambda frame: frame.select(
        pl.lit(0).cast(pl.Datetime("us", "UTC")).alias(name) for name in BOUNDS
    ),
    "nulls": lambda frame: frame.select(pl.lit(None, pl.Float64).alias(name) for name in BOUNDS),
    "nothing": lambda frame: frame.select(pl.lit(None).alias(name) for name in BOUNDS),
    "no numbers": lambda frame: frame.select(pl.lit(float("nan")).alias(name) for name in BOUNDS),
    "a column less": lambda frame: frame.drop("max_lat_deg"),
    "over the antimeridian": lambda frame: frame.with_columns(max_lon_deg=pl.col("min_lon_deg") - 1.0),
}


@pytest.mark.parametrize("change", NONE.values(), ids=NONE)
def test_of_what_are_no_tiles_none_are_taken(
    tmp_path: Path, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    change(TILES).write_parquet(tmp_path / "x")
    assert sample_bounds([tmp_path / "x"], 5).shape == (0, 4)


def test_of_tiles_some_are_taken_evenly(tmp_path: Path) -> None:
    TILES.write_parquet(tmp_path / "x")
    assert sample_bounds([tmp_path / "x"], 4)[:, 0].tolist() == [0.0, 3.0, 6.0, 9.0]
    TILES.with_columns(pl.all().cast(pl.Int32)).write_parquet(tmp_path / "x")
    assert sample_bounds([tmp_path / "x"], 40).shape == (10, 4)
