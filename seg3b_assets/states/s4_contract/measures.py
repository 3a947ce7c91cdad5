"""What the validation contract asks about: the realism registry's metrics, as rows of a contract.

Definitions, anchors and populations are the registry's, thresholds the policy's. What is added here is how
a bound on a metric makes sense: which operators, and between which values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seg3b_assets.policies import VirtualValidation
from seg3b_assets.realism.measurement import ALL_MERCHANTS, ROUTING_PROBE, Direction, Metric
from seg3b_assets.realism.registry import contracted

_P_VALUE: Final = "_p_value"
_OPERATORS: Final[dict[Direction, tuple[str, ...]]] = {
    "higher": (">=", "range"),
    "lower": ("<=", "range"),
    "band": ("range", ">=", "<="),
    "none": ("range", ">=", "<="),
}


@dataclass(frozen=True)
class Measure:
    """One metric of the contract.

    Attributes:
        family: the test_type of its rows.
        population: the rows the aggregate is over.
        fields: ``dataset.column`` anchors; each must exist.
        domain: values the metric can take; a bound outside it means nothing.
        operators: the ways a bound on it makes sense.
        description: one sentence for people, without quotes.
        join_keys: columns the datasets are joined on.
        artefacts: datasets it reads as bytes, which have no columns.
        lower_name, upper_name: published names of a bound below and above; "" where there is none.
        by_class: whether it can be measured in one virtual class; a merchant that is not virtual has none.
    """

    metric: str
    family: str
    population: str
    fields: tuple[str, ...]
    domain: tuple[float, float]
    operators: tuple[str, ...]
    description: str
    join_keys: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    lower_name: str = ""
    upper_name: str = ""
    by_class: bool = True


def columns(dataset: str, *names: str) -> tuple[str, ...]:
    """Anchors of one dataset's columns."""
    return tuple(f"{dataset}.{name}" for name in names)


def _measure(metric: Metric) -> Measure:
    return Measure(
        metric=metric.name,
        family=metric.family,
        population=metric.population,
        fields=metric.fields,
        domain=(0.0, metric.ceiling),
        operators=_OPERATORS[metric.direction],
        description=metric.definition,
        join_keys=metric.join_keys,
        artefacts=metric.artefacts,
        lower_name=metric.lower_name,
        upper_name=metric.upper_name,
        by_class=metric.by_class and metric.population != ALL_MERCHANTS,
    )


def measures(policy: VirtualValidation) -> tuple[Measure, ...]:
    """What the contract asks about: the metrics of the hard gates, and the tests on routed picks."""
    return tuple(_measure(metric) for metric in contracted(policy).values())


def is_probe(measure: Measure) -> bool:
    """Whether it is a test on routed picks; its bound is the policy's false-alarm rate, or 0 of an identity."""
    return measure.population == ROUTING_PROBE


def is_statistical(measure: Measure) -> bool:
    """Whether it is a p-value. Others on routed picks are of an identity, which a right router never breaks."""
    return measure.metric.endswith(_P_VALUE)
