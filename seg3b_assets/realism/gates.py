"""Metrics held against the two policies' bounds, and the verdict of one seed (gates, "Gates", "Verdicts").

Hard bounds come from ``virtual_validation``, stretch bounds from ``certification``; no bound is written
here. A metric over no merchants is NOT_APPLICABLE: its check fails nothing, and no verdict but FAIL_REALISM
can come of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from seg3b_assets.laws.snapping import SCALAR_UNITS, snap_scalar
from seg3b_assets.policies import Certification, VirtualValidation
from seg3b_assets.policies.gates import HardGate
from seg3b_assets.realism.measurement import NOT_APPLICABLE, Measurement
from seg3b_assets.realism.registry import METRICS, TOP1_SPREAD

PASS_BPLUS: Final = "PASS_BPLUS"
PASS_B: Final = "PASS_B"
FAIL_REALISM: Final = "FAIL_REALISM"

Threshold = float | bool | tuple[float, float]
Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Condition:
    """One metric against one bound.

    Attributes:
        observed: the measured value; a boolean for ``bool_true``; None when NOT_APPLICABLE.
        passed: None when NOT_APPLICABLE.
        miss_abs: how far outside the bound, in the metric's unit; 0 when it passes.
        miss_pct: the same in percent of the bound; None when the bound is 0.
        margin: how far inside, as a share of the bound, or of the room to 1 for a lower bound on a metric
            that cannot exceed 1; outside, how far as a share of the bound, negative; None for a yes/no
            condition.
    """

    metric: str
    operator: str
    threshold: Threshold
    observed: float | bool | None
    passed: bool | None
    miss_abs: float | None
    miss_pct: float | None
    margin: float | None

    def record(self) -> dict[str, Any]:
        """As a gate stands in the metrics document, without its state."""
        return {
            "metric": self.metric,
            "operator": self.operator,
            "threshold": list(self.threshold) if isinstance(self.threshold, tuple) else self.threshold,
            "observed": self.observed,
            "pass": self.passed,
            "miss_abs": self.miss_abs,
            "miss_pct": self.miss_pct,
            "margin": self.margin,
        }


@dataclass(frozen=True)
class GateResult:
    """One gate: every condition must hold.

    Attributes:
        gate_id: as in the policy.
        state, fault_domain: where to look first, as the policy says.
        conditions: at least one.
    """

    gate_id: str
    state: str
    fault_domain: str
    conditions: tuple[Condition, ...]

    @property
    def passed(self) -> bool | None:
        """None when a condition is NOT_APPLICABLE and none fails."""
        outcomes = [condition.passed for condition in self.conditions]
        if False in outcomes:
            return False
        return None if None in outcomes else True

    @property
    def decisive(self) -> Condition:
        """The condition that says most: the worst miss, else one not applicable, else the thinnest margin."""
        return min(self.conditions, key=_standing)

    @property
    def lane(self) -> str:
        """The stretch of the state to look in."""
        return METRICS[self.decisive.metric].lane

    @property
    def margin(self) -> float | None:
        """Of the decisive condition."""
        return self.decisive.margin

    def record(self) -> dict[str, Any]:
        """As in the metrics document; further conditions are listed where there are several."""
        record = {"state": self.state, **self.decisive.record(), "pass": self.passed}
        if len(self.conditions) > 1:
            record["conditions"] = [condition.record() for condition in self.conditions]
        return record


def _standing(condition: Condition) -> tuple[int, float]:
    if condition.passed is None:
        return (1, 0.0)
    if not condition.passed:
        return (0, -1e300 if condition.miss_pct is None else -condition.miss_pct)
    return (2, 1.0 if condition.margin is None else condition.margin)


def hold(metric: str, measurement: Measurement, operator: str, threshold: Threshold) -> Condition:
    """Hold a registered metric's value against a bound; both ends of a range are inside it."""
    known = METRICS[metric]
    return hold_value(metric, measurement, operator, threshold, known.grid, known.ceiling)


def hold_value(
    metric: str,
    measurement: Measurement,
    operator: str,
    threshold: Threshold,
    grid: int = SCALAR_UNITS,
    ceiling: float = math.inf,
) -> Condition:
    """``hold`` of a value whose grid and largest value the caller knows."""
    value = measurement.value
    if value is None:
        return Condition(metric, operator, threshold, None, None, None, None, None)
    if operator == "bool_true":
        true = value == 1.0
        return Condition(
            metric, operator, threshold, true, true, float(not true), 0.0 if true else 100.0, None
        )
    ends = _ends(operator, threshold)
    missed, bound = _miss(value, ends)
    return Condition(
        metric=metric,
        operator=operator,
        threshold=threshold,
        observed=value,
        passed=not missed,
        miss_abs=snap_scalar(missed, grid),
        miss_pct=snap_scalar(100.0 * missed / abs(bound)) if bound else None,
        margin=_margin(ceiling, operator, value, ends),
    )


def _miss(value: float, ends: Ends) -> tuple[float, float]:
    """How far outside, and of which bound."""
    low, high = ends
    if low is not None and value < low:
        return low - value, low
    if high is not None and value > high:
        return value - high, high
    return 0.0, 1.0


def _ends(operator: str, threshold: Threshold) -> Ends:
    if isinstance(threshold, tuple):
        return threshold
    return (float(threshold), None) if operator == ">=" else (None, float(threshold))


def _margin(ceiling: float, operator: str, value: float, ends: Ends) -> float:
    low, high = ends
    shares = []
    if low is not None:
        bounded = operator == ">=" and ceiling <= 1.0 and value >= low
        room = 1.0 - low if bounded else low
        shares.append((value - low) / abs(room) if room else 0.0)
    if high is not None:
        shares.append((high - value) / abs(high) if high else 0.0)
    return snap_scalar(min(shares))


def hard_gates(measured: Mapping[str, Measurement], policy: VirtualValidation) -> dict[str, GateResult]:
    """Every hard gate whose metric was measured, by id.

    Args:
        measured: of a seed, or of one virtual class; a metric that means nothing there is absent.
    """
    return {
        gate_id: _gate(
            gate_id, rule, (hold(rule.metric, measured[rule.metric], rule.operator, rule.threshold),)
        )
        for gate_id, rule in sorted(policy.hard_gates.items())
        if rule.metric in measured
    }


def stretch_gates(
    measured: Mapping[str, Measurement], policy: Certification, hard: VirtualValidation
) -> dict[str, GateResult]:
    """Every stretch gate, by id; state and fault domain are those of the hard gate it tightens."""
    results = {}
    for gate_id, rule in sorted(policy.stretch_gates.items()):
        conditions = [
            hold(name, measured.get(name, NOT_APPLICABLE), rule.operator, rule.threshold)
            for name in rule.metrics
        ]
        if "top1_share_p50" in rule.metrics:
            spread = measured.get(TOP1_SPREAD, NOT_APPLICABLE)
            conditions.append(hold(TOP1_SPREAD, spread, ">=", policy.min_top1_spread))
        results[gate_id] = _gate(gate_id, hard.hard_gates[rule.hard_gates[0]], tuple(conditions))
    return results


def _gate(gate_id: str, rule: HardGate, conditions: tuple[Condition, ...]) -> GateResult:
    return GateResult(gate_id, rule.state, rule.fault_domain, conditions)


def all_pass(gates: Mapping[str, GateResult]) -> bool:
    """Whether every gate passed; one that is NOT_APPLICABLE did not."""
    return all(gate.passed is True for gate in gates.values())


def seed_verdict(hard_pass: bool, stretch_pass: bool) -> str:
    """PASS_BPLUS (all hard and stretch), PASS_B (all hard), FAIL_REALISM."""
    if not hard_pass:
        return FAIL_REALISM
    return PASS_BPLUS if stretch_pass else PASS_B
