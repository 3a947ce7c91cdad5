"""One coarse world per machine, kept between sessions: its borders take fifteen seconds to cut."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
import shapely

from seg3b_assets.world import WorldRecipe, ensure_world

COARSE = WorldRecipe(resolution_deg=1.0, merchants=1_500)


@dataclass(frozen=True)
class World:
    """A built root and how its tables are read."""

    root: Path

    def table(self, dataset: str) -> pl.DataFrame:
        """Every file of one dataset; a tile surface gains country_iso."""
        (folder,) = [path for path in self.root.glob(f"**/{dataset}") if path.is_dir()]
        if dataset == "tile_weights":
            files = sorted(folder.rglob("part-*.parquet"))
            parts = [pl.read_parquet(file).with_columns(country_iso=pl.lit(file.stem[-2:])) for file in files]
            return pl.concat(parts)
        if dataset in ("tile_index", "tile_bounds"):
            files = sorted(folder.rglob("*.parquet"))
            parts = [
                pl.read_parquet(file, hive_partitioning=False).with_columns(
                    country_iso=pl.lit(file.parent.name[-2:])
                )
                for file in files
            ]
            return pl.concat(parts)
        return pl.read_parquet(sorted(folder.rglob("*.parquet")), hive_partitioning=False)

    def countries(self) -> dict[str, shapely.Geometry]:
        frame = self.table("world_countries")
        return dict(zip(frame["country_iso"], shapely.from_wkb(frame["geom"].to_list()), strict=True))


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where test worlds are kept; $SEG3B_TEST_CACHE moves it."""
    return Path(os.environ.get("SEG3B_TEST_CACHE", "~/.cache/seg3b-tests")).expanduser()


@pytest.fixture(scope="session")
def world(cache: Path) -> World:
    return World(ensure_world(42, COARSE, cache))


@pytest.fixture(scope="session")
def other_world(cache: Path) -> World:
    """The same recipe under another seed."""
    return World(ensure_world(7, COARSE, cache))
