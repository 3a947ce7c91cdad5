"""Stability over seeds, the confidence layer, runtimes against budgets."""

from __future__ import annotations

from collections.abc import Sequence

from seg3b_assets.realism.report import confidence_plots
from seg3b_assets.realism.report.content import Block, Cell, Grid, Section, verdict_cell
from seg3b_assets.realism.report.material import ReportMaterial
from seg3b_assets.realism.report.wording import NONE, number, percent, seconds

Rows = list[Sequence[Cell | str]]


def stability_section(material: ReportMaterial) -> Section:
    checks = material.summary["cross_seed_checks"]
    stable, prevalent, sound = checks["3B-X01"], checks["3B-X02"], checks["3B-X03"]
    bound, stretch = stable["max_cv_b"], stable["max_cv_bplus"]
    rows: Rows = []
    for metric, cv in stable["metric_cvs"].items():
        values = " · ".join(number(value) for value in material.values(metric).values())
        margin = None if cv is None else (stretch - cv) / stretch if stretch else 0.0
        passed = None if cv is None else cv <= stretch
        state = verdict_cell(passed).state
        shown = NONE if cv is None else number(cv)
        rows.append(
            (
                Cell("X01"),
                f"CV over seeds of {metric}",
                values,
                f"≤ {number(bound)} (B), ≤ {number(stretch)} (B+)",
                Cell(shown, state, margin),
            )
        )
    low, high = prevalent["band"]
    for seed in material.seeds:
        rate = prevalent["virtual_rate_values"][str(seed)]
        passed = None if rate is None else low <= rate <= high
        inside = None if rate is None else min((rate - low) / low if low else 1.0, (high - rate) / high)
        rows.append(
            (
                Cell("X02"),
                f"virtual_rate, seed {seed}",
                "",
                f"{percent(low)} to {percent(high)}",
                Cell(percent(rate, 2), verdict_cell(passed).state, inside),
            )
        )
    for seed in material.seeds:
        passed = sound["all_hard_gates_pass"][str(seed)]
        rows.append((Cell("X03"), f"every hard gate, seed {seed}", "", "all hold", verdict_cell(passed)))
    grid = Grid("Gates over seeds", ("gate", "what", "by seed", "bound", "measured"), rows, frozenset({3, 4}))
    lead = (
        "Seeds are different worlds of the same kind: what is measured may not depend on which one was drawn."
    )
    if len(material.seeds) == 1:
        lead += (
            " One seed alone says nothing about stability; its coefficients of variation are 0 by definition."
        )
    return Section("stability", "Stability across seeds", [lead, grid])


def confidence_section(material: ReportMaterial) -> Section:
    layers = material.summary["confidence"]
    rows: Rows = [
        (
            Cell("bootstrap"),
            "overlap median's lower end exceeds its B+ bound on every seed",
            verdict_cell(layers["bootstrap_overlap"]["pass"]),
        ),
        (
            Cell("seeds alike"),
            "no two seeds' heaviest shares differ (Kolmogorov–Smirnov, Holm)",
            verdict_cell(layers["ks_top1_share"]["pass"]),
        ),
        (
            Cell("coupling"),
            _uplift_told(layers["coupling_uplift"]),
            verdict_cell(layers["coupling_uplift"]["pass"]),
        ),
        (
            Cell("classes"),
            "every B gate within every class large enough",
            verdict_cell(layers["class_slices"]["pass"]),
        ),
        (
            Cell("contract"),
            f"{layers['contract_rows']['minimum']} contract rows or more on every seed",
            verdict_cell(layers["contract_rows"]["pass"]),
        ),
    ]
    blocks: list[Block] = [
        "Grade A needs PASS_BPLUS and every layer below. A layer that cannot be shown does not count as "
        "passed.",
        Grid("Layers of confidence", ("layer", "what must hold", "holds"), rows),
        confidence_plots.intervals(material),
        confidence_plots.seeds_alike(material),
        _uplift(material),
    ]
    return Section("confidence", "Confidence", blocks)


def _uplift_told(layer: dict[str, object]) -> str:
    return (
        f"with coupling, overlap at least ×{number(layer['overlap_ratio'])} and distance at least "
        f"{percent(float(str(layer['distance_reduction'])))} lower than without"
    )


def _uplift(material: ReportMaterial) -> Grid:
    rows: Rows = []
    for seed in material.seeds:
        row = material.summary["confidence"]["coupling_uplift"]["seeds"][str(seed)]
        if not row["shown"]:
            rows.append((Cell(f"seed {seed}"), *("not shown",) * 4, NONE, NONE, verdict_cell(False)))
            continue
        ratio = "from nothing" if row["overlap_ratio"] is None else f"×{number(row['overlap_ratio'])}"
        rows.append(
            (
                Cell(f"seed {seed}"),
                percent(row["overlap_coupled"], 1),
                percent(row["overlap_uncoupled"], 1),
                number(row["distance_coupled_km"]),
                number(row["distance_uncoupled_km"]),
                ratio,
                percent(row["distance_reduction"]),
                verdict_cell(row["pass"]),
            )
        )
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


def runtime_section(material: ReportMaterial) -> Section:
    rows: Rows = []
    for name, lane in (
        ("candidate", material.lanes.candidate),
        ("witness", material.lanes.witness),
        ("shadow", material.lanes.shadow),
        ("certification", material.lanes.certification),
    ):
        costs = [material.costs[seed].wall_s if seed in material.costs else None for seed in lane.seeds]
        known = [cost for cost in costs if cost is not None]
        complete = len(known) == len(costs)
        total = sum(known) + (material.scoring_s or 0.0 if name == "certification" else 0.0)
        budget = 60 * lane.budget_minutes
        seeds = ", ".join(str(seed) for seed in lane.seeds)
        cell = (
            Cell(seconds(total), "pass" if total <= budget else "fail", 1 - total / budget)
            if complete
            else Cell("not recorded", "nothing")
        )
        rows.append((Cell(name), seeds, f"{number(lane.budget_minutes)} min", cell))
    note = "Wall time of computing the lane's seeds one after the other, whenever that was"
    note += (
        "."
        if material.scoring_s is None
        else f"; certification includes {seconds(material.scoring_s)} of scoring."
    )
    blocks: list[Block] = [
        "Times are records of runs on some machine, not properties of the outputs.",
        Grid(
            "Lanes against their budgets", ("lane", "seeds", "budget", "took"), rows, frozenset({2, 3}), note
        ),
        confidence_plots.runtimes(material),
        _states(material),
    ]
    return Section("runtimes", "Runtimes against budgets", blocks)


def _states(material: ReportMaterial) -> Grid:
    rows: Rows = []
    for seed in material.seeds:
        cost = material.costs.get(seed)
        for state, found in (cost.states if cost else {}).items():
            lanes = sorted(found.lanes.items(), key=lambda item: -item[1])[:3]
            told = ", ".join(f"{name} {seconds(wall)}" for name, wall in lanes)
            memory = "not recorded" if found.peak_rss_mb is None else f"{found.peak_rss_mb:,.0f} MB"
            rows.append((Cell(f"seed {seed}"), state, seconds(found.wall_s), memory, told))
    return Grid(
        "Time and memory by state",
        ("seed", "state", "wall time", "peak memory", "longest lanes"),
        rows,
        frozenset({2, 3}),
        folded=True,
    )
