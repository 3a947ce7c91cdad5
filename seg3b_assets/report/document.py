"""The report for machines: contract ``certification_report_3B``, and tables as CSV for a spreadsheet.

Numbers as measured, not as written for people: raw values where a cell of a table has one, its margin in a column
beside it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any, Final

from seg3b_assets.certification.documents import LEVELS
from seg3b_assets.certification.references import Reference
from seg3b_assets.report.comparison import deltas, gate_changes
from seg3b_assets.report.content import Cell, Grid, Section
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.report.summary_section import actions, findings
from seg3b_assets.report.tables import GateRow, gate_rows

VERSION: Final = 1


def report_document(material: ReportMaterial, told: Sequence[Section]) -> dict[str, Any]:
    """The JSON document; ``told`` are the sections of the same material."""
    return {
        "segment": "3B",
        "version": VERSION,
        "certification_id": material.certification_id,
        "verdict": material.verdict,
        "grade_a": material.grade_a,
        "seeds": {str(seed): document.verdict for seed, document in material.metrics.items()},
        "findings": list(findings(material)),
        "actions": list(actions(material)),
        "gates": [_gate(row) for row in gate_rows(material.metrics)],
        "comparisons": [_comparison(material, reference) for reference in material.references],
        "runtimes": _runtimes(material),
        "plots": [
            {"name": plot.name, "section": section.name, "title": plot.title, "caption": plot.caption}
            for section in told
            for plot in section.plots
        ],
        "digests": dict(material.digests),
    }


def _gate(row: GateRow) -> dict[str, Any]:
    thinnest = row.thinnest
    return {
        "gate": row.gate,
        "level": LEVELS[row.level],
        "metric": row.first.metric,
        "operator": row.first.operator,
        "threshold": row.first.threshold,
        "pass": row.passed,
        "thinnest_margin": None if thinnest is None else thinnest[1],
        "seeds": {
            str(seed): {"observed": one.observed, "pass": one.passed, "margin": one.margin}
            for seed, one in row.seeds.items()
        },
    }


def _comparison(material: ReportMaterial, reference: Reference) -> dict[str, Any]:
    changes = reference.policy_changes
    return {
        "name": reference.name,
        "source": reference.source,
        "seeds": {str(seed): reference.verdicts.get(seed) for seed in reference.metrics},
        "metrics": [
            {
                "metric": delta.metric.name,
                "unit": delta.metric.unit,
                "here": delta.ours,
                "there": delta.theirs,
                "change": delta.change,
                "sense": delta.sense or None,
            }
            for delta in deltas(material, reference)
        ],
        "gates_changed": [
            {"gate": c.gate, "level": c.level, "metric": c.metric, "here": c.ours, "there": c.theirs}
            for c in gate_changes(material, reference)
        ],
        "policies": None
        if changes is None
        else [{"policy": c.policy_id, "key": c.key, "here": c.ours, "there": c.theirs} for c in changes],
    }


def _runtimes(material: ReportMaterial) -> dict[str, Any]:
    lane = material.lanes.certification
    walls = [material.costs[seed].wall_s if seed in material.costs else None for seed in material.seeds]
    known = [wall for wall in walls if wall is not None]
    return {
        "budget_s": 60 * lane.budget_minutes,
        "computing_s": sum(known) if len(known) == len(walls) else None,
        "scoring_s": material.scoring_s,
        "seeds": {
            str(seed): {
                "states": {
                    state: {
                        "wall_s": found.wall_s,
                        "peak_rss_mb": found.peak_rss_mb,
                        "lanes": dict(found.lanes),
                    }
                    for state, found in cost.states.items()
                }
            }
            for seed, cost in material.costs.items()
        },
    }


def grids_csv(grids: Iterable[Grid]) -> str:
    """Tables of one kind below each other, under one header; LF-terminated. A margin is a share of the bound."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header: list[str] = []
    for grid in grids:
        judged = {
            at for row in grid.rows for at, cell in enumerate(row) if isinstance(cell, Cell) and cell.margin
        }
        own = [name for at, name in enumerate(grid.header) for name in _columns(name, at in judged)]
        if own != header:
            writer.writerow(own)
            header = own
        for row in grid.rows:
            writer.writerow([value for at, cell in enumerate(row) for value in _values(cell, at in judged)])
    return out.getvalue()


def _columns(name: str, judged: bool) -> list[str]:
    return [name, f"{name} margin"] if judged else [name]


def _values(cell: Cell | str, judged: bool) -> list[object]:
    given = Cell(cell) if isinstance(cell, str) else cell
    value = given.text if given.value is None else given.value
    return [value, given.margin] if judged else [value]
