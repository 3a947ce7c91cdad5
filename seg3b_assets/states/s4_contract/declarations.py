"""The tests S4 declares and realism measures: a typed record per contract row (law section 6).

``declare_tests`` is the seam: the realism module evaluates exactly what it returns, and the published
contract and its terms are these records written down. Nothing is measured here. Definitions, anchors and
populations are the realism registry's, thresholds the policy's; what is added is how a bound on a metric makes
sense: which operators, and between which values.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from seg3b_assets.contracts.artefact_registry import by_own_id, published_id
from seg3b_assets.contracts.published import column_anchor
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.policies import VIRTUAL_CLASSES, VirtualValidation
from seg3b_assets.policies.validation import TrafficFamily
from seg3b_assets.realism.measurement import (
    ALL_EDGES,
    ALL_MERCHANTS,
    GLOBAL,
    PER_CLASS,
    ROUTING_PROBE,
    Direction,
    Metric,
)
from seg3b_assets.realism.registry import contracted

MINIMUM_ROWS: Final = 12

# What of the merchants is measured, where it is not they themselves.
POPULATION_NOTES: Final = {
    ALL_EDGES: "every edge of these merchants",
    ROUTING_PROBE: "picks of the routing probe for these merchants",
}
# A lower bound of a count is rounded up: no count lies between.
WHOLE_BOUNDS: Final = frozenset({"active_rule_id_count_min"})
_CLASS_OF_MERCHANT: Final = (
    "edge_merchant_profile_3B.merchant_id",
    "edge_merchant_profile_3B.virtual_class",
)
_MERCHANT_KEY: Final = "merchant_id"
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


@dataclass(frozen=True)
class Bound:
    """How a measured value is held against the contract.

    Attributes:
        operator: ``>=``, ``<=`` or ``range`` (both ends inside).
        threshold: a number, or (low, high).
        false_alarm_rate, power, effect: of a probe test: how often it fails a right router, how surely it
            finds the stated misplaced share of picks.
    """

    operator: str
    threshold: float | tuple[float, float]
    false_alarm_rate: float | None = None
    power: float | None = None
    effect: float | None = None

    @property
    def low(self) -> float | None:
        """The bound below, under whatever operator."""
        return self._ends[0]

    @property
    def high(self) -> float | None:
        """The bound above."""
        return self._ends[1]

    @property
    def _ends(self) -> tuple[float | None, float | None]:
        if isinstance(self.threshold, tuple):
            return float(self.threshold[0]), float(self.threshold[1])
        value = float(self.threshold)
        return (value, None) if self.operator == ">=" else (None, value)

    def terms(self) -> dict[str, Any]:
        """The columns of a terms row that say how a value is held, and what a probe can tell."""
        ranged = isinstance(self.threshold, tuple)
        return {
            "operator": self.operator,
            "value": None if ranged else self.low if self.high is None else self.high,
            "low": self.low if ranged else None,
            "high": self.high if ranged else None,
            "false_alarm_rate": self.false_alarm_rate,
            "power": self.power,
            "effect": self.effect,
        }


@dataclass(frozen=True)
class DeclaredTest:
    """One row of ``virtual_validation_contract_3B`` and its terms.

    Attributes:
        measure: what is measured, and on which anchors.
        virtual_class: the class it is measured in; None for everybody.
        severity: BLOCKING, WARNING or INFO.
        enabled: False keeps the row visible and unmeasured.
        gate_id: the hard gate the bound comes from; None for a probe test.
    """

    measure: Measure
    virtual_class: str | None
    bound: Bound
    severity: str
    enabled: bool
    gate_id: str | None

    @property
    def test_type(self) -> str:
        return self.measure.family

    @property
    def scope(self) -> str:
        return GLOBAL if self.virtual_class is None else PER_CLASS

    @property
    def target_population(self) -> dict[str, Any]:
        """Whom the test is about: the members that are there, and no others."""
        of_class = {} if self.virtual_class is None else {"classes": [self.virtual_class]}
        notes = POPULATION_NOTES.get(self.measure.population)
        virtual = self.measure.population != ALL_MERCHANTS
        return {"virtual_only": virtual, **of_class, **({"notes": notes} if notes else {})}

    @property
    def test_id(self) -> str:
        """``{test_type}:{scope}:{12 hex}``, the hex of what the test is."""
        digest = sha256_json(
            {
                "metric": self.measure.metric,
                "scope": self.scope,
                "target_population": self.target_population,
                "test_type": self.test_type,
            }
        )
        return f"{self.test_type}:{self.scope}:{digest[:12]}"

    @property
    def fields(self) -> tuple[str, ...]:
        """``dataset.column`` of what is read, with the class column where the population is a class."""
        extra = _CLASS_OF_MERCHANT if self.virtual_class else ()
        return (*self.measure.fields, *extra)

    @property
    def join_keys(self) -> tuple[str, ...]:
        keys = self.measure.join_keys
        if self.virtual_class and _MERCHANT_KEY not in keys:
            return (_MERCHANT_KEY, *keys)
        return keys

    @property
    def datasets(self) -> tuple[str, ...]:
        """Dataset ids read, ascending."""
        return tuple(sorted({field.split(".")[0] for field in self.fields} | set(self.measure.artefacts)))

    def row(self, manifest_fingerprint: str) -> dict[str, Any]:
        """The contract row; what is absent of a struct is left out.

        Raises:
            ValueError: for a field that no published schema and no contract of ours has.
        """
        return {
            "manifest_fingerprint": manifest_fingerprint,
            "test_id": self.test_id,
            "test_type": self.test_type,
            "scope": self.scope,
            "target_population": self.target_population,
            "inputs": {
                "datasets": [
                    {"logical_id": published_id(dataset), "role": self._role(dataset)}
                    for dataset in self.datasets
                ],
                "fields": [{"schema_anchor": schema_anchor(field), "role": field} for field in self.fields],
                "join_keys": list(self.join_keys),
            },
            "thresholds": self._published_bounds(),
            "severity": self.severity,
            "enabled": self.enabled,
            "description": self.measure.description,
            "profile": None,
        }

    def terms(self, manifest_fingerprint: str) -> dict[str, Any]:
        """The row of ``virtual_validation_terms_3B``."""
        return {
            "manifest_fingerprint": manifest_fingerprint,
            "test_id": self.test_id,
            "metric": self.measure.metric,
            **self.bound.terms(),
            "gate_id": self.gate_id,
        }

    def _role(self, dataset: str) -> str:
        if dataset in self.measure.artefacts:
            return "bytes"
        measured = {field.split(".")[0] for field in self.measure.fields}
        return "measured" if dataset in measured else "population"

    def _published_bounds(self) -> dict[str, Any]:
        """The bounds that the layer has a name for; a count's is whole."""
        ends = ((self.measure.lower_name, self.bound.low), (self.measure.upper_name, self.bound.high))
        return {
            name: math.ceil(bound) if name in WHOLE_BOUNDS else bound
            for name, bound in ends
            if name and bound is not None
        }


def schema_anchor(field: str) -> str:
    """Where the shape of ``dataset.column`` is declared: in the published schema, or in a contract of ours.

    Raises:
        ValueError: when neither has the column.
    """
    dataset, _, column = field.partition(".")
    if dataset not in by_own_id():
        raise ValueError(f"{dataset} is no artefact of the registry")
    return column_anchor(by_own_id()[dataset].schema_ref, column)


def declare_tests(policy: VirtualValidation) -> tuple[DeclaredTest, ...]:
    """Every row of the contract, ascending test_id.

    Args:
        policy: modes, gates, probe and families; the only source of thresholds.

    Raises:
        Seg3BError: ``TEST_THRESHOLD_INVALID`` (a bound that means nothing for its metric),
            ``VALIDATION_POLICY_INVALID`` (a contract too small, or a test twice).
    """
    bounds = {measure.metric: _bound(policy, measure) for measure in measures(policy)}
    tests = [
        DeclaredTest(
            measure,
            virtual_class,
            bounds[measure.metric][1],
            _severity(policy, measure.family),
            policy.families[measure.family].enabled,
            bounds[measure.metric][0],
        )
        for measure in measures(policy)
        for virtual_class in _slices(policy, measure)
    ]
    for test in tests:
        _check_bound(test)
    tests.sort(key=lambda test: test.test_id)
    _check_contract(tests)
    return tuple(tests)


def _slices(policy: VirtualValidation, measure: Measure) -> Iterator[str | None]:
    yield None
    if policy.families[measure.family].by_class and measure.by_class:
        yield from VIRTUAL_CLASSES


def _severity(policy: VirtualValidation, family: str) -> str:
    settings = policy.families[family]
    if isinstance(settings, TrafficFamily):
        return settings.severity
    return "BLOCKING" if policy.realism_enforcement_mode == "enforce" else "WARNING"


def _bound(policy: VirtualValidation, measure: Measure) -> tuple[str | None, Bound]:
    """The gate a bound comes from, None for the probe's, and the bound."""
    probe = policy.probe
    if not is_probe(measure):
        [(gate_id, rule)] = [one for one in policy.hard_gates.items() if one[1].metric == measure.metric]
        return gate_id, Bound(rule.operator, rule.threshold)
    if is_statistical(measure):
        rate = probe.false_alarm_rate
        return None, Bound(">=", rate, rate, probe.minimum_power, probe.detectable_shift)
    return None, Bound("<=", 0.0, 0.0, 1.0, 1.0 / probe.picks_per_merchant)


def _check_bound(test: DeclaredTest) -> None:
    bound, measure = test.bound, test.measure
    values = bound.threshold if isinstance(bound.threshold, tuple) else (bound.threshold,)
    low, high = measure.domain
    inside = all(math.isfinite(value) and low <= value <= high for value in values)
    rising = all(a < b for a, b in pairwise(values))
    if bound.operator in measure.operators and inside and rising:
        return
    raise fail(
        "threshold_in_domain",
        f"virtual_validation.yaml:hard_gates.{test.gate_id}",
        "Give the gate an operator and a threshold that its metric can be held against.",
        metric=measure.metric,
        operator=bound.operator,
        threshold=list(values),
        operators=list(measure.operators),
        allowed=[low, None if math.isinf(high) else high],
    )


def _check_contract(tests: list[DeclaredTest]) -> None:
    counts = Counter(test.test_id for test in tests)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated or len(tests) < MINIMUM_ROWS:
        raise fail(
            "contract_rows",
            "virtual_validation.yaml:families",
            "Keep at least twelve distinct tests: enable more families, or slice them by class.",
            rows=len(tests),
            repeated=repeated,
        )
