"""The contract runs (law section 6): one result per contract row, measured from the published snapshot.

Reads what a row and its terms say (population, severity; metric, operator, bound) and nothing of how S4 came
to write them. The traffic families are measured on one routing probe. A slice of fewer merchants than the
policy judges by itself is NOT_APPLICABLE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import polars as pl

from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.policies import PolicySet
from seg3b_assets.realism.gates import Threshold, hold
from seg3b_assets.realism.measurement import GLOBAL, PER_CLASS, Measurement
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
    "virtual_class": pl.String,
    "severity": pl.String,
    "measured": pl.Float64,
    "threshold": pl.String,
    "operator": pl.String,
    "status": pl.String,
    "n": pl.Int64,
    "detail": pl.String,
}


def run_contract(
    outputs: SeedOutputs,
    contract: pl.DataFrame,
    terms: pl.DataFrame,
    policies: PolicySet,
    workers: int = 2,
) -> pl.DataFrame:
    """``virtual_validation_results_3B``: one row per row of the contract, in its order.

    Args:
        outputs: S1 to S3 of the snapshot; its own contract and results are not looked at.
        contract, terms: ``virtual_validation_contract_3B`` and ``virtual_validation_terms_3B``, whole.

    Raises:
        Seg3BError: ``S4 TEST_BINDING_INVALID`` for a row whose metric or population is nobody's,
            ``S4 TEST_THRESHOLD_INVALID`` for one without terms, or whose terms do not say what to hold the
            value against.
    """
    policy = policies.virtual_validation
    tables = published_tables(outputs)
    tallies = run_probe(outputs, tables, policy.probe, policies.virtual_routing_fields)
    population = replace(population_of(outputs, tables, policy.pair_sample, workers), probe=tallies)
    run = _Run(population, policy.min_class_size)
    asked = contract.join(terms.drop("manifest_fingerprint"), on="test_id", how="left", maintain_order="left")
    rows = [_result(row, run) for row in asked.iter_rows(named=True)]
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
    measured: dict[tuple[str, str | None], Measurement] = field(default_factory=dict)

    def measure(self, metric: str, virtual_class: str | None) -> Measurement:
        key = (metric, virtual_class)
        if key not in self.measured:
            self.measured[key] = self._measure(metric, virtual_class)
        return self.measured[key]

    def _measure(self, metric: str, virtual_class: str | None) -> Measurement:
        if virtual_class is None:
            return METRICS[metric].measure(self.everyone)
        members = self.everyone.classes.get(virtual_class, 0)
        if members < self.min_class_size:
            detail = {
                "reason": "class_too_small",
                "merchants": members,
                "min_class_size": self.min_class_size,
            }
            return Measurement(None, 0, detail)
        if virtual_class not in self.classes:
            self.classes[virtual_class] = self.everyone.of_class(virtual_class)
        return METRICS[metric].measure(self.classes[virtual_class])


def _result(row: Mapping[str, Any], run: _Run) -> tuple[Any, ...]:
    operator, threshold = _bound(row)
    metric, virtual_class = row["metric"], _virtual_class(row)
    defined = METRICS.get(metric)
    if defined is None or defined.compute is None or (virtual_class is not None and not defined.by_class):
        raise fail(
            "metric_of_the_registry",
            _place(row),
            "Name a metric of the registry, over all merchants or over one virtual class.",
            metric=metric,
            virtual_class=virtual_class,
            metrics=sorted(METRICS),
        )
    if row["enabled"]:
        measurement = run.measure(metric, virtual_class)
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
        virtual_class,
        row["severity"],
        measurement.value,
        canonical_json(list(threshold) if isinstance(threshold, tuple) else threshold).decode(),
        operator,
        _status(condition.passed, row["severity"]),
        measurement.n,
        canonical_json(detail).decode() if detail else None,
    )


def _virtual_class(row: Mapping[str, Any]) -> str | None:
    """The class a row is about; None for everybody. What is null in a population is absent."""
    population = row["target_population"]
    classes = [name for name in population["classes"] or () if name is not None]
    if not population["merchant_ids"] and (row["scope"], len(classes)) in ((GLOBAL, 0), (PER_CLASS, 1)):
        return classes[0] if classes else None
    raise fail(
        "population_measurable",
        _place(row),
        "Ask about all merchants (scope GLOBAL, no class) or about one virtual class (scope PER_CLASS).",
        scope=row["scope"],
        classes=classes,
        merchant_ids=len(population["merchant_ids"] or ()),
    )


def _status(passed: bool | None, severity: str) -> str:
    if passed is None:
        return NOT_APPLICABLE
    if passed:
        return PASS
    return FAIL if severity == "BLOCKING" else WARN


def _bound(row: Mapping[str, Any]) -> tuple[str, Threshold]:
    operator, value, low, high = (row[name] for name in ("operator", "value", "low", "high"))
    if operator == "range" and low is not None and high is not None:
        return operator, (low, high)
    if operator in (">=", "<=") and value is not None:
        return operator, float(value)
    raise fail(
        "threshold_readable",
        _place(row),
        "Give the row its terms: an operator and its bound, value for >= and <=, low and high for range.",
        operator=operator,
        value=value,
        low=low,
        high=high,
    )


def _place(row: Mapping[str, Any]) -> str:
    return f"virtual_validation_contract_3B:{row['test_id']}"
