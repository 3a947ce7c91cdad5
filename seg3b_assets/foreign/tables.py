"""Parquet files nobody vouches for: opened as what they are, weighed before they are read, and told.

A file of ten kilobytes may unpack to gigabytes. What it will take is known from its pages (``parquet_shape``), and a
file that takes more than a table of its size ever does is refused unread.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from seg3b_assets.foreign.parquet_shape import NotParquetError, Shape, parquet_shape
from seg3b_assets.foreign.reading import READING, UnreadableTableError
from seg3b_assets.laws.plain_files import open_plain

if TYPE_CHECKING:
    from typing import BinaryIO

    import pyarrow as pa
    import pyarrow.parquet as pq

# The tables of a world unpack to a hundred times their size where tiles are regular, and to tens elsewhere.
_MOST_BYTES_PER_BYTE: Final = 250
# So much any file may take: small ones are mostly footer, and what they repeat is packed away.
_SMALL: Final = 128 << 20
_MOST_COLUMNS: Final = 512
_DESCRIPTORS: Final = Path("/dev/fd")


def read_frame(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of one parquet file, in its order.

    Args:
        columns: only these, in this order.

    Raises:
        UnreadableTableError: whatever the reader makes of the bytes, its panics too.
    """
    wanted = None if columns is None else list(columns)
    with told(), weighed(path, columns) as file:
        return pl.read_parquet(_source(file), glob=False, hive_partitioning=False, columns=wanted)


def read_schema(path: Path) -> pl.Schema:
    """Names and types of a file's columns, in its order.

    Raises:
        UnreadableTableError: as ``read_frame``.
    """
    with told(), weighed(path, ()) as file:
        return pl.Schema(pl.read_parquet_schema(_source(file)))


def _source(file: BinaryIO) -> str | BinaryIO:
    """The open file for polars: what was weighed is what is read, whatever lies at its path by now."""
    return f"{_DESCRIPTORS}/{file.fileno()}" if _DESCRIPTORS.is_dir() else file


@contextlib.contextmanager
def parquet_file(path: Path, columns: Sequence[str] | None = None) -> Iterator[pq.ParquetFile]:
    """The file for pyarrow, which opens many small ones quicker than polars and keeps their metadata.

    Args:
        columns: those that will be read; all by default, none for the metadata alone.

    Raises:
        UnreadableTableError: as ``read_frame``, from within the block, too.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - who only reads runs needs no pyarrow

    with told(), weighed(path, columns) as file, pq.ParquetFile(file) as table:
        yield table


def read_arrow(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Columns of one small file as pyarrow has them, on this thread.

    Raises:
        UnreadableTableError: as ``read_frame``; KeyError for a column the file does not have.
    """
    with parquet_file(path, columns) as table:
        if lacking := [name for name in columns or () if name not in table.schema_arrow.names]:
            raise KeyError(f"{path.name} has no {lacking[0]}")
        return table.read(columns=None if columns is None else list(columns), use_threads=False)


@contextlib.contextmanager
def weighed(path: Path, columns: Sequence[str] | None = None) -> Iterator[BinaryIO]:
    """The file, open at its start, with nothing in it that unpacks to more than a table does.

    Raises:
        OSError: it cannot be opened. UnreadableTableError: it is no parquet file, or unpacks to too much.
    """
    with READING.of(path), open_plain(path) as file:
        try:
            shape = parquet_shape(file, columns)
        except NotParquetError as error:
            raise UnreadableTableError(f"{path.name}: {error}") from error
        _require_bounded(path, shape)
        file.seek(0, os.SEEK_SET)
        yield file


def count_rows(path: Path) -> int:
    """Rows of a file, as its footer and its row groups agree on them.

    Raises:
        UnreadableTableError: it cannot be opened, or is no parquet file.
    """
    with told(), open_plain(path) as file:
        try:
            return parquet_shape(file, ()).rows
        except NotParquetError as error:
            raise UnreadableTableError(f"{path.name}: {error}") from error


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Whatever a reader makes of bytes, as one kind of error."""
    try:
        yield
    except UnreadableTableError:
        raise
    except pl.exceptions.PanicException as error:
        raise UnreadableTableError(f"the reader broke down: {str(error)[:200]}") from error
    except (OSError, ValueError, OverflowError, MemoryError, pl.exceptions.PolarsError) as error:
        # pyarrow's errors are among these, except for the root of them.
        raise UnreadableTableError(_reason(error)) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "pyarrow":
            raise
        raise UnreadableTableError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text.splitlines() or [type(error).__name__])[0][:200]


def _require_bounded(path: Path, shape: Shape) -> None:
    if len(shape.leaves) > _MOST_COLUMNS:
        raise UnreadableTableError(
            f"{path.name} has {len(shape.leaves)} columns; no table has {_MOST_COLUMNS}"
        )
    if shape.weight > _SMALL + _MOST_BYTES_PER_BYTE * shape.size:
        raise UnreadableTableError(
            f"{path.name} says {shape.values} values and {shape.unpacked} bytes unpacked, in {shape.size} bytes"
        )
