"""The sealed polygons as the audit asks them: countries, and the replay rule of zones (law section 4, zone).

Written from the law's words over ``rays``, and not from the resolver the states use, so that a fault of that one is
not the audit's, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.rays import Region
from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.map_findings import zones_met
from seg3b_assets.laws.polygons import Geometries, geometries, polygon_faults, read_polygons
from seg3b_assets.laws.tz_database import present_name

if TYPE_CHECKING:
    from seg3b_assets.audit.tree import Desk

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]
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
def read_maps(desk: Desk) -> Maps | None:
    """The sound polygons, what is none reported; None when the tables are not at hand or unreadable."""
    countries = desk.input_table("world_countries", ["country_iso", "geom"])
    zones = desk.input_table("tz_world", ["tzid", "country_iso", "geometry"])
    for name, frame in (("world_countries", countries), ("tz_world", zones)):
        if frame is None and desk.tree.has(name):
            desk.findings.fail(BORDERS, 1, {"dataset": name, "reason": "unreadable, or no table of borders"})
    if countries is None or zones is None:
        desk.findings.skip("polygons are not at hand", BORDERS)
        return None
    countries, polygons = _sound(desk, "world_countries", countries, "country_iso", "geom")
    zones, shapes = _sound(desk, "tz_world", zones, "tzid", "geometry")
    desk.findings.ok(BORDERS)
    by_country = dict(zip(countries["country_iso"].to_list(), map(Region.of, polygons), strict=True))
    return Maps(by_country, _zone_map(desk, zones, shapes))


def _zone_map(desk: Desk, zones: pl.DataFrame, shapes: Geometries) -> ZoneMap:
    policies = desk.tree.policies
    by_country = "country_iso" in zones.columns
    of_row: Sequence[str] = zones["country_iso"].to_list() if by_country else [_NONE] * zones.height
    rows = zip(zones["tzid"].to_list(), of_row, map(Region.of, shapes), strict=True)
    return ZoneMap(
        tuple(sorted(rows, key=lambda row: row[0])),
        by_country,
        policies.tz_nudge.epsilon_deg,
        policies.tz_overrides.tzid_by_country(desk.tree.identity.created_utc),
    )


def _sound(
    desk: Desk, dataset: str, frame: pl.DataFrame, name: str, geometry: str
) -> tuple[pl.DataFrame, Geometries]:
    """Rows whose polygons are sound, and these; the others are findings."""
    polygons, faults = read_polygons(frame[geometry].to_list())
    faults = {**polygon_faults(polygons), **faults}
    for at, fault in sorted(faults.items()):
        example = {"dataset": dataset, "row": frame[name][at], "fault": fault.kind, "found": fault.found}
        desk.findings.fail(BORDERS, 1, example)
    kept = np.setdiff1d(np.arange(frame.height), np.array(sorted(faults), np.int64))
    return frame[kept], polygons[kept]
