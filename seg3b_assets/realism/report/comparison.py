"""This certification against a yardstick, metric by metric and gate by gate, on means over each side's seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seg3b_assets.realism.measurement import Metric
from seg3b_assets.realism.registry import SEED_METRICS
from seg3b_assets.realism.report.gate_lines import LEVELS, conditions
from seg3b_assets.realism.report.material import MetricValues, ReportMaterial, Yardstick

BETTER, WORSE, SAME, NEITHER = "better", "worse", "same", ""
# A change within this share of the other side's value is called the same: seeds differ by more.
ALIKE: Final = 0.02


@dataclass(frozen=True)
class Delta:
    """One metric here and there.

    Attributes:
        ours, theirs: means over the seeds that have a value; None where none has.
        change: ours less theirs.
        sense: better, worse, same (within ``ALIKE``), or "" where neither direction is good by itself.
    """

    metric: Metric
    ours: float | None
    theirs: float | None
    change: float | None
    sense: str


def deltas(material: ReportMaterial, yardstick: Yardstick) -> list[Delta]:
    """Every metric of a seed, in registry order; none where the yardstick has no figures."""
    if not yardstick.metrics:
        return []
    return [_delta(metric, material, yardstick) for metric in SEED_METRICS]


def _delta(metric: Metric, material: ReportMaterial, yardstick: Yardstick) -> Delta:
    ours = _mean([value for value in material.values(metric.name).values() if value is not None])
    theirs = _mean(_known(yardstick.metrics, metric.name))
    if ours is None or theirs is None:
        return Delta(metric, ours, theirs, None, NEITHER)
    change = ours - theirs
    return Delta(metric, ours, theirs, change, _sense(metric, change, theirs))


def _sense(metric: Metric, change: float, theirs: float) -> str:
    if abs(change) <= ALIKE * abs(theirs):
        return SAME
    if metric.direction in ("higher", "true"):
        return BETTER if change > 0 else WORSE
    if metric.direction == "lower":
        return BETTER if change < 0 else WORSE
    return NEITHER


def _known(metrics: Mapping[int, MetricValues], name: str) -> list[float]:
    values = (seed.get(name) for seed in metrics.values())
    return [float(value) for value in values if value is not None]


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


@dataclass(frozen=True)
class GateChange:
    """A bound that holds on one side and not on the other, on the mean over seeds.

    Attributes:
        ours, theirs: whether the mean holds.
    """

    gate: str
    level: str
    metric: str
    ours: bool
    theirs: bool


def gate_changes(material: ReportMaterial, yardstick: Yardstick) -> list[GateChange]:
    """Bounds whose answer differs: ours as measured on every seed, theirs on the mean under today's bounds."""
    if not yardstick.metrics:
        return []
    changes = []
    first = next(iter(material.metrics.values()))
    for level, name in LEVELS.items():
        for gate in sorted(first[level]):
            for position, condition in enumerate(conditions(first[level][gate])):
                ours = all(
                    conditions(d[level][gate])[position]["pass"] is True for d in material.metrics.values()
                )
                known = _known(yardstick.metrics, condition["metric"])
                if known and (theirs := all(_holds(condition, value) for value in known)) != ours:
                    changes.append(GateChange(gate, name, condition["metric"], ours, theirs))
    return changes


def _holds(condition: Mapping[str, object], value: float) -> bool:
    threshold = condition["threshold"]
    if condition["operator"] == "bool_true":
        return value == 1.0
    if isinstance(threshold, list):
        return bool(threshold[0] <= value <= threshold[1])
    bound = float(threshold)  # type: ignore[arg-type]
    return value >= bound if condition["operator"] == ">=" else value <= bound
