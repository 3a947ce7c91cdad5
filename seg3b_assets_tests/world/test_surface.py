"""The tile surface: the three files agree, weights follow people, every country can take a point."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import shapely
from scipy.stats import spearmanr

from seg3b_assets.world import WorldRecipe
from seg3b_assets.world.people import tile_weights
from seg3b_assets.world.tiling import Raster, TileCover, cover
from seg3b_assets_tests.world.conftest import World

FINE = WorldRecipe()
FINE_RASTER = Raster.of_resolution(FINE.resolution_deg)


def fine_surface(world: World, country: str) -> tuple[TileCover, np.ndarray, pl.DataFrame]:
    """A country's tiles at the default resolution, their weights, and its places with their tile_id."""
    covered = cover(world.countries()[country], FINE_RASTER)
    places = world.table("settlement_gazetteer").filter(pl.col("country_iso") == country)
    tile = FINE_RASTER.tile_of(places["lon_deg"].to_numpy(), places["lat_deg"].to_numpy())
    weights = tile_weights(covered, tile, places["population"].to_numpy(), FINE_RASTER, FINE)
    return covered, weights, places.with_columns(tile_id=pl.Series(tile))


def test_index_bounds_and_weights_hold_the_same_tiles_in_order(world: World) -> None:
    index, bounds, weights = (
        world.table(name).select("country_iso", "tile_id")
        for name in ("tile_index", "tile_bounds", "tile_weights")
    )
    assert index.equals(bounds)
    assert index.equals(weights)
    assert index.equals(index.unique().sort("country_iso", "tile_id"))
    assert index["tile_id"].max() < 360 * 180


def test_weights_of_a_country_sum_to_ten_to_the_dp(world: World) -> None:
    by_country = world.table("tile_weights").group_by("country_iso", "dp")
    sums = by_country.agg(pl.col("weight_fp").sum())
    assert sums["country_iso"].is_unique().all()
    assert [10**dp for dp in sums["dp"]] == sums["weight_fp"].to_list()
    assert world.table("tile_weights")["weight_fp"].min() == 0


def test_bounds_are_ordered_and_hold_the_centroid(world: World) -> None:
    bounds = world.table("tile_bounds")
    for axis, limit in (("lon", 180), ("lat", 90)):
        low, high, centre = (bounds[f"{name}_{axis}_deg"] for name in ("min", "max", "centroid"))
        assert (low < high).all()
        assert ((low <= centre) & (centre <= high)).all()
        assert low.min() >= -limit
        assert high.max() <= limit


def test_a_tile_that_hardly_accepts_points_is_never_drawn(world: World) -> None:
    surface = world.table("tile_bounds").join(world.table("tile_weights"), on=["country_iso", "tile_id"])
    rng = np.random.default_rng(1)
    for country, polygon in world.countries().items():
        drawn = surface.filter((pl.col("country_iso") == country) & (pl.col("weight_fp") > 0))
        u = rng.random((2, drawn.height, 40))
        low_lon, high_lon, low_lat, high_lat = (
            drawn[name].to_numpy()[:, None]
            for name in ("min_lon_deg", "max_lon_deg", "min_lat_deg", "max_lat_deg")
        )
        shapely.prepare(polygon)
        lon, lat = low_lon + u[0] * (high_lon - low_lon), low_lat + u[1] * (high_lat - low_lat)
        accepted = shapely.intersects_xy(polygon, lon, lat).mean(axis=1)
        # 40 draws at a chance of 0.3 fall to 1 or below once in 100,000; a lone tile may have less chance.
        assert accepted.min() > 0.025 or drawn.height == 1, country


@pytest.mark.parametrize("country", ["MC", "VA", "GI", "NR", "PN"])
def test_the_smallest_countries_have_a_tile_that_takes_points(world: World, country: str) -> None:
    covered, weights, _ = fine_surface(world, country)
    best = covered.acceptance(FINE_RASTER)[weights > 0]
    assert best.size
    assert best.min() >= 0.3


@pytest.mark.parametrize("country", ["RU", "FJ", "US", "NZ", "KI"])
def test_countries_astride_the_antimeridian_have_tiles_on_both_sides(world: World, country: str) -> None:
    covered, weights, _ = fine_surface(world, country)
    column = covered.tile_id % FINE_RASTER.ncols
    assert column.min() < 100
    assert column.max() > FINE_RASTER.ncols - 100
    assert ((covered.max_lon - covered.min_lon) <= FINE.resolution_deg + 1e-9).all()
    assert weights.sum() == 10**FINE.weight_dp


@pytest.mark.parametrize("country", ["US", "CN", "IN", "BR", "DE", "JP", "NG", "ID"])
def test_tile_weights_follow_place_population(world: World, country: str) -> None:
    covered, weights, places = fine_surface(world, country)
    tiles = pl.DataFrame({"tile_id": covered.tile_id, "weight": weights})
    people = places.group_by("tile_id").agg(pl.col("population").sum()).join(tiles, on="tile_id")
    assert spearmanr(people["population"], people["weight"]).statistic >= 0.8


def test_a_tile_beside_a_city_outweighs_the_empty_land(world: World) -> None:
    covered, weights, places = fine_surface(world, "FR")
    (paris,) = places.filter(pl.col("place_id") == "GN:2988507")["tile_id"]
    weight = dict(zip(covered.tile_id.tolist(), weights.tolist(), strict=True))
    assert weight[paris] > weight[paris + 1] > np.median(weights)
