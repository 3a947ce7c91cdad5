"""Every metric of one seed, over all its virtual merchants and within each virtual class.

The registry says what a metric is; this measures them, adds the rates by merchant attribute, and asks the
contract's standing last, because that compares the published results with what was measured here.

Whether the validation contract is in force and was met by this snapshot (gate 3B-V12).

A contract that is only declared proves nothing: every BLOCKING row needs a result, the result must be PASS,
and what it says it measured must be what the published data yield now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from seg3b_assets.policies import VirtualValidation
from seg3b_assets.realism.gated_metrics import REALISM_BLOCK
from seg3b_assets.realism.measurement import GLOBAL, NOT_APPLICABLE, Measurement, Metric
from seg3b_assets.realism.merchant_metrics import virtual_rates_by
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.population import Population, population_of, published_tables
from seg3b_assets.realism.registry import REALISM_FAMILIES, SEED_METRICS

_EXAMPLES: Final = 5
_ONE_CLASS: Final = pl.col("target_population").struct.field("classes").list.first().alias("virtual_class")

Remeasure = Callable[[str, str | None], float | None]


def realism_block(
    contract: pl.DataFrame | None,
    terms: pl.DataFrame | None,
    results: pl.DataFrame | None,
    merchants: int,
    remeasure: Remeasure,
) -> Measurement:
    """1 when the realism block is active, enforced and met, else 0 with the reasons.

    A slice without a result, because its class is too small to judge, does not count against the block; a
    whole population without one does.

    Args:
        contract, terms, results: S4's three tables; None when they were never published.
        merchants: virtual merchants of the seed; none means there is nothing to enforce.
        remeasure: (metric, virtual class or None) to the value of the published data now; None where it is not
            measured again.
    """
    if not merchants:
        return NOT_APPLICABLE
    if contract is None or terms is None or results is None:
        return Measurement(0.0, merchants, {"reasons": {"never_run": 1}})
    blocking = contract.filter((pl.col("severity") == "BLOCKING") & pl.col("enabled"))
    realism = contract.filter(pl.col("test_type").is_in(REALISM_FAMILIES))
    answered = (
        blocking.select("test_id", "scope", _ONE_CLASS)
        .join(terms.select("test_id", "metric"), on="test_id", how="left")
        .join(results.select("test_id", "status", "measured"), on="test_id", how="left")
    )
    too_small = (pl.col("status") == "NOT_APPLICABLE") & (pl.col("scope") != GLOBAL)
    unmet = answered.filter(~((pl.col("status") == "PASS") | too_small).fill_null(False))
    reasons: dict[str, Any] = {
        "families_missing": sorted(set(REALISM_FAMILIES) - set(realism["test_type"])),
        "rows_not_enabled": _ids(realism.filter(~pl.col("enabled"))),
        "rows_not_blocking": _ids(realism.filter(pl.col("severity") != "BLOCKING")),
        "blocking_rows_unmet": _described(unmet),
        "rows_without_terms": _ids(contract.join(terms, on="test_id", how="anti")),
        "results_of_another_snapshot": _stale(answered, remeasure),
        "results_without_row": _ids(results.join(contract, on="test_id", how="anti")),
    }
    found = {
        reason: {"count": len(rows), "examples": rows[:_EXAMPLES]} for reason, rows in reasons.items() if rows
    }
    return Measurement(0.0 if found else 1.0, blocking.height, {"reasons": found} if found else {})


def _ids(rows: pl.DataFrame) -> list[str]:
    return sorted(rows["test_id"].to_list())


def _described(rows: pl.DataFrame) -> list[str]:
    """Metric, class and outcome of each row."""
    whom = pl.col("virtual_class").fill_null("everybody")
    outcome = pl.col("status").fill_null("no result")
    return (
        rows.sort("test_id")
        .select(
            pl.concat_str(
                pl.col("metric").fill_null("no terms"), pl.lit(" over "), whom, pl.lit(": "), outcome
            )
        )
        .to_series()
        .to_list()
    )


def _stale(answered: pl.DataFrame, remeasure: Remeasure) -> list[str]:
    """Rows whose result is not what the data yield; both lie on the metric's grid, so they must be equal."""
    measured = answered.filter(pl.col("measured").is_not_null())
    stale = []
    for test_id, metric, virtual_class, value in measured.select(
        "test_id", "metric", "virtual_class", "measured"
    ).iter_rows():
        now = remeasure(metric, virtual_class)
        if now is not None and now != value:
            stale.append(test_id)
    return stale


CLASS_POPULATION: Final = "virtual_class="
ATTRIBUTES: Final = {"mcc": "mcc", "channel": "channel", "country": "home_country_iso"}


@dataclass(frozen=True)
class SeedMetrics:
    """What was measured of one seed.

    Attributes:
        overall: by metric name.
        by_class: by virtual class, then metric name; metrics that mean nothing within a class are absent.
        class_sizes: merchants of each class.
        virtual_rates: by attribute (mcc, channel, country): rows, virtual rows and rate of each value.
    """

    overall: Mapping[str, Measurement]
    by_class: Mapping[str, Mapping[str, Measurement]]
    class_sizes: Mapping[str, int]
    virtual_rates: Mapping[str, list[dict[str, Any]]]

    def value(self, metric: str, virtual_class: str | None = None) -> float | None:
        """A metric's value over all virtual merchants or one class; None where it was not measured."""
        if virtual_class is None:
            found = self.overall.get(metric)
        else:
            found = self.by_class.get(virtual_class, {}).get(metric)
        return None if found is None else found.value


def measure(outputs: SeedOutputs, policy: VirtualValidation, workers: int = 2) -> SeedMetrics:
    """Measure one seed's published outputs.

    Args:
        policy: for how merchant pairs are compared.
        workers: threads; never changes a figure.
    """
    population = population_of(outputs, published_tables(outputs), policy.pair_sample, workers)
    return measure_population(population, outputs)


def measure_population(population: Population, outputs: SeedOutputs) -> SeedMetrics:
    """``measure`` when the seed's arrays are at hand."""
    sizes = population.classes
    classes = {name: population.of_class(name) for name in sizes}
    found = SeedMetrics(
        overall=_measured(SEED_METRICS, population),
        by_class={
            name: _measured(tuple(metric for metric in SEED_METRICS if metric.by_class), members)
            for name, members in classes.items()
        },
        class_sizes=sizes,
        virtual_rates={
            label: virtual_rates_by(population.rows, column) for label, column in ATTRIBUTES.items()
        },
    )
    block = realism_block(
        outputs.contract, outputs.terms, outputs.results, len(population.merchants), found.value
    )
    return SeedMetrics(
        {**found.overall, REALISM_BLOCK: block}, found.by_class, found.class_sizes, found.virtual_rates
    )


def _measured(metrics: tuple[Metric, ...], population: Population) -> dict[str, Measurement]:
    return {metric.name: metric.measure(population) for metric in metrics}
