"""Tables whose footers are not believed: which values lie between which costs a liar nothing to say.

A reader with a filter passes over a row that a footer hides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from seg3b_assets.contracts import Violation
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import parquet_file, read_frame, told

# The steps of a footer's path that stand between a list and its elements.
_STEPS_OF_A_LIST: Final = 2


def read_table(files: Sequence[Path], columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of one table's files, in their order.

    Raises:
        UnreadableTableError: whatever the reader makes of the bytes, its panics too.
    """
    parts = [read_frame(path, columns) for path in files]
    if not parts:
        raise UnreadableTableError("there is no file of it")
    with told():
        # A part may have its columns in another order, or in other types that the contract takes.
        return pl.concat([part.select(parts[0].columns).cast(parts[0].schema) for part in parts])


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
    for path in files:
        with told(), parquet_file(path, ()) as table:
            metadata = table.metadata
            for group in range(metadata.num_row_groups):
                part = metadata.row_group(group)
                rows = frame.slice(start, part.num_rows)
                start += part.num_rows
                for at in range(part.num_columns):
                    found += _chunk_violations(part.column(at), rows, path.name, codec)
    return found


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
