"""The sealed polygons as the audit asks them: countries, and the replay rule of zones (law section 4, zone).

Written from the law's words over the rays below, and not from the resolver the states use, so that a fault of that one
is not the audit's, too.

Point in polygon by the audit's own route: crossings of a ray, exact (law section 4, placement and zone).

States ask the geometry library's prepared polygons. So that it is not its own only judge, every point is asked again
here: how often a ray to the east of it crosses the polygon's rings, an odd number being inside. A crossing is told by
the sign of a determinant. Where rounding could turn that sign, which is on a ring or a hair away from it, the library's
exact predicate is asked, of the polygon as it is.
Source: Shimrat, "Algorithm 112", CACM 5(8), 1962; error bound: Shewchuk, DCG 18, 1997.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.map_findings import zones_met
from seg3b_assets.laws.polygons import Geometries, geometries, polygon_faults, read_polygons
from seg3b_assets.laws.tz_database import present_name

F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]
I64 = NDArray[np.int64]

# Shewchuk's bound of a 2 by 2 determinant of differences, (3 + 16 u) u with u = 2⁻⁵³, rounded up.
_ERROR: Final = 4.0 * 2.0**-53
_POINTS_AT_ONCE: Final = 1 << 13


@dataclass(frozen=True)
class Region:
    """A polygon by the segments of its rings; arrays (segments,), degrees.

    Attributes:
        polygon: polygon or multipolygon, holes and all.
        bounds: west, south, east, north.
        x, y: of each segment's southern end; top: latitude of its northern end, which lies ``run`` further east and
            ``rise`` further north.
    """

    polygon: shapely.Geometry
    bounds: tuple[float, float, float, float]
    x: F64
    y: F64
    top: F64
    run: F64
    rise: F64

    @classmethod
    def of(cls, polygon: shapely.Geometry) -> Region:
        """Take the rings apart."""
        rings = shapely.get_rings(shapely.get_parts(polygon))
        corners, ring = shapely.get_coordinates(rings, return_index=True)
        here = np.flatnonzero(ring[1:] == ring[:-1])
        falls = corners[here + 1, 1] < corners[here, 1]
        south, north = corners[here + falls], corners[here + ~falls]
        (x, y), top, (run, rise) = south.T.copy(), north[:, 1].copy(), (north - south).T.copy()
        west, low, east, high = shapely.bounds(polygon).tolist()
        return cls(polygon, (west, low, east, high), x, y, top, run, rise)

    def covers(self, lon: F64, lat: F64) -> BOOL:
        """Whether the polygon covers each point (n,), its boundary included."""
        west, south, east, north = self.bounds
        covered = np.zeros(lon.shape[0], bool)
        near = np.flatnonzero((west <= lon) & (lon <= east) & (south <= lat) & (lat <= north))
        near = near[np.argsort(lat[near], kind="stable")]
        for start in range(0, near.shape[0], _POINTS_AT_ONCE):
            at = near[start : start + _POINTS_AT_ONCE]
            covered[at] = self._sweep(lon[at], lat[at])
        return covered

    def _sweep(self, lon: F64, lat: F64) -> BOOL:
        """``covers`` of points in rising latitude."""
        first = np.searchsorted(lat, self.y, side="left")
        behind = np.searchsorted(lat, self.top, side="right")
        met = np.flatnonzero(behind > first)
        segment, point = _pairs(met, first[met], behind[met] - first[met])
        up, east = lat[point] - self.y[segment], lon[point] - self.x[segment]
        left, right = self.run[segment] * up, east * self.rise[segment]
        side = left - right
        doubtful = np.abs(side) <= _ERROR * (np.abs(left) + np.abs(right))
        # A corner is its upper segment's, or a ray through it would cross twice.
        crosses = (side > 0) & (lat[point] < self.top[segment])
        inside: BOOL = np.bincount(point[crosses], minlength=lat.shape[0]) % 2 == 1
        unsure = np.unique(point[doubtful])
        inside[unsure] = shapely.intersects(self.polygon, shapely.points(lon[unsure], lat[unsure]))
        return inside


def _pairs(segment: I64, first: I64, count: I64) -> tuple[I64, I64]:
    """Each segment with each of its ``count`` points from ``first`` on."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if ends.size else 0
    return np.repeat(segment, count), np.arange(total) - np.repeat(ends - count - first, count)


TEXT = NDArray[np.str_]

BORDERS: Final = "S0.borders"
OVERRIDE: Final = "OVERRIDE"
_POLYGON, _NUDGE, _NONE = "POLYGON", "NUDGE", ""


@dataclass(frozen=True)
class ZoneMap:
    """Which zone a point of a country is in.

    Attributes:
        rows: name, country ("" where the table has none) and polygon of each row, in name order.
        by_country: whether the table says which country a polygon lies in.
        step_deg: how far north-east a point without a zone looks.
        of_country: the zone an override names for a country.
    """

    rows: tuple[tuple[str, str, Region], ...]
    by_country: bool
    step_deg: float
    of_country: Mapping[str, str]

    def replay(
        self, country: str, lon: F64, lat: F64, named: TEXT, anywhere: bool = False
    ) -> tuple[TEXT, TEXT]:
        """Zone and how it was found, "" for both where no rule gives one, of points (n,) in one country.

        Args:
            named: (n,), the zone an override names for the point itself, "" where none does.
            anywhere: whether a zone of the whole table will do, where all other rules are silent.
        """
        own = [row for row in self.rows if row[1] == country] if self.by_country else list(self.rows)
        east, north = wrapped(lon + self.step_deg), np.minimum(lat + self.step_deg, 90.0)
        of_country = np.full(lon.shape[0], self.of_country.get(country, _NONE))
        rules: list[tuple[str, Callable[[I64], TEXT]]] = [
            (_POLYGON, lambda at: only_zone(own, lon[at], lat[at])),
            (_NUDGE, lambda at: only_zone(own, east[at], north[at])),
            (OVERRIDE, lambda at: named[at]),
            (OVERRIDE, lambda at: of_country[at]),
        ]
        if anywhere and self.by_country:
            rules.append((_POLYGON, lambda at: only_zone(self.rows, lon[at], lat[at])))
        zone, how = np.full(lon.shape[0], _NONE, "U64"), np.full(lon.shape[0], _NONE, "U8")
        for source, ask in rules:
            silent = np.flatnonzero(zone == _NONE)
            if silent.size:
                zone[silent] = ask(silent)
                how[silent[zone[silent] != _NONE]] = source
        return zone, how


def only_zone(rows: Iterable[tuple[str, str, Region]], lon: F64, lat: F64) -> TEXT:
    """The zone that alone covers each point (n,), by the name it is listed under, the present one first; else "".

    Polygons of one zone, under an old and its present name, are one zone.
    """
    zone, found = np.full(lon.shape[0], _NONE, "U64"), np.full(lon.shape[0], _NONE, "U64")
    several = np.zeros(lon.shape[0], bool)
    for name, _, region in rows:
        covered = region.covers(lon, lat)
        if not covered.any():
            continue
        present = present_name(name)
        several |= covered & (found != _NONE) & (found != present)
        found[covered] = present
        # An old name stands where the present one has not been seen; of several old ones the last.
        zone[covered & (zone != present)] = name
    return np.where(several, _NONE, zone)


def wrapped(lon: F64) -> F64:
    """Longitudes beyond ±180° brought into (−180, 180]."""
    return np.where(lon > 180.0, lon - 360.0, np.where(lon <= -180.0, lon + 360.0, lon))


@dataclass(frozen=True)
class Maps:
    """The sound borders.

    Attributes:
        countries: by ISO code. zones: the replay rule over the zone polygons and policies.
    """

    countries: Mapping[str, Region]
    zones: ZoneMap

    @property
    def zone_rows(self) -> tuple[tuple[str, shapely.Geometry], ...]:
        """Name and polygon of each row of the zone table."""
        return tuple((name, region.polygon) for name, _, region in self.zones.rows)

    def zoned(self) -> frozenset[str]:
        """Countries that have a zone: listed for them, or met by their polygon where the table lists none."""
        if self.zones.by_country:
            return frozenset(country for _, country, _ in self.zones.rows)
        codes = sorted(self.countries)
        polygons = geometries([self.countries[code].polygon for code in codes])
        met = zones_met(polygons, geometries([zone for _, zone in self.zone_rows]))
        return frozenset(code for code, there in zip(codes, met.tolist(), strict=True) if there)

    def covered(self, country: TEXT, lon: F64, lat: F64) -> BOOL:
        """Whether each point lies in its stated country; False for a country without a polygon."""
        covered = np.zeros(lon.shape[0], bool)
        for code, at in groups(country):
            if str(code) in self.countries:
                covered[at] = self.countries[str(code)].covers(lon[at], lat[at])
        return covered

    def country_of(self, lon: F64, lat: F64) -> TEXT:
        """The first country, in ISO order, whose polygon covers each point; "" where none does."""
        found = np.full(lon.shape[0], _NONE, "U2")
        for code in sorted(self.countries, reverse=True):
            found[self.countries[code].covers(lon, lat)] = code
        return found

    def zone_of(self, country: TEXT, lon: F64, lat: F64, named: TEXT) -> tuple[TEXT, TEXT]:
        """``ZoneMap.replay`` of points (n,) each in a country of its own."""
        zone, how = np.full(lon.shape[0], _NONE, "U64"), np.full(lon.shape[0], _NONE, "U8")
        for code, at in groups(country):
            zone[at], how[at] = self.zones.replay(str(code), lon[at], lat[at], named[at])
        return zone, how


@check(
    "S0.borders",
    "§2 maps",
    "a polygon is none: of another type, crossing itself, out of range",
    code="INPUT_SCHEMA_MISMATCH",
)
def read_maps(context: AuditContext) -> Maps | None:
    """The sound polygons, what is none reported; None when the tables are not at hand or unreadable."""
    countries = context.input_table("world_countries", ["country_iso", "geom"])
    zones = context.input_table("tz_world", ["tzid", "country_iso", "geometry"])
    for name, frame in (("world_countries", countries), ("tz_world", zones)):
        if frame is None and context.tree.has(name):
            context.findings.fail(
                BORDERS, 1, {"dataset": name, "reason": "unreadable, or no table of borders"}
            )
    if countries is None or zones is None:
        context.findings.skip("polygons are not at hand", BORDERS)
        return None
    countries, polygons = _sound(context, "world_countries", countries, "country_iso", "geom")
    zones, shapes = _sound(context, "tz_world", zones, "tzid", "geometry")
    context.findings.ok(BORDERS)
    by_country = dict(zip(countries["country_iso"].to_list(), map(Region.of, polygons), strict=True))
    return Maps(by_country, _zone_map(context, zones, shapes))


def _zone_map(context: AuditContext, zones: pl.DataFrame, shapes: Geometries) -> ZoneMap:
    policies = context.tree.policies
    by_country = "country_iso" in zones.columns
    of_row: Sequence[str] = zones["country_iso"].to_list() if by_country else [_NONE] * zones.height
    rows = zip(zones["tzid"].to_list(), of_row, map(Region.of, shapes), strict=True)
    return ZoneMap(
        tuple(sorted(rows, key=lambda row: row[0])),
        by_country,
        policies.tz_nudge.epsilon_deg,
        policies.tz_overrides.tzid_by_country(context.tree.identity.created_utc),
    )


def _sound(
    context: AuditContext, dataset: str, frame: pl.DataFrame, name: str, geometry: str
) -> tuple[pl.DataFrame, Geometries]:
    """Rows whose polygons are sound, and these; the others are findings."""
    polygons, faults = read_polygons(frame[geometry].to_list())
    faults = {**polygon_faults(polygons), **faults}
    for at, fault in sorted(faults.items()):
        example = {"dataset": dataset, "row": frame[name][at], "fault": fault.kind, "found": fault.found}
        context.findings.fail(BORDERS, 1, example)
    kept = np.setdiff1d(np.arange(frame.height), np.array(sorted(faults), np.int64))
    return frame[kept], polygons[kept]
