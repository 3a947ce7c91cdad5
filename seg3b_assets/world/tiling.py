"""Which tiles of a global raster a polygon covers, how much of each, and the bounds and centroid of the part.

Exact for straight edges in degrees: the boundary is cut at the raster's lines, each piece adds to its own
tile the area and the first moments of the region between it and the tile's right side (Green's theorem), and
what it adds to every tile further right is carried along the row. Cost follows the boundary's length and the
tiles covered; no polygon is ever clipped. Source: the scan-line coverage of font rasterizers (Levien,
"font-rs", 2016), with moments.

Only + − × ÷ on doubles, in a fixed order. Longitudes do not wrap: a country astride the antimeridian is two
pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.snapping import snap
from seg3b_assets.world.recipe import MICRO

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

# A tile the polygon merely touches, along an edge that lies on a raster line, has no area: only rounding
# noise.
_TOUCH_SHARE: Final = 1e-9
_SIDE_COVERED: Final = 1e-7
_VERTEX_UNITS: Final = 10**7
# WGS 84 (NIMA TR8350.2): semi-minor axis in metres, first eccentricity.
_POLAR_RADIUS_M: Final = 6_356_752.314245
_ECCENTRICITY: Final = 0.081_819_190_842_622


@dataclass(frozen=True)
class Raster:
    """A global raster of square tiles; tile_id = row·ncols + column, row 0 north.

    Attributes:
        step: side of a tile in millionths of a degree; edges are exact decimals.
    """

    step: int

    @classmethod
    def of_resolution(cls, resolution_deg: float) -> Raster:
        return cls(round(resolution_deg * MICRO))

    @property
    def ncols(self) -> int:
        return 360 * MICRO // self.step

    @property
    def nrows(self) -> int:
        return 180 * MICRO // self.step

    @property
    def side_deg(self) -> float:
        return self.step / MICRO

    def west(self, column: I64) -> F64:
        """Longitude of a column's left edge."""
        return (column * self.step - 180 * MICRO) / MICRO

    def north(self, row: I64) -> F64:
        """Latitude of a row's upper edge."""
        return (90 * MICRO - row * self.step) / MICRO

    def area_m2(self, row: I64) -> F64:
        """Area of a tile of each row on the WGS 84 ellipsoid, square metres, snapped to whole ones.

        b²·Δλ·½·[sin φ / (1 − e²sin²φ) + artanh(e·sin φ) / e] between the row's parallels; source: Snyder, Map
        Projections (USGS 1395, 1987), the authalic zone.
        """
        sine = np.sin(np.radians(np.stack([self.north(row), self.north(row + 1)])))
        eccentric = _ECCENTRICITY * sine
        zone = sine / (1.0 - eccentric * eccentric) + np.arctanh(eccentric) / _ECCENTRICITY
        width = np.radians(self.side_deg) * _POLAR_RADIUS_M * _POLAR_RADIUS_M / 2.0
        return snap(width * (zone[0] - zone[1]), 1)

    def tile_of(self, lon: F64, lat: F64) -> I64:
        """tile_id of each point; the raster's own east and south edges belong to its last tiles."""
        column = np.minimum(np.floor((lon + 180.0) / self.side_deg).astype(np.int64), self.ncols - 1)
        row = np.minimum(np.floor((90.0 - lat) / self.side_deg).astype(np.int64), self.nrows - 1)
        return row * self.ncols + column


@dataclass(frozen=True)
class TileCover:
    """The tiles a polygon covers, ascending tile_id; arrays (tiles,).

    Attributes:
        tile_id: int64. share: covered share of the tile's square of degrees, (0, 1].
        min_lon, max_lon, min_lat, max_lat: bounds of tile ∩ polygon, degrees, snapped to 1e-9.
        centroid_lon, centroid_lat: its planar centroid, degrees, snapped to 1e-9.
    """

    tile_id: I64
    share: F64
    min_lon: F64
    max_lon: F64
    min_lat: F64
    max_lat: F64
    centroid_lon: F64
    centroid_lat: F64

    def acceptance(self, raster: Raster) -> F64:
        """Share of uniform points of the bounds that the polygon covers."""
        bounds = (self.max_lon - self.min_lon) * (self.max_lat - self.min_lat)
        return np.minimum(self.share * (raster.side_deg * raster.side_deg) / bounds, 1.0)


@dataclass(frozen=True)
class _Pieces:
    """Boundary pieces, each within one tile, in that tile's unit square (v grows southward)."""

    row: I64
    column: I64
    u0: F64
    u1: F64
    v0: F64
    v1: F64


@dataclass(frozen=True)
class _EdgeTiles:
    """Sums per tile that holds a boundary piece, ordered by row, then column."""

    row: I64
    column: I64
    area: F64
    moment_u: F64
    moment_v: F64
    low_u: F64
    high_u: F64
    low_v: F64
    high_v: F64
    carry: F64
    """Height the polygon covers of the tile's right side."""


def cover(polygon: shapely.Geometry, raster: Raster) -> TileCover:
    """Tiles of ``raster`` with which the polygon shares an area.

    Args:
        polygon: valid Polygon or MultiPolygon, degrees, longitude first; vertices are read to 1e-7.
        raster: the raster.
    """
    edge = _edge_tiles(_cut(*_boundary(polygon, raster)))
    inside_row, inside_column = _between(edge)
    edge_cover = _edge_cover(edge, raster)
    inside_cover = _inside_cover(inside_row, inside_column, raster)
    names = TileCover.__dataclass_fields__
    joined = {
        name: np.concatenate([getattr(edge_cover, name), getattr(inside_cover, name)]) for name in names
    }
    order = np.argsort(joined["tile_id"], kind="stable")
    return TileCover(**{name: values[order] for name, values in joined.items()})


def _boundary(polygon: shapely.Geometry, raster: Raster) -> tuple[F64, F64, F64, F64]:
    """Directed edges (x0, y0, x1, y1) in raster units, y southward, the inside east of a southward edge."""
    rings = shapely.get_rings(shapely.get_parts(shapely.orient_polygons(polygon)))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    # Whole numbers divided once: a border along a raster line lies exactly on it.
    x = np.rint((xy[:, 0] + 180.0) * _VERTEX_UNITS) / (raster.step * (_VERTEX_UNITS // MICRO))
    y = np.rint((90.0 - xy[:, 1]) * _VERTEX_UNITS) / (raster.step * (_VERTEX_UNITS // MICRO))
    same = ring[1:] == ring[:-1]
    return x[:-1][same], y[:-1][same], x[1:][same], y[1:][same]


def _crossings(start: F64, end: F64) -> tuple[I64, F64, F64]:
    """Where edges cross whole numbers strictly inside: (edge, the whole number, share of the way along)."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    first = np.floor(low).astype(np.int64) + 1
    count = np.maximum(np.ceil(high).astype(np.int64) - first, 0)
    edge = np.repeat(np.arange(start.shape[0]), count)
    line = (np.arange(edge.shape[0]) - np.repeat(np.cumsum(count) - count, count) + first[edge]).astype(
        np.float64
    )
    return edge, line, (line - start[edge]) / (end[edge] - start[edge])


def _cut(x0: F64, y0: F64, x1: F64, y1: F64) -> _Pieces:
    at_x, line_x, along_x = _crossings(x0, x1)
    at_y, line_y, along_y = _crossings(y0, y1)
    each = np.arange(x0.shape[0])
    edge = np.concatenate([each, at_x, at_y, each])
    along = np.concatenate([np.zeros(each.shape), along_x, along_y, np.ones(each.shape)])
    rank = np.repeat(np.array([0, 1, 1, 2]), [each.size, at_x.size, at_y.size, each.size])
    x = np.concatenate([x0, line_x, x0[at_y] + along_y * (x1 - x0)[at_y], x1])
    y = np.concatenate([y0, y0[at_x] + along_x * (y1 - y0)[at_x], line_y, y1])
    order = np.lexsort((rank, along, edge))
    edge, x, y = edge[order], x[order], y[order]
    piece = np.flatnonzero(edge[1:] == edge[:-1])
    xa, xb, ya, yb = x[piece], x[piece + 1], y[piece], y[piece + 1]
    # A piece along a raster line belongs to the tile on the side where the polygon is.
    west_of_line = (xa == xb) & (yb < ya)
    north_of_line = (ya == yb) & (xb > xa)
    column = np.where(west_of_line, np.ceil(xa) - 1.0, np.floor((xa + xb) / 2.0))
    row = np.where(north_of_line, np.ceil(ya) - 1.0, np.floor((ya + yb) / 2.0))
    u0, u1, v0, v1 = (np.clip(v, 0.0, 1.0) for v in (xa - column, xb - column, ya - row, yb - row))
    return _Pieces(row.astype(np.int64), column.astype(np.int64), u0, u1, v0, v1)


def _edge_tiles(pieces: _Pieces) -> _EdgeTiles:
    order = np.lexsort((pieces.column, pieces.row))
    row, column = pieces.row[order], pieces.column[order]
    u0, u1, v0, v1 = pieces.u0[order], pieces.u1[order], pieces.v0[order], pieces.v1[order]
    new = np.ones(row.shape, bool)
    new[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    start = np.flatnonzero(new)
    tile = np.cumsum(new) - 1
    dv, du = v1 - v0, u1 - u0

    def total(values: F64) -> F64:
        return np.bincount(tile, values, start.shape[0]).astype(np.float64)

    area = total(dv * (1.0 - (u0 + u1) / 2.0))
    moment_u = total(dv * (0.5 - (u0 * u0 + u0 * u1 + u1 * u1) / 6.0))
    moment_v = total(dv * ((1.0 - u0) * (v0 + dv / 2.0) - du * (v0 / 2.0 + dv / 3.0)))
    # Over a row dv sums to zero, so one running sum serves all rows: it starts each of them at nothing.
    carry, carry_v = np.cumsum(total(dv)), np.cumsum(total((v1 * v1 - v0 * v0) / 2.0))
    before, before_v = np.concatenate([[0.0], carry[:-1]]), np.concatenate([[0.0], carry_v[:-1]])
    above, below = _column_carry(row[start], column[start], total(-du))
    low_u, low_v = (np.minimum.reduceat(np.minimum(a, b), start) for a, b in ((u0, u1), (v0, v1)))
    high_u, high_v = (np.maximum.reduceat(np.maximum(a, b), start) for a, b in ((u0, u1), (v0, v1)))
    return _EdgeTiles(
        row=row[start],
        column=column[start],
        area=area + before,
        moment_u=moment_u + before / 2.0,
        moment_v=moment_v + before_v,
        low_u=np.where(before > _SIDE_COVERED, 0.0, low_u),
        high_u=np.where(carry > _SIDE_COVERED, 1.0, high_u),
        low_v=np.where(above > _SIDE_COVERED, 0.0, low_v),
        high_v=np.where(below > _SIDE_COVERED, 1.0, high_v),
        carry=carry,
    )


def _column_carry(row: I64, column: I64, westward: F64) -> tuple[F64, F64]:
    """Width the polygon covers of each tile's upper and of its lower side."""
    order = np.lexsort((row, column))
    running = np.cumsum(westward[order])
    above, below = np.empty(running.shape), np.empty(running.shape)
    above[order] = np.concatenate([[0.0], running[:-1]])
    below[order] = running
    return above, below


def _between(edge: _EdgeTiles) -> tuple[I64, I64]:
    """Rows and columns of the tiles wholly inside: the runs between two edge tiles of a row."""
    gap = np.flatnonzero((edge.row[1:] == edge.row[:-1]) & (edge.carry[:-1] > 0.5))
    length = edge.column[gap + 1] - edge.column[gap] - 1
    run = np.repeat(gap, length)
    offset = np.arange(run.shape[0]) - np.repeat(np.cumsum(length) - length, length)
    return edge.row[run], edge.column[run] + 1 + offset


def _edge_cover(edge: _EdgeTiles, raster: Raster) -> TileCover:
    kept = np.flatnonzero(edge.area > _TOUCH_SHARE)
    row, column, share = edge.row[kept], edge.column[kept], np.minimum(edge.area[kept], 1.0)
    side, west, north = raster.side_deg, raster.west(column), raster.north(row)
    low_u, high_u, low_v, high_v = (v[kept] for v in (edge.low_u, edge.high_u, edge.low_v, edge.high_v))
    centre_u = np.clip(edge.moment_u[kept] / edge.area[kept], low_u, high_u)
    centre_v = np.clip(edge.moment_v[kept] / edge.area[kept], low_v, high_v)
    return TileCover(
        tile_id=row * raster.ncols + column,
        share=share,
        min_lon=snap(west + low_u * side),
        max_lon=snap(west + high_u * side),
        min_lat=snap(north - high_v * side),
        max_lat=snap(north - low_v * side),
        centroid_lon=snap(west + centre_u * side),
        centroid_lat=snap(north - centre_v * side),
    )


def _inside_cover(row: I64, column: I64, raster: Raster) -> TileCover:
    west, east = raster.west(column), raster.west(column + 1)
    north, south = raster.north(row), raster.north(row + 1)
    return TileCover(
        tile_id=row * raster.ncols + column,
        share=np.ones(row.shape),
        min_lon=west,
        max_lon=east,
        min_lat=south,
        max_lat=north,
        centroid_lon=snap((west + east) / 2.0),
        centroid_lat=snap((north + south) / 2.0),
    )
