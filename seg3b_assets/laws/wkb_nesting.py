"""How deep well-known binary is nested, told without reading it: the library recurses, and ends the process.

A collection of nine bytes may hold another, and that one another: a cell of 180 KB is twenty thousand levels, which is
more than a stack holds. Source of the layout: ISO 19125-2 and OGC 06-103r4; flags of the type code: PostGIS's
extended form.
"""

from __future__ import annotations

import struct
from typing import Final

_HEAD: Final = 5
_COUNT: Final = 4
_DOUBLE: Final = 8
_SRID, _Z, _M = 0x20000000, 0x80000000, 0x40000000
# After the code's thousands are taken off; in every other type there is a count, and so many geometries with heads.
_POINT, _POLYGON = 1, 3
_OF_POINTS: Final = frozenset({2, 8, 13})
_OF_RINGS: Final = frozenset({_POLYGON, 14, 17})
_LARGEST: Final = 17


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
