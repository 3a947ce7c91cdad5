"""What a parquet file will unpack to, told from its pages without unpacking any.

A footer may say anything; what a reader allocates follows from the page headers, which it cannot do without. Here both
are read and held against each other and against the bytes there are. Source of the layout: the Apache Parquet format's
specification (``parquet.thrift``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from seg3b_assets.foreign.thrift import CompactReader, ThriftError

_MAGIC: Final = b"PAR1"
_TAIL: Final = 8
_LONGEST_FOOTER: Final = 16 << 20
_LONGEST_HEADER: Final = 64 << 10
_USUAL_HEADER: Final = 512
_MOST_PAGES: Final = 1 << 20
_REPEATED: Final = 2
_DICTIONARY: Final = 2
# BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY as a view or an offset, FIXED_LEN_BYTE_ARRAY by its length.
_WIDTHS: Final = (1, 4, 8, 12, 4, 8, 16)
_FIXED: Final = 7


class NotParquetError(ValueError):
    """Bytes that are no parquet file, or one that contradicts itself."""


@dataclass(frozen=True)
class Leaf:
    """A column of the file's schema that has values.

    Attributes:
        path: names from the top. kind: the format's number of its physical type.
        width: bytes a value takes in memory besides what is in the pages.
        repeated: whether a row may have several of them.
    """

    path: tuple[str, ...]
    kind: int
    width: int
    repeated: bool


@dataclass(frozen=True)
class Shape:
    """A file, as its footer and its pages agree on it.

    Attributes:
        size: bytes on disk. rows: of all row groups. leaves: in schema order.
        unpacked: bytes its pages unpack to. values: of all leaves.
        weight: bytes it takes in memory, about, and not more.
    """

    size: int
    rows: int
    leaves: tuple[Leaf, ...]
    unpacked: int
    values: int
    weight: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names at the top level, in order."""
        return tuple(dict.fromkeys(leaf.path[0] for leaf in self.leaves))


def parquet_shape(file: BinaryIO, columns: Sequence[str] | None = None) -> Shape:
    """Look at a file.

    Args:
        file: open for reading, seekable.
        columns: top-level names whose pages are counted; all by default.

    Raises:
        NotParquetError: naming what does not fit.
    """
    size = file.seek(0, os.SEEK_END)
    try:
        footer = CompactReader(_footer(file, size)).struct()
        leaves = tuple(_leaves(footer.get(2, [])))
        return _weighed(file, size, footer, leaves, columns)
    except ThriftError as error:
        raise NotParquetError(f"its footer or a page header cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError, IndexError, UnicodeDecodeError) as error:
        raise NotParquetError(f"its footer is none: {type(error).__name__} {error}") from error


def _footer(file: BinaryIO, size: int) -> bytes:
    if size < len(_MAGIC) + _TAIL:
        raise NotParquetError(f"{size} bytes are no parquet file")
    file.seek(0)
    head = file.read(len(_MAGIC))
    file.seek(size - _TAIL)
    tail = file.read(_TAIL)
    if head != _MAGIC or tail[4:] != _MAGIC:
        raise NotParquetError("it does not begin and end as parquet does")
    length = int.from_bytes(tail[:4], "little")
    if length > min(size - _TAIL - len(_MAGIC), _LONGEST_FOOTER):
        raise NotParquetError(f"it announces a footer of {length} bytes, in {size}")
    file.seek(size - _TAIL - length)
    return file.read(length)


def _leaves(elements: Sequence[Mapping[int, Any]]) -> Iterator[Leaf]:
    """Leaves of the flattened schema tree, depth first; its first element is the root."""
    # Of each open branch: children still to come, its path, whether something above it repeats.
    waiting: list[tuple[int, tuple[str, ...], bool]] = [(int(elements[0].get(5, 0)), (), False)]
    for element in elements[1:]:
        while waiting and waiting[-1][0] == 0:
            waiting.pop()
        left, path, repeats = waiting.pop()
        waiting.append((left - 1, path, repeats))
        here, again = (*path, element[4].decode()), repeats or element.get(3) == _REPEATED
        if children := int(element.get(5, 0)):
            waiting.append((children, here, again))
        else:
            kind = element[1]
            yield Leaf(here, kind, int(element.get(2, 0)) if kind == _FIXED else _WIDTHS[kind], again)


def _weighed(
    file: BinaryIO,
    size: int,
    footer: Mapping[int, Any],
    leaves: tuple[Leaf, ...],
    columns: Sequence[str] | None,
) -> Shape:
    wanted = None if columns is None else frozenset(columns)
    rows = unpacked = values = memory = lying = 0
    for group in footer.get(4, []):
        chunks, in_group = group[1], int(group[3])
        if len(chunks) != len(leaves):
            raise NotParquetError(f"a row group has {len(chunks)} columns, the schema {len(leaves)}")
        rows += in_group
        for leaf, chunk in zip(leaves, chunks, strict=True):
            if chunk[3][1] != leaf.kind:
                # A reader may take the one's word where it asks the other for values, and end the process.
                raise NotParquetError(
                    f"{leaf.path[0]} is of type {chunk[3][1]} in a group, {leaf.kind} in the schema"
                )
            if wanted is not None and leaf.path[0] not in wanted:
                continue
            large, count, length = _pages(file, size, leaf, chunk[3])
            lying += length
            if lying > size:
                # Ten thousand row groups of the same pages would be looked at ten thousand times.
                raise NotParquetError(f"its columns overlap: {lying} bytes of pages and more, in {size}")
            if not leaf.repeated and count != in_group:
                raise NotParquetError(f"{leaf.path[0]} has {count} values in a group of {in_group} rows")
            unpacked += large
            values += count
            memory += count * leaf.width
    if rows != int(footer[3]):
        raise NotParquetError(f"it says {footer[3]} rows, its groups {rows}")
    return Shape(size, rows, leaves, unpacked, values, unpacked + memory)


def _pages(file: BinaryIO, size: int, leaf: Leaf, chunk: Mapping[int, Any]) -> tuple[int, int, int]:
    """Bytes that a column chunk's pages unpack to, values in them, and bytes they take in the file."""
    starts = [int(chunk[field]) for field in (9, 11) if int(chunk.get(field, 0)) > 0]
    start = at = min(starts)
    end = start + int(chunk[7])
    if at < len(_MAGIC) or end > size - _TAIL or end < at:
        raise NotParquetError(f"{leaf.path[0]} lies outside the file")
    unpacked = values = 0
    for _ in range(_MOST_PAGES):
        # A writer may count less than a page's worth of padding to a chunk; values say when it is complete.
        if at >= end or values >= int(chunk[5]):
            break
        header, length = _header(file, at, end)
        large, packed = int(header[2]), int(header[3])
        if large < 0 or packed < 0 or at + length + packed > end:
            raise NotParquetError(f"a page of {leaf.path[0]} does not fit into its column")
        unpacked += large
        kind = int(header[1])
        if kind != _DICTIONARY:
            values += int((header.get(5) or header.get(8) or {}).get(1, 0))
        else:
            unpacked += int(header[7][1]) * leaf.width
        at += length + packed
    if values != int(chunk[5]):
        raise NotParquetError(f"{leaf.path[0]} says {chunk[5]} values, its pages {values}")
    return unpacked, values, at - start


def _header(file: BinaryIO, at: int, end: int) -> tuple[dict[int, Any], int]:
    for length in (_USUAL_HEADER, _LONGEST_HEADER):
        file.seek(at)
        reader = CompactReader(file.read(min(length, end - at)))
        try:
            return reader.struct(), reader.at
        except ThriftError:
            if length == _LONGEST_HEADER or end - at <= length:
                raise
    raise AssertionError("the last length returns or raises")
