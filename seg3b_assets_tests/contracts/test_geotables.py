"""Borders as GeoPandas, QGIS, GDAL and PostGIS exports write them, read under the contract's names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.columns import dtype_name
from seg3b_assets.contracts.geotables import GeoHeader, declared_geometry, plain_types

COUNTRIES = contract("world_countries")
SQUARE = shapely.to_wkb(shapely.box(0, 0, 1, 1))
WGS84 = {"type": "GeographicCRS", "name": "WGS 84 (CRS84)", "id": {"authority": "OGC", "code": "CRS84"}}
KILOBYTES = {**WGS84, "remarks": "x" * 2000}


def geo(column: str = "geometry", **facts: Any) -> dict[bytes, bytes]:
    entry = {"encoding": "WKB", "geometry_types": ["Polygon"], **facts}
    document = {"version": "1.1.0", "primary_column": column, "columns": {column: entry}}
    return {b"geo": json.dumps(document).encode()}


def written(path: Path, columns: dict[str, Any], footer: dict[bytes, bytes], extension: str = "") -> Path:
    """A table as a geographic tool writes it; ``extension`` names the column that is a geoarrow.wkb."""
    table = pa.table(columns)
    for name in [extension] if extension else []:
        at = table.schema.get_field_index(name)
        metadata = {
            b"ARROW:extension:name": b"geoarrow.wkb",
            b"ARROW:extension:metadata": json.dumps({"crs": KILOBYTES}).encode(),
        }
        table = table.set_column(at, table.schema.field(at).with_metadata(metadata), table.column(at))
    pq.write_table(table.replace_schema_metadata(footer), path)
    return path


def read(path: Path) -> tuple[pl.DataFrame, list[str]]:
    frame, found = declared_geometry(COUNTRIES, pl.read_parquet(path, glob=False), [path])
    return frame, [violation.rule for violation in found]


BBOX = pa.array([{"xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 1.0}])
COVERING = {"covering": {"bbox": {edge: ["bounds", edge] for edge in ("xmin", "ymin", "xmax", "ymax")}}}


@pytest.mark.parametrize(
    ("columns", "footer", "extension"),
    [
        ({"geom": [SQUARE]}, {}, ""),
        ({"geometry": [SQUARE]}, {}, ""),
        ({"geometry": [SQUARE]}, geo(), ""),
        ({"wkb_geometry": [SQUARE]}, geo("wkb_geometry"), ""),
        ({"geometry": [SQUARE], "name": ["Germany"]}, geo(crs=KILOBYTES), "geometry"),
        ({"geom": [SQUARE], "bbox": BBOX}, geo("geom", crs=None), "geom"),
        ({"geometry": [SQUARE], "bounds": BBOX}, geo(**COVERING), "geometry"),
        ({"fid": [7], "geometry": [SQUARE]}, geo(crs={"id": {"authority": "EPSG", "code": 4326}}), ""),
    ],
)
def test_a_geotable_is_read_under_the_contracts_names(
    tmp_path: Path, columns: dict[str, Any], footer: dict[bytes, bytes], extension: str
) -> None:
    frame, refused = read(
        written(tmp_path / "x.parquet", {"country_iso": ["DE"], **columns}, footer, extension)
    )
    assert refused == []
    assert COUNTRIES.check_frame(frame) == []
    assert COUNTRIES.conform(frame).select("country_iso", "geom").rows() == [("DE", SQUARE)]


@pytest.mark.parametrize(
    ("footer", "rule"),
    [
        (geo(encoding="multipolygon"), "geo_encoding"),
        (geo(crs={"id": {"authority": "EPSG", "code": 3857}}), "geo_crs"),
        (geo(crs={"name": "a local grid"}), "geo_crs"),
        (geo(edges="spherical"), "geo_edges"),
        ({b"geo": b"{}"}, "geo_footer"),
        ({b"geo": b"not json"}, "geo_footer"),
        ({b"geo": json.dumps({"primary_column": "geometry", "columns": []}).encode()}, "geo_footer"),
    ],
)
def test_what_would_be_read_wrongly_is_refused_by_name(
    tmp_path: Path, footer: dict[bytes, bytes], rule: str
) -> None:
    columns = {"country_iso": ["DE"], "geometry": [SQUARE]}
    assert read(written(tmp_path / "x.parquet", columns, footer))[1] == [rule]


def test_a_column_of_anything_else_is_still_one_nobody_declared(tmp_path: Path) -> None:
    columns = {"country_iso": ["DE"], "geometry": [SQUARE], "SOVEREIGNT": ["Germany"]}
    frame, _ = read(written(tmp_path / "x.parquet", columns, geo()))
    assert [(found.rule, found.column) for found in COUNTRIES.check_frame(frame)] == [
        ("unknown_column", "SOVEREIGNT")
    ]


def test_two_geometries_leave_the_second_one_named(tmp_path: Path) -> None:
    columns = {"country_iso": ["DE"], "geometry": [SQUARE], "geom": [SQUARE]}
    frame, _ = read(written(tmp_path / "x.parquet", columns, geo()))
    assert [(found.rule, found.column) for found in COUNTRIES.check_frame(frame)] == [
        ("unknown_column", "geometry")
    ]


def test_a_dtype_is_told_in_a_few_words(tmp_path: Path) -> None:
    columns = {"country_iso": [b"DE"], "geometry": [SQUARE]}
    path = written(tmp_path / "x.parquet", columns, {}, "country_iso")
    frame = pl.read_parquet(path, glob=False)
    assert len(str(frame.schema["country_iso"])) > 2000
    told = [
        dtype_name(dtype) for dtype in (frame.schema["country_iso"], pl.Enum([str(n) for n in range(999)]))
    ]
    assert told[0] == "extension geoarrow.wkb of Binary"
    assert len(told[1]) < 100
    [violation] = [found for found in COUNTRIES.check_frame(frame) if found.column == "country_iso"]
    assert len(json.dumps(violation.record())) < 300
    assert plain_types(frame).schema["country_iso"] == pl.Binary()


def test_a_header_tells_what_the_laws_ask_of_it() -> None:
    header = GeoHeader.of(geo("shape", crs="EPSG:4326", **COVERING)[b"geo"])
    assert header == GeoHeader("shape", "WKB", "EPSG:4326", "planar", frozenset({"bounds"}))
