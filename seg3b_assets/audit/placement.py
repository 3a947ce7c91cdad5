"""Where every edge ought to be, recomputed from its address (law section 4, tiles, placement, zone).

Country by country: the tile its draw falls into, the attempts until the country's polygon covers the
candidate, the zone of the accepted point. The state draws in rounds over all countries; here each
country runs through all its attempts alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.draws import Draws, attempt_addresses, unit
from seg3b_assets.audit.ledger import EdgeLedger
from seg3b_assets.audit.maps import Maps, wrapped
from seg3b_assets.audit.surface import SurfaceError, Surfaces
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.randomness import EDGE_JITTER, EDGE_TILE_ASSIGN

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
TEXT = NDArray[np.str_]

NO_TILE: Final = "no tile of the excerpt"


@dataclass(frozen=True)
class Attempts:
    """Placement attempts, ordered by edge, then attempt; arrays (events,)."""

    edge: I64
    attempt: I64
    u_lon: F64
    u_lat: F64
    lon: F64
    lat: F64
    accepted: NDArray[np.bool_]


@dataclass(frozen=True)
class Placement:
    """What the draws give each edge of the ledger; arrays (n,), attempts apart.

    Attributes:
        tile_id: uint64. bounds: float64 (n, 4), min and max longitude, min and max latitude.
        drawn: whether the draw falls into a tile at hand; always, but for an excerpt's gaps.
        tile_weight: int64, fixed-point weight of the tile, 0 where none was drawn.
        lon, lat: the accepted candidate, NaN where none was.
        tzid, tz_source: its zone by replay, "" where there is none.
        attempts: every attempt of every edge.
    """

    tile_id: U64
    bounds: F64
    drawn: NDArray[np.bool_]
    tile_weight: I64
    lon: F64
    lat: F64
    tzid: TEXT
    tz_source: TEXT
    attempts: Attempts


@check("S2.tile_surface", "§4 tiles", "the sealed surface cannot be the one S2 read")
def recompute_placement(context: AuditContext, ledger: EdgeLedger, maps: Maps | None) -> Placement | None:
    """The placement of every edge; None, with the reason reported, when it cannot be recomputed."""
    surfaces = Surfaces(context)
    if maps is None or not surfaces.at_hand:
        context.findings.skip("tile surfaces or polygons are not at hand", "S2.tile_surface")
        return None
    recomputation = _Recomputation(context, ledger, maps, surfaces)
    try:
        placement = recomputation.run()
    except SurfaceError as error:
        context.findings.fail("S2.tile_surface", 1, {"reason": str(error)})
        return None
    context.findings.ok("S2.tile_surface")
    return placement


class _Recomputation:
    """One pass over the countries; each writes its own edges, so the order of threads leaves no trace."""

    def __init__(self, context: AuditContext, ledger: EdgeLedger, maps: Maps, surfaces: Surfaces) -> None:
        n, world = ledger.total, context.tree.identity
        self._desk, self._ledger, self._maps, self._surfaces = context, ledger, maps, surfaces
        self._jitter = Draws(context, EDGE_JITTER, "S2.jitter.philox", sampled=2)
        self._tiles = Draws(context, EDGE_TILE_ASSIGN, "S2.edge_tile")
        self._words = self._tiles.words(ledger.merchant_id, ledger.address)[0]
        self._max_attempts = context.tree.policies.edge_topology.placement.max_attempts
        self.tile_id, self.bounds = np.zeros(n, np.uint64), np.full((n, 4), np.nan)
        self.drawn = np.zeros(n, bool)
        self.tile_weight = np.zeros(n, np.int64)
        self.lon, self.lat = np.full(n, np.nan), np.full(n, np.nan)
        self.tzid, self.tz_source = np.zeros(n, "U40"), np.zeros(n, "U8")
        by_hand = context.tree.policies.tz_overrides.named(world.created_utc)
        self._named = by_hand.of(ledger.merchant_id, ledger.seq)

    def run(self) -> Placement:
        with ThreadPoolExecutor(self._desk.workers) as pool:
            parts = list(pool.map(self._country, groups(self._ledger.country)))
        attempts = _in_edge_order([attempt for part in parts for attempt in part])
        return Placement(
            self.tile_id,
            self.bounds,
            self.drawn,
            self.tile_weight,
            self.lon,
            self.lat,
            self.tzid,
            self.tz_source,
            attempts,
        )

    def _country(self, part: tuple[np.generic, I64]) -> list[Attempts]:
        iso, at = self._ledger.iso[int(part[0])], part[1]
        if iso not in self._maps.countries:
            raise SurfaceError(f"{iso}: the country has no polygon")
        tiles = self._surfaces.country(iso)
        row, self.drawn[at] = tiles.pick(self._tiles, self._words[at])
        row, at = row[self.drawn[at]], at[self.drawn[at]]
        self.tile_id[at], self.bounds[at] = tiles.tile_id[row], tiles.bounds[row]
        self.tile_weight[at] = (tiles.after[row] - tiles.before[row]).astype(np.int64)
        attempts = self._attempts(iso, at)
        placed = at[~np.isnan(self.lon[at])]
        self.tzid[placed], self.tz_source[placed] = self._maps.zones.replay(
            iso, self.lon[placed], self.lat[placed], self._named[placed], anywhere=True
        )
        return attempts

    def _attempts(self, iso: str, at: I64) -> list[Attempts]:
        """Attempts of one country's edges until each is placed; fills ``lon`` and ``lat``."""
        tried: list[Attempts] = []
        for attempt in range(1, self._max_attempts + 1):
            if not at.size:
                break
            index = attempt_addresses(self._ledger.address[at], attempt)
            u_lon, u_lat = map(unit, self._jitter.words(self._ledger.merchant_id[at], index))
            lon, lat = candidate(self.bounds[at], u_lon, u_lat)
            accepted = self._maps.countries[iso].covers(lon, lat)
            tried.append(Attempts(at, np.full(at.shape[0], attempt), u_lon, u_lat, lon, lat, accepted))
            self.lon[at[accepted]], self.lat[at[accepted]] = lon[accepted], lat[accepted]
            at = at[~accepted]
        return tried


def candidate(bounds: F64, u_lon: F64, u_lat: F64) -> tuple[F64, F64]:
    """The point two uniforms give inside tile bounds (n, 4); a tile may straddle the antimeridian."""
    west, east, south, north = bounds.T
    span = east - west
    span = np.where(span < 0, span + 360.0, span)
    return wrapped(west + u_lon * span), south + u_lat * (north - south)


def _in_edge_order(parts: list[Attempts]) -> Attempts:
    if not parts:
        whole, real = np.zeros(0, np.int64), np.zeros(0)
        return Attempts(whole, whole, real, real, real, real, np.zeros(0, bool))
    columns = [np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Attempts)]
    order = np.argsort(columns[0] * np.int64(64) + (columns[1] - 1), kind="stable")
    return Attempts(*(column[order] for column in columns))


def audit_placement(
    context: AuditContext, catalogue: pl.DataFrame, ledger: EdgeLedger, placement: Placement, maps: Maps
) -> None:
    """The catalogue's tile, point, country and zone of each edge, against the recomputed ones."""
    known = np.flatnonzero(ledger.row >= 0)
    rows = catalogue[ledger.row[known]]
    _compare_tiles(context, rows, known, ledger, placement)
    _compare_points(context, rows, known, ledger, placement, maps)
    _compare_zones(context, rows, known, ledger, placement)


@check("S2.edge_tile", "§4 tiles", "the tile is not the one the draw falls into")
def _compare_tiles(
    context: AuditContext, rows: pl.DataFrame, known: I64, ledger: EdgeLedger, placement: Placement
) -> None:
    expected = pl.Series(placement.tile_id[known]).cast(pl.String)
    expected = expected.set(pl.Series(~placement.drawn[known]), NO_TILE)
    context.findings.compare(
        "S2.edge_tile", rows, {"hrsl_tile_id": expected}, lambda at: ledger.name(known[at])
    )


@check("S2.edge_point", "§4 placement", "the edge is not where its accepted attempt put it")
@check("S2.edge_in_tile", "§4 placement", "the edge was moved out of its tile")
@check("S2.edge_in_country", "§4 placement", "the edge was moved out of its country")
def _compare_points(
    context: AuditContext,
    rows: pl.DataFrame,
    known: I64,
    ledger: EdgeLedger,
    placement: Placement,
    maps: Maps,
) -> None:
    lon, lat = rows["lon_deg"].to_numpy(), rows["lat_deg"].to_numpy()
    expected_lon, expected_lat = placement.lon[known], placement.lat[known]
    moved = ~((lon == expected_lon) & (lat == expected_lat))

    def example(at: int) -> dict[str, object]:
        return {
            **ledger.name(known[at]),
            "expected": {"lon_deg": float(expected_lon[at]), "lat_deg": float(expected_lat[at])},
            "found": {"lon_deg": float(lon[at]), "lat_deg": float(lat[at])},
        }

    context.findings.rows("S2.edge_point", moved, example)
    outside_tile = placement.drawn[known] & ~inside(placement.bounds[known], lon, lat)
    context.findings.rows("S2.edge_in_tile", outside_tile, example)
    # An edge on its accepted candidate was found covered when that candidate was tried.
    outside = np.zeros(moved.shape[0], bool)
    outside[moved] = ~maps.covered(
        ledger.country_text[known[moved]].to_numpy().astype("U2"), lon[moved], lat[moved]
    )
    context.findings.rows("S2.edge_in_country", outside, example)


def inside(bounds: F64, lon: F64, lat: F64) -> NDArray[np.bool_]:
    """Whether points lie in tile bounds (n, 4), to 1e-9 of a degree: min + u·span may round past max."""
    slack = 1e-9
    west, east, south, north = bounds.T
    span = np.where(east < west, east - west + 360.0, east - west)
    offset = lon - west
    offset = np.where(offset < -slack, offset + 360.0, offset)
    held: NDArray[np.bool_] = (offset <= span + slack) & (lat >= south - slack) & (lat <= north + slack)
    return held


@check("S2.edge_zone", "§4 zone", "zone or tz_source is not what replaying the rule gives")
def _compare_zones(
    context: AuditContext, rows: pl.DataFrame, known: I64, ledger: EdgeLedger, placement: Placement
) -> None:
    """The zone is that of the accepted point; a moved edge is reported once, as moved."""
    expected = {
        "tzid_operational": pl.Series(placement.tzid[known].tolist(), dtype=pl.String),
        "tz_source": pl.Series(placement.tz_source[known].tolist(), dtype=pl.String),
    }
    context.findings.compare("S2.edge_zone", rows, expected, lambda at: ledger.name(known[at]))
