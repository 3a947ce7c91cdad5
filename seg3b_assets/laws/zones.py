"""Which time zone a point is in (law section 4, placement).

A country's own zones are asked: exactly one that covers the point, else one that covers the look-up point moved
north-east, else an override: the edge's, the merchant's, the country's. Where all say nothing of an edge, which lies in
its country whose border then reaches over land that the zone table gives to others, any zone of the table is asked, and
one that alone covers the point is its zone.
A zone may have several polygons, and an old and a present name; it is one zone all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import NOWHERE, groups, wrap_longitude
from seg3b_assets.laws.polygons import polygons_of
from seg3b_assets.laws.tz_database import present_name

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
TEXT = NDArray[np.str_]

POLYGON: Final = "POLYGON"
NUDGE: Final = "NUDGE"
OVERRIDE: Final = "OVERRIDE"
UNRESOLVED: Final = NOWHERE

ZoneRows = tuple[tuple[str, shapely.Geometry], ...]


@dataclass(frozen=True)
class ZoneResolver:
    """The zone of a point of a country.

    Attributes:
        zones: per country, its (tzid, prepared polygon) rows in tzid order; empty for a table without countries.
        epsilon_deg: how far the look-up point moves; the stored point stays.
        overrides: country to tzid.
        everywhere: every row of the table.
        by_country: whether the table says which country a polygon lies in.
    """

    zones: Mapping[str, ZoneRows]
    epsilon_deg: float
    overrides: Mapping[str, str]
    everywhere: _Everywhere
    by_country: bool

    @classmethod
    def from_wkb(
        cls,
        tzids: Sequence[str],
        countries: Sequence[str] | None,
        wkb: Sequence[bytes],
        epsilon_deg: float,
        overrides: Mapping[str, str],
    ) -> ZoneResolver:
        """Parse and prepare; rows of one country are put in tzid order.

        Args:
            countries: of each row; None where the table has none, and every zone is every country's candidate.

        Raises:
            UnfitPolygonsError: bytes that are no polygons; its faults are by position.
        """
        geometries = polygons_of(wkb)
        zones: dict[str, list[tuple[str, shapely.Geometry]]] = {}
        if countries is not None:
            shapely.prepare(geometries)
            for country, tzid, geometry in sorted(
                zip(countries, tzids, geometries, strict=True), key=lambda row: row[:2]
            ):
                zones.setdefault(country, []).append((tzid, geometry))
        frozen = {country: tuple(rows) for country, rows in zones.items()}
        everywhere = _Everywhere(tuple(tzids), tuple(wkb))
        return cls(frozen, epsilon_deg, overrides, everywhere, countries is not None)

    def resolve(
        self, country: TEXT, lon: F64, lat: F64, *, named: TEXT | None = None, any_zone: bool = False
    ) -> tuple[TEXT, TEXT]:
        """Zone and how it was found, for points (n,) each in a stated country.

        Args:
            named: (n,), the zone an override names for the point's edge or merchant, "" where none does.
            any_zone: the country's polygon covers the points, so its zones need not be the only candidates.

        Returns:
            (tzid, source): text arrays (n,); both ``UNRESOLVED`` where no rule yields a zone.
        """
        tzid = np.full(country.shape, UNRESOLVED, dtype="U64")
        source = np.full(country.shape, UNRESOLVED, dtype="U8")
        for code, at in groups(country):
            of_point = None if named is None else named[at]
            tzid[at], source[at] = self._resolve_in(str(code), lon[at], lat[at], of_point, any_zone)
        return tzid, source

    def covering(self, country: str, lon: float, lat: float) -> list[str]:
        """Names of the zones that cover one point: the country's, or any where none of the country's does."""
        x, y = np.array([lon]), np.array([lat])
        rows = self.zones.get(country, ())
        own = {name for name, polygon in rows if shapely.intersects_xy(polygon, x, y)[0]}
        return sorted(own or self.everywhere.covering(x, y))

    def _resolve_in(
        self, country: str, lon: F64, lat: F64, named: TEXT | None, any_zone: bool
    ) -> tuple[TEXT, TEXT]:
        tzid = self._own_cover(country, lon, lat)
        source = np.where(tzid != UNRESOLVED, POLYGON, UNRESOLVED).astype("U8")
        missed = np.flatnonzero(source == UNRESOLVED)
        if missed.size:
            nudged_lon = wrap_longitude(lon[missed] + self.epsilon_deg)
            nudged_lat = np.minimum(lat[missed] + self.epsilon_deg, 90.0)
            tzid[missed] = self._own_cover(country, nudged_lon, nudged_lat)
            source[missed] = np.where(tzid[missed] != UNRESOLVED, NUDGE, UNRESOLVED)
        missed = np.flatnonzero((source == UNRESOLVED) & (named != "")) if named is not None else missed[:0]
        if missed.size and named is not None:
            tzid[missed], source[missed] = named[missed], OVERRIDE
        missed = np.flatnonzero(source == UNRESOLVED)
        if missed.size and country in self.overrides:
            tzid[missed] = self.overrides[country]
            source[missed] = OVERRIDE
        missed = np.flatnonzero(source == UNRESOLVED)
        if missed.size and any_zone and self.by_country:
            tzid[missed] = self.everywhere.sole_cover(lon[missed], lat[missed])
            source[missed] = np.where(tzid[missed] != UNRESOLVED, POLYGON, UNRESOLVED)
        return tzid, source

    def _own_cover(self, country: str, lon: F64, lat: F64) -> TEXT:
        if not self.by_country:
            return self.everywhere.sole_cover(lon, lat)
        return sole_cover(self.zones.get(country, ()), lon, lat)


def sole_cover(rows: ZoneRows, lon: F64, lat: F64) -> TEXT:
    """The zone whose polygons alone cover each point (n,); UNRESOLVED where none or several do.

    Args:
        rows: (tzid, prepared polygon), in tzid order. Where an old and the present name of one zone both cover a
            point, the present one is given.
    """
    hits = np.zeros(lon.shape[0], np.int64)
    tzid = np.full(lon.shape[0], UNRESOLVED, dtype="U64")
    for present, names in _by_zone(rows).items():
        of_zone = np.zeros(lon.shape[0], bool)
        for name in sorted(names, key=lambda name: name == present):
            for polygon in names[name]:
                covered = shapely.intersects_xy(polygon, lon, lat)
                tzid[covered] = name
                of_zone |= covered
        hits += of_zone
    tzid[hits != 1] = UNRESOLVED
    return tzid


def _by_zone(rows: ZoneRows) -> dict[str, dict[str, list[shapely.Geometry]]]:
    """Polygons by name within the zone's present name, in the rows' order."""
    found: dict[str, dict[str, list[shapely.Geometry]]] = {}
    for name, polygon in rows:
        found.setdefault(present_name(name), {}).setdefault(name, []).append(polygon)
    return found


@dataclass(frozen=True)
class _Everywhere:
    """All rows of a zone table, asked whatever country they are listed for.

    Its polygons are its own, and asked by one thread at a time: GEOS indexes a prepared polygon at its first query.
    """

    tzids: tuple[str, ...]
    wkb: tuple[bytes, ...]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _rows: list[tuple[str, shapely.Geometry]] = field(default_factory=list, repr=False, compare=False)

    def sole_cover(self, lon: F64, lat: F64) -> TEXT:
        """As the function of that name, over the rows whose box meets the points' box."""
        if not lon.size:
            return np.zeros(0, "U64")
        with self._lock:
            return sole_cover(self._near(lon, lat), lon, lat)

    def covering(self, lon: F64, lat: F64) -> set[str]:
        """Names of the zones that cover one of the points."""
        with self._lock:
            rows = self._near(lon, lat)
            return {name for name, polygon in rows if shapely.intersects_xy(polygon, lon, lat).any()}

    def rows(self) -> ZoneRows:
        """Every row's name and polygon, in tzid order."""
        with self._lock:
            return tuple(self._parsed())

    def near(self, polygon: shapely.Geometry) -> ZoneRows:
        """Rows whose box meets a polygon's box."""
        with self._lock:
            return self._in_box(*shapely.bounds(polygon).tolist())

    def _near(self, lon: F64, lat: F64) -> ZoneRows:
        return self._in_box(float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max()))

    def _in_box(self, west: float, south: float, east: float, north: float) -> ZoneRows:
        rows = self._parsed()
        bounds = shapely.bounds([polygon for _, polygon in rows]).reshape(-1, 4)
        meets = (bounds[:, 0] <= east) & (bounds[:, 2] >= west)
        meets &= (bounds[:, 1] <= north) & (bounds[:, 3] >= south)
        return tuple(rows[at] for at in np.flatnonzero(meets))

    def _parsed(self) -> list[tuple[str, shapely.Geometry]]:
        if not self._rows and self.wkb:
            geometries = polygons_of(self.wkb)
            shapely.prepare(geometries)
            rows = zip(self.tzids, geometries, strict=True)
            self._rows.extend(sorted(rows, key=lambda row: row[0]))
        return self._rows
