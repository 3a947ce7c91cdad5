"""The sealed polygons, parsed for the audit: countries, and zones with their replay rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import CountryPolygons, groups
from seg3b_assets.laws.polygons import UnfitPolygonsError
from seg3b_assets.laws.zones import ZoneResolver

if TYPE_CHECKING:
    from seg3b_assets.audit.tree import Desk

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Maps:
    """Country polygons by ISO code, and the zone resolver over the zone polygons and policies."""

    countries: CountryPolygons
    zones: ZoneResolver

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
    """The polygons; None when they are not at hand or no geometry."""
    countries = desk.input_table("world_countries", ["country_iso", "geom"])
    zones = desk.input_table("tz_world", ["tzid", "country_iso", "geometry"])
    if countries is None or zones is None:
        return None
    policies = desk.tree.policies
    try:
        return Maps(
            _countries(countries),
            _zones(zones, policies.tz_nudge.epsilon_deg, policies.tz_overrides.tzid_by_country()),
        )
    except UnfitPolygonsError:
        return None


def _countries(frame: pl.DataFrame) -> CountryPolygons:
    return CountryPolygons.from_wkb(frame["country_iso"].to_list(), frame["geom"].to_list())


def _zones(frame: pl.DataFrame, epsilon_deg: float, overrides: dict[str, str]) -> ZoneResolver:
    return ZoneResolver.from_wkb(
        frame["tzid"].to_list(),
        frame["country_iso"].to_list() if "country_iso" in frame.columns else None,
        frame["geometry"].to_list(),
        epsilon_deg,
        overrides,
    )
