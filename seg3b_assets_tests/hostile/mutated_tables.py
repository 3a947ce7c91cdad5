"""Parquet tables as other writers write them, and as no writer should: types, nulls, nesting, names, layout, values."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

Mutation = Callable[[bytes, random.Random], bytes]
Change = Callable[[pa.Table, random.Random], pa.Table]

GEOMETRY: Final = ("geom", "geometry")
_FEW: Final = 3000
_TIMES: Final = 50
_SMALL: Final = 1 << 20
_NAMES: Final = (
    "",
    "a\0b",
    "../x",
    "\x1b[2J",
    "\u202e",
    "x" * 100_000,
    "seed",
    "MERCHANT_ID",
    "a.b",
    "merchant_id ",
)
_TYPES: Final[tuple[pa.DataType, ...]] = (
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.binary(7),
    pa.bool_(),
    pa.int8(),
    pa.uint8(),
    pa.int64(),
    pa.uint64(),
    pa.float16(),
    pa.float32(),
    pa.float64(),
    pa.date32(),
    pa.time64("ns"),
    pa.duration("us"),
    pa.timestamp("ns"),
    pa.timestamp("s", "Mars/Olympus"),
    pa.timestamp("us", "+25:61"),
    pa.decimal128(38, 10),
    pa.decimal256(76, 0),
    pa.null(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.list_(pa.int64()),
    pa.list_(pa.float64(), 2),
    pa.large_list(pa.struct([("a", pa.int8())])),
    pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))]),
    pa.map_(pa.string(), pa.int64()),
)
_WHOLE: Final = (0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -(2**63))
_FLOATS: Final = (float("nan"), float("inf"), float("-inf"), -0.0, 1e308, -1e308, 5e-324, 90.5, -180.5, 1e-17)
_TEXTS: Final = (
    "",
    "\0",
    "\x1b[2J",
    "\u202e",
    "x" * 1_000_000,
    "ZZ",
    "../..",
    "Europe/Nowhere",
    "/etc/passwd",
    "é",
    "𝒳",
)


def has_geometry(data: bytes) -> bool:
    """Whether a file's footer names a column of well-known binary."""
    return any(name.encode() in data[-20_000:] for name in GEOMETRY)


def table_of(data: bytes) -> pa.Table:
    return pq.ParquetFile(io.BytesIO(data)).read()


def written(table: pa.Table, **how: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **({"compression": "zstd"} | how))
    return out.getvalue()


def _changed(change: Change) -> Mutation:
    def mutation(data: bytes, chance: random.Random) -> bytes:
        return written(change(table_of(data), chance))

    return mutation


def _column(table: pa.Table, chance: random.Random) -> int:
    return chance.randrange(table.num_columns)


def _of_type(count: int, kind: pa.DataType, chance: random.Random) -> pa.Array:
    """A column of a type with some value in it, or nulls where there is no easy one."""
    for value in (
        chance.choice(("1", "x")),
        1,
        1.5,
        b"1234567",
        True,
        [1, 2],
        [("a", 1)],
        {"a": 1, "b": ["x"]},
    ):
        try:
            return pa.array([value] * count, kind)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            continue
    return pa.nulls(count, kind)


def of_another_type(table: pa.Table, chance: random.Random) -> pa.Table:
    at, kind = _column(table, chance), chance.choice(_TYPES)
    try:
        column = table.column(at).cast(kind)
    except pa.ArrowException:
        column = _of_type(table.num_rows, kind, chance)
    return table.set_column(at, table.field(at).name, column)


def of_nulls(table: pa.Table, chance: random.Random) -> pa.Table:
    at = _column(table, chance)
    if chance.random() < 0.5:
        return table.set_column(at, table.field(at).name, pa.nulls(table.num_rows, table.field(at).type))
    values = table.column(at).to_pylist()
    for row in range(0, len(values), max(len(values) // 3, 1)):
        values[row] = None
    return table.set_column(at, table.field(at).name, pa.array(values, table.field(at).type))


def never_null(table: pa.Table, chance: random.Random) -> pa.Table:
    """Columns without a null declared to be so, or all declared to have some."""
    strict = chance.random() < 0.5
    pairs = zip(table.schema, table.columns, strict=True)
    fields = [field.with_nullable(not strict or column.null_count > 0) for field, column in pairs]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


def nested(table: pa.Table, chance: random.Random) -> pa.Table:
    at = _column(table, chance)
    name, column = table.field(at).name, table.column(at).combine_chunks()
    if chance.random() < 0.5:
        return table.set_column(at, name, pa.StructArray.from_arrays([column], [chance.choice(("x", name))]))
    offsets = pa.array(range(table.num_rows + 1), pa.int32())
    return table.set_column(at, name, pa.ListArray.from_arrays(offsets, column))


def all_in_one(table: pa.Table, chance: random.Random) -> pa.Table:
    return pa.table({chance.choice(("x", table.column_names[0])): table.to_struct_array()})


def columns_moved(table: pa.Table, chance: random.Random) -> pa.Table:
    return table.select(chance.sample(range(table.num_columns), table.num_columns))


def column_lost(table: pa.Table, chance: random.Random) -> pa.Table:
    return table.remove_column(_column(table, chance))


def no_columns(table: pa.Table, _: random.Random) -> pa.Table:
    return table.select([])


def column_twice(table: pa.Table, chance: random.Random) -> pa.Table:
    at = _column(table, chance)
    other = chance.choice((at, _column(table, chance)))
    return table.append_column(table.field(at).name, table.column(other))


def column_renamed(table: pa.Table, chance: random.Random) -> pa.Table:
    names = list(table.column_names)
    names[_column(table, chance)] = chance.choice((*_NAMES, *names))
    return table.rename_columns(names)


def columns_more(table: pa.Table, chance: random.Random) -> pa.Table:
    for number in range(chance.choice((1, 20, 600))):
        name = chance.choice(_NAMES[:5]) if number == 0 else f"more_{number}"
        table = table.append_column(name, pa.nulls(table.num_rows, pa.int8()))
    return table


def no_rows(table: pa.Table, _: random.Random) -> pa.Table:
    return table.slice(0, 0)


def rows_moved(table: pa.Table, chance: random.Random) -> pa.Table:
    count = table.num_rows
    first, second = sorted((chance.randint(0, count), chance.randint(0, count)))
    parts = [table.slice(second), table.slice(first, second - first), table.slice(0, first)]
    return pa.concat_tables(parts)


def rows_lost(table: pa.Table, chance: random.Random) -> pa.Table:
    first = chance.randrange(max(table.num_rows, 1))
    return table.slice(first, chance.choice((1, 2, table.num_rows)))


def rows_many_times(table: pa.Table, _: random.Random) -> pa.Table:
    """A table some times; of what is large already, twice."""
    return pa.concat_tables([table] * (_TIMES if table.nbytes < _SMALL else 2))


def odd_values(table: pa.Table, chance: random.Random) -> pa.Table:
    """Some of a column's values are the least, the largest, or none at all of their type."""
    at = _column(table, chance)
    kind = table.field(at).type
    values = table.column(at).to_pylist()
    pool: tuple[Any, ...] = _TEXTS
    if pa.types.is_integer(kind):
        pool = _WHOLE
    elif pa.types.is_floating(kind):
        pool = _FLOATS
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        pool = tuple(text.encode() for text in _TEXTS)
    for _ in range(chance.choice((1, 3, 20)) if values else 0):
        values[chance.randrange(len(values))] = chance.choice(pool)
    try:
        return table.set_column(at, table.field(at).name, pa.array(values, kind))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return table.set_column(at, table.field(at).name, pa.array([str(value) for value in values]))


def all_values_one(table: pa.Table, chance: random.Random) -> pa.Table:
    if not table.num_rows:
        return table
    at = _column(table, chance)
    one = table.column(at)[chance.randrange(table.num_rows)]
    return table.set_column(at, table.field(at).name, pa.array([one.as_py()] * table.num_rows, one.type))


def odd_metadata(table: pa.Table, chance: random.Random) -> pa.Table:
    texts = (b"", b"{", b"null", b"[]", b"{}", b'{"primary_column":1}', b"[" * 5000, b"\xff\xfe", b"1" * 5000)
    geo = b'{"primary_column":"geom","columns":{"geom":{"encoding":%s,"crs":%s,"edges":%s,"covering":%s}}}'
    odd = (
        b"null",
        b"1",
        b"[]",
        b'{"id":1}',
        b'{"id":{"authority":1,"code":[]}}',
        b'"x"',
        b'{"a":{"b":[]}}',
        b'{"a":{"b":[[]]}}',
    )
    entry = geo % tuple(chance.choice(odd) for _ in range(4))
    key = chance.choice((b"geo", b"geo", b"pandas", b"ARROW:schema", b"\xff", b"x" * 70_000))
    return table.replace_schema_metadata({key: entry if chance.random() < 0.5 else chance.choice(texts)})


def laid_out_otherwise(data: bytes, chance: random.Random) -> bytes:
    """The same rows in other pages: codec, encoding, row groups, versions."""
    table = table_of(data)
    few = table.num_rows < _FEW
    ways: tuple[dict[str, Any], ...] = (
        {"compression": chance.choice(("none", "snappy", "gzip", "brotli", "lz4"))},
        {"use_dictionary": False},
        {"row_group_size": 1 if few else 1000},
        {"data_page_version": "2.0"},
        {"data_page_size": 1},
        {"version": chance.choice(("1.0", "2.4"))},
        {"write_statistics": False},
        {"store_schema": False},
        {"use_deprecated_int96_timestamps": True},
        {"write_page_index": True},
        {"write_page_checksum": True},
        {"use_byte_stream_split": True, "use_dictionary": False},
        {"use_dictionary": False, "column_encoding": "PLAIN"},
    )
    try:
        return written(table, **chance.choice(ways))
    except (pa.ArrowException, OSError):
        return written(table)


def of_a_timestamp(table: pa.Table, chance: random.Random) -> pa.Table:
    at = _column(table, chance)
    moments = pa.array([chance.choice((0, 2**63 - 1, -(2**63), 10**18))] * table.num_rows, pa.int64())
    unit, zone = (
        chance.choice(("s", "ms", "us", "ns")),
        chance.choice((None, "UTC", "Nowhere/None", "", "\0")),
    )
    if unit == "s":
        moments = pa.array([chance.choice((0, 10**9, 10**14))] * table.num_rows, pa.int64())
    return table.set_column(at, table.field(at).name, moments.cast(pa.timestamp(unit, zone)))


_CHANGES: Final[tuple[Change, ...]] = (
    of_another_type,
    of_nulls,
    never_null,
    nested,
    all_in_one,
    columns_moved,
    column_lost,
    no_columns,
    column_twice,
    column_renamed,
    columns_more,
    no_rows,
    rows_moved,
    rows_lost,
    rows_many_times,
    odd_values,
    all_values_one,
    odd_metadata,
    of_a_timestamp,
)
TABLES: Final[Mapping[str, Mutation]] = {
    "the same rows laid out otherwise": laid_out_otherwise,
    **{change.__name__.replace("_", " "): _changed(change) for change in _CHANGES},
}
