"""Thrift's compact protocol, read into plain values: what a parquet file says of itself is written in it.

Source of the encoding: the Apache Thrift project's description of the compact protocol. Every length is held against
the bytes there are before anything is made of it.
"""

from __future__ import annotations

import struct
from typing import Any, Final

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
        self._require(1)
        self.at += 1
        return self._data[self.at - 1]

    def _take(self, count: int) -> bytes:
        self._require(count)
        self.at += count
        return self._data[self.at - count : self.at]

    def _varint(self) -> int:
        value = 0
        for place in range(_LONGEST_VARINT):
            byte = self._byte()
            value |= (byte & 127) << (7 * place)
            if byte < 128:
                return value
        raise ThriftError("a number of more than ten bytes")

    def _require(self, count: int) -> None:
        if self.at + count > len(self._data):
            raise ThriftError(f"{count} bytes announced, {len(self._data) - self.at} there")


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)
