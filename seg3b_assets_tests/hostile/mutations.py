"""Files of every kind, mutated: a function of a file's name, its bytes and a chance, and of nothing else.

A third of the mutations know nothing of what they change: bits, pieces, ends. The others know the format: what a
writer could have written otherwise, what a reader may take for granted, what a length says of what follows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Final

from seg3b_assets_tests.hostile.mutated_by_people import CSVS, POLICIES
from seg3b_assets_tests.hostile.mutated_footers import FOOTERS
from seg3b_assets_tests.hostile.mutated_tables import TABLES, has_geometry
from seg3b_assets_tests.hostile.mutated_texts import DOCUMENTS, FLAGS, LOGS
from seg3b_assets_tests.hostile.mutated_wkb import GEOMETRIES

Mutation = Callable[[bytes, random.Random], bytes]

_PIECE: Final = 64
_OF_FOOTERS: Final = 3000


def mutated(name: str, data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """A file's bytes, otherwise.

    Args:
        name: the file's; its suffix tells the format.
        data: as they were written.
        chance: all that the choice depends on besides.

    Returns:
        What was done, in words; and the bytes. They may be the same: some mutations do not matter.
    """
    mutations = _mutations(name, data)
    what = chance.choice(sorted(BYTES if chance.random() < 1 / 3 or not mutations else mutations))
    return what, (mutations | BYTES)[what](data, chance)


def _mutations(name: str, data: bytes) -> dict[str, Mutation]:
    """Those that know the format."""
    kind = PurePath(name).suffix
    found = dict(BY_SUFFIX.get(kind, {}))
    if kind == ".parquet" and has_geometry(data):
        return found | dict(GEOMETRIES)
    return found


def _at(data: bytes, chance: random.Random) -> int:
    """Anywhere, and as often near the end, where formats keep what they say of the rest."""
    first = max(len(data) - _OF_FOOTERS, 0) if chance.random() < 0.5 else 0
    return chance.randint(first, max(len(data) - 1, first))


def bits_flipped(data: bytes, chance: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8)) if data else 0):
        spoilt[_at(data, chance)] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def bytes_replaced(data: bytes, chance: random.Random) -> bytes:
    at = _at(data, chance)
    new = chance.choice((b"\0", b"\xff", b"\x7f", b"\x80", chance.randbytes(1))) * chance.choice(
        (1, 4, 8, 64)
    )
    return data[:at] + new + data[at + len(new) :]


def cut_short(data: bytes, chance: random.Random) -> bytes:
    return data[: _at(data, chance)]


def head_cut_off(data: bytes, chance: random.Random) -> bytes:
    return data[chance.randint(1, _PIECE) :]


def bytes_inserted(data: bytes, chance: random.Random) -> bytes:
    at = _at(data, chance)
    return data[:at] + chance.randbytes(chance.choice((1, 2, _PIECE))) + data[at:]


def bytes_cut_out(data: bytes, chance: random.Random) -> bytes:
    at = _at(data, chance)
    return data[:at] + data[at + chance.choice((1, 2, _PIECE, 1024)) :]


def piece_doubled(data: bytes, chance: random.Random) -> bytes:
    at, length = _at(data, chance), chance.choice((1, 8, _PIECE, 4096))
    return data[: at + length] + data[at : at + length] * chance.choice((1, 1, 100)) + data[at + length :]


def pieces_exchanged(data: bytes, chance: random.Random) -> bytes:
    length = chance.choice((1, 8, _PIECE, 1024))
    first, second = sorted((_at(data, chance), _at(data, chance)))
    second = max(second, first + length)
    middle = data[first + length : second]
    return (
        data[:first]
        + data[second : second + length]
        + middle
        + data[first : first + length]
        + data[second + length :]
    )


def nothing_left(_: bytes, chance: random.Random) -> bytes:
    return chance.choice((b"", b"\n", b"\0", b"PAR1", b"PAR1PAR1", chance.randbytes(200)))


def file_twice(data: bytes, _: random.Random) -> bytes:
    return data + data


BYTES: Final[Mapping[str, Mutation]] = {
    "bits flipped": bits_flipped,
    "bytes replaced": bytes_replaced,
    "cut short": cut_short,
    "head cut off": head_cut_off,
    "bytes inserted": bytes_inserted,
    "bytes cut out": bytes_cut_out,
    "a piece doubled": piece_doubled,
    "pieces exchanged": pieces_exchanged,
    "nothing left": nothing_left,
    "the file twice": file_twice,
}

BY_SUFFIX: Final[Mapping[str, Mapping[str, Mutation]]] = {
    ".parquet": {**TABLES, **FOOTERS},
    ".json": DOCUMENTS,
    ".jsonl": LOGS,
    ".yaml": POLICIES,
    ".yml": POLICIES,
    ".csv": CSVS,
    ".flag": FLAGS,
    ".bin": {},
}


def every_mutation(name: str, data: bytes) -> Sequence[str]:
    """All that ``mutated`` may choose for a file, sorted."""
    return sorted({**_mutations(name, data), **BYTES})
