"""Polygons as upstream sends them: read from well-known binary, and what makes one unfit (law section 2).

A border is a Polygon or MultiPolygon in degrees, longitude first, valid in the sense of OGC Simple Features
(ISO 19125-1, section 6.1.11). A flat collection counts as the polygons in it; a height and a statement of
EPSG:4326 are let go. Everything else would be read as some other border than was meant, or as none, so it is a
fault with a name. Polygons of different rows may overlap: that is no fault of either.

How deep a geometry is nested is told without reading it: the library recurses, and ends the process. A collection of
nine bytes may hold another, and that one another: a cell of 180 KB is twenty thousand levels, which is more than a
stack holds.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

Geometries = NDArray[np.object_]
BOOL = NDArray[np.bool_]

TYPE: Final = "type"
EMPTY: Final = "empty"
UNREADABLE: Final = "unreadable"
REFERENCE_SYSTEM: Final = "reference system"
OUT_OF_RANGE: Final = "coordinates out of range"
SELF_CROSSING: Final = "self-crossing"
OVERLAPPING_PARTS: Final = "overlapping parts"
WIDE_RING: Final = "a ring wider than 180 degrees"

_EPSG_4326: Final = 4326
_POLYGON, _MULTIPOLYGON, _COLLECTION = 3, 6, 7
_STRAY: Final = frozenset(
    {0, 1, 2, 4, 5}
)  # the library's numbers of points, lines and rings, alone or several
_DEEPEST_COLLECTION: Final = 8
# Beyond, a geometry is not handed to the library: it recurses into each level.
_DEEPEST_READ: Final = 64
_WIDEST_DEG: Final = 180.0
# Borders computed in other units and brought back miss ±180 and ±90 by a few bits.
_HAIR_DEG: Final = 1e-6
# Relative area by which even-odd and signed reading of rings may differ where they only touch.
_TOUCH: Final = 1e-9

_NAMES: Final = {
    0: "Geometry", 1: "Point", 2: "LineString", 3: "Polygon", 4: "MultiPoint", 5: "MultiLineString",
    6: "MultiPolygon", 7: "GeometryCollection", 8: "CircularString", 9: "CompoundCurve", 10: "CurvePolygon",
    11: "MultiCurve", 12: "MultiSurface", 13: "Curve", 14: "Surface", 15: "PolyhedralSurface", 16: "TIN",
    17: "Triangle",
}  # fmt: skip
"""Well-known binary's type numbers (ISO 19125-2, OGC 06-103r4), less the thousands for Z and M."""

# How such a geometry is laid out (flags of the type code: PostGIS's extended form).
_HEAD: Final = 5
_COUNT: Final = 4
_DOUBLE: Final = 8
_SRID, _Z, _M = 0x20000000, 0x80000000, 0x40000000
# After the code's thousands are taken off; in every other type there is a count, and so many geometries with heads.
_POINT: Final = 1
_OF_POINTS: Final = frozenset({2, 8, 13})
_OF_RINGS: Final = frozenset({3, 14, 17})
_LARGEST: Final = 17


@dataclass(frozen=True)
class PolygonFault:
    """Why a geometry is no border: one of this module's fault names, and what was found."""

    kind: str
    found: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.found}"


class UnfitPolygonsError(ValueError):
    """Geometries that cannot be read as polygons; ``faults`` by position."""

    def __init__(self, faults: Mapping[int, PolygonFault]) -> None:
        self.faults = dict(faults)
        super().__init__("; ".join(f"{at}: {fault}" for at, fault in list(self.faults.items())[:5]))


def read_polygons(wkb: Sequence[bytes | None]) -> tuple[Geometries, dict[int, PolygonFault]]:
    """Polygons of well-known binary, and what is none.

    Args:
        wkb: ISO or extended (PostGIS) well-known binary, either byte order, with or without Z and M.

    Returns:
        Polygons and multipolygons (n,), without heights and SRID; an empty one where there is a fault. Faults by
        position: ``UNREADABLE``, ``TYPE``, ``REFERENCE_SYSTEM``, ``EMPTY``.
    """
    parsed = _parsed(wkb)
    faults: dict[int, PolygonFault] = {}
    kinds = shapely.get_type_id(parsed)
    for at in np.flatnonzero(~np.isin(kinds, (_POLYGON, _MULTIPOLYGON))).tolist():
        parsed[at], fault = _taken_apart(parsed[at], wkb[at])
        if fault is not None:
            faults[at] = fault
    stated = shapely.get_srid(parsed)
    for at in np.flatnonzero((stated != 0) & (stated != _EPSG_4326)).tolist():
        faults.setdefault(at, PolygonFault(REFERENCE_SYSTEM, f"SRID {int(stated[at])}"))
    for at in np.flatnonzero(shapely.is_empty(parsed)).tolist():
        faults.setdefault(at, PolygonFault(EMPTY, "no polygon in it"))
    parsed[list(faults)] = shapely.MultiPolygon()
    return np.asarray(shapely.force_2d(shapely.set_srid(parsed, 0)), dtype=object), faults


def polygons_of(wkb: Sequence[bytes | None]) -> Geometries:
    """Polygons of well-known binary that has been looked at before.

    Raises:
        UnfitPolygonsError: one of them is none.
    """
    polygons, faults = read_polygons(wkb)
    if faults:
        raise UnfitPolygonsError(faults)
    return polygons


def polygon_faults(polygons: Geometries) -> dict[int, PolygonFault]:
    """What makes polygons (n,) unfit to say what lies inside them, by position; empty ones are passed over.

    Out of range, self-crossing, overlapping or misplaced parts, and rings wider than half the globe that do not
    hold a pole: such a ring was meant to cross 180°, and read flat it holds everybody in between.
    """
    faults: dict[int, PolygonFault] = {}
    bounds = shapely.bounds(polygons)
    there = ~shapely.is_empty(polygons)
    limits = np.array([-180.0, -90.0, 180.0, 90.0]) + _HAIR_DEG * np.array([-1, -1, 1, 1])
    within = (bounds[:, :2] >= limits[:2]).all(axis=1) & (bounds[:, 2:] <= limits[2:]).all(axis=1)
    for at in np.flatnonzero(there & ~within).tolist():
        faults[at] = PolygonFault(OUT_OF_RANGE, _bounds_text(bounds[at]))
    for at, width in _wide_rings(polygons).items():
        faults.setdefault(at, PolygonFault(WIDE_RING, f"{width:.6g} degrees, holding no pole"))
    for at in np.flatnonzero(there & within & ~shapely.is_valid(polygons)).tolist():
        fault = _invalid(polygons[at])
        if fault is not None:
            faults.setdefault(at, fault)
    return faults


def geometries(shapes: Sequence[shapely.Geometry | None]) -> Geometries:
    """Shapes as an array of objects (n,), whatever their number."""
    return np.array([None, *shapes], dtype=object)[1:]


def girding_rings(polygons: Geometries) -> list[int]:
    """Positions of polygons with a ring wider than half the globe that holds a pole: lawful, and worth a word."""
    return sorted(_wide_rings(polygons, with_pole=True))


def _parsed(wkb: Sequence[bytes | None]) -> Geometries:
    """Geometries (n,); None for bytes that are none, and for curves, which the library knows and cannot read."""
    shallow = (None if _too_deep(value) else value for value in wkb)
    # One that is empty or of one length stays a row of objects.
    raw = np.array([None, *shallow], dtype=object)[1:]
    try:
        return np.asarray(shapely.from_wkb(raw, on_invalid="ignore"), dtype=object)
    except NotImplementedError:
        return geometries([_parsed_alone(value) for value in raw])


def _too_deep(value: bytes | None) -> bool:
    return value is not None and nested_deeper(value, _DEEPEST_READ)


def _parsed_alone(value: bytes | None) -> shapely.Geometry | None:
    try:
        return shapely.from_wkb(value, on_invalid="ignore")
    except NotImplementedError:
        return None


def _taken_apart(
    geometry: shapely.Geometry | None, wkb: bytes | None
) -> tuple[shapely.Geometry, PolygonFault | None]:
    """The polygons of a collection; a fault for anything else."""
    number = _type_number(wkb)
    if geometry is not None and shapely.get_type_id(geometry) == _COLLECTION:
        return _collected(geometry)
    if wkb is None:
        fault = PolygonFault(EMPTY, "null")
    elif _too_deep(wkb):
        fault = PolygonFault(TYPE, f"geometries in geometries, more than {_DEEPEST_READ} deep")
    elif number is not None and number not in (_POLYGON, _MULTIPOLYGON, _COLLECTION):
        fault = PolygonFault(TYPE, _NAMES[number])
    elif number == _COLLECTION:
        fault = PolygonFault(UNREADABLE, "a collection that is cut short")
    else:
        fault = PolygonFault(UNREADABLE, "no well-known binary")
    return shapely.MultiPolygon(), fault


def _collected(collection: shapely.Geometry) -> tuple[shapely.Geometry, PolygonFault | None]:
    """One multipolygon of a collection's polygons; stray points and lines are let go."""
    parts = np.array([collection], dtype=object)
    for _ in range(_DEEPEST_COLLECTION):
        if not np.isin(shapely.get_type_id(parts), (_MULTIPOLYGON, _COLLECTION)).any():
            break
        try:
            parts = shapely.get_parts(parts)
        except NotImplementedError:  # GEOS reads a curve in a collection; the library hands it out to nobody
            return shapely.MultiPolygon(), PolygonFault(TYPE, "a curve in a collection")
    kinds = shapely.get_type_id(parts)
    strange = set(kinds.tolist()) - _STRAY - {_POLYGON}
    if strange:
        return shapely.MultiPolygon(), PolygonFault(TYPE, f"{_NAMES.get(max(strange), 'a geometry')} in it")
    polygons = parts[kinds == _POLYGON]
    if not len(polygons):
        kind = TYPE if len(parts) else EMPTY
        return shapely.MultiPolygon(), PolygonFault(kind, "a collection without a polygon")
    return shapely.set_srid(shapely.MultiPolygon(list(polygons)), shapely.get_srid(collection)), None


def _type_number(wkb: bytes | None) -> int | None:
    """The geometry type a well-known binary states, 0 to 17; None where it states none."""
    if wkb is None or len(wkb) < 5 or wkb[0] > 1:
        return None
    (stated,) = struct.unpack_from("<I" if wkb[0] else ">I", wkb, 1)
    number = int(stated & 0x1FFFFFFF) % 1000  # the high bits are PostGIS' flags, the thousands ISO's
    return number if number in _NAMES else None


def _wide_rings(polygons: Geometries, with_pole: bool = False) -> dict[int, float]:
    """Width of the widest ring beyond half the globe, by position; those that hold a pole, or those that do not."""
    parts, of_polygon = shapely.get_parts(polygons, return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    west, south, east, north = shapely.bounds(rings).T
    pole = (south <= -90.0 + _HAIR_DEG) | (north >= 90.0 - _HAIR_DEG)
    wide = np.flatnonzero((east - west > _WIDEST_DEG) & (pole == with_pole))
    found: dict[int, float] = {}
    for ring in wide:
        at = int(of_polygon[of_part[ring]])
        found[at] = max(found.get(at, 0.0), float(east[ring] - west[ring]))
    return found


def _invalid(polygon: shapely.Geometry) -> PolygonFault | None:
    """Why a polygon is invalid; None where its rings only touch themselves, which leaves no doubt what is inside."""
    parts = shapely.get_parts(polygon)
    reason = str(shapely.is_valid_reason(polygon))[:160]
    unsound = parts[~shapely.is_valid(parts)]
    if any(not _only_touches(part) for part in unsound):
        return PolygonFault(SELF_CROSSING, reason)
    mended = shapely.make_valid(parts) if len(unsound) else parts
    union = float(shapely.area(shapely.union_all(mended)))
    total = float(shapely.area(parts).sum())
    if abs(union - total) > _TOUCH * max(total, _TOUCH):
        return PolygonFault(OVERLAPPING_PARTS, reason)
    return None


def _only_touches(part: shapely.Geometry) -> bool:
    """Whether reading the rings even-odd and reading them signed gives one area."""
    signed = float(shapely.area(part))
    even_odd = float(shapely.area(shapely.make_valid(part)))
    return signed > 0 and abs(signed - even_odd) <= _TOUCH * signed


def _bounds_text(bounds: NDArray[np.float64]) -> str:
    west, south, east, north = (f"{value:.7g}" for value in bounds)
    text = f"longitudes {west} to {east}, latitudes {south} to {north}"
    if np.abs(bounds[[0, 2]]).max() > 361.0:
        return f"{text}: metres of a projection, not degrees"
    if np.abs(bounds[[1, 3]]).max() > 90.0 + _HAIR_DEG and np.abs(bounds[[0, 2]]).max() <= 90.0 + _HAIR_DEG:
        return f"{text}: the axes may be swapped"
    return text


def nested_deeper(wkb: bytes, most: int) -> bool:
    """Whether geometries lie in geometries more than ``most`` levels deep.

    Bytes that are no well-known binary are looked at as far as they are: whoever reads them stops there, too.
    """
    left = [1]  # of each open level: geometries still to come
    at, order = 0, "<"
    try:
        while left:
            if left[-1] == 0:
                left.pop()
                continue
            left[-1] -= 1
            # Of a byte that is neither, the library takes the order that was before.
            order = {0: ">", 1: "<"}.get(wkb[at], order)
            kind, at, size = _head(wkb, at, order)
            if kind == _POINT:
                at += size
            elif kind in _OF_POINTS:
                at = _after_points(wkb, at, order, size)
            elif kind in _OF_RINGS:
                (rings,) = struct.unpack_from(order + "I", wkb, at)
                at += _COUNT
                for _ in range(rings):
                    at = _after_points(wkb, at, order, size)
            else:
                left.append(struct.unpack_from(order + "I", wkb, at)[0])
                at += _COUNT
                if len(left) > most:
                    return True
    except (struct.error, IndexError):
        return False
    return False


def _head(wkb: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Type, where its content begins, and bytes of a point."""
    (code,) = struct.unpack_from(order + "I", wkb, at + 1)
    thousands, kind = divmod(code & 0xFFFF, 1000)
    if kind > _LARGEST or kind == 0:
        raise IndexError(kind)
    more = (bool(code & _Z) or thousands in (1, 3)) + (bool(code & _M) or thousands in (2, 3))
    return kind, at + _HEAD + (_COUNT if code & _SRID else 0), (2 + more) * _DOUBLE


def _after_points(wkb: bytes, at: int, order: str, size: int) -> int:
    (points,) = struct.unpack_from(order + "I", wkb, at)
    return at + _COUNT + int(points) * size
