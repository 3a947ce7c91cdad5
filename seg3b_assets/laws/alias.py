"""Alias tables to the byte: quantisation, construction, slices, decode (law section 5).

The order in which small and large cells are paired is part of the law: the lowest-index small cell meets
the lowest-index large one. The index of the current large cell never falls, so cells that turn small are
filed in rising order and the next small cell is the smaller head of two queues: linear time, no heap.
Merchants are independent, so one step of the pairing runs for every merchant at once.
Source: Walker 1977; Vose, "A linear algorithm for generating random numbers", IEEE TSE 17(9), 1991.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.apportionment import rank_in_segment, segment_ids, segment_starts, segment_sums

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

HEADER_BYTES: Final = 16
PAIR_BYTES: Final = 8
PROBABILITY_BITS: Final = 32
SMALL_BELOW: Final = 1.0 - 1e-15
_PROBABILITY_MAX: Final = 2**PROBABILITY_BITS - 1


def quantise(probabilities: F64, lengths: I64, bits: int) -> I64:
    """Masses on the grid G = 2^bits, summing to G per segment.

    m = rint(p·G) half to even; the difference to G goes out by ones, +1 to the largest residuals p·G − m,
    −1 to the smallest, ties to the lowest index.

    Args:
        probabilities: float64 (n,), each segment summing to 1.
        lengths: int64 (segments,).
    """
    grid = 2**bits
    scaled = probabilities * float(grid)
    masses = np.rint(scaled).astype(np.int64)
    residual = scaled - masses
    difference = grid - segment_sums(masses, lengths).astype(np.int64)
    ids = segment_ids(lengths)
    if (np.abs(difference) > lengths).any():
        raise ValueError("a segment's probabilities do not sum to 1")
    masses += rank_in_segment(residual, lengths) < difference[ids]
    masses -= rank_in_segment(-residual, lengths) < -difference[ids]
    return masses


@dataclass(frozen=True)
class AliasTables:
    """Alias tables of many merchants, flat: cell k of segment s at ``segment_starts(lengths)[s] + k``.

    Attributes:
        lengths: int64 (segments,).
        prob_q: uint32 (n,), acceptance probability on 32 bits.
        alias: uint32 (n,), index within the segment.
    """

    lengths: I64
    prob_q: NDArray[np.uint32]
    alias: NDArray[np.uint32]


def build_tables(masses: I64, lengths: I64, bits: int) -> AliasTables:
    """Walker tables from quantised masses, for every segment together.

    prob_q = clamp(floor(prob·2³²), 1, 2³²−1); leftovers keep probability 1 and alias themselves.
    """
    ids = segment_ids(lengths)
    scaled = masses.astype(np.float64) / float(2**bits) * lengths[ids].astype(np.float64)
    within = np.arange(masses.shape[0], dtype=np.int64) - segment_starts(lengths)[ids]
    probability = np.ones(masses.shape[0])
    alias = within.copy()
    _Pairing.of(scaled, within, lengths).run(scaled, probability, alias)
    prob_q = np.clip(np.floor(probability * 2.0**PROBABILITY_BITS), 1, _PROBABILITY_MAX)
    return AliasTables(lengths, prob_q.astype(np.uint32), alias.astype(np.uint32))


@dataclass
class _Pairing:
    """Queue heads of the pairing, one entry per segment still at work.

    ``small`` and ``large`` hold flat cell numbers, each segment's in rising order at ``small_at`` …
    ``small_end`` and ``large_at`` … ``large_end``. Cells ``refiled_at`` … ``large_at`` of ``large`` have
    turned small and wait their turn.
    """

    small: I64
    small_at: I64
    small_end: I64
    large: I64
    refiled_at: I64
    large_at: I64
    large_end: I64
    origin: I64

    @classmethod
    def of(cls, scaled: F64, within: I64, lengths: I64) -> _Pairing:
        is_small = scaled < SMALL_BELOW
        smalls = segment_sums(is_small.astype(np.int64), lengths).astype(np.int64)
        larges = lengths - smalls
        small_at, large_at = segment_starts(smalls), segment_starts(larges)
        # A sentinel behind the last cell lets a finished queue be read without a branch.
        beyond = np.array([scaled.shape[0]], np.int64)
        return cls(
            small=np.concatenate((np.flatnonzero(is_small), beyond)),
            small_at=small_at,
            small_end=small_at + smalls,
            large=np.concatenate((np.flatnonzero(~is_small), beyond)),
            refiled_at=large_at.copy(),
            large_at=large_at,
            large_end=large_at + larges,
            origin=segment_starts(lengths),
        )

    def run(self, scaled: F64, probability: F64, alias: I64) -> None:
        """Pair until no segment has both a small and a large cell; writes its arguments."""
        beyond = scaled.shape[0]
        while self._drop_finished():
            waiting = np.where(self.refiled_at < self.large_at, self.large[self.refiled_at], beyond)
            fresh = np.where(self.small_at < self.small_end, self.small[self.small_at], beyond)
            take_fresh = fresh < waiting
            s = np.where(take_fresh, fresh, waiting)
            l = self.large[self.large_at]  # noqa: E741 - the law's own letter
            self.small_at += take_fresh
            self.refiled_at += ~take_fresh
            probability[s] = scaled[s]
            alias[s] = l - self.origin
            scaled[l] = scaled[l] - (1.0 - scaled[s])
            self.large_at += scaled[l] < SMALL_BELOW

    def _drop_finished(self) -> bool:
        has_small = (self.small_at < self.small_end) | (self.refiled_at < self.large_at)
        active = has_small & (self.large_at < self.large_end)
        if not active.all():
            for name in ("small_at", "small_end", "refiled_at", "large_at", "large_end", "origin"):
                setattr(self, name, getattr(self, name)[active])
        return bool(active.any())


def slice_bytes(length: int) -> int:
    """Bytes of a merchant's slice before padding: header and pairs."""
    return HEADER_BYTES + PAIR_BYTES * length


def encode_slice(prob_q: NDArray[np.uint32], alias: NDArray[np.uint32]) -> bytes:
    """u32 little-endian N, 32, 0, 0, then N interleaved (prob_q, alias)."""
    header = np.array([prob_q.shape[0], PROBABILITY_BITS, 0, 0], "<u4")
    pairs = np.stack((prob_q, alias), axis=1).astype("<u4")
    return header.tobytes() + pairs.tobytes()


def decoded_masses(tables: AliasTables) -> F64:
    """Probability of each cell as a router draws it: (own acceptance + what others leave to it) / N."""
    ids = segment_ids(tables.lengths)
    starts = segment_starts(tables.lengths)
    accept = tables.prob_q.astype(np.float64) / 2.0**PROBABILITY_BITS
    own = tables.alias.astype(np.int64) == np.arange(tables.alias.shape[0]) - starts[ids]
    received = np.bincount(
        starts[ids] + tables.alias, weights=np.where(own, 0.0, 1.0 - accept), minlength=accept.shape[0]
    )
    return (np.where(own, 1.0, accept) + received) / tables.lengths[ids]


def pick(prob_q: NDArray[np.uint32], alias: NDArray[np.uint32], uniforms: F64) -> I64:
    """Cells drawn by uniforms in (0, 1): j = floor(u·N), r = u·N − j; j if floor(r·2³²) < prob_q[j]."""
    scaled = uniforms * float(prob_q.shape[0])
    cell = np.floor(scaled).astype(np.int64)
    rest = np.floor((scaled - cell) * 2.0**PROBABILITY_BITS)
    return np.where(rest < prob_q[cell], cell, alias[cell].astype(np.int64))
