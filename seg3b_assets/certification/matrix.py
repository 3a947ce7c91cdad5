"""The gate matrix: every gate of every seed, and of every class that is judged by itself, as one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl

from seg3b_assets.realism import METRICS, Certification, Condition, GateResult
from seg3b_assets.realism.cross_seed import HARD, STRETCH
from seg3b_assets.realism.measurement import ALL_VIRTUAL
from seg3b_assets.realism.metrics import CLASS_POPULATION

GATE_MATRIX: Final = "3B_validation_gate_matrix.csv"

_SCHEMA: Final = {
    "seed": pl.UInt64,
    "gate": pl.String,
    "level": pl.String,
    "population": pl.String,
    "metric": pl.String,
    "unit": pl.String,
    "operator": pl.String,
    "threshold_low": pl.Float64,
    "threshold_high": pl.Float64,
    "observed": pl.Float64,
    "pass": pl.Boolean,
    "miss_abs": pl.Float64,
    "miss_pct": pl.Float64,
    "margin": pl.Float64,
    "state": pl.String,
    "lane": pl.String,
    "fault_domain": pl.String,
}


def gate_matrix(certification: Certification) -> pl.DataFrame:
    """A row per seed, gate, population and condition, in that order.

    Returns:
        seed; gate, level (hard, stretch), population (all_virtual or one virtual_class); metric, unit;
        operator and the ends of the bound, null where it is open; observed in the metric's unit (1 or 0 for
        yes or no), pass (null: nothing to measure), miss and margin as in the metrics documents; where to
        look first.
    """
    rows = [
        _row(seed, level, population, gate, condition)
        for seed, score in certification.scores.items()
        for level, population, gates in (
            (HARD, ALL_VIRTUAL, score.hard),
            (STRETCH, ALL_VIRTUAL, score.stretch),
            *_sliced(score.class_gates),
        )
        for gate in gates.values()
        for condition in gate.conditions
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _sliced(
    classes: Mapping[str, Mapping[str, GateResult]],
) -> Iterator[tuple[str, str, Mapping[str, GateResult]]]:
    for name, gates in sorted(classes.items()):
        yield HARD, f"{CLASS_POPULATION}{name}", gates


def _row(seed: int, level: str, population: str, gate: GateResult, condition: Condition) -> tuple[Any, ...]:
    metric = METRICS[condition.metric]
    low, high = _ends(condition)
    return (
        seed,
        gate.gate_id,
        level,
        population,
        condition.metric,
        metric.unit,
        condition.operator,
        low,
        high,
        None if condition.observed is None else float(condition.observed),
        condition.passed,
        condition.miss_abs,
        condition.miss_pct,
        condition.margin,
        gate.state,
        metric.lane,
        gate.fault_domain,
    )


def _ends(condition: Condition) -> tuple[float | None, float | None]:
    if isinstance(condition.threshold, tuple):
        return condition.threshold
    bound = float(condition.threshold)
    return (None, bound) if condition.operator == "<=" else (bound, None)


def matrix_bytes(matrix: pl.DataFrame) -> bytes:
    """The matrix as CSV with a header, LF-terminated; numbers are written as in the documents."""
    floats = pl.selectors.float().cast(pl.String)
    return matrix.with_columns(floats).write_csv().encode()
