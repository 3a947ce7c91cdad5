"""Canonical JSON of table rows, by column (law section 0): orjson's bytes without a row object.

Keys sorted, separators ``,`` and ``:``; constants are folded into the text between the columns. Text must
need no JSON escape (no quote, backslash or control character): the contracts' patterns see to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import orjson
import polars as pl
import pyarrow as pa

CHUNK_ROWS: Final = 8192

Field: TypeAlias = str | int | float | bool | None | pl.Series


def row_expressions(fields: Mapping[str, Field], end: str = "") -> list[pl.Expr]:
    """Pieces whose concatenation is each row's canonical JSON; the frame holds the Series fields by key."""
    pieces: list[pl.Expr] = []
    text = "{"
    for position, key in enumerate(sorted(fields)):
        value = fields[key]
        text += ("," if position else "") + orjson.dumps(key).decode() + ":"
        if not isinstance(value, pl.Series):
            text += orjson.dumps(value).decode()
            continue
        quote = '"' if value.dtype == pl.String and value.null_count() == 0 else ""
        pieces += [pl.lit(text + quote), _encoded(key, value)]
        text = quote
    return [*pieces, pl.lit(text + "}" + end)]


def _encoded(key: str, value: pl.Series) -> pl.Expr:
    column = pl.col(key)
    if value.dtype == pl.String and value.null_count():
        column = pl.concat_str(pl.lit('"'), column, pl.lit('"'))
    elif value.dtype != pl.String:
        column = column.cast(pl.String)  # ints, bools and shortest round-trip floats, as orjson writes them
    return column.fill_null("null") if value.null_count() else column


def canonical_rows(fields: Mapping[str, Field], end: str = "") -> pl.Series:
    """One canonical JSON text per row.

    Args:
        fields: key to a constant or a Series (String, integer, Float64 or Boolean) of one common length.
        end: what follows each row, ``"\\n"`` for JSON lines.
    """
    columns = [value.alias(key) for key, value in fields.items() if isinstance(value, pl.Series)]
    return pl.DataFrame(columns).select(row=pl.concat_str(row_expressions(fields, end)))["row"]


def joined_bytes(rows: pl.Series) -> memoryview:
    """The rows' bytes back to back, as one contiguous buffer."""
    text = rows.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    offsets = pa.Array.from_buffers(pa.int64(), len(text) + 1, [None, text.buffers()[1]], offset=text.offset)
    data = text.buffers()[2]
    if data is None:
        return memoryview(b"")
    return memoryview(data)[offsets[0].as_py() : offsets[len(text)].as_py()]


def line_chunks(fields: Mapping[str, Field], rows: int) -> Iterator[memoryview]:
    """LF-terminated canonical JSON lines, in buffers of a few megabytes each.

    Chunks of this size stay in the allocator's cache; one pass over all rows takes three times as long.
    """
    for start in range(0, rows, CHUNK_ROWS):
        part = {
            key: value[start : start + CHUNK_ROWS] if isinstance(value, pl.Series) else value
            for key, value in fields.items()
        }
        yield joined_bytes(canonical_rows(part, "\n"))
