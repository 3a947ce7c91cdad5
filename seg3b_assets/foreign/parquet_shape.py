"""What a parquet file will unpack to, told from its pages without unpacking any.

A footer may say anything; what a reader allocates follows from the page headers, which it cannot do without. Here both
are read and held against each other and against the bytes there are. Source of the layout: the Apache Parquet format's
specification (``parquet.thrift``).

Thrift's compact protocol, read into plain values: what a parquet file says of itself is written in it.

Source of the encoding: the Apache Thrift project's description of the compact protocol. Every length is held against
the bytes there are before anything is made of it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_SCALARS: Final = (_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _BINARY)
_DEEPEST: Final = 32
_LONG_FORM: Final = 15
_LONGEST_VARINT: Final = 10
# A footer has some twenty for each column of each row group, and this is half a second of reading.
_MOST_VALUES: Final = 1 << 19


class ThriftError(ValueError):
    """Bytes that are no thrift struct."""


class CompactReader:
    """Reads structs from bytes.

    Attributes:
        at: how far it has read.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        self._values = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The next struct: value by field id; unknown fields are read like any other.

        Raises:
            ThriftError: the bytes end, or say something that fits in none.
        """
        found: dict[int, Any] = {}
        field = 0
        while (head := self._byte()) != 0:
            kind, step = head & 15, head >> 4
            field = field + step if step else _zigzag(self._varint())
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ThriftError(f"structs, lists or maps more than {_DEEPEST} deep")
        self._values += 1
        if self._values > _MOST_VALUES:
            raise ThriftError(f"more than {_MOST_VALUES} values")
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind in (_STRUCT, _MAP):
            return self.struct(depth + 1) if kind == _STRUCT else self._map(depth)
        if kind == _DOUBLE:
            return struct.unpack("<d", self._take(8))[0]
        if kind not in _SCALARS:
            raise ThriftError(f"type {kind} is none")
        if kind in (_BYTE, _TRUE, _FALSE):
            return self._byte()
        number = self._varint()
        return self._take(number) if kind == _BINARY else _zigzag(number)

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        kind, count = head & 15, head >> 4
        count = self._varint() if count == _LONG_FORM else count
        self._require(count)  # no element is shorter than a byte
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        count = self._varint()
        if not count:
            return []
        self._require(count)
        kinds = self._byte()
        keys, values = kinds >> 4, kinds & 15
        return [(self._value(keys, depth + 1), self._value(values, depth + 1)) for _ in range(count)]

    def _byte(self) -> int:
        try:
            byte = self._data[self.at]
        except IndexError:
            self._require(1)
            raise
        self.at += 1
        return byte

    def _take(self, count: int) -> bytes:
        self._require(count)
        self.at += count
        return self._data[self.at - count : self.at]

    def _varint(self) -> int:
        value = 0
        # Not by ``_byte``: numbers are most of what a footer is, and there are a thousand tables.
        for place, byte in enumerate(self._data[self.at : self.at + _LONGEST_VARINT]):
            value |= (byte & 127) << (7 * place)
            if byte < 128:
                self.at += place + 1
                return value
        self._require(_LONGEST_VARINT)
        raise ThriftError("a number of more than ten bytes")

    def _require(self, count: int) -> None:
        if self.at + count > len(self._data):
            raise ThriftError(f"{count} bytes announced, {len(self._data) - self.at} there")


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


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
