"""R07 c: the stretch bands within every class, as far as its merchants can tell.

Over all merchants a band can be met by classes that differ from each other and hold nobody different inside. A class
is small, so its value is resampled: it fails where even the better end of the interval is outside the band, passes
where the whole interval is inside, and is INCONCLUSIVE between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.hashing import sha256_raw
from seg3b_assets.laws.randomness import draw_position
from seg3b_assets.realism.order_statistics import quantile
from seg3b_assets.realism.reference_tier.likeness import pair_divergences
from seg3b_assets.realism.reference_tier.measure import Scoped, not_judged, over_all
from seg3b_assets.realism.reference_tier.weights import merchant_statistics
from seg3b_assets.realism.reference_tier.world import Band, ReferenceWorld

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

FAIL: Final = "FAIL"
INCONCLUSIVE: Final = "INCONCLUSIVE"
PASS: Final = "PASS"

COUNTRIES_CV: Final = "countries_per_merchant_cv"
TOP1_MEDIAN: Final = "top1_share_p50"
TOP1_SPREAD: Final = "top1_share_spread"
DIVERGENCE: Final = "median_pairwise_js"
BANDED: Final = (COUNTRIES_CV, TOP1_MEDIAN, TOP1_SPREAD, DIVERGENCE)

# Pairs grow with the square of a class; an interval needs no more merchants than these.
_PAIRED_MERCHANTS: Final = 300
_PAIRS_PER_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Cell:
    """One band within one class.

    Attributes:
        low, high: ends of the interval. status: PASS, FAIL or INCONCLUSIVE.
    """

    virtual_class: str
    metric: str
    low: float
    high: float
    status: str


def class_cells(world: ReferenceWorld) -> list[Cell]:
    """Every band within every class that is large enough, by class."""
    return [
        Cell(name, metric, low, high, _status(low, high, world.bands[metric]))
        for name, rows in world.classes(world.terms.least.slice_merchants)
        for metric, (low, high) in _intervals(world, name, np.flatnonzero(rows)).items()
        if metric in world.bands
    ]


def band_misses(world: ReferenceWorld) -> Scoped:
    """Bands that fail within a class, and inconclusive ones but for one."""
    cells = class_cells(world)
    if not cells:
        return not_judged(len(world), "no class is large enough")
    failed = [cell for cell in cells if cell.status == FAIL]
    open_ = [cell for cell in cells if cell.status == INCONCLUSIVE]
    told = [
        {
            "class": cell.virtual_class,
            "metric": cell.metric,
            "low": cell.low,
            "high": cell.high,
            "status": cell.status,
        }
        for cell in failed + open_
    ]
    return over_all(float(len(failed) + max(len(open_) - 1, 0)), len(cells), cells=told)


def _status(low: float, high: float, band: Band) -> str:
    least, most = band
    if (least is not None and high < least) or (most is not None and low > most):
        return FAIL
    inside = (least is None or low >= least) and (most is None or high <= most)
    return PASS if inside else INCONCLUSIVE


def _intervals(world: ReferenceWorld, name: str, rows: I64) -> Mapping[str, tuple[float, float]]:
    """Percentile intervals over resamples of the class's merchants (Efron 1979)."""
    drawn = _resamples(world, name, rows.shape[0])
    top1 = np.sort(merchant_statistics(world)["top1_share"][rows])
    ordered = np.sort(drawn, axis=1)
    low, middle, high = (np.quantile(top1[ordered], level, axis=1) for level in (0.10, 0.50, 0.90))
    resampled = {
        COUNTRIES_CV: _cv((world.count[rows] > 0).sum(axis=1), drawn),
        TOP1_MEDIAN: middle,
        TOP1_SPREAD: high - low,
        DIVERGENCE: _median_divergences(world, name, rows),
    }
    tail = (1.0 - world.terms.level) / 2.0
    return {
        metric: (quantile(values, tail), quantile(values, 1.0 - tail)) for metric, values in resampled.items()
    }


def _resamples(world: ReferenceWorld, name: str, n: int) -> I64:
    """Positions drawn with replacement, int64 (resamples, n), at an address of the class's own."""
    address = int.from_bytes(sha256_raw(name.encode())[:8], "little")
    draws = np.arange(world.terms.resamples * n, dtype=np.uint64)
    words = world.stream.words(address, draws)[0]
    return draw_position(words, np.uint64(n)).astype(np.int64).reshape(-1, n)


def _cv(counts: I64, drawn: I64) -> F64:
    values = counts[drawn]
    total, squares, n = values.sum(axis=1), (values * values).sum(axis=1), drawn.shape[1]
    cv: F64 = np.sqrt((n * squares - total * total).astype(np.float64)) / np.maximum(total, 1)
    return cv


def _median_divergences(world: ReferenceWorld, name: str, rows: I64) -> F64:
    """Median over the pairs of each resample; a merchant drawn twice makes no pair with itself."""
    if rows.shape[0] > _PAIRED_MERCHANTS:
        words = world.stream.words(world.merchant_id[rows], 0)[0]
        rows = np.sort(rows[np.argsort(words, kind="stable")[:_PAIRED_MERCHANTS]])
    n = rows.shape[0]
    first, second = np.triu_indices(n, 1)
    divergence = pair_divergences(world.share, rows[first], rows[second])
    order = np.argsort(divergence, kind="stable")
    divergence, first, second = divergence[order], first[order], second[order]
    drawn = _resamples(world, name, n)
    medians = np.empty(drawn.shape[0])
    step = max(_PAIRS_PER_CHUNK // max(first.shape[0], 1), 1)
    for start in range(0, drawn.shape[0], step):
        part = drawn[start : start + step]
        cells = (np.arange(part.shape[0])[:, None] * n + part).ravel()
        times = np.bincount(cells, minlength=part.shape[0] * n).astype(np.int16).reshape(-1, n)
        weight = np.cumsum(
            np.take(times, first, axis=1) * np.take(times, second, axis=1), axis=1, dtype=np.int32
        )
        half = (weight >= (weight[:, -1:] + 1) // 2).argmax(axis=1)
        medians[start : start + step] = divergence[half]
    return medians
