"""Tables with a geometry, as other tools write them, in the columns their contract declares.

GeoPandas, QGIS and GDAL write GeoParquet (https://geoparquet.org, version 1.1): a ``geo`` entry in the footer names
the geometry's column, its encoding and its reference system; the column may be an Arrow extension type over the
bytes; a covering column and a display name may stand beside it. Read from here, the geometry has its contract's
name and is plain well-known binary. What the polygons are is for ``laws.polygons``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from seg3b_assets.contracts.violations import Violation
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import parquet_file
from seg3b_assets.laws.hashing import canonical_json

if TYPE_CHECKING:
    from seg3b_assets.contracts.dictionary import DatasetContract

GEO_KEY: Final = "geo"
GEO_VERSION: Final = "1.1.0"
WKB: Final = "WKB"
# What a writer calls the geometry when nothing in the footer says so.
USUAL_NAMES: Final = ("geom", "geometry")
# Longitude first, WGS 84: what the laws compute in. A file that names no system is in OGC:CRS84 by GeoParquet.
_LONGITUDE_LATITUDE: Final = frozenset(
    {("OGC", "CRS84"), ("OGC", "CRS84H"), ("EPSG", "4326"), ("EPSG", "4979")}
)


@dataclass(frozen=True)
class GeoHeader:
    """What a file's ``geo`` entry says of its geometry.

    Attributes:
        primary_column: the geometry.
        encoding: ``WKB``, or a GeoArrow layout.
        crs: authority and code of its reference system, as "EPSG:4326"; None where the file leaves it to the default.
        edges: how vertices are joined, ``planar`` or ``spherical``.
        covering: columns that only repeat the geometry's bounds.
    """

    primary_column: str
    encoding: str
    crs: str | None
    edges: str
    covering: frozenset[str]

    @classmethod
    def of(cls, footer: bytes) -> GeoHeader:
        """Raises ValueError for an entry that is none."""
        try:
            entry: dict[str, Any] = orjson.loads(footer)
            primary = str(entry["primary_column"])
            column: dict[str, Any] = entry["columns"][primary]
            covering = {
                str(path[0])
                for each in entry["columns"].values()
                for box in each.get("covering", {}).values()
                for path in box.values()
            }
            return cls(
                primary,
                str(column["encoding"]),
                _reference_system(column["crs"]) if column.get("crs") is not None else None,
                str(column.get("edges", "planar")),
                frozenset(covering),
            )
        except (KeyError, TypeError, AttributeError, IndexError, orjson.JSONDecodeError) as error:
            raise ValueError(
                f"its `geo` entry is none of GeoParquet: {type(error).__name__} {error}"
            ) from error


def geo_footer(geometry: str, types: Sequence[str], bounds: Sequence[float]) -> dict[str, str]:
    """The footer entry of a table of our own: WKB, longitude first, planar edges.

    Args:
        geometry: its column. types: distinct geometry types, as "MultiPolygon". bounds: west, south, east, north.
    """
    column = {"encoding": WKB, "geometry_types": sorted(types), "edges": "planar", "bbox": list(bounds)}
    entry = {"version": GEO_VERSION, "primary_column": geometry, "columns": {geometry: column}}
    return {GEO_KEY: canonical_json(entry).decode()}


def plain_types(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with extension types, as geoarrow.wkb, laid down to what they are stored as."""
    extended = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.BaseExtension)]
    return frame.with_columns(frame[name].ext.storage().alias(name) for name in extended)


def declared_geometry(
    declared: DatasetContract, frame: pl.DataFrame, files: Sequence[Path]
) -> tuple[pl.DataFrame, list[Violation]]:
    """A table with its geometry under the contract's name, less what only repeats its bounds.

    Args:
        declared: a contract whose schema names a geometry column (``x-geometry``); others' tables come back plain.
        frame: as read. files: where it was read from.

    Returns:
        The table, and what its footer says that the laws cannot take.
    """
    frame = plain_types(frame)
    name = declared.geometry
    if name is None or not files:
        return frame, []
    try:
        header = _header(files[0])
    except ValueError as error:
        return frame, [Violation("geo_footer", name, 1, str(error)[:200], "a `geo` entry of GeoParquet 1.x")]
    found = list(_refusals(header, name)) if header else []
    boxes = [box for box in (header.covering if header else ()) if box in frame.columns]
    boxes += [box for box, dtype in frame.schema.items() if box == "bbox" and isinstance(dtype, pl.Struct)]
    frame = frame.drop(set(boxes))
    there = header.primary_column if header else _usual_name(frame, name)
    if there != name and there in frame.columns and name not in frame.columns:
        frame = frame.rename({there: name})
    return frame, found


def _usual_name(frame: pl.DataFrame, declared: str) -> str:
    others = [name for name in USUAL_NAMES if name in frame.columns]
    return declared if declared in frame.columns or len(others) != 1 else others[0]


def _header(path: Path) -> GeoHeader | None:
    try:
        with parquet_file(path, ()) as table:
            metadata: Mapping[bytes, bytes] = table.metadata.metadata or {}
    except UnreadableTableError:
        return None  # whoever read the rows from it has said so
    footer = metadata.get(GEO_KEY.encode())
    return None if footer is None else GeoHeader.of(footer)


def _refusals(header: GeoHeader, name: str) -> Iterator[Violation]:
    if header.encoding != WKB:
        yield Violation("geo_encoding", name, 1, header.encoding, "geometry as WKB, well-known binary")
    if header.crs is not None and tuple(header.crs.split(":", 1)) not in _LONGITUDE_LATITUDE:
        yield Violation("geo_crs", name, 1, header.crs, "EPSG:4326, longitude first")
    if header.edges != "planar":
        yield Violation("geo_edges", name, 1, header.edges, "planar edges, straight in degrees")


def _reference_system(crs: Mapping[str, Any] | str) -> str:
    """Authority and code of a PROJJSON reference system; its name where it has no code."""
    if isinstance(crs, str):
        return crs[:80]
    found = crs.get("id") or {}
    if "authority" in found and "code" in found:
        return f"{found['authority']}:{found['code']}"
    return str(crs.get("name", "a reference system without a name"))[:80]
