"""The gate matrix: every gate against every seed, with margins; what failed, worst first; the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seg3b_assets.realism.registry import METRICS
from seg3b_assets.realism.report.content import FAIL, NOTHING, PASS, Block, Cell, Grid, Section, verdict_cell
from seg3b_assets.realism.report.gate_lines import LEVELS, conditions, standing
from seg3b_assets.realism.report.material import Record, ReportMaterial
from seg3b_assets.realism.report.wording import bound, gate_name, listing, number, percent, unit

SHOWN_FAILURES = 40


@dataclass(frozen=True)
class GateRow:
    """One condition of one gate over all seeds.

    Attributes:
        level: B or B+.
        seeds: the condition's record by seed.
    """

    gate: str
    level: str
    seeds: dict[int, Record]

    @property
    def first(self) -> Record:
        return next(iter(self.seeds.values()))

    @property
    def metric(self) -> str:
        return str(self.first["metric"])

    @property
    def thinnest(self) -> tuple[int, float] | None:
        """Seed and margin of the seed nearest its bound, or farthest outside."""
        margins = {seed: found for seed, row in self.seeds.items() if (found := standing(row)) is not None}
        if not margins:
            return None
        seed = min(margins, key=lambda one: margins[one])
        return seed, margins[seed]

    @property
    def passed(self) -> bool | None:
        outcomes = [row["pass"] for row in self.seeds.values()]
        return False if False in outcomes else None if None in outcomes else True


def gate_rows(material: ReportMaterial) -> list[GateRow]:
    """Every condition, hard gates first, V before D."""
    documents = material.metrics
    rows = []
    for level, name in LEVELS.items():
        first = next(iter(documents.values()))[level]
        for gate in sorted(first, key=lambda one: (one.startswith("3B-D"), one)):
            found = {seed: conditions(document[level][gate]) for seed, document in documents.items()}
            rows += [
                GateRow(gate, name, {seed: each[position] for seed, each in found.items()})
                for position in range(len(next(iter(found.values()))))
            ]
    return rows


def gate_section(material: ReportMaterial) -> Section:
    rows = gate_rows(material)
    failing = sum(row.passed is not True for row in rows)
    told = (
        f"All {len(rows)} bounds hold on every seed."
        if not failing
        else f"{failing} of {len(rows)} bounds do not hold on every seed."
    )
    blocks: list[Block] = [
        f"{told} B gates are hard: one that fails, fails the segment. B+ gates are the stretch a good "
        "posture "
        "reaches. "
        "A margin is the distance to the bound as a share of the bound, or of the room to 1 where a metric "
        "cannot exceed 1; a miss is told as a share of the bound."
    ]
    blocks += [
        _matrix(material, [row for row in rows if row.level == name], name) for name in LEVELS.values()
    ]
    failures = _failures(material)
    if failures is not None:
        blocks.append(failures)
    classes = _classes(material)
    if classes.rows:
        blocks.append(classes)
    return Section("gates", "Gate matrix", blocks)


def _matrix(material: ReportMaterial, rows: Sequence[GateRow], level: str) -> Grid:
    key = "hard_pass" if level == "B" else "stretch_pass"
    seeds = [f"seed {seed}" for seed in material.seeds]
    lines: list[Sequence[Cell | str]] = [_line(row) for row in rows]
    outcomes = [verdict_cell(bool(document[key])) for document in material.metrics.values()]
    lines.append([Cell(f"all {level}"), "every gate of this level", "", *outcomes, ""])
    kind = "hard" if level == "B" else "stretch"
    return Grid(
        f"{level} gates ({kind}) by seed",
        ("gate", "metric", "bound", *seeds, "thinnest margin"),
        lines,
        frozenset(range(2, 4 + len(seeds))),
        "A cell: the measured value, and its margin as a bar; a full bar is 100 % or more.",
    )


def _line(row: GateRow) -> list[Cell | str]:
    thinnest = row.thinnest
    last = "" if thinnest is None else percent(thinnest[1], signed=True)
    shown = unit(METRICS[row.metric].unit)
    limit = bound(row.first) + (f" {shown}" if shown and row.first["operator"] != "bool_true" else "")
    return [Cell(gate_name(row.gate)), row.metric, limit, *(_cell(one) for one in row.seeds.values()), last]


def _cell(condition: Record) -> Cell:
    if condition["pass"] is None:
        return Cell("n/a", NOTHING)
    return Cell(number(condition["observed"]), PASS if condition["pass"] else FAIL, standing(condition))


def _failures(material: ReportMaterial) -> Grid | None:
    failures = material.summary["ranked_failures"]
    if not failures:
        return None
    rows: list[Sequence[Cell | str]] = [
        (
            Cell(gate_name(failure["gate"])),
            "hard" if failure["level"] == "hard" else "stretch",
            "all" if failure["seed"] is None else str(failure["seed"]),
            ("CV over seeds of " if "statistic" in failure else "") + failure["metric"],
            number(failure["observed"]),
            bound(failure),
            Cell("nothing to measure", NOTHING)
            if failure["miss_pct"] is None and failure["miss_abs"] is None
            else Cell(
                number(failure["miss_abs"])
                if failure["miss_pct"] is None
                else f"{failure['miss_pct']:,.1f} %",
                FAIL,
            ),
            f"{failure['state']}, {failure['lane']} ({failure['fault_domain']})",
        )
        for failure in failures[:SHOWN_FAILURES]
    ]
    left = len(failures) - len(rows)
    return Grid(
        "What failed, hard gates first, then by miss",
        ("gate", "level", "seed", "metric", "measured", "bound", "miss", "look first"),
        rows,
        frozenset({4, 5, 6}),
        f"{left} more are in the failure trace." if left > 0 else "",
    )


def _classes(material: ReportMaterial) -> Grid:
    layer = material.summary["confidence"]["class_slices"]
    found = {seed: layer["seeds"][str(seed)] for seed in material.seeds}
    names = sorted({name for seed in found.values() for name in seed["merchants"]})
    rows = [[Cell(name), *(_class_cell(seed, name) for seed in found.values())] for name in names]
    return Grid(
        "B gates within each virtual class",
        ("class", *(f"seed {seed}" for seed in found)),
        rows,
        frozenset(range(1, 1 + len(found))),
        f"In brackets: merchants of the class. It is judged by itself from {layer['min_class_size']} on.",
    )


def _class_cell(seed: Record, name: str) -> Cell:
    if name not in seed["merchants"]:
        return Cell("none", NOTHING)
    size = number(int(seed["merchants"][name]))
    if name not in seed["judged"]:
        return Cell(f"not judged ({size})", NOTHING)
    failed = [gate_name(gate) for gate in seed["failed"].get(name, ())]
    return (
        Cell(f"{listing(failed)} fail{'s' if len(failed) == 1 else ''} ({size})", FAIL)
        if failed
        else Cell(f"pass ({size})", PASS)
    )
