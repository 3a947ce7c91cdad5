"""Jensen–Shannon divergence between merchants' country mixes (gates, ``median_pairwise_js``).

JS(p, q) = H((p+q)/2) − (H(p) + H(q))/2 with the natural logarithm: 0 for equal mixes, ln 2 for disjoint
ones. Every pair is compared up to a policy's number of merchants; beyond it, a sample of pairs drawn
from the addressed stream ``realism_sample`` is, and the median carries its 95 % interval. Source: Lin,
"Divergence measures based on the Shannon entropy", IEEE TIT 37(1), 1991.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.randomness import Stream, draw_position
from seg3b_assets.realism.order_statistics import median

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

# Pair draws of ``realism_sample`` start here; the bootstrap's start at 0 and stay far below.
PAIR_DRAWS_FROM: Final = 2**48
_NORMAL_975: Final = 1.959963984540054
_ROWS_PER_BLOCK: Final = 64
_PAIRS_PER_CHUNK: Final = 1 << 14


@dataclass(frozen=True)
class PairSampling:
    """When pairs are compared one by one, and how they are drawn beyond that.

    Attributes:
        exact_up_to: merchants up to which every pair counts.
        sampled_pairs: pairs drawn beyond that.
        stream: ``realism_sample`` of the seed.
        workers: threads; never changes the result.
    """

    exact_up_to: int
    sampled_pairs: int
    stream: Stream
    workers: int = 2


@dataclass(frozen=True)
class MedianDivergence:
    """Median over pairs, in nats.

    Attributes:
        low, high: 95 % interval of the median over all pairs; equal to the median where every pair counts.
        pairs: pairs compared.
        exact: whether that was every pair.
    """

    median: float
    low: float
    high: float
    pairs: int
    exact: bool


def median_divergence(shares: F64, sampling: PairSampling) -> MedianDivergence:
    """Median JS over unordered pairs of rows.

    Args:
        shares: float64 (merchants, countries), two merchants at least; a row is a country weight vector.
    """
    merchants = shares.shape[0]
    if merchants <= sampling.exact_up_to:
        every = pairwise_divergences(shares, sampling.workers)
        middle = median(every)
        return MedianDivergence(middle, middle, middle, every.shape[0], exact=True)
    drawn = np.sort(_sampled_divergences(shares, sampling))
    return MedianDivergence(median(drawn), *_median_interval(drawn), drawn.shape[0], exact=False)


def pairwise_divergences(shares: F64, workers: int) -> F64:
    """JS of every unordered pair of rows, (merchants·(merchants−1)/2,), in row-major order.

    Only countries that both rows hold need a logarithm per pair: with f(x) = −x·ln x,
    H((p+q)/2) = Σf(p/2) + Σf(q/2) + Σ over shared countries of f((p+q)/2) − f(p/2) − f(q/2).
    """
    pairs = _SharedCountries.of(shares)
    starts = range(0, shares.shape[0], _ROWS_PER_BLOCK)
    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(pairs.block, starts)))


@dataclass(frozen=True)
class _SharedCountries:
    """What every block of rows needs of all rows."""

    half: F64
    own: F64
    alone: F64
    holders: list[I64]

    @classmethod
    def of(cls, shares: F64) -> _SharedCountries:
        half = np.asfortranarray(shares / 2.0)
        own = _entropy_terms(half)
        alone = own.sum(axis=1) - _entropy_terms(shares).sum(axis=1) / 2.0
        holders = [np.flatnonzero(shares[:, country] > 0) for country in range(shares.shape[1])]
        return cls(half, own, alone, holders)

    def block(self, start: int) -> F64:
        """Pairs (i, j), i in the block and j > i."""
        merchants = self.alone.shape[0]
        stop = min(start + _ROWS_PER_BLOCK, merchants)
        divergence = self.alone[start:stop, None] + self.alone[None, start:]
        for country, holders in enumerate(self.holders):
            first, last = np.searchsorted(holders, (start, stop))
            rows, columns = holders[first:last, None], holders[None, first:]
            middle = self.half[rows, country] + self.half[columns, country]
            gained = np.log(middle)
            gained *= middle
            gained += self.own[rows, country]
            gained += self.own[columns, country]
            divergence[rows - start, columns - start] -= gained
        later = np.arange(start, merchants)[None, :] > np.arange(start, stop)[:, None]
        pairs: F64 = divergence[later]
        return pairs


def _entropy_terms(shares: F64) -> F64:
    """−x·ln x, 0 at 0."""
    terms = np.zeros(shares.shape)
    held = shares > 0
    terms[held] = -shares[held] * np.log(shares[held])
    return terms


def sampled_pairs(merchants: int, sampling: PairSampling) -> tuple[I64, I64]:
    """Two different rows per draw, uniform over unordered pairs, with replacement between draws."""
    draws = np.arange(2 * sampling.sampled_pairs, dtype=np.uint64) + np.uint64(PAIR_DRAWS_FROM)
    words = sampling.stream.words(0, draws)[0].reshape(-1, 2)
    first = draw_position(words[:, 0], np.uint64(merchants)).astype(np.int64)
    second = draw_position(words[:, 1], np.uint64(merchants - 1)).astype(np.int64)
    return first, second + (second >= first)


def _sampled_divergences(shares: F64, sampling: PairSampling) -> F64:
    first, second = sampled_pairs(shares.shape[0], sampling)
    entropy = _entropy_terms(shares).sum(axis=1)

    def chunk(start: int) -> F64:
        a, b = first[start : start + _PAIRS_PER_CHUNK], second[start : start + _PAIRS_PER_CHUNK]
        mixed = _entropy_terms((shares[a] + shares[b]) / 2.0).sum(axis=1)
        divergence: F64 = mixed - (entropy[a] + entropy[b]) / 2.0
        return divergence

    with ThreadPoolExecutor(sampling.workers) as pool:
        return np.concatenate(list(pool.map(chunk, range(0, first.shape[0], _PAIRS_PER_CHUNK))))


def _median_interval(ordered: F64) -> tuple[float, float]:
    """95 % interval of the median by order statistics, distribution-free (Conover 1999, section 3.2)."""
    n = ordered.shape[0]
    reach = _NORMAL_975 * math.sqrt(n) / 2.0
    low = max(math.floor(n / 2.0 - reach) - 1, 0)
    high = min(math.ceil(n / 2.0 + reach), n - 1)
    return float(ordered[low]), float(ordered[high])
