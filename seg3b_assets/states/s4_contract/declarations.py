"""The tests S4 declares and realism measures: a typed record per contract row (law section 6).

``declare_tests`` is the seam: the realism module evaluates exactly what it returns, and the published
contract is these records written down. Nothing is measured here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, sha256_json
from seg3b_assets.policies import VIRTUAL_CLASSES, VirtualValidation
from seg3b_assets.policies.validation import TrafficFamily
from seg3b_assets.states.s4_contract.measures import (
    ALL_MERCHANTS,
    EXACT_PROBES,
    MEASURES,
    STATISTICAL_PROBES,
    Measure,
    columns,
)

GLOBAL: Final = "GLOBAL"
VIRTUAL_CLASS: Final = "virtual_class"
MINIMUM_ROWS: Final = 12

_CLASS_OF_MERCHANT: Final = columns("edge_merchant_profile_3B", "merchant_id", "virtual_class")
_MERCHANT_KEY: Final = "merchant_id"


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

    def record(self) -> dict[str, Any]:
        """The thresholds column as an object."""
        if isinstance(self.threshold, tuple):
            bound = {"low": float(self.threshold[0]), "high": float(self.threshold[1])}
        else:
            bound = {"value": float(self.threshold)}
        stated = {
            "false_alarm_rate": self.false_alarm_rate,
            "power": self.power,
            "effect": self.effect,
        }
        return {
            "operator": self.operator,
            **bound,
            **{name: value for name, value in stated.items() if value is not None},
        }


@dataclass(frozen=True)
class DeclaredTest:
    """One row of ``virtual_validation_contract_3B``.

    Attributes:
        measure: what is measured, and on which anchors.
        scope: ``GLOBAL``, or the column the population is cut by.
        target_population: a population's name, or ``virtual_class=…``.
        severity: BLOCKING, WARNING or INFO.
        enabled: False keeps the row visible and unmeasured.
        gate_id: the hard gate the bound comes from; None for a probe test.
    """

    measure: Measure
    scope: str
    target_population: str
    bound: Bound
    severity: str
    enabled: bool
    gate_id: str | None

    @property
    def test_type(self) -> str:
        return self.measure.family

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
        """Anchors, with the class column where the population is a class."""
        extra = _CLASS_OF_MERCHANT if self.scope == VIRTUAL_CLASS else ()
        return (*self.measure.fields, *extra)

    @property
    def join_keys(self) -> tuple[str, ...]:
        keys = self.measure.join_keys
        if self.scope == VIRTUAL_CLASS and _MERCHANT_KEY not in keys:
            return (_MERCHANT_KEY, *keys)
        return keys

    @property
    def datasets(self) -> tuple[str, ...]:
        """Dataset ids read, ascending."""
        return tuple(sorted({field.split(".")[0] for field in self.fields} | set(self.measure.artefacts)))

    def row(self, manifest_fingerprint: str) -> dict[str, Any]:
        """The contract row; nested values as canonical JSON text."""
        inputs = {"datasets": self.datasets, "fields": self.fields, "join_keys": self.join_keys}
        return {
            "manifest_fingerprint": manifest_fingerprint,
            "test_id": self.test_id,
            "test_type": self.test_type,
            "metric": self.measure.metric,
            "scope": self.scope,
            "target_population": self.target_population,
            "inputs": canonical_json(inputs).decode(),
            "thresholds": canonical_json(self.bound.record()).decode(),
            "severity": self.severity,
            "enabled": self.enabled,
            "description": self.measure.description,
            "profile": self.gate_id,
        }


def declare_tests(policy: VirtualValidation) -> tuple[DeclaredTest, ...]:
    """Every row of the contract, ascending test_id.

    Args:
        policy: modes, gates, probe and families; the only source of thresholds.

    Raises:
        Seg3BError: ``TEST_THRESHOLD_INVALID`` (a bound that means nothing for its metric),
            ``VALIDATION_POLICY_INVALID`` (a metric without a gate; a contract too small, or a test twice).
    """
    bounds = dict(_bounds(policy))
    tests = [
        DeclaredTest(
            measure,
            scope,
            population,
            bounds[measure.metric][1],
            _severity(policy, measure.family),
            policy.families[measure.family].enabled,
            bounds[measure.metric][0],
        )
        for measure in (*MEASURES, *STATISTICAL_PROBES, *EXACT_PROBES)
        for scope, population in _slices(policy, measure)
    ]
    for test in tests:
        _check_bound(test)
    tests.sort(key=lambda test: test.test_id)
    _check_contract(tests)
    return tuple(tests)


def _slices(policy: VirtualValidation, measure: Measure) -> Iterator[tuple[str, str]]:
    yield GLOBAL, measure.population
    # A merchant that is not virtual has no class.
    if policy.families[measure.family].by_class and measure.population != ALL_MERCHANTS:
        yield from ((VIRTUAL_CLASS, f"{VIRTUAL_CLASS}={name}") for name in VIRTUAL_CLASSES)


def _severity(policy: VirtualValidation, family: str) -> str:
    settings = policy.families[family]
    if isinstance(settings, TrafficFamily):
        return settings.severity
    return "BLOCKING" if policy.realism_enforcement_mode == "enforce" else "WARNING"


def _bounds(policy: VirtualValidation) -> Iterator[tuple[str, tuple[str | None, Bound]]]:
    """Metric to the gate its bound comes from, and the bound."""
    gates = {rule.metric: (gate_id, rule) for gate_id, rule in policy.hard_gates.items()}
    probe = policy.probe
    for measure in MEASURES:
        if measure.metric not in gates:
            raise _policy_error("gate_of_metric", f"hard_gates:{measure.metric}", {"metric": measure.metric})
        gate_id, rule = gates[measure.metric]
        yield measure.metric, (gate_id, Bound(rule.operator, rule.threshold))
    for measure in STATISTICAL_PROBES:
        rate = probe.false_alarm_rate
        bound = Bound(">=", rate, rate, probe.minimum_power, probe.detectable_shift)
        yield measure.metric, (None, bound)
    for measure in EXACT_PROBES:
        yield measure.metric, (None, Bound("<=", 0.0, 0.0, 1.0, 1.0 / probe.picks_per_merchant))


def _check_bound(test: DeclaredTest) -> None:
    bound, measure = test.bound, test.measure
    values = bound.threshold if isinstance(bound.threshold, tuple) else (bound.threshold,)
    low, high = measure.domain
    inside = all(math.isfinite(value) and low <= value <= high for value in values)
    rising = all(a < b for a, b in pairwise(values))
    if bound.operator in measure.operators and inside and rising:
        return
    raise Seg3BError(
        "S4",
        "TEST_THRESHOLD_INVALID",
        "threshold_in_domain",
        f"virtual_validation.yaml:hard_gates.{test.gate_id}",
        "Give the gate an operator and a threshold that its metric can be held against.",
        {
            "metric": measure.metric,
            "operator": bound.operator,
            "threshold": list(values),
            "operators": list(measure.operators),
            "allowed": [low, None if math.isinf(high) else high],
        },
    )


def _check_contract(tests: list[DeclaredTest]) -> None:
    counts = Counter(test.test_id for test in tests)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated or len(tests) < MINIMUM_ROWS:
        raise _policy_error("contract_rows", "families", {"rows": len(tests), "repeated": repeated})


def _policy_error(validator: str, key: str, detail: dict[str, Any]) -> Seg3BError:
    return Seg3BError(
        "S4",
        "VALIDATION_POLICY_INVALID",
        validator,
        f"virtual_validation.yaml:{key}",
        "Give every metric of the contract one hard gate, and keep at least twelve distinct tests.",
        detail,
    )
