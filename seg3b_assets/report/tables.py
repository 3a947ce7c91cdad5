"""The tables that tell a verdict, each built once, from typed documents: what every renderer shows.

A cell carries its raw value beside its words, so that whoever needs numbers has them. How a number, a bound and a
margin are written is ``wording``'s; how a table looks, a renderer's (``page``, ``markdown``, ``terminal``, CSV).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from seg3b_assets.certification.documents import (
    LEVELS,
    Condition,
    Confidence,
    Failure,
    SeedClasses,
    SeedDocument,
    SeedUplift,
    Summary,
)
from seg3b_assets.policies.certification import Lane, Lanes
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.report.content import FAIL, NOTHING, PASS, Cell, Grid, verdict_cell
from seg3b_assets.report.material import SeedCost
from seg3b_assets.wording import (
    NONE,
    bound,
    gate_name,
    listing,
    margin,
    number,
    percent,
    seconds,
    seeds_named,
    unit,
)

Documents: TypeAlias = Mapping[int, SeedDocument]
Rows: TypeAlias = list[Sequence[Cell | str]]

SHOWN_FAILURES = 40


@dataclass(frozen=True)
class GateRow:
    """One condition of one gate over all seeds.

    Attributes:
        level: hard or stretch.
        seeds: the condition by seed.
    """

    gate: str
    level: str
    seeds: Mapping[int, Condition]

    @property
    def first(self) -> Condition:
        return next(iter(self.seeds.values()))

    @property
    def thinnest(self) -> tuple[int, float] | None:
        """Seed and margin of the seed nearest its bound, or farthest outside."""
        margins = {seed: one.margin for seed, one in self.seeds.items() if one.margin is not None}
        return min(margins.items(), key=lambda item: item[1], default=None)

    @property
    def passed(self) -> bool | None:
        outcomes = [one.passed for one in self.seeds.values()]
        return False if False in outcomes else None if None in outcomes else True


def gate_rows(documents: Documents) -> list[GateRow]:
    """Every condition, hard gates first, V before D."""
    rows = []
    for level in LEVELS:
        first = next(iter(documents.values())).gates(level)
        for gate in sorted(first, key=lambda one: (one.startswith("3B-D"), one)):
            parts = {seed: document.gates(level)[gate].parts for seed, document in documents.items()}
            rows += [
                GateRow(gate, level, dict(zip(parts, each, strict=True)))
                for each in zip(*parts.values(), strict=True)
            ]
    return rows


def plain_grid(header: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> Grid:
    """A table of values as they are: numbers at the right, as ``wording`` has them; ids are names."""
    values = [list(row) for row in rows]
    numeric = frozenset(
        at
        for at in range(len(header))
        if values
        and all(isinstance(row[at], int | float) and not isinstance(row[at], bool) for row in values)
    )
    told = [[_told(value, name) for value, name in zip(row, header, strict=True)] for row in values]
    return Grid(caption, header, told, numeric)


def _told(value: Any, name: str) -> str:
    is_number = value is None or isinstance(value, int | float)
    return number(value) if is_number and not name.endswith("_id") else str(value)


def seeds_table(documents: Documents) -> Grid:
    """What each seed came to, what it rests on, and why it has no bundle where it has none."""
    rows: Rows = [
        (
            Cell(f"seed {seed}"),
            Cell(one.verdict, PASS if one.passed else FAIL),
            verdict_cell(one.hard_pass),
            verdict_cell(one.stretch_pass),
            Cell(one.provenance.lineage_id[:12], code=True),
            one.provenance.blocked or "sealed",
        )
        for seed, one in documents.items()
    ]
    header = ("seed", "verdict", "B gates", "B+ gates", "lineage", "bundle")
    return Grid("Verdict by seed", header, rows)


def matrix_table(documents: Documents, level: str) -> Grid:
    """The gates of a level against every seed: the value and its margin; the thinnest margin last."""
    seeds = [f"seed {seed}" for seed in documents]
    rows: Rows = [_matrix_row(row) for row in gate_rows(documents) if row.level == level]
    outcomes = [verdict_cell(one.all_pass(level)) for one in documents.values()]
    rows.append([Cell("all"), f"every {LEVELS[level]} gate", "", "", *outcomes, ""])
    return Grid(
        f"{LEVELS[level]} gates ({level}) by seed",
        ("gate", "metric", "unit", "bound", *seeds, "thinnest margin"),
        rows,
        frozenset(range(3, 5 + len(seeds))),
        "A cell: the measured value and its margin.",
        spare=frozenset({2, 4 + len(seeds)}),
    )


def _matrix_row(row: GateRow) -> list[Cell | str]:
    thinnest = row.thinnest
    return [
        Cell(gate_name(row.gate)),
        row.first.metric,
        unit(METRICS[row.first.metric].unit),
        bound(row.first),
        *(_measured(one) for one in row.seeds.values()),
        "" if thinnest is None else margin(thinnest[1]),
    ]


def _measured(condition: Condition) -> Cell:
    if condition.passed is None:
        return Cell(NONE, NOTHING)
    state = PASS if condition.passed else FAIL
    return Cell(number(condition.observed), state, condition.margin, value=condition.observed)


def cross_seed_table(summary: Summary, documents: Documents) -> Grid:
    """The gates over seeds: X01 a row per metric, X02 and X03 a row per seed."""
    checks = summary.cross_seed_checks
    stable, band = checks.stability, checks.prevalence.band
    rows: Rows = []
    for metric, cv in stable.metric_cvs.items():
        limits = f"≤ {number(stable.max_cv_b)} (B), ≤ {number(stable.max_cv_bplus)} (B+)"
        values = " · ".join(number(one.value(metric)) for one in documents.values())
        rows.append(
            (Cell("X01"), f"CV over seeds of {metric}", values, limits, _variation(cv, stable.max_cv_bplus))
        )
    limits = f"{percent(band[0])} to {percent(band[1])}"
    for seed in documents:
        rate = checks.prevalence.virtual_rate_values.get(seed)
        rows.append((Cell("X02"), f"virtual_rate, seed {seed}", "", limits, _prevalence(rate, band)))
    for seed in documents:
        sound = verdict_cell(checks.soundness.all_hard_gates_pass.get(seed))
        rows.append((Cell("X03"), f"every hard gate, seed {seed}", "", "all hold", sound))
    header = ("gate", "what", "by seed", "bound", "measured")
    return Grid("Gates over seeds", header, rows, frozenset({3, 4}), spare=frozenset({2}))


def _variation(cv: float | None, most: float) -> Cell:
    if cv is None:
        return Cell(NONE, NOTHING)
    return Cell(number(cv), PASS if cv <= most else FAIL, (most - cv) / most if most else 0.0, value=cv)


def _prevalence(rate: float | None, band: tuple[float, float]) -> Cell:
    if rate is None:
        return Cell(NONE, NOTHING)
    low, high = band
    inside = min((rate - low) / low if low else 1.0, (high - rate) / high)
    return Cell(percent(rate, 2), PASS if low <= rate <= high else FAIL, inside, value=rate)


def confidence_table(layers: Confidence) -> Grid:
    """Every layer of confidence: what must hold, what was found where it is thinnest, whether it holds."""
    uplift = layers.coupling_uplift
    rows: Rows = [
        (
            Cell("bootstrap"),
            f"overlap median's lower end exceeds {percent(layers.bootstrap_overlap.must_exceed)} on every seed",
            _bootstrap(layers),
            verdict_cell(layers.bootstrap_overlap.passed),
        ),
        (
            Cell("seeds alike"),
            "no two seeds' heaviest shares differ (Kolmogorov–Smirnov, Holm)",
            _alike(layers),
            verdict_cell(layers.ks_top1_share.passed),
        ),
        (
            Cell("coupling"),
            f"with coupling, overlap at least ×{number(uplift.overlap_ratio)} and distance at least "
            f"{percent(uplift.distance_reduction)} lower than without",
            _uplift(layers),
            verdict_cell(uplift.passed),
        ),
        (
            Cell("classes"),
            "every B gate within every class large enough",
            _classes(layers),
            verdict_cell(layers.class_slices.passed),
        ),
        (
            Cell("contract"),
            f"{number(layers.contract_rows.minimum)} contract rows or more on every seed",
            f"{number(min(one.rows for one in layers.contract_rows.seeds.values()))} or more",
            verdict_cell(layers.contract_rows.passed),
        ),
    ]
    return Grid("Layers of confidence", ("layer", "what must hold", "found", "holds"), rows)


def _bootstrap(layers: Confidence) -> str:
    lower = {s: one.lower for s, one in layers.bootstrap_overlap.seeds.items() if one.lower is not None}
    if not lower:
        return "no merchant to resample"
    seed = min(lower, key=lambda one: lower[one])
    return (
        f"{percent(lower[seed], 1)} on seed {seed}, of the {percent(layers.bootstrap_overlap.level)} interval"
    )


def _alike(layers: Confidence) -> str:
    pairs = layers.ks_top1_share.pairs
    if not pairs:
        return "needs two seeds"
    pair = min(pairs, key=lambda one: one.p_holm)
    least = number(layers.ks_top1_share.p)
    return f"smallest adjusted p {number(pair.p_holm)} ({seeds_named(pair.seeds)}), at least {least}"


def _uplift(layers: Confidence) -> str:
    seeds = layers.coupling_uplift.seeds.values()
    if not seeds or not all(one.shown for one in seeds):
        return "not shown on every seed"
    ratios = [one.overlap_ratio for one in seeds if one.overlap_ratio is not None]
    overlap = f"×{number(min(ratios))}" if ratios else "from nothing"
    nearer = min(one.distance_reduction for one in seeds if one.distance_reduction is not None)
    return f"overlap {overlap}, distance {percent(nearer)} lower"


def _classes(layers: Confidence) -> str:
    failed = [
        f"{name} fails {listing(map(gate_name, gates))} on seed {seed}"
        for seed, one in layers.class_slices.seeds.items()
        for name, gates in one.failed.items()
    ]
    least = layers.class_slices.min_class_size
    return "; ".join(failed) or f"every one of {number(least)} merchants or more"


def uplift_table(layers: Confidence) -> Grid:
    """What coupling to the settlement changes, by seed."""
    rows: Rows = [_uplift_row(seed, one) for seed, one in layers.coupling_uplift.seeds.items()]
    header = (
        "seed",
        "overlap",
        "overlap without",
        "distance, km",
        "distance without, km",
        "overlap",
        "nearer by",
        "holds",
    )
    note = "Without: the same merchants and the same random numbers, coupling switched off."
    return Grid("What coupling to the settlement changes", header, rows, frozenset(range(1, 7)), note)


def _uplift_row(seed: int, one: SeedUplift) -> Sequence[Cell | str]:
    if not one.shown:
        return (Cell(f"seed {seed}"), *("not shown",) * 4, NONE, NONE, verdict_cell(False))
    return (
        Cell(f"seed {seed}"),
        percent(one.overlap_coupled, 1),
        percent(one.overlap_uncoupled, 1),
        number(one.distance_coupled_km),
        number(one.distance_uncoupled_km),
        "from nothing" if one.overlap_ratio is None else f"×{number(one.overlap_ratio)}",
        percent(one.distance_reduction),
        verdict_cell(one.passed),
    )


def classes_table(layers: Confidence, seeds: Sequence[int]) -> Grid:
    """Hard gates within each virtual class, by seed."""
    found = {seed: layers.class_slices.seeds[seed] for seed in seeds}
    names = sorted({name for one in found.values() for name in one.merchants})
    rows: Rows = [[Cell(name), *(_class_cell(one, name) for one in found.values())] for name in names]
    return Grid(
        "B gates within each virtual class",
        ("class", *(f"seed {seed}" for seed in found)),
        rows,
        frozenset(range(1, 1 + len(found))),
        f"In brackets: merchants of the class. It is judged by itself from {layers.class_slices.min_class_size} on.",
    )


def _class_cell(one: SeedClasses, name: str) -> Cell:
    if name not in one.merchants:
        return Cell("none", NOTHING)
    size = number(one.merchants[name])
    if name not in one.judged:
        return Cell(f"not judged ({size})", NOTHING)
    failed = [gate_name(gate) for gate in one.failed.get(name, ())]
    if not failed:
        return Cell(f"pass ({size})", PASS)
    return Cell(f"{listing(failed)} fail{'s' if len(failed) == 1 else ''} ({size})", FAIL)


def failures_table(summary: Summary) -> Grid | None:
    """Failing gates, hard before stretch, then by miss; None where there is none."""
    failures = summary.ranked_failures
    if not failures:
        return None
    left = len(failures) - SHOWN_FAILURES
    return Grid(
        "What failed, hard gates first, then by miss",
        ("gate", "level", "seed", "metric", "measured", "bound", "miss", "look first"),
        [_failure_row(failure) for failure in failures[:SHOWN_FAILURES]],
        frozenset({4, 5, 6}),
        f"{left} more are in the failure trace." if left > 0 else "",
        spare=frozenset({7}),
    )


def _failure_row(failure: Failure) -> Sequence[Cell | str]:
    return (
        Cell(gate_name(failure.gate)),
        failure.level,
        "all" if failure.seed is None else str(failure.seed),
        ("CV over seeds of " if failure.statistic else "") + failure.metric,
        Cell(number(failure.observed), value=failure.observed),
        bound(failure),
        _miss(failure),
        f"{failure.state}, {failure.lane} ({failure.fault_domain})",
    )


def _miss(failure: Failure) -> Cell:
    if failure.miss_pct is not None:
        return Cell(percent(failure.miss_pct / 100, 1), FAIL, value=failure.miss_pct)
    if failure.miss_abs is not None:
        return Cell(number(failure.miss_abs), FAIL, value=failure.miss_abs)
    return Cell("nothing to measure", NOTHING)


def lanes_table(lanes: Lanes, costs: Mapping[int, SeedCost], scoring_s: float | None) -> Grid:
    """What computing each lane's seeds took, against its budget."""
    rows: Rows = []
    for name in ("candidate", "witness", "shadow", "certification"):
        lane: Lane = getattr(lanes, name)
        walls = [costs[seed].wall_s if seed in costs else None for seed in lane.seeds]
        known = [wall for wall in walls if wall is not None]
        took = sum(known) + (scoring_s or 0.0 if name == "certification" else 0.0)
        seeds = ", ".join(str(seed) for seed in lane.seeds)
        complete = len(known) == len(walls)
        cell = _within(took, 60 * lane.budget_minutes) if complete else Cell("not recorded", NOTHING)
        rows.append((Cell(name), seeds, f"{number(lane.budget_minutes)} min", cell))
    note = "Wall time of computing the lane's seeds one after the other, whenever that was"
    note += "." if scoring_s is None else f"; certification includes {seconds(scoring_s)} of scoring."
    header = ("lane", "seeds", "budget", "took")
    return Grid("Lanes against their budgets", header, rows, frozenset({2, 3}), note)


def _within(took_s: float, budget_s: float) -> Cell:
    return Cell(seconds(took_s), PASS if took_s <= budget_s else FAIL, 1 - took_s / budget_s, value=took_s)


def states_table(costs: Mapping[int, SeedCost], seeds: Sequence[int]) -> Grid:
    """Time and memory of each state of each seed."""
    rows: Rows = []
    for seed in seeds:
        for state, found in (costs[seed].states if seed in costs else {}).items():
            lanes = sorted(found.lanes.items(), key=lambda item: -item[1])[:3]
            told = ", ".join(f"{name} {seconds(wall)}" for name, wall in lanes)
            memory = "not recorded" if found.peak_rss_mb is None else f"{number(found.peak_rss_mb)} MB"
            rows.append((Cell(f"seed {seed}"), state, seconds(found.wall_s), memory, told))
    header = ("seed", "state", "wall time", "peak memory", "longest lanes")
    return Grid("Time and memory by state", header, rows, frozenset({2, 3}), folded=True)
