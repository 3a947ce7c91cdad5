"""The outline of the land, coarse enough for a thumbnail, so that points on a map can be placed by eye.

From the upstream's own country polygons: what is drawn is the world the edges were placed in.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import shapely

from seg3b_assets.laws.geography import CountryPolygons

LAND: Final = pl.Schema({"ring": pl.Int64(), "lon_deg": pl.Float64(), "lat_deg": pl.Float64()})

TOLERANCE_DEG: Final = 0.4
LEAST_AREA_DEG2: Final = 2.0
_DECIMALS: Final = 1
_CORNERS_OF_AN_AREA: Final = 4


def land_outline(countries: CountryPolygons | None) -> pl.DataFrame:
    """Outer rings of the countries, simplified; islands and enclaves too small to see are left out.

    Returns:
        ring: 0, 1, …; lon_deg, lat_deg: its corners in order, the first one again at the end.
    """
    if countries is None:
        return pl.DataFrame(schema=LAND)
    shapes = np.array([countries.by_country[name] for name in sorted(countries.by_country)], dtype=object)
    parts = shapely.get_parts(shapes)
    outer = shapely.get_exterior_ring(parts[shapely.area(parts) >= LEAST_AREA_DEG2])
    simple = shapely.simplify(outer, TOLERANCE_DEG, preserve_topology=False)
    corners, ring = shapely.get_coordinates(simple, return_index=True)
    rounded = np.round(corners, _DECIMALS) + 0.0
    frame = pl.DataFrame({"ring": ring, "lon_deg": rounded[:, 0], "lat_deg": rounded[:, 1]}, schema=LAND)
    return frame.filter(pl.len().over("ring") >= _CORNERS_OF_AN_AREA).with_columns(
        ring=pl.col("ring").rle_id().cast(pl.Int64)
    )
