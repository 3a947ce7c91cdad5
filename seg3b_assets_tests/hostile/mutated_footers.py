"""Parquet's footers and page headers, number by number: what a file says of itself, said otherwise.

Both are structs in thrift's compact protocol. A walk over one finds where each of its numbers, lengths and counts
stands; one of them is exchanged, and the footer's own length put right, so that the rest reads as it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

Mutation = Callable[[bytes, random.Random], bytes]

_TAIL: Final = 8
_MAGIC: Final = b"PAR1"
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_ROW_GROUPS: Final = 4
_MOST_BYTES: Final = 8 << 20
_LONG_FORM: Final = 15
_NUMBERS: Final = (0, 1, 2, 3, 5, 7, 64, 127, 128, 2**15, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1)


class Walk:
    """Where what stands in a struct.

    Attributes:
        varints: (offset, length) of every number, length and count.
        kinds: offsets of the bytes that say a field's type.
        at: how far it went.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0
        self.varints: list[tuple[int, int]] = []
        self.kinds: list[int] = []

    def struct(self) -> None:
        """Walk one struct; IndexError where the bytes end."""
        while True:
            self.kinds.append(self.at)
            head = self.byte()
            if head == 0:
                return
            if not head >> 4:
                self.varint()
            self.value(head & 15)

    def value(self, kind: int) -> None:
        if kind == _STRUCT:
            self.struct()
        elif kind in (_LIST, _SET):
            head = self.byte()
            count = head >> 4
            if count == _LONG_FORM:
                count = self.varint()
            for _ in range(count):
                if head & 15 in (_TRUE, _FALSE):
                    self.byte()
                else:
                    self.value(head & 15)
        elif kind == _BINARY:
            length = self.varint()
            self.at += length
        elif kind == _DOUBLE:
            self.at += 8
        elif kind == _BYTE:
            self.at += 1
        elif kind not in (_TRUE, _FALSE):
            self.varint()

    def byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def varint(self) -> int:
        start, value = self.at, 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << (7 * (self.at - start - 1))
            if byte < 128:
                self.varints.append((start, self.at - start))
                return value


def varint(value: int) -> bytes:
    """A number as the protocol writes it."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def _parted(data: bytes) -> tuple[bytes, bytes]:
    """What is before the footer, and the footer."""
    length = int.from_bytes(data[-_TAIL:-4], "little")
    start = max(len(data) - _TAIL - length, 0)
    return data[:start], data[start:-_TAIL]


def _joined(head: bytes, footer: bytes) -> bytes:
    return head + footer + len(footer).to_bytes(4, "little") + _MAGIC


def _with_other_number(struct: bytes, chance: random.Random) -> bytes:
    walk = Walk(struct)
    walk.struct()
    at, length = chance.choice(walk.varints)
    old = int.from_bytes(struct[at : at + length], "little")
    new = chance.choice((*map(varint, _NUMBERS), varint(old + 2), varint(max(old - 2, 0)), b"\xff" * 12))
    return struct[:at] + new + struct[at + length :]


def number_in_footer(data: bytes, chance: random.Random) -> bytes:
    head, footer = _parted(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        try:
            footer = _with_other_number(footer, chance)
        except IndexError:  # the one before has taken its form
            break
    return _joined(head, footer)


def kind_in_footer(data: bytes, chance: random.Random) -> bytes:
    head, footer = _parted(data)
    walk = Walk(footer)
    walk.struct()
    spoilt = bytearray(footer)
    at = chance.choice(walk.kinds)
    spoilt[at] = spoilt[at] & 0xF0 | chance.randrange(16)
    return _joined(head, bytes(spoilt))


def nested_footer(data: bytes, chance: random.Random) -> bytes:
    """Lists in lists, maps in maps, structs in structs."""
    head, footer = _parted(data)
    deep = chance.choice((b"\x19" * 5000, b"\x1b" + b"\x01\xbb" * 5000, b"\x1c" * 5000, b"\x1a" * 100_000))
    return _joined(head, deep + footer if chance.random() < 0.5 else footer[:-1] + b"\x79" + deep)


def length_of_footer(data: bytes, chance: random.Random) -> bytes:
    length = int.from_bytes(data[-_TAIL:-4], "little")
    said = (
        0,
        1,
        length - 1,
        length + 1,
        len(data) - 8,
        len(data),
        2**31,
        2**32 - 1,
        chance.randrange(len(data)),
    )
    return data[:-_TAIL] + (chance.choice(said) % 2**32).to_bytes(4, "little") + _MAGIC


def number_in_first_page(data: bytes, chance: random.Random) -> bytes:
    """The first page's header begins after the magic bytes; what follows moves, or is cut, by what it grows."""
    header = data[len(_MAGIC) :]
    new = _with_other_number(header, chance)
    grown = len(new) - len(header)
    if chance.random() < 0.5 or grown < 0:
        return _MAGIC + new
    walk = Walk(header)
    walk.struct()
    end = walk.at + grown
    return _MAGIC + new[:end] + new[end + grown :]


def row_groups_many_times(data: bytes, chance: random.Random) -> bytes:
    """A footer of many row groups, every one of them the same bytes of the file."""
    head, footer = _parted(data)
    walk, field = Walk(footer), 0
    while field != _ROW_GROUPS:
        start = walk.at
        kind = walk.byte()
        field += kind >> 4
        walk.value(kind & 15)
    first = Walk(footer[start + 1 :])
    size = first.byte()
    count = size >> 4 if size >> 4 < _LONG_FORM else first.varint()
    groups = footer[start + 1 + first.at : walk.at]
    times = min(chance.choice((2, 100, 20_000)), _MOST_BYTES // max(len(groups), 1) + 1)
    return _joined(head, footer[: start + 1] + _list(count * times) + groups * times + footer[walk.at :])


def _list(count: int) -> bytes:
    return bytes((count << 4 | _STRUCT,)) if count < 15 else bytes((0xFC,)) + varint(count)


def _named(*functions: Mutation) -> dict[str, Mutation]:
    return {function.__name__.replace("_", " "): function for function in functions}


FOOTERS: Final[Mapping[str, Mutation]] = _named(
    number_in_footer,
    kind_in_footer,
    nested_footer,
    length_of_footer,
    number_in_first_page,
    row_groups_many_times,
)
