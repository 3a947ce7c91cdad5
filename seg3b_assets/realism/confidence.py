"""How sure a verdict is (gates, "Confidence layer"): resampling, seed against seed, coupling against none.

Resamples are drawn from the addressed stream ``realism_sample`` (merchant_id 0, index = draw number), so an
interval is reproduced to the bit wherever it is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.geography import haversine_km
from seg3b_assets.laws.randomness import Stream, draw_position
from seg3b_assets.laws.snapping import MASS_UNITS, snap_scalar
from seg3b_assets.policies.certification import Confidence
from seg3b_assets.realism.order_statistics import median, quantile
from seg3b_assets.realism.population import edge_masses

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_DRAWS_PER_CHUNK: Final = 1 << 20
# Up to this many merchants per seed the exact distribution of the statistic is cheap.
_EXACT_UP_TO: Final = 2_000


@dataclass(frozen=True)
class BootstrapInterval:
    """Percentile interval of a median over merchants; None of it over no merchants."""

    estimate: float | None
    lower: float | None
    upper: float | None


def bootstrap_median(values: F64, policy: Confidence, stream: Stream, workers: int = 2) -> BootstrapInterval:
    """Resample merchants with replacement; draw r·n + i is merchant i of resample r.

    Source: Efron, "Bootstrap methods", Annals of Statistics 7(1), 1979 (percentile interval).

    Args:
        values: float64 (n,), one per merchant.
        policy: resamples and the two-sided level.
        stream: ``realism_sample``.
    """
    n = values.shape[0]
    if not n:
        return BootstrapInterval(None, None, None)
    ordered = np.sort(values)
    rows = max(_DRAWS_PER_CHUNK // n, 1)

    def resampled(start: int) -> F64:
        stop = min(start + rows, policy.bootstrap_resamples)
        draws = np.arange(start * n, stop * n, dtype=np.uint64)
        rank = draw_position(stream.words(0, draws)[0], np.uint64(n)).astype(np.int64)
        medians: F64 = np.median(ordered[rank.reshape(stop - start, n)], axis=1)
        return medians

    with ThreadPoolExecutor(workers) as pool:
        medians = np.concatenate(list(pool.map(resampled, range(0, policy.bootstrap_resamples, rows))))
    tail = (1.0 - policy.bootstrap_level) / 2.0
    return BootstrapInterval(
        snap_scalar(median(values)),
        snap_scalar(quantile(medians, tail)),
        snap_scalar(quantile(medians, 1.0 - tail)),
    )


@dataclass(frozen=True)
class SeedPair:
    """Two seeds' distributions of the heaviest share, compared.

    Attributes:
        statistic: largest distance of the two empirical distribution functions.
        p, p_holm: two-sided p, and the same adjusted for the number of pairs.
    """

    seeds: tuple[int, int]
    statistic: float
    p: float
    p_holm: float


def compare_seeds(samples: Mapping[int, F64]) -> list[SeedPair]:
    """Two-sample Kolmogorov–Smirnov for every pair of seeds that have merchants, adjusted by Holm.

    Sources: Hodges, Arkiv för Matematik 3, 1958; Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    pairs = [
        pair for pair in combinations(sorted(samples), 2) if samples[pair[0]].size and samples[pair[1]].size
    ]
    found = [_kolmogorov_smirnov(samples[a], samples[b]) for a, b in pairs]
    adjusted = holm([p for _, p in found])
    return [
        SeedPair(pair, snap_scalar(statistic), snap_scalar(p), snap_scalar(corrected))
        for pair, (statistic, p), corrected in zip(pairs, found, adjusted, strict=True)
    ]


def _kolmogorov_smirnov(first: F64, second: F64) -> tuple[float, float]:
    from scipy import stats  # noqa: PLC0415 - a second to import, and a run of one seed needs none of it

    exact = max(first.size, second.size) <= _EXACT_UP_TO
    with warnings.catch_warnings():
        # Where the exact count of paths overflows, scipy says so and uses the asymptotic law.
        warnings.simplefilter("ignore", RuntimeWarning)
        outcome = stats.ks_2samp(first, second, method="exact" if exact else "asymp")
    return float(outcome.statistic), float(outcome.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Step-down adjusted p-values, in the order given."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = running
    return adjusted


@dataclass(frozen=True)
class CouplingMedians:
    """The two medians coupling moves.

    Attributes:
        overlap: median over merchants of the edge weight in the settlement's country.
        distance_km: unweighted median over edges of the distance to the settlement.
    """

    overlap: float
    distance_km: float

    @classmethod
    def of_edges(cls, settlement: pl.DataFrame, edges: pl.DataFrame) -> CouplingMedians:
        """Of a network that was never published, such as the same merchants' with λ = 0.

        Args:
            settlement: merchant_id (ascending), lon_deg, lat_deg, settlement_country.
            edges: merchant_id, country_iso, lon_deg, lat_deg, edge_weight; at least one merchant.
        """
        merchant = np.searchsorted(settlement["merchant_id"].to_numpy(), edges["merchant_id"].to_numpy())
        mass = edge_masses(edges["edge_weight"].to_numpy())
        home = settlement["settlement_country"].to_numpy()[merchant] == edges["country_iso"].to_numpy()
        at_home = np.bincount(merchant, np.where(home, mass, 0), settlement.height) / MASS_UNITS
        distance = haversine_km(
            settlement["lon_deg"].to_numpy()[merchant],
            settlement["lat_deg"].to_numpy()[merchant],
            edges["lon_deg"].to_numpy(),
            edges["lat_deg"].to_numpy(),
        )
        return cls(snap_scalar(median(at_home)), snap_scalar(median(distance)))


def coupling_uplift(
    coupled: CouplingMedians | None, uncoupled: CouplingMedians | None, policy: Confidence
) -> dict[str, Any]:
    """What coupling changed: overlap as a ratio, distance as a reduction, and whether that is enough.

    Without a counterfactual nothing is shown, and nothing passes.
    """
    required = policy.uplift
    if coupled is None or uncoupled is None:
        return {"shown": False, "pass": False}
    ratio = coupled.overlap / uncoupled.overlap if uncoupled.overlap else None
    reduction = 1.0 - coupled.distance_km / uncoupled.distance_km if uncoupled.distance_km else 0.0
    enough = coupled.overlap > 0 if ratio is None else ratio >= required.overlap_ratio
    return {
        "shown": True,
        "overlap_coupled": coupled.overlap,
        "overlap_uncoupled": uncoupled.overlap,
        "overlap_ratio": None if ratio is None else snap_scalar(ratio),
        "distance_coupled_km": coupled.distance_km,
        "distance_uncoupled_km": uncoupled.distance_km,
        "distance_reduction": snap_scalar(reduction),
        "pass": bool(enough and snap_scalar(reduction) >= required.distance_reduction),
    }
