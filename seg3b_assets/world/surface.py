"""The tile surface of segment 1B: index, bounds and weights, a file per country (laws.md section 2).

The three hold the same tile_ids, ascending. Files are written country by country, so memory follows the
largest country, not the world.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import groups
from seg3b_assets.progress import Step
from seg3b_assets.world.columns import write_table
from seg3b_assets.world.people import tile_weights
from seg3b_assets.world.recipe import WorldRecipe
from seg3b_assets.world.tiling import Raster, TileCover, cover


def write_surface(
    folder: Path, countries: pl.DataFrame, places: pl.DataFrame, recipe: WorldRecipe, step: Step
) -> int:
    """Write ``tile_index/``, ``tile_bounds/`` and ``tile_weights/`` below ``folder``; returns the tile count.

    Args:
        countries: country_iso, geom (WKB). places: the gazetteer.
        step: called with 1 after each country.
    """
    raster = Raster.of_resolution(recipe.resolution_deg)
    place_country = places["country_iso"].to_numpy().astype("U2")
    place_tile = raster.tile_of(places["lon_deg"].to_numpy(), places["lat_deg"].to_numpy())
    population = places["population"].to_numpy()
    of_country: dict[str, NDArray[np.int64]] = {str(code): at for code, at in groups(place_country)}
    tiles = 0
    for country, geom in countries.select("country_iso", "geom").iter_rows():
        covered = cover(shapely.from_wkb(geom), raster)
        at = of_country[country]
        weights = tile_weights(covered, place_tile[at], population[at], raster, recipe)
        _write_country(folder, country, covered, weights, recipe.weight_dp)
        tiles += covered.tile_id.size
        step(1)
    return tiles


def _write_country(
    folder: Path, country: str, covered: TileCover, weights: NDArray[np.int64], weight_dp: int
) -> None:
    tile_id = pl.Series("tile_id", covered.tile_id.astype(np.uint64))
    partition = Path(f"country={country}") / "part-00000.parquet"
    write_table(pl.DataFrame([tile_id]), folder / "tile_index" / partition)
    bounds = pl.DataFrame(
        [
            tile_id,
            pl.Series("min_lon_deg", covered.min_lon),
            pl.Series("max_lon_deg", covered.max_lon),
            pl.Series("min_lat_deg", covered.min_lat),
            pl.Series("max_lat_deg", covered.max_lat),
            pl.Series("centroid_lon_deg", covered.centroid_lon),
            pl.Series("centroid_lat_deg", covered.centroid_lat),
        ]
    )
    write_table(bounds, folder / "tile_bounds" / partition)
    weighed = pl.DataFrame([tile_id, pl.Series("weight_fp", weights)])
    weighed = weighed.with_columns(dp=pl.lit(weight_dp, dtype=pl.Int32))
    write_table(weighed, folder / "tile_weights" / f"part-{country}.parquet")
