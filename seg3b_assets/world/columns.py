"""One way to write a table of the world: zstd parquet whose bytes depend on the rows only.

Columns are those that the layer publishes for the table, in its order and types; a table with a geometry is
GeoParquet.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final

import polars as pl
import shapely

from seg3b_assets.contracts.geotables import geo_footer
from seg3b_assets.laws.hashing import sha256_hex

# Fixed, because row groups shape the bytes.
_ROWS_PER_GROUP: Final = 262_144


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write one parquet file, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path, compression="zstd", row_group_size=_ROWS_PER_GROUP)


def table_digest(frame: pl.DataFrame) -> str:
    """SHA-256 of the bytes the frame would be written as."""
    packed = BytesIO()
    frame.write_parquet(packed, compression="zstd", row_group_size=_ROWS_PER_GROUP)
    return sha256_hex(packed.getvalue())


def write_geotable(frame: pl.DataFrame, geometry: str, path: Path) -> None:
    """Write one GeoParquet file, creating its folder; ``geometry`` holds WKB, longitude first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = shapely.from_wkb(frame[geometry].to_list())
    footer = geo_footer(
        geometry, sorted({shape.geom_type for shape in shapes}), shapely.total_bounds(shapes).tolist()
    )
    frame.write_parquet(path, compression="zstd", row_group_size=_ROWS_PER_GROUP, metadata=footer)
