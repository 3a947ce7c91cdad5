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
from seg3b_assets.laws.snapping import snap
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
        _write_country(folder, country, raster, covered, weights, recipe.weight_dp)
        tiles += covered.tile_id.size
        step(1)
    return tiles


def _write_country(
    folder: Path, country: str, raster: Raster, covered: TileCover, weights: NDArray[np.int64], weight_dp: int
) -> None:
    tiles = pl.DataFrame({"tile_id": covered.tile_id.astype(np.uint64)})
    tiles = tiles.select(country_iso=pl.lit(country), tile_id="tile_id")
    partition = Path(f"country={country}") / "part-00000.parquet"
    row, column = np.divmod(covered.tile_id, raster.ncols)
    index = tiles.with_columns(
        raster_row=pl.Series(row.astype(np.uint64)),
        raster_col=pl.Series(column.astype(np.uint64)),
        centroid_lon=pl.Series(snap(raster.west(column) + raster.side_deg / 2.0)),
        centroid_lat=pl.Series(snap(raster.north(row) - raster.side_deg / 2.0)),
        pixel_area_m2=pl.Series(raster.area_m2(row)),
        inclusion_rule=pl.lit("any_overlap"),
    )
    write_table(index, folder / "tile_index" / partition)
    bounds = tiles.with_columns(
        min_lat_deg=pl.Series(covered.min_lat),
        max_lat_deg=pl.Series(covered.max_lat),
        min_lon_deg=pl.Series(covered.min_lon),
        max_lon_deg=pl.Series(covered.max_lon),
        centroid_lat_deg=pl.Series(covered.centroid_lat),
        centroid_lon_deg=pl.Series(covered.centroid_lon),
    )
    write_table(bounds, folder / "tile_bounds" / partition)
    weighed = tiles.with_columns(
        weight_fp=pl.Series(weights), dp=pl.lit(weight_dp, pl.Int64), basis=pl.lit("population")
    )
    write_table(weighed, folder / "tile_weights" / f"part-{country}.parquet")
