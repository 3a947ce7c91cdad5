"""The world's tables are those that the layer publishes for them: columns, their order, types, nulls, rows' order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import shapely

from seg3b_assets_tests.world.conftest import World

PUBLISHED: dict[str, Any] = json.loads(Path(__file__).with_name("published_upstream.json").read_bytes())
"""What the upstream segments publish, by dataset: schema, order of rows, columns with their types (? may be null)."""

TYPES: dict[str, pl.DataType] = {
    "string": pl.String(),
    "boolean": pl.Boolean(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "integer": pl.Int64(),
    "uint64": pl.UInt64(),
    "id64": pl.UInt64(),
    "number": pl.Float64(),
    "geometry": pl.Binary(),
}
# The layer's schema of zones has no country and calls the geometry otherwise; its own code reads both of ours.
NOT_AS_PUBLISHED = {"tz_world"}


def files_of(world: World, dataset: str) -> list[Path]:
    (folder,) = [path for path in world.root.glob(f"**/{dataset}") if path.is_dir()]
    files = sorted(folder.rglob("*.parquet"))
    return [files[0], files[len(files) // 2], files[-1]] if len(files) > 3 else files


@pytest.mark.parametrize("dataset", sorted(set(PUBLISHED) - NOT_AS_PUBLISHED))
def test_columns_types_nulls_and_order_are_the_published_ones(world: World, dataset: str) -> None:
    published = PUBLISHED[dataset]
    wanted = {name: TYPES[kind.rstrip("?")] for name, kind in published["columns"].items()}
    for file in files_of(world, dataset):
        frame = pl.read_parquet(file, hive_partitioning=False, glob=False)
        assert list(frame.schema.items()) == list(wanted.items())
        for name, kind in published["columns"].items():
            assert kind.endswith("?") or not frame[name].null_count(), name
        keys = frame.select(published["sort"])
        assert keys.equals(keys.sort(published["sort"]))
        assert keys.is_unique().all()


@pytest.mark.parametrize(("dataset", "geometry"), [("world_countries", "geom"), ("tz_world", "geometry")])
def test_borders_are_geoparquet(world: World, dataset: str, geometry: str) -> None:
    (file,) = files_of(world, dataset)
    entry = json.loads(pq.read_metadata(file).metadata[b"geo"])
    column = entry["columns"][geometry]
    shapes = shapely.from_wkb(pl.read_parquet(file, glob=False)[geometry].to_list())
    assert (entry["version"], entry["primary_column"], column["encoding"]) == ("1.1.0", geometry, "WKB")
    assert column["geometry_types"] == sorted({shape.geom_type for shape in shapes})
    assert column["bbox"] == shapely.total_bounds(shapes).tolist()
    assert "crs" not in column  # by default longitude and latitude on WGS 84, in this order


def test_counts_of_the_outlet_table_are_its_own(world: World) -> None:
    outlets = world.table("outlet_catalogue")
    counted = outlets.group_by("merchant_id", "legal_country_iso").len("rows")
    joined = outlets.join(counted, on=["merchant_id", "legal_country_iso"])
    assert (joined["final_country_outlet_count"] == joined["rows"]).all()
    assert (outlets["site_id"].cast(pl.Int32) == outlets["site_order"]).all()
    several = outlets.group_by("merchant_id").agg(pl.len(), pl.col("single_vs_multi_flag").first())
    assert ((several["len"] > 1) == several["single_vs_multi_flag"]).all()


def test_rows_carry_the_identity_of_their_path(world: World) -> None:
    receipt = json.loads((world.root / "run_receipt.json").read_bytes())
    for dataset, seed in (
        ("outlet_catalogue", "global_seed"),
        ("site_timezones", "seed"),
        ("zone_alloc", "seed"),
    ):
        rows = world.table(dataset)
        assert rows[seed].unique().to_list() == [receipt["seed"]]
        assert rows["manifest_fingerprint"].unique().to_list() == [receipt["manifest_fingerprint"]]


def test_rows_columns_and_areas_of_the_raster_agree_with_the_ids(world: World) -> None:
    index = world.table("tile_index")
    assert (index["tile_id"] == index["raster_row"] * 360 + index["raster_col"]).all()
    at_the_equator = index.filter(pl.col("raster_row").is_in([89, 90]))["pixel_area_m2"]
    # A degree by a degree there: 111.32 km by 110.57 km.
    assert at_the_equator.min() == at_the_equator.max()
    assert abs(at_the_equator[0] / (111_320.0 * 110_574.0) - 1.0) < 1e-3
    assert index.filter(pl.col("centroid_lat") > 60)["pixel_area_m2"].max() < 0.55 * at_the_equator[0]
