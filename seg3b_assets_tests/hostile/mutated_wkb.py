"""Well-known binary in the cells of a table: codes, counts, flags and coordinates that no border has."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa
import shapely

from seg3b_assets_tests.hostile.mutated_tables import GEOMETRY, table_of, written

Mutation = Callable[[bytes, random.Random], bytes]
OfCell = Callable[[bytes, random.Random], bytes]

_HEAD: Final = 5
_DOUBLE: Final = 8
_CODES: Final = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    10,
    15,
    17,
    18,
    255,
    1003,
    2006,
    3006,
    2**31,
    0x80000006,
    0x40000006,
)
_SRID: Final = 0x20000000
_COUNTS: Final = (0, 1, 2, 3, 1000, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_ODD: Final = tuple(map(float, ("nan", "inf", "-inf", "1e308", "-1e308", "5e-324", "181", "-0.0", "90.0001")))
_DEEP: Final = 3000


def _u32(value: int) -> bytes:
    return struct.pack("<I", value)


def other_code(cell: bytes, chance: random.Random) -> bytes:
    return cell[:1] + _u32(chance.choice(_CODES)) + cell[_HEAD:]


def other_count(cell: bytes, chance: random.Random) -> bytes:
    """A number of parts, rings or points; in a multipolygon the counts of its first part follow."""
    at = chance.choice((_HEAD, _HEAD + 9, _HEAD + 13))
    return cell[:at] + _u32(chance.choice(_COUNTS)) + cell[at + 4 :]


def other_order(cell: bytes, chance: random.Random) -> bytes:
    """The byte that says the order, without the bytes; or a whole geometry in the other order."""
    if chance.random() < 0.5:
        return bytes((chance.choice((0, 2, 77, 255)),)) + cell[1:]
    return bytes(shapely.to_wkb(shapely.from_wkb(cell), byte_order=0))


def with_reference(cell: bytes, chance: random.Random) -> bytes:
    code = struct.unpack("<I", cell[1:_HEAD])[0]
    return cell[:1] + _u32(code | _SRID) + _u32(chance.choice((4326, 3857, 0, 2**32 - 1))) + cell[_HEAD:]


def with_heights(cell: bytes, chance: random.Random) -> bytes:
    raised = shapely.force_3d(shapely.from_wkb(cell), chance.choice((0.0, 9.0, float("nan"))))
    return bytes(shapely.to_wkb(raised, flavor=chance.choice(("iso", "extended")), output_dimension=3))


def odd_coordinates(cell: bytes, chance: random.Random) -> bytes:
    spoilt = bytearray(cell)
    first = 22 if struct.unpack("<I", cell[1:_HEAD])[0] == 6 else 13
    places = range(first, len(cell) - _DOUBLE, _DOUBLE)
    for _ in range(chance.choice((1, 2, 20)) if places else 0):
        struct.pack_into("<d", spoilt, chance.choice(places), chance.choice(_ODD))
    return bytes(spoilt)


def unclosed(cell: bytes, _: random.Random) -> bytes:
    return cell[:-_DOUBLE] + struct.pack("<d", 12.5)


def cut_short(cell: bytes, chance: random.Random) -> bytes:
    return cell[: chance.choice((0, 1, 4, _HEAD, 9, 13, len(cell) // 2, len(cell) - 1))]


def with_more(cell: bytes, chance: random.Random) -> bytes:
    return cell + chance.randbytes(chance.choice((1, 16)))


def deep_collection(cell: bytes, chance: random.Random) -> bytes:
    levels = chance.choice((1, 2, 100, _DEEP, 100_000))
    return (b"\x01" + _u32(7) + _u32(1)) * levels + cell


def other_geometry(_: bytes, chance: random.Random) -> bytes:
    texts = (
        "POINT EMPTY",
        "POINT (1 2)",
        "LINESTRING (0 0, 1 1)",
        "POLYGON EMPTY",
        "MULTIPOLYGON EMPTY",
        "GEOMETRYCOLLECTION EMPTY",
        "MULTIPOLYGON (EMPTY, ((0 0, 1 0, 1 1, 0 0)))",
        "GEOMETRYCOLLECTION (POINT (1 1), POLYGON ((0 0, 1 0, 1 1, 0 0)))",
        "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))",
        "POLYGON ((0 0, 0 0, 0 0, 0 0))",
        "POLYGON ((0 0, 1 0, 2 0, 0 0))",
        "POLYGON ((-180 -90, 180 -90, 180 90, -180 90, -180 -90))",
        "POLYGON ((170 0, -170 0, -170 10, 170 10, 170 0))",
        "POLYGON ((1000 1000, 1001 1000, 1001 1001, 1000 1000))",
        "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (20 20, 21 20, 21 21, 20 20))",
        "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (0 0, 9 0, 9 9, 0 9, 0 0))",
    )
    return bytes(shapely.to_wkb(shapely.from_wkt(chance.choice(texts))))


def in_words(cell: bytes, _: random.Random) -> bytes:
    return str(shapely.to_wkt(shapely.from_wkb(cell), rounding_precision=1)).encode()[:100_000]


def _in_a_cell(change: OfCell) -> Mutation:
    def mutation(data: bytes, chance: random.Random) -> bytes:
        table = table_of(data)
        name = next(one for one in table.column_names if one in GEOMETRY)
        at = table.column_names.index(name)
        cells = table.column(at).to_pylist()
        for _ in range(chance.choice((1, 1, 3))):
            row = chance.randrange(len(cells))
            cells[row] = change(cells[row], chance)
        return written(table.set_column(at, name, pa.array(cells, table.field(at).type)))

    return mutation


_CHANGES: Final[tuple[OfCell, ...]] = (
    other_code,
    other_count,
    other_order,
    with_reference,
    with_heights,
    odd_coordinates,
    unclosed,
    cut_short,
    with_more,
    deep_collection,
    other_geometry,
    in_words,
)
GEOMETRIES: Final[Mapping[str, Mutation]] = {
    f"geometries: {change.__name__.replace('_', ' ')}": _in_a_cell(change) for change in _CHANGES
}
