"""Where each edge lands (law section 4): a uniform point of its tile that its country covers.

Attempts run in rounds over all pending edges, each attempt at its own address, so the outcome of an edge
does not depend on how many others were still pending.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.geography import CountryPolygons, groups, wrap_longitude
from seg3b_assets.laws.overrides import NamedZones
from seg3b_assets.laws.randomness import Stream, jitter_index, unit_interval
from seg3b_assets.laws.tz_database import tz_database_zones
from seg3b_assets.laws.zones import UNRESOLVED, ZoneResolver
from seg3b_assets.states.maps import unresolved_zone
from seg3b_assets.states.s2_edges.edges import EdgeSlots
from seg3b_assets.states.s2_edges.surface import TilePicks

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]


@dataclass(frozen=True)
class Attempts:
    """Every placement attempt, ordered by edge, then attempt; arrays (events,).

    Attributes:
        edge: int64, the edge's number. attempt: int64, from 1.
        u_lon, u_lat: the uniforms. lon, lat: candidate, degrees.
        accepted: whether the country covers the candidate; true exactly once per edge, its last.
    """

    edge: I64
    attempt: I64
    u_lon: F64
    u_lat: F64
    lon: F64
    lat: F64
    accepted: BOOL


def place(
    edges: EdgeSlots, tiles: TilePicks, polygons: CountryPolygons, stream: Stream, max_attempts: int
) -> Attempts:
    """Draw until every edge has a point its country covers.

    Raises:
        Seg3BError: ``JITTER_RESAMPLE_EXHAUSTED`` naming merchant, tile and country after ``max_attempts``.
    """
    rounds: list[Attempts] = []
    # Country order keeps one polygon's points together; stable, so it is the same on every machine.
    pending = np.argsort(edges.country, kind="stable")
    for attempt in range(1, max_attempts + 1):
        if not pending.size:
            break
        tried = _attempt(edges, tiles, polygons, stream, pending, attempt)
        rounds.append(tried)
        pending = pending[~tried.accepted]
    if pending.size:
        raise _exhausted(edges, tiles, int(pending.min()), int(pending.size), max_attempts)
    return _in_edge_order(rounds)


def _attempt(
    edges: EdgeSlots,
    tiles: TilePicks,
    polygons: CountryPolygons,
    stream: Stream,
    pending: I64,
    attempt: int,
) -> Attempts:
    words = stream.words(edges.merchant_id[pending], jitter_index(edges.address[pending], attempt))
    u_lon, u_lat = unit_interval(words[0]), unit_interval(words[1])
    min_lon, min_lat = tiles.min_lon[pending], tiles.min_lat[pending]
    span = tiles.max_lon[pending] - min_lon
    span = np.where(span < 0, span + 360.0, span)
    lon = wrap_longitude(min_lon + u_lon * span)
    lat = min_lat + u_lat * (tiles.max_lat[pending] - min_lat)
    accepted = np.zeros(pending.shape[0], bool)
    for index, at in groups(edges.country[pending]):
        accepted[at] = polygons.covers(edges.iso[int(index)], lon[at], lat[at])
    return Attempts(pending, np.full(pending.shape[0], attempt), u_lon, u_lat, lon, lat, accepted)


def _in_edge_order(rounds: list[Attempts]) -> Attempts:
    if not rounds:
        whole, real = np.zeros(0, np.int64), np.zeros(0)
        return Attempts(whole, whole, real, real, real, real, np.zeros(0, bool))
    columns = {
        name: np.concatenate([getattr(part, name) for part in rounds])
        for name in Attempts.__dataclass_fields__
    }
    order = np.lexsort((columns["attempt"], columns["edge"]))
    return Attempts(**{name: values[order] for name, values in columns.items()})


def _exhausted(edges: EdgeSlots, tiles: TilePicks, edge: int, count: int, max_attempts: int) -> Seg3BError:
    country = edges.iso[int(edges.country[edge])]
    tile = int(tiles.tile_id[edge])
    return fail(
        "jitter_attempts",
        f"merchant {int(edges.merchant_id[edge])}, tile {tile}, country {country}",
        "Tighten the tile's bounds to tile ∩ country, or give the tile weight 0.",
        merchant_id=int(edges.merchant_id[edge]),
        tile_id=tile,
        country_iso=country,
        attempts=max_attempts,
        edges_affected=count,
    )


@dataclass(frozen=True)
class EdgeZones:
    """Zone of each edge's stored point, (n,): tzid, and POLYGON, NUDGE or OVERRIDE."""

    tzid: NDArray[np.str_]
    source: NDArray[np.str_]


def resolve_zones(
    edges: EdgeSlots,
    lon: F64,
    lat: F64,
    resolver: ZoneResolver,
    workers: int,
    by_hand: NamedZones | None = None,
) -> EdgeZones:
    """The zone of every edge.

    Args:
        by_hand: overrides of merchants and edges in force.

    Raises:
        Seg3BError: ``TZ_RESOLUTION_FAILED`` when no rule yields a zone; ``TZ_ASSET_INVALID`` when the zone
            is unknown to the pinned tz database.
    """
    tzid, source = np.zeros(edges.total, "U64"), np.zeros(edges.total, "U8")
    named = (by_hand or NamedZones.none()).of(edges.merchant_id, edges.seq)

    def resolve_country(part: tuple[object, I64]) -> None:
        at = part[1]
        country = np.full(at.shape[0], edges.iso[int(edges.country[at[0]])])
        tzid[at], source[at] = resolver.resolve(country, lon[at], lat[at], named=named[at], any_zone=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(resolve_country, groups(edges.country)))
    _require_zones(edges, tzid, source, (lon, lat), resolver)
    return EdgeZones(tzid, source)


def _require_zones(
    edges: EdgeSlots,
    tzid: NDArray[np.str_],
    source: NDArray[np.str_],
    point: tuple[F64, F64],
    resolver: ZoneResolver,
) -> None:
    failed = np.flatnonzero(source == UNRESOLVED)
    if failed.size:
        edge = int(failed[0])
        country = edges.iso[int(edges.country[edge])]
        lon, lat = float(point[0][edge]), float(point[1][edge])
        raise unresolved_zone(
            "S2",
            "zone_resolved",
            f"merchant {int(edges.merchant_id[edge])}, edge_seq_index {int(edges.seq[edge])}",
            (country, lon, lat),
            resolver,
            {"count": int(failed.size)},
        )
    unknown = sorted(set(tzid.tolist()) - tz_database_zones())
    if unknown:
        raise fail(
            "zone_in_tz_database",
            "tz_world",
            "Use zones of the pinned tz database package, or pin the release tz_world was cut from.",
            in_state="S2",
            tzid=unknown[:5],
            count=len(unknown),
        )
