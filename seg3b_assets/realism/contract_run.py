"""The contract runs (law section 6): one result per contract row, measured from the published snapshot.

Reads what a row says (metric, population, bound, severity) and nothing of how S4 came to write it. The
traffic families are measured on one routing probe. A slice of fewer merchants than the policy judges by
itself is NOT_APPLICABLE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.policies import PolicySet
from seg3b_assets.realism.gates import Threshold, hold
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.metrics import CLASS_POPULATION
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.population import Population, population_of, published_tables
from seg3b_assets.realism.probe import run_probe
from seg3b_assets.realism.registry import METRICS

PASS: Final = "PASS"
FAIL: Final = "FAIL"
WARN: Final = "WARN"
NOT_APPLICABLE: Final = "NOT_APPLICABLE"

RESULT_SCHEMA: Final = {
    "manifest_fingerprint": pl.String,
    "test_id": pl.String,
    "test_type": pl.String,
    "metric": pl.String,
    "scope": pl.String,
    "severity": pl.String,
    "measured": pl.Float64,
    "threshold": pl.String,
    "operator": pl.String,
    "status": pl.String,
    "n": pl.Int64,
    "detail": pl.String,
}


def run_contract(
    outputs: SeedOutputs, contract: pl.DataFrame, policies: PolicySet, workers: int = 2
) -> pl.DataFrame:
    """``virtual_validation_results_3B``: one row per row of the contract, in its order.

    Args:
        outputs: S1 to S3 of the snapshot; its own contract and results are not looked at.
        contract: ``virtual_validation_contract_3B``, whole.

    Raises:
        Seg3BError: ``S4 TEST_BINDING_INVALID`` for a row whose metric or population is nobody's,
            ``S4 TEST_THRESHOLD_INVALID`` for one whose bound does not say what to hold the value against.
    """
    policy = policies.virtual_validation
    tables = published_tables(outputs)
    tallies = run_probe(outputs, tables, policy.probe, policies.virtual_routing_fields)
    population = replace(population_of(outputs, tables, policy.pair_sample, workers), probe=tallies)
    run = _Run(population, policy.min_class_size)
    rows = [_result(row, run) for row in contract.iter_rows(named=True)]
    return pl.DataFrame(rows, schema=RESULT_SCHEMA, orient="row")


def blocking_failures(results: pl.DataFrame) -> pl.DataFrame:
    """The rows that stop S5 in that partition."""
    return results.filter((pl.col("severity") == "BLOCKING") & (pl.col("status") == FAIL))


@dataclass(frozen=True)
class _Run:
    """Populations of one contract run, each measured once per metric."""

    everyone: Population
    min_class_size: int
    classes: dict[str, Population] = field(default_factory=dict)
    measured: dict[tuple[str, str], Measurement] = field(default_factory=dict)

    def measure(self, metric: str, target_population: str) -> Measurement:
        key = (metric, target_population)
        if key not in self.measured:
            self.measured[key] = self._measure(metric, target_population)
        return self.measured[key]

    def _measure(self, metric: str, target_population: str) -> Measurement:
        if not target_population.startswith(CLASS_POPULATION):
            return METRICS[metric].measure(self.everyone)
        name = target_population.removeprefix(CLASS_POPULATION)
        members = self.everyone.classes.get(name, 0)
        if members < self.min_class_size:
            detail = {
                "reason": "class_too_small",
                "merchants": members,
                "min_class_size": self.min_class_size,
            }
            return Measurement(None, 0, detail)
        if name not in self.classes:
            self.classes[name] = self.everyone.of_class(name)
        return METRICS[metric].measure(self.classes[name])


def _result(row: Mapping[str, Any], run: _Run) -> tuple[Any, ...]:
    metric, population = row["metric"], row["target_population"]
    defined = METRICS.get(metric)
    sliced = population.startswith(CLASS_POPULATION)
    if defined is None or defined.compute is None or (sliced and not defined.by_class):
        raise _row_error(
            "TEST_BINDING_INVALID",
            "metric_of_the_registry",
            row,
            "Name a metric of the registry, over all merchants or over one virtual class.",
            {"metric": metric, "target_population": population, "metrics": sorted(METRICS)},
        )
    operator, threshold = _bound(row)
    if row["enabled"]:
        measurement = run.measure(metric, population)
    else:
        measurement = Measurement(None, 0, {"reason": "disabled"})
    condition = hold(metric, measurement, operator, threshold)
    detail = dict(measurement.detail)
    if condition.passed is False:
        detail |= {"miss_abs": condition.miss_abs, "miss_pct": condition.miss_pct}
    return (
        row["manifest_fingerprint"],
        row["test_id"],
        row["test_type"],
        metric,
        row["scope"],
        row["severity"],
        measurement.value,
        canonical_json(list(threshold) if isinstance(threshold, tuple) else threshold).decode(),
        operator,
        _status(condition.passed, row["severity"]),
        measurement.n,
        canonical_json(detail).decode() if detail else None,
    )


def _status(passed: bool | None, severity: str) -> str:
    if passed is None:
        return NOT_APPLICABLE
    if passed:
        return PASS
    return FAIL if severity == "BLOCKING" else WARN


def _bound(row: Mapping[str, Any]) -> tuple[str, Threshold]:
    bound = orjson.loads(row["thresholds"])
    operator = bound.get("operator")
    if operator == "range" and {"low", "high"} <= bound.keys():
        return operator, (float(bound["low"]), float(bound["high"]))
    if operator in (">=", "<=") and isinstance(bound.get("value"), (int, float)):
        return operator, float(bound["value"])
    raise _row_error(
        "TEST_THRESHOLD_INVALID",
        "threshold_readable",
        row,
        "Give the row an operator and its bound: value for >= and <=, low and high for range.",
        {"thresholds": bound},
    )


def _row_error(
    name: str, validator: str, row: Mapping[str, Any], remedy: str, detail: dict[str, Any]
) -> Seg3BError:
    place = f"virtual_validation_contract_3B:{row['test_id']}"
    return Seg3BError("S4", name, validator, place, remedy, detail)
