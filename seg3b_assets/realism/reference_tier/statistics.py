"""Statistics of the reference tier, over plain arrays. None decides anything; snapping is the caller's."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.realism.order_statistics import median

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]

_RANKS: Final = 25
_FIRST_RANK: Final = 10
_FEWEST_RANKS: Final = 3
_NEWTON_STEPS: Final = 100
_LONGEST_STEP: Final = 0.5
_CONVERGED: Final = 1e-12


def mid_ranks(values: NDArray[np.generic]) -> F64:
    """Ranks from 1, ties at their middle, float64 (n,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: F64 = ((last - counts + 1 + last) / 2.0)[inverse]
    return ranks


def correlation(x: F64, y: F64) -> float | None:
    """Pearson's; None where either is constant or there are fewer than two."""
    if x.shape[0] < 2:
        return None
    dx, dy = x - x.mean(), y - y.mean()
    spread = float((dx * dx).sum() * (dy * dy).sum())
    return float((dx * dy).sum()) / spread**0.5 if spread > 0 else None


def spearman(x: NDArray[np.generic], y: NDArray[np.generic]) -> float | None:
    """Rank correlation with mid-ranks (Spearman 1904); None where either is constant."""
    return correlation(mid_ranks(x), mid_ranks(y))


def rank_correlations(group: I64, x: NDArray[np.generic], y: NDArray[np.generic]) -> F64:
    """Rank correlation inside each group, mid-ranks, float64 (groups,); NaN where either is constant.

    Args:
        group: int64 (n,), 0-based and dense.
        x, y: (n,).
    """
    ranked = pl.DataFrame({"group": group, "x": x, "y": y}).select(
        pl.col("x", "y").rank("average").over("group")
    )
    dx, dy = _centred(group, ranked["x"].to_numpy()), _centred(group, ranked["y"].to_numpy())
    spread = np.bincount(group, dx * dx) * np.bincount(group, dy * dy)
    together = np.bincount(group, dx * dy)
    found: F64 = np.full(spread.shape, np.nan)
    np.divide(together, np.sqrt(spread), out=found, where=spread > 0)
    return found


def centred_ranks(group: I64, values: NDArray[np.generic]) -> F64:
    """Mid-ranks inside each group less their mean, (n,)."""
    ranked = pl.DataFrame({"group": group, "value": values}).select(
        pl.col("value").rank("average").over("group")
    )
    return _centred(group, ranked["value"].to_numpy())


def _centred(group: I64, values: F64) -> F64:
    """Values less the mean of their group."""
    centred: F64 = values - (np.bincount(group, values) / np.maximum(np.bincount(group), 1))[group]
    return centred


def rank_size_slopes(weights: F64, sizes: I64) -> F64:
    """Least-squares slope of ln weight on ln rank over the middle of each group's ranks, float64 (groups,).

    Ranks are 25, log-spaced between n/10 and n/2, rounded half to even, from the tenth on, none twice: the head is a
    handful of edges, the tail what rounding left of them (Gabaix & Ibragimov 2011 on what the ends do to such a slope).
    NaN where fewer than three are there.

    Args:
        weights: float64 (n,), group by group, each group heaviest first.
        sizes: int64 (groups,), how many each group has.
    """
    n = sizes.astype(np.float64)
    spaced = np.rint(np.geomspace(n / 10.0, n / 2.0, _RANKS, axis=1)).astype(np.int64)
    ranks = np.maximum(spaced, _FIRST_RANK)
    fresh = np.concatenate([np.ones((sizes.shape[0], 1), bool), ranks[:, 1:] > ranks[:, :-1]], axis=1)
    enough = (sizes // 2 >= _FIRST_RANK) & (fresh.sum(axis=1) >= _FEWEST_RANKS)
    at = (np.cumsum(sizes) - sizes)[:, None] + np.minimum(ranks, sizes[:, None]) - 1
    x, y, used = np.log(ranks), np.log(weights[at]), fresh.sum(axis=1)
    dx = np.where(fresh, x - (np.where(fresh, x, 0.0).sum(axis=1) / used)[:, None], 0.0)
    slopes: F64 = np.full(sizes.shape, np.nan)
    np.divide((dx * y).sum(axis=1), (dx * dx).sum(axis=1), out=slopes, where=enough)
    return slopes


def largest_window(values: F64, ratio: float) -> float:
    """Largest share of non-negative values inside one window [x, ratio·x]; all zeros are one window."""
    ordered = np.sort(values)
    positive = ordered[ordered > 0]
    zeros = ordered.shape[0] - positive.shape[0]
    last = np.searchsorted(positive, positive * ratio, side="right")
    inside = int((last - np.arange(positive.shape[0])).max(initial=0))
    return float(max(zeros, inside) / ordered.shape[0])


def poisson_effects(counts: F64, regressors: F64, used: BOOL) -> F64 | None:
    """Coefficients of a Poisson regression that has an effect of its own for every row.

    The row effects drop out of the likelihood given each row's total (Hausman, Hall & Griliches, Econometrica 52,
    1984), which leaves a multinomial logit; zeros count. Newton's method, each step cut where it would be long. None
    where the regressors do not vary or the method does not settle.

    Args:
        counts: float64 (n, K), not negative; rows without any weigh nothing.
        regressors: float64 (p, n, K).
        used: (n, K) cells that take part.
    """
    weighed = np.where(used, counts, 0.0)
    rows = weighed.sum(axis=1) > 0
    weighed, used, x = weighed[rows], used[rows], regressors[:, rows]
    total = weighed.sum(axis=1)
    found: F64 = np.zeros(x.shape[0])
    for _ in range(_NEWTON_STEPS):
        index = np.where(used, np.tensordot(found, x, axes=1), -np.inf)
        chance = np.exp(index - index.max(axis=1, keepdims=True, initial=-1e300))
        chance /= chance.sum(axis=1, keepdims=True)
        mean = (chance * x).sum(axis=2)
        gradient = ((weighed - total[:, None] * chance) * x).sum(axis=(1, 2))
        curvature = np.array(
            [
                [
                    float((total * ((chance * a * b).sum(axis=1) - am * bm)).sum())
                    for b, bm in zip(x, mean, strict=True)
                ]
                for a, am in zip(x, mean, strict=True)
            ]
        )
        if not np.isfinite(curvature).all() or np.linalg.cond(curvature) > 1e12:
            return None
        step = np.linalg.solve(curvature, gradient)
        found = found + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if float(np.abs(step).max()) < _CONVERGED:
            return found
    return None


def median_known(values: F64) -> tuple[float | None, int]:
    """Median of what is no NaN, None of nothing; and how many that are."""
    known = values[~np.isnan(values)]
    return (median(known) if known.size else None), known.size
