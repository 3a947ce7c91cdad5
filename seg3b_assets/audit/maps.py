"""The sealed polygons, parsed for the audit: countries, and zones with their replay rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import CountryPolygons, groups
from seg3b_assets.laws.map_findings import zones_met
from seg3b_assets.laws.polygons import Geometries, geometries, polygon_faults, read_polygons
from seg3b_assets.laws.zones import ZoneResolver

if TYPE_CHECKING:
    from seg3b_assets.audit.tree import Desk

F64 = NDArray[np.float64]

BORDERS: Final = "S0.borders"


@dataclass(frozen=True)
class Maps:
    """The sound borders.

    Attributes:
        countries: by ISO code. zones: the replay rule over the zone polygons and policies.
        zone_rows: name and polygon of each row of the zone table.
    """

    countries: CountryPolygons
    zones: ZoneResolver
    zone_rows: tuple[tuple[str, shapely.Geometry], ...] = ()

    def zoned(self) -> frozenset[str]:
        """Countries that have a zone: listed for them, or met by their polygon where the table lists none."""
        if self.zones.by_country:
            return frozenset(self.zones.zones)
        codes = sorted(self.countries.by_country)
        polygons = geometries([self.countries.by_country[code] for code in codes])
        met = zones_met(polygons, geometries([zone for _, zone in self.zone_rows]))
        return frozenset(code for code, there in zip(codes, met.tolist(), strict=True) if there)

    def covered(self, country: NDArray[np.str_], lon: F64, lat: F64) -> NDArray[np.bool_]:
        """Whether each point lies in its stated country; False for a country without a polygon."""
        covered = np.zeros(lon.shape[0], bool)
        for code, at in groups(country):
            if str(code) in self.countries.by_country:
                covered[at] = self.countries.covers(str(code), lon[at], lat[at])
        return covered

    def country_of(self, lon: F64, lat: F64) -> NDArray[np.str_]:
        """The first country, in ISO order, whose polygon covers each point; "" where none does.

        By a tree over the polygons' boxes: the points are few.
        """
        codes = sorted(self.countries.by_country)
        tree = shapely.STRtree([self.countries.by_country[code] for code in codes])
        point, country = tree.query(shapely.points(lon, lat), predicate="intersects")
        first = np.full(lon.shape[0], len(codes), np.int64)
        np.minimum.at(first, point, country)
        return np.array([*codes, ""], dtype="U2")[first]


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
    policies = desk.tree.policies
    shapely.prepare(polygons)
    resolver = ZoneResolver.from_wkb(
        zones["tzid"].to_list(),
        zones["country_iso"].to_list() if "country_iso" in zones.columns else None,
        zones["geometry"].to_list(),
        policies.tz_nudge.epsilon_deg,
        policies.tz_overrides.tzid_by_country(desk.tree.identity.created_utc),
    )
    by_country = dict(zip(countries["country_iso"].to_list(), polygons, strict=True))
    rows = tuple(zip(zones["tzid"].to_list(), shapes, strict=True))
    return Maps(CountryPolygons(by_country), resolver, rows)


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
