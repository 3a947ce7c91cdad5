"""Two square countries, one astride the antimeridian, for tests of placement, zones and weights."""

from __future__ import annotations

import numpy as np
import shapely

from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.zones import ZoneResolver
from seg3b_assets.states.s2_edges.edges import EdgeSlots, allot_slots
from seg3b_assets.states.s2_edges.shares import SHARE_UNITS
from seg3b_assets.states.s2_edges.surface import TilePicks

WORLD = WorldIdentity(42, "a" * 64, "b" * 64, "2026-01-01T00:00:00.000000Z")
# AA is half of its tile (a triangle); ZZ lies on both sides of the antimeridian.
AA = shapely.Polygon([(0, 0), (10, 0), (0, 10)])
ZZ = shapely.union_all([shapely.box(178, -5, 180, 5), shapely.box(-180, -5, -178, 5)])


def polygons() -> CountryPolygons:
    return CountryPolygons.from_wkb(["AA", "ZZ"], [shapely.to_wkb(AA), shapely.to_wkb(ZZ)])


def zones(overrides: dict[str, str] | None = None, epsilon_deg: float = 0.002) -> ZoneResolver:
    """AA: two zones that meet at longitude 2; ZZ: one zone that leaves a gap east of 179.5."""
    west = shapely.intersection(AA, shapely.box(0, 0, 2, 10))
    east = shapely.intersection(AA, shapely.box(2, 0, 10, 10))
    partial = shapely.intersection(ZZ, shapely.box(-180, -5, 179.5, 5))
    return ZoneResolver.from_wkb(
        ["Europe/Paris", "Europe/Berlin", "Pacific/Fiji"],
        ["AA", "AA", "ZZ"],
        [shapely.to_wkb(geometry) for geometry in (west, east, partial)],
        epsilon_deg,
        overrides or {},
    )


def slots(merchants: int = 40, budget: int = 30) -> EdgeSlots:
    masses = np.tile(np.array([[6, 4]], np.int64) * (SHARE_UNITS // 10), (merchants, 1))
    ids = np.arange(1, merchants + 1, dtype=np.uint64) * np.uint64(97)
    return allot_slots(ids, ["AA", "ZZ"], masses, np.full(merchants, budget))


def tiles(edges: EdgeSlots) -> TilePicks:
    in_aa = edges.country == 0
    n = edges.total
    return TilePicks(
        tile_id=np.where(in_aa, 7, 9).astype(np.uint64),
        weight=np.where(in_aa, 100, 50).astype(np.int64),
        min_lon=np.where(in_aa, 0.0, 178.0),
        max_lon=np.where(in_aa, 10.0, -178.0),
        min_lat=np.where(in_aa, 0.0, -5.0),
        max_lat=np.where(in_aa, np.full(n, 10.0), np.full(n, 5.0)),
    )
