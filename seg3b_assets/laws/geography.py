"""Where a point is: great-circle distance, country cover (law section 4, placement). Its zone is in ``zones``.

Polygons are EPSG:4326 in degrees, longitude first. A boundary point is covered. Nothing here decides what to do
about a miss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from seg3b_assets.laws.polygons import polygons_of
from seg3b_assets.laws.snapping import DISTANCE_UNITS, snap

F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]
TEXT = NDArray[np.str_]

EARTH_RADIUS_KM: Final = 6371.0088

NOWHERE: Final = ""

_VECTOR_UNITS: Final = 1 << 29
_WEIGHT_BITS: Final = 33
_CENTROID_UNITS: Final = 10**6


def haversine_km(lon_a: ArrayLike, lat_a: ArrayLike, lon_b: ArrayLike, lat_b: ArrayLike) -> F64:
    """Great-circle distance in km (degrees in, broadcast), snapped to a millimetre.

    2R·asin √(sin²(Δφ/2) + cos φ₁·cos φ₂·sin²(Δλ/2)); source: Sinnott, Sky & Telescope 68, 1984.
    """
    lon_1, lat_1, lon_2, lat_2 = (np.radians(np.asarray(v, np.float64)) for v in (lon_a, lat_a, lon_b, lat_b))
    half_lat = np.sin((lat_2 - lat_1) / 2.0)
    half_lon = np.sin((lon_2 - lon_1) / 2.0)
    chord = half_lat * half_lat + np.cos(lat_1) * np.cos(lat_2) * half_lon * half_lon
    return snap(2.0 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(chord, 1.0))), DISTANCE_UNITS)


def weighted_centroid(lon: F64, lat: F64, weight: F64) -> tuple[float, float]:
    """Direction of the weighted sum of unit vectors, as (lon, lat) degrees snapped to 1e-9.

    The plain weighted mean of degrees would put a country astride the antimeridian on the wrong side.
    """
    lon_r, lat_r = np.radians(lon), np.radians(lat)
    x = float(np.sum(weight * np.cos(lat_r) * np.cos(lon_r)))
    y = float(np.sum(weight * np.cos(lat_r) * np.sin(lon_r)))
    z = float(np.sum(weight * np.sin(lat_r)))
    lon_c = np.degrees(np.arctan2(y, x))
    lat_c = np.degrees(np.arctan2(z, np.sqrt(x * x + y * y)))
    return float(snap(lon_c)), float(snap(lat_c))


def tile_centroid(lon: F64, lat: F64, weight_fp: NDArray[np.int64]) -> tuple[float, float]:
    """Where a country is, without places: direction of the weighted sum of its tiles' unit vectors (law section 4).

    In integers, so that no order of summing and no processor's last bit shows: components to 2^-29, weights shifted
    right until they sum below 2^33. (lon, lat) degrees snapped to 1e-6; NaN where the sum has no direction.

    Args:
        lon, lat: float64 (tiles,), degrees, the tiles' centroids. weight_fp: int64 (tiles,), not negative.
    """
    shift = max(int(weight_fp.sum()).bit_length() - _WEIGHT_BITS, 0)
    weight = weight_fp >> np.int64(shift)
    lon_r, lat_r = np.radians(lon), np.radians(lat)
    parts = (np.cos(lat_r) * np.cos(lon_r), np.cos(lat_r) * np.sin(lon_r), np.sin(lat_r))
    x, y, z = (float((weight * np.rint(part * _VECTOR_UNITS).astype(np.int64)).sum()) for part in parts)
    if x == y == z == 0.0:
        return np.nan, np.nan
    lon_c, lat_c = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.sqrt(x * x + y * y)))
    return float(snap(lon_c, _CENTROID_UNITS)), float(snap(lat_c, _CENTROID_UNITS))


def wrap_longitude(lon: F64) -> F64:
    """Into (−180, 180]."""
    wrapped = np.where(lon > 180.0, lon - 360.0, lon)
    return np.where(wrapped <= -180.0, wrapped + 360.0, wrapped)


def groups(codes: NDArray[np.generic]) -> Iterator[tuple[np.generic, NDArray[np.int64]]]:
    """Each distinct value, ascending, with the positions that hold it (ascending)."""
    if codes.shape[0] == 0:
        return
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    bounds = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    for positions in np.split(order, bounds):
        yield codes[positions[0]], positions


@dataclass(frozen=True)
class CountryPolygons:
    """One prepared polygon per country."""

    by_country: Mapping[str, shapely.Geometry]

    @classmethod
    def from_wkb(cls, countries: Sequence[str], wkb: Sequence[bytes]) -> CountryPolygons:
        """Parse and prepare what S0 has looked at (``polygons.polygon_faults``).

        Raises:
            UnfitPolygonsError: bytes that are no polygons; its faults are by position.
        """
        geometries = polygons_of(wkb)
        shapely.prepare(geometries)
        return cls(dict(zip(countries, geometries, strict=True)))

    def covers(self, country: str, lon: F64, lat: F64) -> BOOL:
        """Whether the country's polygon covers each point, its boundary included."""
        covered: BOOL = shapely.intersects_xy(self.by_country[country], lon, lat)
        return covered


def covering_countries(polygons: CountryPolygons, lon: F64, lat: F64) -> TEXT:
    """The first country, in ISO order, whose polygon covers each point (n,); "" where none does."""
    found = np.full(lon.shape[0], NOWHERE, dtype="U2")
    for country in sorted(polygons.by_country):
        pending = np.flatnonzero(found == NOWHERE)
        if not pending.size:
            break
        covered = polygons.covers(country, lon[pending], lat[pending])
        found[pending[covered]] = country
    return found
