"""Metrics over virtual merchants, their settlements, edges and rules (gates, "Metrics").

Each takes a population and returns the unsnapped value with its n; an empty population has no value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.snapping import MASS_UNITS, snap_scalar
from seg3b_assets.realism.divergence import median_divergence
from seg3b_assets.realism.measurement import NOT_APPLICABLE, Compute, Measurement
from seg3b_assets.realism.order_statistics import counts_cv, median, quantile, weighted_median
from seg3b_assets.realism.population import Population

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

ACTIVE_RULE_SHARE: Final = 0.01


def _over(values: Callable[[Population], F64], summary: Callable[[F64], float]) -> Compute:
    """A summary of one number per merchant or edge."""

    def compute(population: Population) -> Measurement:
        column = values(population)
        return Measurement(summary(column), column.shape[0]) if column.shape[0] else NOT_APPLICABLE

    return compute


def _at(level: float) -> Callable[[F64], float]:
    return lambda values: quantile(values, level)


def _top1(population: Population) -> F64:
    return population.merchants.top1_share


def _top1_country(population: Population) -> F64:
    heaviest: F64 = population.merchants.country_mass.max(axis=1, initial=0) / MASS_UNITS
    return heaviest


def _overlap(population: Population) -> F64:
    return population.merchants.overlap


def _distance(population: Population) -> F64:
    return population.edges.distance_km


def edges_cv(population: Population) -> Measurement:
    """CV of edges per merchant."""
    return _counts_cv(population.merchants.edges)


def countries_cv(population: Population) -> Measurement:
    """CV of distinct countries per merchant."""
    return _counts_cv(population.merchants.countries)


def _counts_cv(counts: I64) -> Measurement:
    return Measurement(counts_cv(counts), counts.shape[0]) if counts.shape[0] else NOT_APPLICABLE


top1_p10 = _over(_top1, _at(0.10))
top1_p50 = _over(_top1, median)
top1_p90 = _over(_top1, _at(0.90))
top1_spread = _over(_top1, lambda values: quantile(values, 0.90) - quantile(values, 0.10))
top1_country_p10 = _over(_top1_country, _at(0.10))
top1_country_p50 = _over(_top1_country, median)
top1_country_p90 = _over(_top1_country, _at(0.90))
overlap_median = _over(_overlap, median)
overlap_p75 = _over(_overlap, _at(0.75))
distance_median = _over(_distance, median)
distance_p90 = _over(_distance, _at(0.90))


def edges_median(population: Population) -> Measurement:
    """Median of edges per merchant."""
    return _over(lambda p: p.merchants.edges.astype(np.float64), median)(population)


def distance_weighted_median(population: Population) -> Measurement:
    """Median distance, edges weighted by edge_weight."""
    edges = population.edges
    n = edges.mass.shape[0]
    return Measurement(weighted_median(edges.distance_km, edges.mass), n) if n else NOT_APPLICABLE


def median_js(population: Population) -> Measurement:
    """Median Jensen–Shannon divergence over merchant pairs; n counts pairs."""
    if len(population.merchants) < 2:
        return NOT_APPLICABLE
    found = median_divergence(population.merchants.country_share, population.pairs)
    detail: dict[str, Any] = {"pairs": found.pairs, "exact": found.exact}
    if not found.exact:
        detail["interval_95"] = [snap_scalar(found.low), snap_scalar(found.high)]
    return Measurement(found.median, found.pairs, detail)


def settlements_unresolved(population: Population) -> Measurement:
    """Settlements that no country polygon covers."""
    unresolved = population.merchants.settlement_unresolved
    return Measurement(float(unresolved.sum()), unresolved.shape[0]) if unresolved.size else NOT_APPLICABLE


def _non_blank(column: str) -> Compute:
    def compute(population: Population) -> Measurement:
        rows = population.rows
        if rows.is_empty():
            return NOT_APPLICABLE
        filled = rows.select((pl.col(column).fill_null("").str.strip_chars() != "").sum()).item()
        return Measurement(int(filled) / rows.height, rows.height)

    return compute


rule_id_rate = _non_blank("rule_id")
rule_version_rate = _non_blank("rule_version")


def active_rules(population: Population) -> Measurement:
    """Rules that decide at least ``ACTIVE_RULE_SHARE`` of the virtual rows each."""
    virtual = population.rows.filter(pl.col("is_virtual"))
    if virtual.is_empty():
        return NOT_APPLICABLE
    named = virtual.filter(pl.col("rule_id").fill_null("").str.strip_chars() != "")
    decided = named.group_by("rule_id").len().sort("len", "rule_id", descending=[True, False])
    active = decided.filter(pl.col("len") >= ACTIVE_RULE_SHARE * virtual.height)
    detail = {"virtual_rows_by_rule": {str(rule): int(rows) for rule, rows in decided.head(20).iter_rows()}}
    return Measurement(float(active.height), virtual.height, detail)


def virtual_rate(population: Population) -> Measurement:
    """Virtual rows per classification row."""
    rows = population.rows
    if rows.is_empty():
        return NOT_APPLICABLE
    return Measurement(int(rows["is_virtual"].sum()) / rows.height, rows.height)


def alias_delta(population: Population) -> Measurement:
    """Largest decoding error of any edge."""
    errors = population.edges.decoding_error
    return Measurement(float(errors.max()), errors.shape[0]) if errors.size else NOT_APPLICABLE


def zone_top1_share(population: Population) -> Measurement:
    """Settlements in the commonest settlement zone, as a share."""
    zones = population.merchants.settlement_zone
    return (
        Measurement(int(np.bincount(zones).max()) / zones.size, zones.size) if zones.size else NOT_APPLICABLE
    )


def unique_coordinates(population: Population) -> Measurement:
    """Distinct settlement coordinates per settlement."""
    points = population.merchants.settlement_point
    if not points.size:
        return NOT_APPLICABLE
    return Measurement(np.unique(points).size / points.size, points.size)


def duplicate_exposure(population: Population) -> Measurement:
    """Merchants whose settlement coordinate another merchant has too, as a share."""
    points = population.merchants.settlement_point
    if not points.size:
        return NOT_APPLICABLE
    users = np.bincount(points)
    return Measurement(int(users[users >= 2].sum()) / points.size, points.size)


def virtual_rates_by(rows: pl.DataFrame, column: str) -> list[dict[str, Any]]:
    """Rows, virtual rows and rate of each value of a merchant attribute, by value."""
    table = (
        rows.group_by(column)
        .agg(rows=pl.len(), virtual=pl.col("is_virtual").sum())
        .sort(column)
        .with_columns(virtual_rate=pl.col("virtual") / pl.col("rows"))
    )
    return [
        {"value": value, "rows": count, "virtual": virtual, "virtual_rate": snap_scalar(rate)}
        for value, count, virtual, rate in table.iter_rows()
    ]
