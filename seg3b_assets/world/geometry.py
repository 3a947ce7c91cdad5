"""Zone and country polygons: real borders, simplified together so that zones tile their country.

Zones are the timezone-boundary polygons timezonefinder-data ships (EPSG:4326, territorial waters included). A
zone belongs to the country tzdata's zone.tab gives it; a country is the union of its zones. Where zones
overlap (disputed land, Xinjiang's two clocks) the smaller one keeps the overlap. Uninhabited countries are
left out. This module never looks at places or tiles.
"""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from timezonefinder import TimezoneFinder

from seg3b_assets.laws.snapping import snap

Geometries = NDArray[np.object_]

_COORDINATE_UNITS: Final = 10**7
"""timezonefinder stores degrees as integers of 1e-7; borders stay on that grid."""

# coverage_simplify has one tolerance for all, and 0.01° makes the Vatican a triangle. A zone this small is
# put back at a tolerance of its own size.
_MICRO_ZONE_VERTICES: Final = 30
_SNAP_DEG: Final = 1e-7
_GAP_TOLERANCES: Final = 0.5  # a sliver this many tolerances wide goes to its neighbour


@dataclass(frozen=True)
class ZonePolygons:
    """One polygon per zone, ordered by (country_iso, tzid); interiors are disjoint.

    Attributes:
        tzid, country_iso: text arrays (zones,).
        geometry: valid polygons or multipolygons (zones,), edges matched.
    """

    tzid: NDArray[np.str_]
    country_iso: NDArray[np.str_]
    geometry: Geometries

    def countries(self) -> tuple[NDArray[np.str_], Geometries]:
        """Each country's code, ascending, and the union of its zones."""
        codes, first = np.unique(self.country_iso, return_index=True)
        groups = np.split(self.geometry, first[1:])
        return codes, np.array([shapely.coverage_union_all(zones) for zones in groups], dtype=object)


def zone_countries() -> dict[str, str]:
    """tzid to ISO 3166 country code, as the pinned tz database's zone.tab says."""
    table = importlib.resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    return {row[2].strip(): row[0] for row in rows}


def zone_polygons(inhabited: frozenset[str], simplify_deg: float) -> ZonePolygons:
    """Read, simplify and clean the zones of inhabited countries.

    Args:
        inhabited: country codes to keep.
        simplify_deg: tolerance of the simplification, degrees.
    """
    country_of = {zone: country for zone, country in zone_countries().items() if country in inhabited}
    tzid, full = _read_zones(frozenset(country_of))
    simple = shapely.coverage_simplify(full, simplify_deg)
    own_tolerance = np.sqrt(shapely.area(full)) / _MICRO_ZONE_VERTICES
    for at in np.flatnonzero(own_tolerance < simplify_deg):
        simple[at] = shapely.coverage_simplify(full[at : at + 1], own_tolerance[at])[0]
    clean = shapely.coverage_clean(
        simple,
        gap_width=simplify_deg * _GAP_TOLERANCES,
        snapping_distance=_SNAP_DEG,
        merge_strategy="min_area",
    )
    # Where overlapping borders crossed, cleaning made vertices off the grid, to the last bit of a division.
    clean = shapely.transform(np.asarray(clean, dtype=object), lambda xy: snap(xy, _COORDINATE_UNITS))
    country = np.array([country_of[zone] for zone in tzid])
    order = np.lexsort((tzid, country))
    return ZonePolygons(tzid[order], country[order], shapely.normalize(clean)[order])


def _read_zones(wanted: frozenset[str]) -> tuple[NDArray[np.str_], Geometries]:
    """The named zones at full detail, in tzid order.

    ``get_geometry`` would build eight million Python tuples; the boundary arrays are public too.
    """
    finder = TimezoneFinder(in_memory=True)
    parts: dict[str, list[shapely.Polygon]] = {}
    for boundary in range(finder.nr_of_polygons):
        zone = finder.zone_name_from_boundary_id(boundary)
        if zone in wanted:
            parts.setdefault(zone, []).append(_polygon(finder, boundary))
    names = sorted(parts)
    return np.array(names), np.array([shapely.MultiPolygon(parts[name]) for name in names], dtype=object)


def _polygon(finder: TimezoneFinder, boundary: int) -> shapely.Polygon:
    shell = finder.coords_of(boundary).T / _COORDINATE_UNITS
    holes = [finder.holes.coords_of(hole).T / _COORDINATE_UNITS for hole in finder.holes.ids_of(boundary)]
    return shapely.Polygon(shell, holes)
