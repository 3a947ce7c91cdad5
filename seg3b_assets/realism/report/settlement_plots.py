"""Settlements: how many share a coordinate, which zones they cluster in, how much traffic stays in their country."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from seg3b_assets.realism.report import canvas
from seg3b_assets.realism.report.figures import Plot, Table, marks_told, nothing
from seg3b_assets.realism.report.gate_lines import bounds_of
from seg3b_assets.realism.report.material import ReportMaterial
from seg3b_assets.realism.report.wording import number, percent

SHOWN_ZONES: Final = 16
SHOWN_COUNTRIES: Final = 24
LEAST_MERCHANTS: Final = 3
_ROW: Final = 13.5
_GROUPS: Final = ((2, 2, "by two"), (3, 5, "3 to 5"), (6, 10**9, "more"))


def duplicates(material: ReportMaterial) -> Plot:
    """Share of merchants whose coordinate another merchant has too, by the size of the group."""
    name, title = "settlement-duplicates", "Merchants that share a settlement coordinate"
    counts = {seed: _sharing(frames["settlement_points"]) for seed, frames in material.plots.items()}
    if not any(counts.values()):
        return nothing(name, title)
    totals = {seed: sum(found.values()) or 1 for seed, found in counts.items()}
    limits = bounds_of(material, "settlement_duplicate_exposure")
    figure = canvas.figure(canvas.HALF, 84 + 26 * len(counts), left=62, top=26)
    axes = figure.add_subplot()
    left = np.zeros(len(counts))
    for colour, (low, high, told) in zip((1, 3, 5), _GROUPS, strict=True):
        share = np.array(
            [
                100 * sum(n for size, n in found.items() if low <= size <= high) / totals[seed]
                for seed, found in counts.items()
            ]
        )
        axes.barh(
            np.arange(len(counts)), share, 0.6, left=left, color=canvas.RAMP[colour], label=told, zorder=2
        )
        left += share
    for row, total in enumerate(left):
        axes.annotate(
            percent(total / 100, 1),
            (total, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(counts)), [f"seed {seed}" for seed in counts])
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.set_xlim(0, min(100.0, 1.2 * max([5.0, float(left.max()), *(100 * value for _, value in limits)])))
    for level, value in limits:
        canvas.rule(axes, 100 * value, level)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel("% of merchants")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, columnspacing=1.0)
    worst = max(counts, key=lambda seed: 1 - counts[seed].get(1, 0) / totals[seed])
    most = max(max(found, default=1) for found in counts.values())
    bounds = " and ".join(f"{percent(value)} ({level})" for level, value in limits)
    caption = (
        f"At most {percent(1 - counts[worst].get(1, 0) / totals[worst], 1)} of merchants (seed {worst}) "
        "settle where another does; "
        f"the bounds are {bounds}. The largest group on one coordinate is {number(most)}."
    )
    rows = [
        (str(seed), group, count, count / totals[seed])
        for seed, found in counts.items()
        for group, count in found.items()
    ]
    table = Table(("seed", "merchants on the coordinate", "merchants", "share"), rows)
    return Plot(name, title, caption, canvas.to_svg(figure, name), table, wide=False)


def _sharing(points: pl.DataFrame) -> dict[int, int]:
    """Merchants by the size of the group on their coordinate."""
    grouped = points.group_by("merchants").agg(total=pl.col("merchants").sum()).sort("merchants")
    return {int(size): int(total) for size, total in grouped.iter_rows()}


def zones(material: ReportMaterial) -> Plot:
    """The commonest settlement zones."""
    name, title = "settlement-zones", "Commonest settlement zones"
    shares = _shares(material)
    if shares.is_empty():
        return nothing(name, title)
    shown = shares.head(SHOWN_ZONES)
    figure = canvas.figure(canvas.HALF, 210, left=104, top=8)
    axes = figure.add_subplot()
    at = np.arange(shown.height)
    axes.barh(at, shown["mean"].to_numpy() * 100, 0.62, color=canvas.BAR, zorder=2)
    if len(material.seeds) > 1:
        for position, seed in enumerate(material.seeds):
            axes.plot(shown[f"seed {seed}"].to_numpy() * 100, at, canvas.MARKERS[position % 6], color=canvas.INK,
                      markersize=2.6, markerfacecolor=canvas.SURFACE, markeredgewidth=0.8, zorder=3)  # fmt: skip
    axes.set_yticks(at, [str(zone).replace("_", " ") for zone in shown["tzid_settlement"]], fontsize=7.5)
    axes.set_ylim(shown.height - 0.4, -0.6)
    limits = bounds_of(material, "settlement_tzid_top1_share")
    axes.set_xlim(0, 100 * 1.12 * max([float(shown["mean"].max() or 0), *(value for _, value in limits)]))  # type: ignore[arg-type]
    for level, value in limits:
        canvas.rule(axes, 100 * value, level, where=0.12)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("% of settlements")
    first = shown.row(0, named=True)
    caption = (
        f"{first['tzid_settlement']} holds {percent(first['mean'], 1)} of settlements, mean over seeds, "
        "and "
        f"{number(shares.height)} zones have one at all. Dashed: the bounds on the commonest zone."
        + marks_told(material.seeds)
    )
    header = ("zone", "mean share", *(f"seed {seed}" for seed in material.seeds))
    table = Table(header, shown.rows(), max(shares.height - SHOWN_ZONES, 0))
    return Plot(name, title, caption, canvas.to_svg(figure, name), table, wide=False)


def _shares(material: ReportMaterial) -> pl.DataFrame:
    """Zone, mean share over seeds, share on each seed; largest first."""
    found: pl.DataFrame | None = None
    for seed, frames in material.plots.items():
        zones = frames["settlement_zones"]
        own = zones.select(
            "tzid_settlement", (pl.col("merchants") / pl.col("merchants").sum()).alias(f"seed {seed}")
        )
        found = own if found is None else found.join(own, on="tzid_settlement", how="full", coalesce=True)
    assert found is not None
    columns = [f"seed {seed}" for seed in material.seeds]
    filled = found.with_columns(pl.col(columns).fill_null(0.0)).with_columns(mean=pl.mean_horizontal(columns))
    return filled.select("tzid_settlement", "mean", *columns).sort(
        "mean", "tzid_settlement", descending=[True, False]
    )


def overlap_by_country(material: ReportMaterial) -> Plot:
    """How much weight stays in the settlement's country, by that country."""
    name, title = "settlement-overlap-country", "Edge weight in the settlement's country, by country"
    every = pl.concat([frames["settlement_countries"] for frames in material.plots.values()])
    if every.is_empty():
        return nothing(name, title)
    weight = pl.col("merchants")
    pooled = every.group_by("country_iso").agg(
        pl.col("merchants").sum(),
        *((pl.col(q) * weight).sum() / weight.sum() for q in ("overlap_p25", "overlap_p50", "overlap_p75")),
    )
    ordered = pooled.sort("merchants", "country_iso", descending=[True, False])
    shown = ordered.filter(weight >= LEAST_MERCHANTS).head(SHOWN_COUNTRIES)
    if shown.is_empty():
        shown = ordered.head(SHOWN_COUNTRIES)
    figure = canvas.figure(canvas.WIDE, 46 + _ROW * shown.height, left=80, top=12)
    axes = figure.add_subplot()
    at = np.arange(shown.height)
    low, mid, high = (100 * shown[q].to_numpy() for q in ("overlap_p25", "overlap_p50", "overlap_p75"))
    axes.hlines(at, low, high, color=canvas.RAMP[2], linewidth=5, zorder=2)
    axes.plot(mid, at, "o", color=canvas.RAMP[5], markersize=4.5, markeredgewidth=0, zorder=3)
    labels = [
        f"{country or 'nowhere'}  ({merchants:,})"
        for country, merchants in shown.select("country_iso", "merchants").iter_rows()
    ]
    axes.set_yticks(at, labels)
    axes.set_ylim(shown.height - 0.4, -0.6)
    axes.set_xlim(0, max(5.0, float(high.max()) * 1.05))
    for level, value in bounds_of(material, "settlement_overlap_median"):
        canvas.rule(axes, 100 * value, level, where=0.06)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("% of a merchant's edge weight in its settlement's country")
    unresolved = int(pooled.filter(pl.col("country_iso") == "")["merchants"].sum())
    first = shown.row(0, named=True)
    caption = (
        "Bar: quartiles over the country's merchants; dot: median; means over seeds weighted by "
        "merchants; in brackets, "
        f"settlements. {first['country_iso'] or 'Nowhere'} has most settlements, with a median of "
        f"{percent(first['overlap_p50'], 1)}. "
        f"{number(unresolved) if unresolved else 'No'} settlement{'s' if unresolved != 1 else ''} in no "
        "country. "
        f"Dashed: the bounds on the median over all merchants."
    )
    table = Table(
        ("country", "settlements", "lower quartile", "median", "upper quartile"),
        shown.rows(),
        ordered.height - shown.height,
    )
    return Plot(name, title, caption, canvas.to_svg(figure, name), table)
