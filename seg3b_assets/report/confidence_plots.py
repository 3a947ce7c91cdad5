"""How sure the verdict is, and what a router draws: intervals, seed against seed, times; the alias tables decoded."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from seg3b_assets.laws.identity import STATES
from seg3b_assets.realism.figure_data import BINS_PER_DECADE, LEAST_DECADE
from seg3b_assets.report import canvas
from seg3b_assets.report.figures import Plot, Table, nothing
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.wording import number, percent, seconds

I64 = NDArray[np.int64]

_TICKS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
# A table's step is 2^-32: below this weight, rounding to it shows as scatter of a bin and more.
_FLOOR: Final = -8 * BINS_PER_DECADE
_FEW: Final = 20
_SHADES: Final = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)


def lengths(material: ReportMaterial) -> Plot:
    """Alias table length against edges in the catalogue, a dot per merchant."""
    name, title = "alias-length", "Alias table length against edges"
    every = pl.concat(
        [frames["merchants"].select("edges", "alias_length") for frames in material.plots.values()]
    )
    if every.is_empty():
        return nothing(name, title)
    distinct = every.unique().sort("edges", "alias_length")
    figure = canvas.figure(canvas.HALF, 250, left=46, top=14, bottom=36)
    axes = figure.add_subplot()
    smallest, largest = (float(limit(distinct.to_numpy())) for limit in (np.min, np.max))
    # At least half a decade either side, so that merchants that are all alike still lie on a scale.
    ends = (min(smallest * 0.8, largest / 3), max(largest * 1.25, smallest * 3))
    axes.plot(ends, ends, color=canvas.GATE, linewidth=1, linestyle=(0, (3, 2)), zorder=1.5)
    axes.scatter(
        distinct["edges"],
        distinct["alias_length"],
        s=9 if distinct.height > _FEW else 40,
        color=canvas.SERIES[0],
        alpha=0.6,
        linewidths=0,
        zorder=2,
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(ends)
    axes.set_ylim(ends)
    ticks = [tick for tick in _TICKS if ends[0] <= tick <= ends[1]]
    axes.minorticks_off()
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xlabel("edges in the catalogue (logarithmic)")
    axes.set_ylabel("entries of the alias table")
    axes.grid()
    unequal = every.filter(pl.col("edges") != pl.col("alias_length")).height
    caption = (
        f"Every one of {number(every.height)} tables has as many entries as its merchant has edges: all "
        "dots lie on the dashed diagonal."
        if not unequal
        else f"{number(unequal)} of {number(every.height)} tables have another length than their merchant has edges."
    )
    return Plot(
        name,
        title,
        caption,
        canvas.to_svg(figure, name),
        Table(("merchants", "of another length"), [(every.height, unequal)]),
        wide=False,
    )


def decoding(material: ReportMaterial) -> Plot:
    """Decoded probability against stored weight, in logarithmic cells."""
    name, title = "alias-decoding", "Edge weight against decoded probability"
    cells = _sum(material, "edge_decoding", ["weight_bin", "decoded_bin"])
    if cells.is_empty():
        return nothing(name, title)
    figure = canvas.figure(canvas.HALF, 250, left=50, top=14, bottom=36)
    axes = figure.add_subplot()
    x, y = (np.maximum(cells[column].to_numpy(), _FLOOR - 1) for column in ("weight_bin", "decoded_bin"))
    x, y, count = _merged(x, y, cells["edges"].to_numpy())
    shade = np.clip(np.digitize(count, _SHADES[1:]), 0, 6)
    low = (int(min(x.min(), y.min())) // BINS_PER_DECADE - 1) * BINS_PER_DECADE
    high = (int(max(x.max(), y.max())) // BINS_PER_DECADE + 1) * BINS_PER_DECADE
    axes.plot([low, high], [low, high], color=canvas.GATE, linewidth=1, linestyle=(0, (3, 2)), zorder=1.5)
    for level in range(7):
        kept = shade == level
        if kept.any():
            left, bottom = x[kept], y[kept]
            axes.bar(
                left,
                np.ones(left.size),
                1.0,
                bottom=bottom,
                align="edge",
                color=canvas.RAMP[level],
                linewidth=0,
                zorder=2,
            )
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    decades = [tick for tick in range(low, high + 1) if tick % BINS_PER_DECADE == 0]
    every = max(1, -(-len(decades) // 5))
    kept_decades = [tick for tick in decades if (tick // BINS_PER_DECADE) % every == 0]
    labels = [f"1e{tick // BINS_PER_DECADE}".replace("-", "−") if tick else "1" for tick in kept_decades]
    small = int(count[(x < _FLOOR) & (y < _FLOOR)].sum())
    axes.set_xticks(kept_decades, labels)
    axes.set_yticks(kept_decades, labels)
    axes.set_xlabel("edge weight stored (logarithmic)")
    axes.set_ylabel("probability decoded")
    axes.grid()
    total, off = int(count.sum()), int(count[np.abs(x - y) > 1].sum())
    caption = (
        f"{number(total)} edges of all seeds in cells of a tenth of a decade, stronger where there are more. "
        + (
            f"The {number(small)} below 1e−8 on both sides are one cell: a table of 32 bits cannot tell them apart. "
            if small
            else ""
        )
        + (
            "None lies off the diagonal."
            if not off
            else f"{number(off)} lie off the diagonal: the blob routes otherwise than the catalogue says."
        )
    )
    return Plot(
        name,
        title,
        caption,
        canvas.to_svg(figure, name),
        Table(("edges", "off the diagonal"), [(total, off)]),
        wide=False,
    )


def errors(material: ReportMaterial) -> Plot:
    """How large decoding errors are, against the bounds."""
    name, title = "alias-error", "Size of decoding errors"
    counted = _sum(material, "edge_decoding_errors", ["decade"])
    if counted.is_empty():
        return nothing(name, title)
    figure = canvas.figure(canvas.WIDE, 190, left=50, top=14, bottom=36)
    axes = figure.add_subplot()
    decade, edges = counted["decade"].to_numpy(), counted["edges"].to_numpy()
    total = int(edges.sum())
    axes.bar(decade, 100 * edges / total, 0.9, align="edge", color=canvas.RAMP[3], zorder=2)
    for level, value in material.bounds("alias_max_abs_delta"):
        canvas.rule(axes, float(np.log10(value)), f"{level} ≤ {number(value)}")
    right = max(-4, int(decade.max()) + 2)
    axes.set_xlim(LEAST_DECADE - 0.3, right)
    ticks = list(range(LEAST_DECADE, right + 1, 2))
    axes.set_xticks(
        ticks, ["none" if tick == LEAST_DECADE else f"1e{tick}".replace("-", "−") for tick in ticks]
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.set_xlabel("|decoded probability − stored weight| (logarithmic)")
    axes.set_ylabel("% of edges")
    axes.grid(axis="y")
    worst = max(
        (value for value in material.values("alias_max_abs_delta").values() if value is not None),
        default=None,
    )
    caption = (
        f"The largest error of any edge on any seed is {number(worst)}. Dashed: the bounds on the largest."
    )
    rows = [
        ("none" if d == LEAST_DECADE else f"1e{d} to 1e{d + 1}", int(e), int(e) / total)
        for d, e in counted.iter_rows()
    ]
    return Plot(name, title, caption, canvas.to_svg(figure, name), Table(("error", "edges", "share"), rows))


def _merged(x: I64, y: I64, count: I64) -> tuple[I64, I64, I64]:
    """The same cells, each once."""
    cells, inverse = np.unique(np.stack([x, y], 1), axis=0, return_inverse=True)
    totals = np.zeros(cells.shape[0], np.int64)
    np.add.at(totals, inverse.ravel(), count)
    return cells[:, 0], cells[:, 1], totals


def _sum(material: ReportMaterial, frame: str, keys: list[str]) -> pl.DataFrame:
    every = pl.concat([frames[frame] for frames in material.plots.values()])
    return every.group_by(keys).agg(pl.col("edges").sum()).sort(keys)


def intervals(material: ReportMaterial) -> Plot:
    """Bootstrap interval of the overlap median of each seed."""
    name, title = "bootstrap-overlap", "Settlement overlap, median with its interval"
    layer = material.summary.confidence.bootstrap_overlap
    known = [(seed, row) for seed in material.seeds if (row := layer.seeds[seed]).lower is not None]
    if not known:
        return nothing(name, title)
    figure = canvas.figure(canvas.HALF, 60 + 24 * len(known), left=70, top=14, bottom=36)
    axes = figure.add_subplot()
    at = np.arange(len(known))
    low, mid, high = (
        np.array([100 * getattr(row, key) for _, row in known]) for key in ("lower", "estimate", "upper")
    )
    axes.hlines(at, low, high, color=canvas.SERIES[0], linewidth=3, zorder=2)
    axes.plot(mid, at, "o", color=canvas.INK, markersize=4.5, zorder=3)
    axes.set_yticks(at, [f"seed {seed}" for seed, _ in known])
    axes.set_ylim(len(known) - 0.5, -0.5)
    bound = layer.must_exceed
    axes.set_xlim(0, 1.1 * max(float(high.max()), 100 * (bound or 0.0)))
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("% of edge weight")
    if bound is not None:
        canvas.rule(axes, 100 * bound, f"B+ {percent(bound)}", where=0.2)
    least = min(known, key=lambda one: one[1].lower or 0.0)
    caption = (
        f"Dot: median over merchants; bar: {percent(layer.level)} interval of "
        f"{number(layer.resamples)} resamples. The lowest end is "
        f"{percent(least[1].lower, 1)} (seed {least[0]}); it must exceed {percent(bound, 1)}."
    )
    table = Table(
        ("seed", "median", "lower end", "upper end"),
        [(str(s), r.estimate, r.lower, r.upper) for s, r in known],
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
    layer = material.summary.confidence.ks_top1_share
    worst = min(layer.pairs, key=lambda pair: pair.p_holm, default=None)
    caption = (
        "One seed has no other to be compared with."
        if worst is None
        else "Share of merchants at or below. The two seeds least alike, "
        f"{worst.seeds[0]} and {worst.seeds[1]}, differ by "
        f"{percent(worst.statistic, 1)} at most; adjusted p {number(worst.p_holm)}, which must be at "
        f"least {number(layer.p)}."
    )
    rows = [(f"{a.seeds[0]} and {a.seeds[1]}", a.statistic, a.p, a.p_holm) for a in layer.pairs]
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
    for position, state in enumerate(STATES):
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
    totals = {s: sum(c.states[s].wall_s or 0.0 for c in known.values() if s in c.states) for s in STATES}
    longest = max(totals, key=lambda state: totals[state])
    caption = (
        f"{longest} takes most: {seconds(totals[longest])} of {seconds(sum(totals.values()))} over "
        f"{len(known)} seed{'s' if len(known) > 1 else ''}. Reused snapshots count what computing them "
        "once cost."
    )
    rows = [
        (str(seed), *(c.states[s].wall_s if s in c.states else None for s in STATES), c.wall_s)
        for seed, c in known.items()
    ]
    return Plot(
        name,
        title,
        caption,
        canvas.to_svg(figure, name),
        Table(("seed", *(f"{s}, s" for s in STATES), "all, s"), rows),
    )
