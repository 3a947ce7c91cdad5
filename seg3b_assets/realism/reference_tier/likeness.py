"""How alike merchants' custom is: R06 trade matters, R07 no clones.

All is Jensen-Shannon divergence of country weights, natural logarithm. What is random (permutations, the sample of
a large seed) comes from ``realism_sample`` at the merchants' own addresses, so no order and no other
merchant moves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.geography import groups
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.order_statistics import median, quantile
from seg3b_assets.realism.reference_tier.measure import Scoped, not_judged, over_all, too_few
from seg3b_assets.realism.reference_tier.world import NO_SEAT, PERMUTATION_DRAWS_FROM, ReferenceWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
TEXT = NDArray[np.str_]

GAMBLING: Final = "gambling"
NEIGHBOURS_OF_A_SEAT: Final = 100
_PAIRS_PER_CHUNK: Final = 1 << 12


def pair_divergences(shares: F64, first: I64, second: I64) -> F64:
    """JS of the rows ``first[i]`` and ``second[i]``, float64 (pairs,)."""
    entropy = _entropy(shares)
    found = np.zeros(first.shape[0])
    for start in range(0, first.shape[0], _PAIRS_PER_CHUNK):
        a, b = first[start : start + _PAIRS_PER_CHUNK], second[start : start + _PAIRS_PER_CHUNK]
        mixed = _entropy((shares[a] + shares[b]) / 2.0)
        found[start : start + _PAIRS_PER_CHUNK] = mixed - (entropy[a] + entropy[b]) / 2.0
    return np.maximum(found, 0.0)


def cross_divergences(first: F64, second: F64) -> F64:
    """JS of every row of one with every row of the other, float64 (n, m)."""
    rows, columns = np.indices((first.shape[0], second.shape[0])).reshape(2, -1)
    together = np.concatenate([first, second])
    found = pair_divergences(together, rows, columns + first.shape[0])
    return found.reshape(first.shape[0], second.shape[0])


def _entropy(shares: F64) -> F64:
    terms = np.zeros(shares.shape)
    held = shares > 0
    terms[held] = -shares[held] * np.log(shares[held])
    total: F64 = terms.sum(axis=-1)
    return total


def pairs_within(codes: NDArray[np.generic], rows: I64) -> tuple[I64, I64]:
    """Every unordered pair of ``rows`` that have one code."""
    found = []
    for _, at in groups(codes[rows]):
        first, second = np.triu_indices(at.shape[0], 1)
        found.append(np.stack([rows[at][first], rows[at][second]]))
    both = np.concatenate(found, axis=1) if found else np.zeros((2, 0), np.int64)
    return both[0], both[1]


@dataclass(frozen=True)
class TradeSums:
    """What an effect of trade is computed from; sums of several seeds' are the seeds together.

    Attributes:
        different, same: sums over pairs of different families, of one, of the divergence less its stratum's mean.
        different_pairs, same_pairs: how many. total, pairs: sum of the divergences, and how many pairs.
    """

    different: float
    same: float
    different_pairs: int
    same_pairs: int
    total: float
    pairs: int

    def __add__(self, other: TradeSums) -> TradeSums:
        return TradeSums(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def effect(self) -> float | None:
        """Mean of different less mean of same, in units of the mean divergence; None without both kinds of pair."""
        if not (self.different_pairs and self.same_pairs and self.total > 0):
            return None
        gap = self.different / self.different_pairs - self.same / self.same_pairs
        return gap / (self.total / self.pairs)


@dataclass(frozen=True)
class TradeEffect:
    """One seed's part of R06.

    Attributes:
        observed: over all pairs within a stratum. permuted: the same with trades permuted inside the strata.
        without: by family, over the merchants of all others.
    """

    observed: TradeSums
    permuted: tuple[TradeSums, ...]
    without: dict[str, TradeSums]


def trade_effect(world: ReferenceWorld) -> TradeEffect:
    """Compare merchants of one home country and class, by trade; home and seat left out of their custom."""
    abroad = np.where(world.anchored, 0.0, world.share)
    sells = abroad.sum(axis=1)
    shares = abroad / np.where(sells > 0, sells, 1.0)[:, None]
    rows = world.sampled[sells[world.sampled] > 0]
    first, second = pairs_within(world.strata, rows)
    divergence = pair_divergences(shares, first, second)
    stratum = world.strata[first]
    family = world.family
    without = {}
    for name in np.unique(family[rows]):
        kept = (family[first] != name) & (family[second] != name)
        without[str(name)] = _trade_sums(
            divergence[kept], stratum[kept], (family[first] == family[second])[kept]
        )
    permuted = tuple(
        _trade_sums(divergence, stratum, labels[first] == labels[second])
        for labels in _permutations(world, rows)
    )
    return TradeEffect(_trade_sums(divergence, stratum, family[first] == family[second]), permuted, without)


def _trade_sums(divergence: F64, stratum: I64, same: NDArray[np.bool_]) -> TradeSums:
    pairs = np.bincount(stratum)
    means = np.bincount(stratum, divergence) / np.maximum(pairs, 1)
    above = divergence - means[stratum]
    return TradeSums(
        different=float(above[~same].sum()),
        same=float(above[same].sum()),
        different_pairs=int((~same).sum()),
        same_pairs=int(same.sum()),
        total=float(divergence.sum()),
        pairs=divergence.shape[0],
    )


def _permutations(world: ReferenceWorld, rows: I64) -> Iterator[TEXT]:
    """Families exchanged within the strata: of each stratum's merchants, those of the smallest words get them first."""
    stratum = world.strata[rows]
    place = rows[np.argsort(stratum, kind="stable")]
    draws = np.arange(world.terms.permutations, dtype=np.uint64) + np.uint64(PERMUTATION_DRAWS_FROM)
    words = world.stream.words(world.merchant_id[rows][None, :], draws[:, None])[0]
    for word in words:
        labels = world.family.copy()
        labels[place] = world.family[rows[np.lexsort((word, stratum))]]
        yield labels


def trade_measures(world: ReferenceWorld) -> tuple[Scoped, Scoped]:
    """The effect of trade and its z against permutations."""
    if world.small:
        return too_few(world), too_few(world)
    return effect_and_z(trade_effect(world), len(world))


def effect_and_z(found: TradeEffect, n: int) -> tuple[Scoped, Scoped]:
    """An effect, and how many standard deviations of its permutations (ddof 0) it lies above their mean."""
    effect = found.observed.effect
    drawn = [sums.effect for sums in found.permuted]
    known = np.array([value for value in drawn if value is not None])
    spread = float(known.std()) if known.size else 0.0
    z = None if effect is None or spread == 0.0 else (effect - float(known.mean())) / spread
    return over_all(effect, n, pairs=found.observed.pairs), over_all(z, n)


def closed_gambling(world: ReferenceWorld) -> Scoped:
    """Traffic of gambling from countries closed to it, home and seat left out, against their share of users."""
    if world.small:
        return too_few(world)
    abroad = np.where(world.anchored, 0.0, world.share)[world.family == GAMBLING]
    sells = abroad.sum(axis=1)
    abroad = abroad[sells > 0] / sells[sells > 0][:, None]
    closed = ~world.countries.remote_gambling
    users = float(world.countries.users[closed].sum())
    if not (abroad.shape[0] and users):
        return not_judged(abroad.shape[0], "no merchant takes bets")
    return over_all(float(abroad[:, closed].sum(axis=1).mean()) / users, abroad.shape[0])


def same_seat_divergence(world: ReferenceWorld) -> Scoped:
    """Median divergence of merchants of one class that have one seat country, by class."""
    found: dict[str, Measurement] = {}
    for name, members in world.classes(1):
        rows = world.sampled[members[world.sampled] & (world.seat[world.sampled] != NO_SEAT)]
        first, second = pairs_within(world.seat, rows)
        if first.shape[0] >= world.terms.least.same_seat_pairs:
            value = median(pair_divergences(world.share, first, second))
            found[f"class {name}"] = Measurement(value, first.shape[0])
    return found or not_judged(len(world), "no class has enough pairs of one seat country")


def nearest_neighbours(world: ReferenceWorld) -> Scoped:
    """5 % quantile over merchants of the divergence from the most alike merchant of the same seat country."""
    nearest = np.full(len(world), np.inf)
    for _, at in groups(world.seat[world.sampled]):
        rows = world.sampled[at]
        if world.seat[rows[0]] == NO_SEAT or rows.shape[0] < 2:
            continue
        if rows.shape[0] > NEIGHBOURS_OF_A_SEAT:
            words = world.stream.words(world.merchant_id[rows], 0)[0]
            rows = np.sort(rows[np.argsort(words, kind="stable")[:NEIGHBOURS_OF_A_SEAT]])
        first, second = pairs_within(world.seat, rows)
        divergence = pair_divergences(world.share, first, second)
        np.minimum.at(nearest, first, divergence)
        np.minimum.at(nearest, second, divergence)
    known = nearest[np.isfinite(nearest)]
    return over_all(quantile(known, 0.05) if known.size else None, known.size)
