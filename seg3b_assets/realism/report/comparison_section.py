"""Deltas against the baseline and the last good run, and which policy keys differ."""

from __future__ import annotations

from collections.abc import Sequence

from seg3b_assets.realism.report.comparison import BETTER, SAME, WORSE, deltas, gate_changes
from seg3b_assets.realism.report.content import FAIL, PASS, Block, Cell, Grid, Section, verdict_cell
from seg3b_assets.realism.report.material import PolicyChange, ReportMaterial, Yardstick
from seg3b_assets.realism.report.wording import gate_name, number, seeds_named, unit

SHOWN_CHANGES = 150
_SIGN = {BETTER: "▲ better", WORSE: "▼ worse", SAME: "≈ same", "": ""}


def comparison_section(material: ReportMaterial) -> Section:
    blocks: list[Block] = [
        "Means over seeds on both sides. Better and worse are told where a metric has a good direction; a "
        "change within 2 % is the same."
    ]
    for yardstick in material.yardsticks:
        blocks += _against(material, yardstick)
    return Section("deltas", "Against the baseline and the last good run", blocks)


def _against(material: ReportMaterial, yardstick: Yardstick) -> list[Block]:
    if not yardstick.metrics:
        return [f"{yardstick.title}: {yardstick.source}"]
    rows: list[Sequence[Cell | str]] = []
    for delta in deltas(material, yardstick):
        state = {BETTER: PASS, WORSE: FAIL}.get(delta.sense, "")
        rows.append(
            (
                Cell(delta.metric.name),
                number(delta.ours),
                number(delta.theirs),
                "n/a" if delta.change is None else ("+" if delta.change > 0 else "") + number(delta.change),
                unit(delta.metric.unit),
                Cell(_SIGN[delta.sense], state) if delta.sense else "",
            )
        )
    seeds = seeds_named(yardstick.metrics)
    grid = Grid(
        f"Against the {yardstick.title.lower()}",
        ("metric", "here", yardstick.title.lower(), "change", "unit", ""),
        rows,
        frozenset({1, 2, 3}),
        f"{yardstick.source} It is over {seeds}.",
    )
    changes = gate_changes(material, yardstick)
    if not changes:
        return [grid, f"Every bound gives the same answer here and there ({yardstick.title.lower()})."]
    lines: list[Sequence[Cell | str]] = [
        (Cell(gate_name(c.gate)), c.level, c.metric, verdict_cell(c.ours), verdict_cell(c.theirs))
        for c in changes
    ]
    header = ("gate", "level", "metric", "here", yardstick.title.lower())
    return [grid, Grid(f"Bounds whose answer differs from the {yardstick.title.lower()}", header, lines)]


def policy_section(material: ReportMaterial) -> Section:
    blocks: list[Block] = []
    for yardstick in material.yardsticks:
        title = yardstick.title.lower()
        if not yardstick.metrics:
            blocks.append(f"{yardstick.title}: {yardstick.source}")
        elif yardstick.policy_changes is None:
            blocks.append(f"{yardstick.title}: its policies are not at hand, so no key can be compared.")
        elif not yardstick.policy_changes:
            blocks.append(f"{yardstick.title}: every key of every policy has the same value.")
        else:
            blocks.append(_changes(yardstick.policy_changes, title))
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
