"""Point in polygon by the audit's own route: crossings of a ray, exact (law section 4, placement and zone).

States ask the geometry library's prepared polygons. So that it is not its own only judge, every point is asked again
here: how often a ray to the east of it crosses the polygon's rings, an odd number being inside. A crossing is told by
the sign of a determinant. Where rounding could turn that sign, which is on a ring or a hair away from it, the library's
exact predicate is asked, of the polygon as it is.
Source: Shimrat, "Algorithm 112", CACM 5(8), 1962; error bound: Shewchuk, DCG 18, 1997.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

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
