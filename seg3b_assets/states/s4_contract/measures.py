"""What the validation contract asks about: the realism registry's metrics, as rows of a contract.

Definitions, anchors and populations are the registry's, thresholds the policy's. What is added here is how
a bound on a metric makes sense: which operators, and between which values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seg3b_assets.realism.measurement import ROUTING_PROBE, Direction, Metric
from seg3b_assets.realism.registry import METRICS, REALISM_FAMILIES

__all__ = [
    "EXACT_PROBES",
    "MEASURES",
    "REALISM_FAMILIES",
    "STATISTICAL_PROBES",
    "Measure",
    "columns",
]

_P_VALUE: Final = "_p_value"
_OPERATORS: Final[dict[Direction, tuple[str, ...]]] = {
    "higher": (">=", "range"),
    "lower": ("<=", "range"),
    "band": ("range", ">=", "<="),
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
    )


def _contracted() -> list[Metric]:
    """Metrics that have rows: of a family, and measurable."""
    return [metric for metric in METRICS.values() if metric.family and metric.compute is not None]


def _is_probe(metric: Metric) -> bool:
    return metric.population == ROUTING_PROBE


MEASURES: Final = tuple(_measure(metric) for metric in _contracted() if not _is_probe(metric))
# Tests on routed picks. A p-value is held against the policy's false-alarm rate.
STATISTICAL_PROBES: Final = tuple(
    _measure(metric) for metric in _contracted() if _is_probe(metric) and metric.name.endswith(_P_VALUE)
)
# Tests of an identity on routed picks: a right router never fails one, so the bound is 0 and not a knob.
EXACT_PROBES: Final = tuple(
    _measure(metric) for metric in _contracted() if _is_probe(metric) and not metric.name.endswith(_P_VALUE)
)
