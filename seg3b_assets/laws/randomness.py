"""Addressed randomness: Philox2x64-10 (Random123), law section 1.

A draw is a pure function of (world, label, merchant, index): no draw depends on how many came before
it, so any merchant, edge or attempt can be recomputed alone, in any order, on any machine.
Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seg3b_assets.laws.hashing import le64, sha256_raw, uer
from seg3b_assets.laws.identity import WorldIdentity

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]

MULTIPLIER: Final = 0xD2B74407B1CE6E93
WEYL: Final = 0x9E3779B97F4A7C15
ROUNDS: Final = 10

SETTLEMENT_PICK: Final = "settlement_pick"
EDGE_SCALE: Final = "3B_S2_edge_scale"
PROFILE_NOISE: Final = "3B_S2_profile_noise"
COUNTRY_ALLOC: Final = "3B_S2_country_alloc"
WEIGHT_SHAPE: Final = "3B_S2_weight_shape"
EDGE_TILE_ASSIGN: Final = "edge_tile_assign"
EDGE_JITTER: Final = "edge_jitter"
ROUTING_PROBE: Final = "3B_S4_probe"
REALISM_SAMPLE: Final = "realism_sample"

SLOT_BITS: Final = 20
ATTEMPTS_PER_EDGE: Final = 64

_MASK32 = np.uint64(0xFFFFFFFF)
_SHIFT32 = np.uint64(32)
# Blocks of this many counters keep the working set inside the L2 cache.
_BLOCK = 1 << 14


def multiply_high(a: U64, b: U64 | np.uint64) -> U64:
    """Upper 64 bits of the 128-bit product, element by element."""
    a_low, a_high = a & _MASK32, a >> _SHIFT32
    b_low, b_high = b & _MASK32, b >> _SHIFT32
    low_low = a_low * b_low
    high_low = a_high * b_low
    low_high = a_low * b_high
    carry = ((low_low >> _SHIFT32) + (high_low & _MASK32) + (low_high & _MASK32)) >> _SHIFT32
    high: U64 = a_high * b_high + (high_low >> _SHIFT32) + (low_high >> _SHIFT32) + carry
    return high


def philox2x64(key: int, high: U64, low: U64) -> tuple[U64, U64]:
    """Ten rounds on counters (high, low).

    Args:
        key: 64-bit key.
        high, low: uint64 arrays of one shape (n,).

    Returns:
        Two uint64 arrays (n,): the words x0 and x1.
    """
    x0, x1 = np.empty(low.shape, np.uint64), np.empty(low.shape, np.uint64)
    with np.errstate(over="ignore"):
        for start in range(0, low.shape[0], _BLOCK):
            part = slice(start, start + _BLOCK)
            x0[part], x1[part] = _rounds(key, high[part], low[part])
    return x0, x1


def _rounds(key: int, high: U64, low: U64) -> tuple[U64, U64]:
    multiplier = np.uint64(MULTIPLIER)
    c0, c1 = low, high
    for _ in range(ROUNDS):
        c0, c1 = multiply_high(c0, multiplier) ^ np.uint64(key) ^ c1, c0 * multiplier
        key = (key + WEYL) & 0xFFFFFFFFFFFFFFFF
    return c0, c1


def unit_interval(words: U64) -> F64:
    """u01(x) = (float64(x) + 1)·2⁻⁶⁴, and 1 − 2⁻⁵³ where that rounds to 1: strictly inside (0, 1)."""
    uniform = (words.astype(np.float64) + 1.0) * 2.0**-64
    return np.where(uniform >= 1.0, 1.0 - 2.0**-53, uniform)


def stream_key(world: WorldIdentity, label: str) -> int:
    """LE64 of the first eight bytes of the stream's digest."""
    master = sha256_raw(
        uer("mlr:3B.master")
        + bytes.fromhex(world.parameter_hash)
        + bytes.fromhex(world.manifest_fingerprint)
        + le64(world.seed)
    )
    return int.from_bytes(sha256_raw(master + uer("mlr:3B.stream") + uer(label))[:8], "little")


@dataclass(frozen=True)
class Stream:
    """One labelled stream of one world: counter (hi = merchant_id, lo = index)."""

    label: str
    key: int

    @classmethod
    def of(cls, world: WorldIdentity, label: str) -> Stream:
        return cls(label, stream_key(world, label))

    def words(self, merchant_id: ArrayLike, index: ArrayLike) -> tuple[U64, U64]:
        """x0 and x1 at each (merchant, index); the arguments broadcast and the result has their shape."""
        high, low = np.broadcast_arrays(np.asarray(merchant_id, np.uint64), np.asarray(index, np.uint64))
        x0, x1 = philox2x64(self.key, high.ravel(), low.ravel())
        return x0.reshape(high.shape), x1.reshape(high.shape)

    def uniform(self, merchant_id: ArrayLike, index: ArrayLike) -> F64:
        """u01(x0) at each (merchant, index)."""
        return unit_interval(self.words(merchant_id, index)[0])


def country_code(country_iso: str) -> int:
    """cc = 256·ord(first letter) + ord(second letter)."""
    return 256 * ord(country_iso[0]) + ord(country_iso[1])


def country_codes(countries: list[str]) -> U64:
    return np.array([country_code(iso) for iso in countries], np.uint64)


def edge_address(codes: U64, slot: ArrayLike) -> U64:
    """a = cc·2²⁰ + slot: where an edge's draws live, whatever other countries hold."""
    return (codes << np.uint64(SLOT_BITS)) + np.asarray(slot, np.uint64)


def jitter_index(address: U64, attempt: ArrayLike) -> U64:
    """a·64 + (attempt − 1), attempt 1..64."""
    return address * np.uint64(ATTEMPTS_PER_EDGE) + (np.asarray(attempt, np.uint64) - np.uint64(1))


def draw_position(words: U64, total: np.uint64 | U64) -> U64:
    """(x0·W) >> 64: an exact integer pick in [0, W)."""
    with np.errstate(over="ignore"):
        return multiply_high(words, np.asarray(total, np.uint64))
