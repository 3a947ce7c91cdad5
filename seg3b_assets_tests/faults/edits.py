"""Small changes to a table's rows, a log's lines and a file's bytes."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import orjson
import polars as pl
import pyarrow.parquet as pq

from seg3b_assets.laws.hashing import canonical_json

Change = Callable[[pl.DataFrame], pl.DataFrame]
Bytes = Callable[[bytes], bytes]
Lines = Callable[[list[bytes]], None]


def set_cell(row: int, **values: Any) -> Change:
    """Put values into one row; a negative row counts from the end."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        at = pl.int_range(pl.len()) == row % frame.height
        return frame.with_columns(
            pl.when(at).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
            for name, value in values.items()
        )

    return change


def set_members(row: int, column: str, **members: Any) -> Change:
    """Put values into a struct of one row."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        values = frame[column].to_list()
        values[row] = values[row] | members
        return frame.with_columns(pl.Series(column, values, dtype=frame.schema[column]))

    return change


def copy_cell(column: str, source: int, target: int) -> Change:
    """Put one row's value into another row."""
    return lambda frame: set_cell(target, **{column: frame[column][source]})(frame)


def next_float(column: str, row: int) -> Change:
    """Raise a value by one unit in the last place."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        return set_cell(row, **{column: float(np.nextafter(frame[column][row], np.inf))})(frame)

    return change


def add_to(column: str, row: int, amount: float) -> Change:
    """Add to a value, in its own type."""
    return lambda frame: set_cell(row, **{column: frame[column][row] + amount})(frame)


def drop_row(row: int) -> Change:
    """Leave one row out."""
    return lambda frame: frame.filter(pl.int_range(pl.len()) != row % frame.height)


def repeat_row(row: int) -> Change:
    """Give one row twice, one after the other."""
    return lambda frame: frame[np.insert(np.arange(frame.height), row % frame.height, row % frame.height)]


def swap_rows(first: int, second: int) -> Change:
    """Exchange two rows."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        order = np.arange(frame.height)
        order[[first, second]] = order[[second, first]]
        return frame[order]

    return change


def retype(column: str, dtype: pl.DataType) -> Change:
    """Give a column another type."""
    return lambda frame: frame.with_columns(pl.col(column).cast(dtype))


def lacking(column: str) -> Change:
    """Leave a column out."""
    return lambda frame: frame.drop(column)


def with_extra_column(frame: pl.DataFrame) -> pl.DataFrame:
    """One column more than the contract knows."""
    return frame.with_columns(extra=pl.lit(1))


def columns_swapped(frame: pl.DataFrame) -> pl.DataFrame:
    """The first two columns exchanged."""
    first, second, *rest = frame.columns
    return frame.select(second, first, *rest)


def no_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The table without a row."""
    return frame.clear()


def flip_bit(position: int, bit: int = 0) -> Bytes:
    """Change one bit; a negative position counts from the end."""

    def change(data: bytes) -> bytes:
        spoilt = bytearray(data)
        spoilt[position] ^= 1 << bit
        return bytes(spoilt)

    return change


def halved(data: bytes) -> bytes:
    """The first half."""
    return data[: len(data) // 2]


def nothing(_: bytes) -> bytes:
    """An empty file."""
    return b""


def one_more_byte(data: bytes) -> bytes:
    """A newline more."""
    return data + b"\n"


def with_byte_order_mark(data: bytes) -> bytes:
    """A byte order mark in front."""
    return b"\xef\xbb\xbf" + data


def with_carriage_returns(data: bytes) -> bytes:
    """Lines ended as Windows does."""
    return data.replace(b"\n", b"\r\n") if b"\n" in data else data + b"\r\n"


def indented(data: bytes) -> bytes:
    """The same JSON, laid out for people."""
    return orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def with_keys_reversed(data: bytes) -> bytes:
    """The same JSON with its outer keys in descending order."""
    value = orjson.loads(data)
    if isinstance(value, list):
        return orjson.dumps([dict(sorted(row.items(), reverse=True)) for row in value])
    return orjson.dumps(dict(sorted(value.items(), reverse=True)))


def with_first_key_repeated(data: bytes) -> bytes:
    """The first key of the first object given twice, the second time as it was."""
    start = data.index(b"{") + 1
    value = orjson.loads(data)
    first = value[0] if isinstance(value, list) else value
    key = orjson.loads(b"[" + data[start : data.index(b":", start)] + b"]")[0]
    return data[:start] + orjson.dumps(key) + b":" + orjson.dumps(first[key]) + b"," + data[start:]


def line_dropped(line: int) -> Lines:
    """Leave a line out."""

    def change(lines: list[bytes]) -> None:
        del lines[line]

    return change


def line_repeated(line: int) -> Lines:
    """Give a line twice."""

    def change(lines: list[bytes]) -> None:
        lines.insert(line, lines[line])

    return change


def lines_swapped(first: int, second: int) -> Lines:
    """Exchange two lines."""

    def change(lines: list[bytes]) -> None:
        lines[first], lines[second] = lines[second], lines[first]

    return change


def line_edited(line: int, change_line: Callable[[bytes], bytes]) -> Lines:
    """Change the bytes of a line."""

    def change(lines: list[bytes]) -> None:
        lines[line] = change_line(lines[line])

    return change


def line_with(line: int, **fields: Any) -> Lines:
    """Make a line say other things, in canonical JSON."""
    return line_edited(line, lambda text: canonical_json(orjson.loads(text) | fields))


def packed_otherwise(data: bytes) -> bytes:
    """The same rows, in pages of another codec."""
    packed = io.BytesIO()
    pl.read_parquet(data).write_parquet(packed, compression="lz4")
    return packed.getvalue()


def bounds_hiding_rows(data: bytes) -> bytes:
    """A footer in which a column's largest value is said to be its smallest."""
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    head, tail = data[:footer], data[footer:]
    for column in _columns_with_bounds(data):
        low, high = (_as_written(value) for value in (column.statistics.min, column.statistics.max))
        if low != high and len(low) == len(high) and high in tail:
            return head + tail.replace(high, low)
    raise ValueError("no column's bounds stand in the footer")


def _columns_with_bounds(data: bytes) -> Iterator[Any]:
    group = pq.read_metadata(io.BytesIO(data)).row_group(0)
    for at in range(group.num_columns):
        column = group.column(at)
        if column.is_stats_set and column.statistics.has_min_max:
            yield column


def _as_written(value: Any) -> bytes:
    """A bound as it stands in a footer."""
    if isinstance(value, bool) or value is None:
        return b""
    if isinstance(value, str):
        return value.encode()
    return struct.pack("<d" if isinstance(value, float) else "<Q" if value >= 0 else "<q", value)


def compacted(data: bytes) -> bytes:
    """The same JSON on one line."""
    return canonical_json(orjson.loads(data))


def _first_object(data: bytes) -> tuple[Any, dict[str, Any]]:
    value = orjson.loads(data)
    return value, value[0] if isinstance(value, list) else value


def with_unknown_key(data: bytes) -> bytes:
    """A key more than the contract knows, in the first object."""
    value, first = _first_object(data)
    first["zzz"] = 1
    return canonical_json(value)


def without_key(key: str) -> Bytes:
    """The first object without a key."""

    def change(data: bytes) -> bytes:
        value, first = _first_object(data)
        del first[key]
        return canonical_json(value)

    return change


def with_bad_fingerprint(data: bytes) -> bytes:
    """A look-alike letter in a digest: Cyrillic а for Latin a."""
    value, first = _first_object(data)
    first["manifest_fingerprint"] = "а" + first["manifest_fingerprint"][1:]
    return canonical_json(value)


def cells_exchanged(column: str, first: int, second: int) -> Change:
    """Exchange two rows' values of a column."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        one, other = frame[column][first], frame[column][second]
        return set_cell(second, **{column: one})(set_cell(first, **{column: other})(frame))

    return change
