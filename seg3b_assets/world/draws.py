"""The embedded world's random numbers: a sequence per (seed, label), equal on every machine.

NumPy's Philox raw words and + − × ÷ only: no distribution functions, whose streams and last bits may change.
The segment's own randomness is ``laws.randomness``; it needs the fingerprint that this world is only being
built for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.hashing import sha256_raw
from seg3b_assets.world.recipe import DRAWS_VERSION

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """Named sequences of uniforms for one seed.

    The recipe's resolution and packages are not in the key: a coarse and a fine world of one seed have the
    same merchants.
    """

    seed: int

    def words(self, label: str, count: int) -> NDArray[np.uint64]:
        """The first ``count`` 64-bit words of the label's sequence."""
        key = sha256_raw(f"seg3b.world|{DRAWS_VERSION}|{self.seed}|{label}".encode())[:16]
        generator = np.random.Philox(key=int.from_bytes(key, "little"))
        words: NDArray[np.uint64] = generator.random_raw(count)
        return words

    def uniforms(self, label: str, count: int) -> F64:
        """In [0, 1), 53 bits each."""
        return (self.words(label, count) >> np.uint64(11)).astype(np.float64) / float(1 << 53)

    def picks(self, label: str, masses: NDArray[Any], count: int) -> I64:
        """``count`` indices drawn in proportion to non-negative integer masses (sum below 2⁵³)."""
        return pick(masses, self.uniforms(label, count))


def pick(masses: NDArray[Any], uniforms: F64) -> I64:
    """Index of the mass each uniform falls into; zero masses are never picked."""
    cumulative: I64 = np.cumsum(masses.astype(np.int64))
    at = np.floor(uniforms * int(cumulative[-1])).astype(np.int64)
    return np.searchsorted(cumulative, at, side="right").astype(np.int64)


def pick_in_groups(masses: NDArray[Any], start: I64, stop: I64, uniforms: F64) -> I64:
    """``pick`` within masses[start:stop], a range of its own per draw (each of positive sum)."""
    ends = np.concatenate([[0], np.cumsum(masses.astype(np.int64))])
    at = ends[start] + np.floor(uniforms * (ends[stop] - ends[start])).astype(np.int64)
    picked: I64 = np.searchsorted(ends, at, side="right").astype(np.int64) - 1
    return picked


def pick_other(masses: NDArray[Any], span: tuple[I64, I64], excluded: I64, uniforms: F64) -> I64:
    """``pick_in_groups`` over span = (start, stop), passing over one index of the range per draw."""
    ends = np.concatenate([[0], np.cumsum(masses.astype(np.int64))])
    first, own = ends[span[0]], ends[excluded + 1] - ends[excluded]
    at = first + np.floor(uniforms * (ends[span[1]] - first - own)).astype(np.int64)
    at = np.where(at >= ends[excluded], at + own, at)
    picked: I64 = np.searchsorted(ends, at, side="right").astype(np.int64) - 1
    return picked
