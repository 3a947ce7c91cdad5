"""Draws for the audit: the laws' columns, and a sample of each drawn again by plain integers (law section 1).

Whoever draws for states and audit alike could be wrong for both. So that it is not its own only judge, every call here
has some of its words computed from the stream's name on, one by one, in arithmetic without a width.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.randomness import Stream, draw_position

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

SLOTS: Final = 2**20
_ATTEMPTS: Final = 64
_WORD: Final = 2**64
# Random123's Philox2x64: multiplier and Weyl increment.
_MULTIPLIER, _WEYL, _ROUNDS = 0xD2B74407B1CE6E93, 0x9E3779B97F4A7C15, 10


class Draws:
    """One labelled stream.

    Args:
        check_id: what a wrong draw is a finding of. sampled: how many of each call's words are drawn again.
    """

    def __init__(self, context: AuditContext, label: str, check_id: str, sampled: int = 32) -> None:
        self._findings, self._check, self._sampled = context.findings, check_id, sampled
        self._label, self._key = label, stream_key(context.tree.identity, label)
        self._stream = Stream.of(context.tree.identity, label)

    def words(self, merchant_id: U64, index: U64) -> tuple[U64, U64]:
        """Both words at each address; the arguments broadcast."""
        x0, x1 = self._stream.words(merchant_id, index)
        high, low = (one.ravel() for one in np.broadcast_arrays(merchant_id, index))
        for at in spread(high.shape[0], self._sampled):
            expected, found = (
                philox(self._key, int(high[at]), int(low[at])),
                (int(x0.flat[at]), int(x1.flat[at])),
            )
            if found != expected:
                where = {"stream": self._label, "merchant_id": int(high[at]), "index": int(low[at])}
                self._findings.fail(
                    self._check, 1, {**where, "expected": list(expected), "found": list(found)}
                )
        return x0, x1

    def uniform(self, merchant_id: U64, index: U64) -> F64:
        """A number in (0, 1) at each address."""
        return unit(self.words(merchant_id, index)[0])

    def positions(self, words: U64, total: int) -> U64:
        """Which unit of ``total`` each word falls into."""
        position = draw_position(words, np.uint64(total))
        for at in spread(words.size, self._sampled):
            expected, found = int(words.flat[at]) * total // _WORD, int(position.flat[at])
            if found != expected:
                where = {"stream": self._label, "word": int(words.flat[at]), "of": total}
                self._findings.fail(self._check, 1, {**where, "expected": expected, "found": found})
        return position


def unit(words: U64) -> F64:
    """(x + 1) / 2⁶⁴ in float64, the largest number below 1 where that is 1."""
    return np.minimum((words.astype(np.float64) + 1.0) / 2.0**64, np.nextafter(1.0, 0.0))


def edge_addresses(codes: U64, slot: I64) -> U64:
    """Where an edge's draws are: its country's code, 256 · first letter + second, then 20 bits of its slot."""
    return codes * np.uint64(SLOTS) + slot.astype(np.uint64)


def attempt_addresses(address: U64, attempt: int | I64) -> U64:
    """Where an edge's attempts are, 64 of them; the first is 1."""
    return address * np.uint64(_ATTEMPTS) + np.asarray(attempt - 1).astype(np.uint64)


def spread(length: int, wanted: int) -> list[int]:
    """At most ``wanted`` positions, evenly over ``length``, the first and the last among them."""
    return (
        sorted({round(at) for at in np.linspace(0, length - 1, min(length, wanted)).tolist()})
        if length
        else []
    )


def stream_key(identity: RunIdentity, label: str) -> int:
    """The first eight bytes, little-endian, of the digest that names a stream of a world."""

    def name(text: str) -> bytes:
        return len(text.encode()).to_bytes(4, "little") + text.encode()

    world = bytes.fromhex(identity.parameter_hash) + bytes.fromhex(identity.manifest_fingerprint)
    master = hashlib.sha256(name("mlr:3B.master") + world + identity.seed.to_bytes(8, "little")).digest()
    return int.from_bytes(hashlib.sha256(master + name("mlr:3B.stream") + name(label)).digest()[:8], "little")


def philox(key: int, high: int, low: int) -> tuple[int, int]:
    """Both words of Philox2x64-10 at a counter."""
    for number in range(_ROUNDS):
        product = low * _MULTIPLIER
        low, high = (product // _WORD) ^ ((key + number * _WEYL) % _WORD) ^ high, product % _WORD
    return low, high
