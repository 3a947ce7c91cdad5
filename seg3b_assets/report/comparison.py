"""This certification against a reference, metric by metric and gate by gate; and which policy keys differ.

Deltas are on means over each side's seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seg3b_assets.certification.documents import LEVELS, Condition
from seg3b_assets.certification.references import MetricValues, PolicyChange, Reference
from seg3b_assets.realism.measurement import Metric
from seg3b_assets.realism.registry import SEED_METRICS
from seg3b_assets.report.content import FAIL, PASS, Block, Cell, Grid, Section, verdict_cell
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.report.tables import gate_rows
from seg3b_assets.wording import change, gate_name, number, seeds_named, unit

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


def deltas(material: ReportMaterial, reference: Reference) -> list[Delta]:
    """Every metric of a seed, in registry order; none where the reference has no figures."""
    if not reference.metrics:
        return []
    return [_delta(metric, material, reference) for metric in SEED_METRICS]


def _delta(metric: Metric, material: ReportMaterial, reference: Reference) -> Delta:
    ours = _mean([value for value in material.values(metric.name).values() if value is not None])
    theirs = _mean(_known(reference.metrics, metric.name))
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


def gate_changes(material: ReportMaterial, reference: Reference) -> list[GateChange]:
    """Bounds whose answer differs: ours as measured on every seed, theirs on the mean under today's bounds."""
    if not reference.metrics:
        return []
    changes = []
    for row in gate_rows(material.metrics):
        ours, known = row.passed is True, _known(reference.metrics, row.first.metric)
        if known and (theirs := all(_holds(row.first, value) for value in known)) != ours:
            changes.append(GateChange(row.gate, LEVELS[row.level], row.first.metric, ours, theirs))
    return changes


def _holds(condition: Condition, value: float) -> bool:
    if isinstance(condition.threshold, tuple):
        return condition.threshold[0] <= value <= condition.threshold[1]
    if condition.operator == "bool_true":
        return value == 1.0
    return value >= condition.threshold if condition.operator == ">=" else value <= condition.threshold


SHOWN_CHANGES = 150
_SIGN = {BETTER: "▲ better", WORSE: "▼ worse", SAME: "≈ same", "": ""}


def comparison_section(material: ReportMaterial) -> Section:
    blocks: list[Block] = [
        "Means over seeds on both sides. Better and worse are told where a metric has a good direction; a "
        "change within 2 % is the same."
    ]
    for reference in material.references:
        blocks += _against(material, reference)
    return Section("deltas", "Against the baseline and the last good run", blocks)


def _against(material: ReportMaterial, reference: Reference) -> list[Block]:
    if not reference.metrics:
        return [f"{reference.title}: {reference.source}"]
    rows: list[Sequence[Cell | str]] = []
    for delta in deltas(material, reference):
        state = {BETTER: PASS, WORSE: FAIL}.get(delta.sense, "")
        rows.append(
            (
                Cell(delta.metric.name),
                number(delta.ours),
                number(delta.theirs),
                change(delta.change),
                unit(delta.metric.unit),
                Cell(_SIGN[delta.sense], state) if delta.sense else "",
            )
        )
    seeds = seeds_named(reference.metrics)
    grid = Grid(
        f"Against the {reference.title.lower()}",
        ("metric", "here", reference.title.lower(), "change", "unit", ""),
        rows,
        frozenset({1, 2, 3}),
        f"{reference.source} It is over {seeds}.",
    )
    changes = gate_changes(material, reference)
    if not changes:
        return [grid, f"Every bound gives the same answer here and there ({reference.title.lower()})."]
    lines: list[Sequence[Cell | str]] = [
        (Cell(gate_name(c.gate)), c.level, c.metric, verdict_cell(c.ours), verdict_cell(c.theirs))
        for c in changes
    ]
    header = ("gate", "level", "metric", "here", reference.title.lower())
    return [grid, Grid(f"Bounds whose answer differs from the {reference.title.lower()}", header, lines)]


def policy_section(material: ReportMaterial) -> Section:
    blocks: list[Block] = []
    for reference in material.references:
        title = reference.title.lower()
        if not reference.metrics:
            blocks.append(f"{reference.title}: {reference.source}")
        elif reference.policy_changes is None:
            blocks.append(f"{reference.title}: its policies are not at hand, so no key can be compared.")
        elif not reference.policy_changes:
            blocks.append(f"{reference.title}: every key of every policy has the same value.")
        else:
            blocks.append(_changes(reference.policy_changes, title))
    return Section("policies", "Policy differences by key", blocks or ["Nothing to compare with."])


def _changes(changes: Sequence[PolicyChange], title: str) -> Grid:
    rows: list[Sequence[Cell | str]] = [
        (
            Cell(f"{change.policy_id}.{change.key}", code=True),
            "absent" if change.ours is None else Cell(change.ours, code=True),
            "absent" if change.theirs is None else Cell(change.theirs, code=True),
        )
        for change in changes[:SHOWN_CHANGES]
    ]
    left = len(changes) - len(rows)
    note = f"{left} more differences are not listed." if left else ""
    return Grid(f"{len(changes)} keys differ from the {title}", ("key", "here", title), rows, note=note)
