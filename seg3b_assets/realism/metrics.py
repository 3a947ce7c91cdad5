"""Every metric of one seed, over all its virtual merchants and within each virtual class.

The registry says what a metric is; this measures them, adds the rates by merchant attribute, and asks the
contract's standing last, because that compares the published results with what was measured here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from seg3b_assets.policies import VirtualValidation
from seg3b_assets.realism.contract_standing import realism_block
from seg3b_assets.realism.gated_metrics import REALISM_BLOCK
from seg3b_assets.realism.measurement import Measurement, Metric
from seg3b_assets.realism.merchant_metrics import virtual_rates_by
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.population import Population, population_of, published_tables
from seg3b_assets.realism.registry import SEED_METRICS

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
