"""Point in polygon by a second route: rays and crossings, on a sample (law section 4, placement and zone).

States and audit ask the same geometry library whether a polygon covers a point. So that it is not its own only
judge, some hundred edges, and some rejected attempts, are asked again here, by counting how often a ray to the
west crosses a polygon's rings. Points within a hair of a ring are left out: there the law's word "boundary
included" and the last bit of a float decide, which this route does not settle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.tz_database import present_name
from seg3b_assets.laws.zones import POLYGON, ZoneRows

if TYPE_CHECKING:
    from seg3b_assets.audit.ledger import EdgeLedger
    from seg3b_assets.audit.maps import Maps
    from seg3b_assets.audit.placement import Placement
    from seg3b_assets.audit.tree import Desk

F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]
I64 = NDArray[np.int64]

SAMPLED_EDGES: Final = 256
SAMPLED_REJECTS: Final = 128
HAIR_DEG: Final = 1e-7


def crossings(polygon: shapely.Geometry, lon: F64, lat: F64) -> tuple[BOOL, BOOL]:
    """Whether each point is inside by the even-odd rule, and whether it is clear of every ring.

    Args:
        polygon: polygon or multipolygon, holes and all.
        lon, lat: degrees (n,).
    """
    rings = shapely.get_rings(shapely.get_parts(polygon))
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    joined = ring[1:] == ring[:-1]
    (west, south), (east, north) = corners[:-1][joined].T, corners[1:][joined].T
    lowest, highest = np.minimum(south, north) - HAIR_DEG, np.maximum(south, north) + HAIR_DEG
    inside, clear = np.zeros(lon.shape[0], bool), np.zeros(lon.shape[0], bool)
    for at, (x, y) in enumerate(zip(lon.tolist(), lat.tolist(), strict=True)):
        # Neither a crossing nor a hair's breadth away lies beyond a segment's own latitudes.
        level = np.flatnonzero((lowest <= y) & (y <= highest))
        left, low, right, high = west[level], south[level], east[level], north[level]
        spans = (low > y) != (high > y)
        slope = (right[spans] - left[spans]) / (high[spans] - low[spans])
        crossed = left[spans] + (y - low[spans]) * slope
        inside[at] = np.count_nonzero(crossed < x) % 2 == 1
        clear[at] = _distance((left, low, right, high), x, y) > HAIR_DEG
    return inside, clear


def _distance(segments: tuple[F64, F64, F64, F64], x: float, y: float) -> float:
    """Degrees from a point to the nearest of many segments, each from (west, south) to (east, north)."""
    west, south, east, north = segments
    run, rise = east - west, north - south
    length = np.maximum(run * run + rise * rise, np.finfo(float).tiny)
    along = np.clip(((x - west) * run + (y - south) * rise) / length, 0.0, 1.0)
    gap = np.hypot(west + along * run - x, south + along * rise - y)
    return float(gap.min(initial=np.inf))


def audit_by_rays(
    desk: Desk, rows: pl.DataFrame, known: I64, ledger: EdgeLedger, placement: Placement, maps: Maps
) -> None:
    """Sampled edges lie in their country and zone by rays too, sampled rejected attempts outside.

    Args:
        rows: catalogue rows of the ledger's edges ``known``.
    """
    lon, lat = rows["lon_deg"].to_numpy(), rows["lat_deg"].to_numpy()
    placed = np.flatnonzero((lon == placement.lon[known]) & (lat == placement.lat[known]))
    sample = placed[_spread(placed.shape[0], SAMPLED_EDGES)]
    inside, clear = _in_countries(maps, ledger.country_text[known[sample]], lon[sample], lat[sample])
    wrong = clear & ~inside
    desk.findings.rows(
        "S2.edge_in_country",
        wrong,
        lambda at: {
            **ledger.name(int(known[sample[at]])),
            "found": {"lon_deg": float(lon[sample[at]]), "lat_deg": float(lat[sample[at]])},
            "route": "ray casting",
        },
    )
    # An edge whose zone is not the replayed one has been reported; here the replay itself is asked.
    replayed = rows["tzid_operational"].to_numpy().astype("U64")[sample] == placement.tzid[known[sample]]
    _zones(desk, rows, known, ledger, sample[replayed], maps)
    if "rng_event_edge_jitter_3B" in desk.tree.datasets:
        _rejects(desk, ledger, placement, maps)


def _spread(length: int, wanted: int) -> I64:
    """At most ``wanted`` positions, evenly over ``length``."""
    return np.unique(np.linspace(0, max(length - 1, 0), min(length, wanted)).astype(np.int64))


def _in_countries(maps: Maps, country: pl.Series, lon: F64, lat: F64) -> tuple[BOOL, BOOL]:
    inside, clear = np.zeros(lon.shape[0], bool), np.zeros(lon.shape[0], bool)
    for code, at in groups(country.to_numpy().astype("U2")):
        polygon = maps.countries.by_country.get(str(code))
        if polygon is not None:
            inside[at], clear[at] = crossings(polygon, lon[at], lat[at])
    return inside, clear


def _zones(desk: Desk, rows: pl.DataFrame, known: I64, ledger: EdgeLedger, sample: I64, maps: Maps) -> None:
    """POLYGON: one zone polygon of the country covers the point, and it is the row's."""
    chosen = rows[sample].with_row_index("at").filter(pl.col("tz_source") == POLYGON)
    at = chosen["at"].to_numpy().astype(np.int64)
    lon, lat = chosen["lon_deg"].to_numpy(), chosen["lat_deg"].to_numpy()
    covers, named = np.zeros(at.shape[0], np.int64), np.zeros(at.shape[0], bool)
    clear = np.ones(at.shape[0], bool)
    tzid = chosen["tzid_operational"].to_numpy().astype("U64")
    country = ledger.country_text[known[sample[at]]].to_numpy().astype("U2")
    for code, here in groups(country):
        covers[here], named[here], clear[here] = _zone_cover(
            maps.zones.zones.get(str(code), ()), tzid[here], lon[here], lat[here]
        )
        beyond = here[covers[here] == 0]
        if beyond.size:
            covers[beyond], named[beyond], apart = _zone_cover(
                maps.zones.everywhere.near(shapely.MultiPoint(np.stack([lon[beyond], lat[beyond]], axis=1))),
                tzid[beyond],
                lon[beyond],
                lat[beyond],
            )
            clear[beyond] &= apart
    desk.findings.rows(
        "S2.edge_zone",
        clear & ~((covers == 1) & named),
        lambda row: {
            **ledger.name(int(known[sample[at[row]]])),
            "found": {"tzid": str(tzid[row]), "polygons_covering": int(covers[row])},
            "route": "ray casting",
        },
    )


def _zone_cover(rows: ZoneRows, tzid: NDArray[np.str_], lon: F64, lat: F64) -> tuple[I64, BOOL, BOOL]:
    """How many zones cover each point (n,), whether the named one does, and whether it is clear of all their rings.

    Polygons of one zone, under its old and its present name, are one zone.
    """
    hits: dict[str, BOOL] = {}
    named, clear = np.zeros(lon.shape[0], bool), np.ones(lon.shape[0], bool)
    for name, polygon in rows:
        inside, apart = crossings(polygon, lon, lat)
        zone = present_name(name)
        hits[zone] = hits.get(zone, np.zeros(lon.shape[0], bool)) | inside
        named |= inside & (tzid == name)
        clear &= apart
    return np.sum([*hits.values(), np.zeros(lon.shape[0], bool)], axis=0, dtype=np.int64), named, clear


def _rejects(desk: Desk, ledger: EdgeLedger, placement: Placement, maps: Maps) -> None:
    attempts = placement.attempts
    rejected = np.flatnonzero(~attempts.accepted)
    sample = rejected[_spread(rejected.shape[0], SAMPLED_REJECTS)]
    edge, lon, lat = attempts.edge[sample], attempts.lon[sample], attempts.lat[sample]
    inside, clear = _in_countries(maps, ledger.country_text[edge], lon, lat)
    desk.findings.rows(
        "S2.jitter.accepted",
        inside & clear,
        lambda at: {
            **ledger.name(int(edge[at])),
            "attempt": int(attempts.attempt[sample[at]]),
            "found": {"lon_deg": float(lon[at]), "lat_deg": float(lat[at]), "accepted": False},
            "route": "ray casting",
        },
    )
