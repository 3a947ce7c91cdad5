"""The reference tier's measures held against the policy's bounds. No bound is written here.

A part that has no value says why and fails nothing; a gate of which no part has one is NOT_APPLICABLE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seg3b_assets.laws.snapping import SCALAR_UNITS, snap_scalar
from seg3b_assets.policies.reference_tier import ReferenceGate, ReferencePart
from seg3b_assets.realism.gates import Condition, hold_value
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.reference_tier.measure import Scoped
from seg3b_assets.realism.reference_tier.pooling import POOLED_METRICS
from seg3b_assets.realism.reference_tier.registry import REFERENCE_METRICS


@dataclass(frozen=True)
class PartResult:
    """One measure against one bound, in one scope.

    Attributes:
        part: letter of the part. scope: whom it is over.
        stated: the policy's threshold; the condition's is what it comes to over n.
        n: what the measure is over. reason: why there is no value, "" where there is one.
    """

    part: str
    scope: str
    stated: float | bool | tuple[float, float]
    n: int
    reason: str
    condition: Condition

    def record(self) -> dict[str, Any]:
        """As in the document of the tier."""
        held = self.condition.record()
        stated = list(self.stated) if isinstance(self.stated, tuple) else self.stated
        return {
            "part": self.part,
            "metric": held["metric"],
            "scope": self.scope,
            "operator": held["operator"],
            "stated": stated,
            "threshold": held["threshold"],
            "observed": held["observed"],
            "n": self.n,
            "pass": held["pass"],
            "miss_abs": held["miss_abs"],
            "miss_pct": held["miss_pct"],
            "margin": held["margin"],
            "reason": self.reason or None,
        }


@dataclass(frozen=True)
class ReferenceGateResult:
    """One gate of the tier: every part that has a value must hold.

    Attributes:
        rule: as the policy states it. parts: each part in each of its scopes, worst first.
    """

    gate_id: str
    rule: ReferenceGate
    parts: tuple[PartResult, ...]

    @property
    def passed(self) -> bool | None:
        """None where no part has a value."""
        outcomes = {part.condition.passed for part in self.parts} - {None}
        return None if not outcomes else False not in outcomes

    @property
    def decisive(self) -> PartResult:
        """The part that says most: the worst miss, else the thinnest margin, else one without a value."""
        return self.parts[0]

    @property
    def lane(self) -> str:
        """The stretch of the state to look in."""
        metric = self.decisive.condition.metric
        known = REFERENCE_METRICS.get(metric) or POOLED_METRICS[metric]
        return known.lane

    def record(self) -> dict[str, Any]:
        """As in the document of the tier."""
        return {
            "state": self.rule.state,
            "lane": self.lane,
            "fault_domain": self.rule.fault_domain,
            "source": self.rule.source,
            "strength": self.rule.strength,
            "pass": self.passed,
            "parts": [part.record() for part in self.parts],
        }


def reference_gates(
    measured: Mapping[str, Scoped], gates: Mapping[str, ReferenceGate]
) -> dict[str, ReferenceGateResult]:
    """Every gate of which a part was measured, by id.

    Args:
        measured: by name and scope: a seed's, or what several seeds come to together. Parts whose measure is not
            among them are left out, so that each is judged once.
    """
    found = {}
    for gate_id, rule in sorted(gates.items()):
        parts = [
            _held(letter, part, scope, value)
            for letter, part in sorted(rule.parts.items())
            for scope, value in measured.get(part.metric, {}).items()
        ]
        if parts:
            found[gate_id] = ReferenceGateResult(gate_id, rule, tuple(sorted(parts, key=_standing)))
    return found


def all_hold(gates: Sequence[ReferenceGateResult]) -> bool:
    """Whether no gate fails and one at least has a value."""
    outcomes = [gate.passed for gate in gates]
    return False not in outcomes and True in outcomes


def _held(letter: str, part: ReferencePart, scope: str, measured: Measurement) -> PartResult:
    value = None if measured.value is None else snap_scalar(measured.value)
    condition = hold_value(
        part.metric, Measurement(value, measured.n), part.operator, _bound(part, measured.n)
    )
    if not _has_size(part.threshold):
        condition = replace(condition, miss_pct=None, margin=None)
    reason = "" if value is not None else str(measured.detail.get("reason", "nothing to measure"))
    return PartResult(letter, scope, part.threshold, measured.n, reason, condition)


def _has_size(threshold: float | bool | tuple[float, float]) -> bool:
    """Whether there is a share of the bound to speak of: not of 0, nor of the step of the grid."""
    ends = threshold if isinstance(threshold, tuple) else (threshold,)
    return all(abs(end) > 1.0 / SCALAR_UNITS for end in ends)


def _bound(part: ReferencePart, n: int) -> float | bool | tuple[float, float]:
    """What the policy's bound comes to over n: wider by what chance does to a count with that share."""
    if not part.sampling_sd or isinstance(part.threshold, (bool, tuple)) or not n:
        return part.threshold
    share = part.threshold
    allowance: float = part.sampling_sd * (share / n) ** 0.5 + 1.0 / n
    return snap_scalar(share + allowance if part.operator == "<=" else share - allowance)


def _standing(part: PartResult) -> tuple[int, float, str, str]:
    condition = part.condition
    if condition.passed is None:
        return (2, 0.0, part.part, part.scope)
    if not condition.passed:
        return (0, -1e300 if condition.miss_pct is None else -condition.miss_pct, part.part, part.scope)
    return (1, 1.0 if condition.margin is None else condition.margin, part.part, part.scope)
