"""How sure the verdict is, drawn: intervals, seed against seed, coupling against none; and what it cost."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.ticker import FuncFormatter

from seg3b_assets.realism.report import canvas
from seg3b_assets.realism.report.figures import Plot, Table, nothing
from seg3b_assets.realism.report.material import ReportMaterial
from seg3b_assets.realism.report.wording import number, percent, seconds

_STATES: Final = ("S0", "S1", "S2", "S3", "S4", "S5")


def intervals(material: ReportMaterial) -> Plot:
    """Bootstrap interval of the overlap median of each seed."""
    name, title = "bootstrap-overlap", "Settlement overlap, median with its interval"
    layer = material.summary["confidence"]["bootstrap_overlap"]
    rows = [(seed, layer["seeds"][str(seed)]) for seed in material.seeds]
    known = [(seed, row) for seed, row in rows if row["lower"] is not None]
    if not known:
        return nothing(name, title)
    figure = canvas.figure(canvas.HALF, 60 + 24 * len(known), left=70, top=14, bottom=36)
    axes = figure.add_subplot()
    at = np.arange(len(known))
    low, mid, high = (
        np.array([100 * row[key] for _, row in known]) for key in ("lower", "estimate", "upper")
    )
    axes.hlines(at, low, high, color=canvas.SERIES[0], linewidth=3, zorder=2)
    axes.plot(mid, at, "o", color=canvas.INK, markersize=4.5, zorder=3)
    axes.set_yticks(at, [f"seed {seed}" for seed, _ in known])
    axes.set_ylim(len(known) - 0.5, -0.5)
    bound = layer["must_exceed"]
    axes.set_xlim(0, 1.1 * max(float(high.max()), 100 * (bound or 0.0)))
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("% of edge weight")
    if bound is not None:
        canvas.rule(axes, 100 * bound, f"B+ {percent(bound)}", where=0.2)
    least = min(known, key=lambda one: one[1]["lower"])
    caption = (
        f"Dot: median over merchants; bar: {percent(layer['level'])} interval of "
        f"{number(layer['resamples'])} resamples. The lowest end is "
        f"{percent(least[1]['lower'], 1)} (seed {least[0]}); it must exceed {percent(bound, 1)}."
    )
    table = Table(
        ("seed", "median", "lower end", "upper end"),
        [(str(s), r["estimate"], r["lower"], r["upper"]) for s, r in known],
    )
    return Plot(name, title, caption, canvas.to_svg(figure, name), table, wide=False)


def seeds_alike(material: ReportMaterial) -> Plot:
    """Distribution functions of the heaviest share, one line a seed."""
    name, title = "seeds-alike", "Heaviest share, seed against seed"
    values = {
        s: np.sort(100 * f["merchants"]["top1_share"].to_numpy())
        for s, f in material.plots.items()
        if f["merchants"].height
    }
    if not values:
        return nothing(name, title)
    figure = canvas.figure(canvas.HALF, 60 + 24 * max(len(values), 4), left=40, top=14, bottom=36)
    axes = figure.add_subplot()
    for position, (seed, found) in enumerate(values.items()):
        at = np.unique(np.append(np.arange(0, found.size, max(found.size // 150, 1)), found.size - 1))
        axes.step(found[at], 100 * (at + 1) / found.size, where="post", color=canvas.series_colour(position),
                  linestyle=canvas.DASHES[position % 6], linewidth=1.2, label=f"seed {seed}")  # fmt: skip
    axes.set_xlim(0, 1.05 * max(1.0, *(float(found[-1]) for found in values.values())))
    axes.set_ylim(0, 102)
    axes.grid()
    axes.set_xlabel("heaviest edge, % of the merchant's weight")
    axes.set_ylabel("% of merchants")
    if len(values) > 1:
        axes.legend(loc="lower right")
    layer = material.summary["confidence"]["ks_top1_share"]
    worst = min(layer["pairs"], key=lambda pair: pair["p_holm"], default=None)
    caption = (
        "One seed has no other to be compared with."
        if worst is None
        else "Share of merchants at or below. The two seeds least alike, "
        f"{worst['seeds'][0]} and {worst['seeds'][1]}, differ by "
        f"{percent(worst['statistic'], 1)} at most; adjusted p {number(worst['p_holm'])}, which must be at "
        f"least {number(layer['p'])}."
    )
    rows = [
        (f"{a['seeds'][0]} and {a['seeds'][1]}", a["statistic"], a["p"], a["p_holm"]) for a in layer["pairs"]
    ]
    return Plot(
        name,
        title,
        caption,
        canvas.to_svg(figure, name),
        Table(("seeds", "largest difference", "p", "p adjusted"), rows),
        wide=False,
    )


def runtimes(material: ReportMaterial) -> Plot:
    """Seconds each state took, seed by seed."""
    name, title = "time-by-state", "Where the time goes"
    known = {
        seed: cost for seed, cost in material.costs.items() if any(s.wall_s for s in cost.states.values())
    }
    if not known:
        return Plot(
            name,
            title,
            "This home has no record of what computing these seeds cost: they were computed elsewhere, or "
            "pruned.",
            "",
        )
    figure = canvas.figure(canvas.WIDE, 64 + 22 * len(known), left=70, top=24, bottom=36)
    axes = figure.add_subplot()
    at, left = np.arange(len(known)), np.zeros(len(known))
    for position, state in enumerate(_STATES):
        wall = np.array(
            [(cost.states[state].wall_s or 0.0) if state in cost.states else 0.0 for cost in known.values()]
        )
        axes.barh(
            at,
            wall,
            0.62,
            left=left,
            color=canvas.RAMP[position + 1],
            edgecolor=canvas.SURFACE,
            linewidth=0.6,
            label=state,
            zorder=2,
        )
        left += wall
    for row, total in enumerate(left):
        axes.annotate(
            seconds(total), (total, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(at, [f"seed {seed}" for seed in known])
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.set_xlim(0, float(left.max()) * 1.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("seconds of wall time, when the state was computed")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=6, columnspacing=1.2)
    totals = {s: sum(c.states[s].wall_s or 0.0 for c in known.values() if s in c.states) for s in _STATES}
    longest = max(totals, key=lambda state: totals[state])
    caption = (
        f"{longest} takes most: {seconds(totals[longest])} of {seconds(sum(totals.values()))} over "
        f"{len(known)} seed{'s' if len(known) > 1 else ''}. Reused snapshots count what computing them "
        "once cost."
    )
    rows = [
        (str(seed), *(c.states[s].wall_s if s in c.states else None for s in _STATES), c.wall_s)
        for seed, c in known.items()
    ]
    return Plot(
        name,
        title,
        caption,
        canvas.to_svg(figure, name),
        Table(("seed", *(f"{s}, s" for s in _STATES), "all, s"), rows),
    )
