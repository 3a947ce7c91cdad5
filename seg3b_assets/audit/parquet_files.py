"""Parquet files nobody vouches for: read within bounds, whatever breaks the reader told, their footers not believed.

A footer says how many rows there are, and which values lie between which: it costs a liar nothing to say a billion
rows, which a reader then allocates, or bounds that make a reader with a filter pass over a row.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from seg3b_assets.contracts import Violation

# Every row of a published table has an id or a digest of its own, of several bytes.
_MOST_ROWS_PER_BYTE: Final = 8
_MOST_BYTES_PER_BYTE: Final = 1000
_SMALL: Final = 1 << 26
_LARGEST_TEXT: Final = 1 << 30
# The steps of a footer's path that stand between a list and its elements.
_STEPS_OF_A_LIST: Final = 2


class UnreadableTableError(Exception):
    """A file that is no table, or none that fits in its bytes."""


def read_table(files: Sequence[Path], columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of one table's files, in their order.

    Raises:
        UnreadableTableError: whatever the reader makes of the bytes, its panics too.
    """
    with _told():
        for path in files:
            _bounded(path)
        wanted = None if columns is None else list(columns)
        parts = [pl.read_parquet(path, glob=False, hive_partitioning=False, columns=wanted) for path in files]
        if not parts:
            raise UnreadableTableError("there is no file of it")
        # A part may have its columns in another order, or in other types that the contract takes.
        return pl.concat([part.select(parts[0].columns).cast(parts[0].schema) for part in parts])


def read_text_table(path: Path) -> pl.DataFrame:
    """The rows of a CSV file, all of them text.

    Raises:
        UnreadableTableError: as for a table; and for a file larger than any that we read.
    """
    with _told():
        if path.stat().st_size > _LARGEST_TEXT:
            raise UnreadableTableError(f"{path.name} is larger than {_LARGEST_TEXT} bytes")
        return pl.read_csv(path.read_bytes(), infer_schema=False)


def count_rows(path: Path) -> int:
    """Rows of a file by its footer.

    Raises:
        UnreadableTableError: there is none.
    """
    with _told():
        return int(pq.read_metadata(path).num_rows)


def footer_violations(files: Sequence[Path], frame: pl.DataFrame, codec: str | None) -> list[Violation]:
    """What the footers say that the rows do not, and pages packed otherwise than asked for.

    Args:
        files: of one table, in order.
        frame: their rows.
        codec: the contract's, as a footer names it; None where any will do.

    Raises:
        UnreadableTableError: a footer that cannot be read.
    """
    found: list[Violation] = []
    start = 0
    with _told():
        for path in files:
            metadata = pq.read_metadata(path)
            for group in range(metadata.num_row_groups):
                part = metadata.row_group(group)
                rows = frame.slice(start, part.num_rows)
                start += part.num_rows
                for at in range(part.num_columns):
                    found += _chunk_violations(part.column(at), rows, path.name, codec)
    return found


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (
        OSError,
        ValueError,
        OverflowError,
        pa.ArrowException,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
    ) as error:
        raise UnreadableTableError(str(error)[:200]) from error


def _bounded(path: Path) -> None:
    size, metadata = path.stat().st_size, pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    rows = max(metadata.num_rows, *(group.num_rows for group in groups), 0)
    if rows > _MOST_ROWS_PER_BYTE * size:
        raise UnreadableTableError(f"{path.name} says {rows} rows, in {size} bytes")
    if unpacked > _SMALL + _MOST_BYTES_PER_BYTE * size:
        raise UnreadableTableError(f"{path.name} says {unpacked} bytes unpacked, in {size} bytes")


def _chunk_violations(chunk: Any, rows: pl.DataFrame, file: str, codec: str | None) -> Iterator[Violation]:
    name = str(chunk.path_in_schema)
    values = _leaf(rows, name)
    if values is None:
        return
    if codec not in (None, chunk.compression):
        yield Violation("codec", name, 1, {"file": file, "value": chunk.compression}, f"packed as {codec}")
    if not chunk.is_stats_set:
        return
    said, flat = chunk.statistics, name in rows.columns
    # What counts as a null inside a list is the writer's: an empty list is one to some.
    if flat and said.has_null_count and said.null_count != values.null_count():
        example = {"file": file, "said": said.null_count, "value": values.null_count()}
        yield Violation("statistics", name, 1, example, "as empty as its footer says")
    if said.has_min_max:
        yield from _outside(name, values, said.min, said.max, file)


def _leaf(rows: pl.DataFrame, path: str) -> pl.Series | None:
    """The values of a footer's column: of a plain one, or of a leaf inside structs and lists; None for others."""
    name, *steps = path.split(".")
    if name not in rows.columns:
        return None
    values = rows[name]
    while steps:
        if isinstance(values.dtype, pl.List):
            values, steps = values.drop_nulls().explode(), steps[_STEPS_OF_A_LIST:]
        elif isinstance(values.dtype, pl.Struct):
            step, *steps = steps
            values = values.struct.field(step)
        else:
            return None
    return None if values.dtype.is_nested() else values


def _outside(name: str, values: pl.Series, low: Any, high: Any, file: str) -> Iterator[Violation]:
    """Values that a reader with a filter would never see. A footer's text may be cut short, and still bounds."""
    smallest, largest = values.min(), values.max()
    if isinstance(smallest, float) and not math.isfinite(smallest):
        return
    for said, found, holds in ((low, smallest, _at_most), (high, largest, _at_least)):
        if found is not None and not holds(said, found):
            example = {"file": file, "said": said, "value": found}
            yield Violation("statistics", name, 1, example, "within what its footer says")


def _at_most(said: Any, found: Any) -> bool:
    return type(said) is type(found) and bool(said <= found)


def _at_least(said: Any, found: Any) -> bool:
    return type(said) is type(found) and bool(said >= found)
