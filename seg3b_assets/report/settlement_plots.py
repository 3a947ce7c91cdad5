"""Who is virtual and where they settle, drawn: rates by attribute; duplicates, zones, overlap with the country."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from seg3b_assets.report import canvas
from seg3b_assets.report.figures import Plot, Table, marks_told, nothing
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.wording import listing, number, percent

SHOWN: Final = 24
SHOWN_CATEGORIES: Final = 22
LEAST_MERCHANTS: Final = 30
_ROW: Final = 13.0


def _pooled(material: ReportMaterial, attribute: str) -> pl.DataFrame:
    """value, rows, virtual, rate over all seeds, and a column of rates per seed; most virtual merchants first."""
    frames = [
        pl.DataFrame([one.model_dump() for one in document.metrics.rates(attribute)], strict=False).select(
            pl.lit(seed, pl.UInt64).alias("seed"),
            pl.col("value").cast(pl.String),
            "rows",
            "virtual",
            "virtual_rate",
        )
        for seed, document in material.metrics.items()
        if document.metrics.rates(attribute)
    ]
    if not frames:
        return pl.DataFrame()
    every = pl.concat(frames)
    pooled = every.group_by("value").agg(pl.col("rows").sum(), pl.col("virtual").sum())
    pooled = pooled.with_columns(rate=pl.col("virtual") / pl.col("rows"))
    for seed in material.seeds:
        own = every.filter(pl.col("seed") == seed).select(
            "value", pl.col("virtual_rate").alias(f"seed {seed}")
        )
        pooled = pooled.join(own, on="value", how="left")
    return pooled.sort("virtual", "rows", "value", descending=[True, True, False])


def by_mcc(material: ReportMaterial) -> Plot:
    return _bars(material, "mcc", "Virtual rate by merchant category (MCC)", "category", "categories")


def by_country(material: ReportMaterial) -> Plot:
    return _bars(material, "country", "Virtual rate by home country", "country", "countries")


def by_channel(material: ReportMaterial) -> Plot:
    return _bars(material, "channel", "Virtual rate by channel", "channel", "channels")


def _bars(material: ReportMaterial, attribute: str, title: str, one: str, many: str) -> Plot:
    name = f"virtual-rate-{attribute}"
    pooled = _pooled(material, attribute)
    if pooled.is_empty() or not pooled["virtual"].to_numpy().any():
        return nothing(name, title)
    shown = pooled.head(SHOWN)
    figure = canvas.figure(canvas.WIDE, 46 + _ROW * shown.height, left=130, bottom=34, top=12)
    axes = figure.add_subplot()
    at = np.arange(shown.height)
    axes.barh(at, shown["rate"].to_numpy() * 100, 0.62, color=canvas.BAR, zorder=2)
    if len(material.seeds) > 1:
        for position, seed in enumerate(material.seeds):
            rates = shown[f"seed {seed}"].cast(pl.Float64).to_numpy() * 100
            axes.plot(rates, at, canvas.MARKERS[position % 6], color=canvas.INK, markersize=2.6,
                      markerfacecolor=canvas.SURFACE, markeredgewidth=0.8, zorder=3)  # fmt: skip
    labels = [f"{value}  ({rows:,})" for value, rows in shown.select("value", "rows").iter_rows()]
    axes.set_yticks(at, labels)
    axes.set_ylim(shown.height - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("virtual merchants, % of merchants")
    first = shown.row(0, named=True)
    kept = (
        ""
        if shown.height == pooled.height
        else f" The {shown.height} with most virtual merchants of {pooled.height}."
    )
    dots = f" Bars: all seeds together.{marks_told(material.seeds)}" if len(material.seeds) > 1 else ""
    common = pooled.filter(pl.col("virtual") > 0, pl.col("rows") >= LEAST_MERCHANTS)
    highest = common.sort("rate", "value", descending=[True, False]).head(1)
    top = (
        f" The highest rate among {many} of {LEAST_MERCHANTS} merchants or more is "
        f"{percent(highest['rate'][0], 1)}, in {highest['value'][0]}."
        if highest.height
        else ""
    )
    caption = (
        f"{percent(int(pooled['virtual'].sum()) / int(pooled['rows'].sum()), 2)} of merchants are virtual. "
        "Most of them "
        f"come from {one} {first['value']}: {number(first['virtual'])} of {number(first['rows'])} "
        "merchants "
        f"({percent(first['rate'], 1)}).{top}{kept}{dots} In brackets: merchants."
    )
    header = (one, "merchants", "virtual", "rate", *(f"seed {seed}" for seed in material.seeds))
    return Plot(name, title, caption, canvas.to_svg(figure, name), _table(header, pooled))


def _table(header: Sequence[str], pooled: pl.DataFrame) -> Table:
    return Table(header, pooled.head(SHOWN).rows(), max(pooled.height - SHOWN, 0))


def by_mcc_and_channel(material: ReportMaterial) -> Plot:
    name, title = "virtual-rate-mcc-channel", "Virtual rate by category and channel"
    frames = [frames["virtual_rate_by_mcc_channel"] for frames in material.plots.values()]
    every = pl.concat(frames).group_by("mcc", "channel").agg(pl.col("rows").sum(), pl.col("virtual").sum())
    if every.is_empty() or not every["virtual"].to_numpy().any():
        return nothing(name, title)
    totals = every.group_by("mcc").agg(pl.col("virtual").sum(), pl.col("rows").sum())
    ordered = totals.sort("virtual", "rows", "mcc", descending=[True, True, False])["mcc"].to_list()
    channels = sorted(every["channel"].unique().to_list())
    shown = ordered[:SHOWN_CATEGORIES]
    cells = {(mcc, channel): (rows, virtual) for mcc, channel, rows, virtual in every.iter_rows()}
    figure = canvas.figure(canvas.WIDE, 74 + 15 * len(shown), left=60, right=10, top=40, bottom=30)
    axes = figure.add_subplot()
    _heat(axes, cells, shown, channels)
    labels = [(row, column, cells.get((row, column))) for row in shown for column in channels]
    rows = [(mcc, channel, *found, found[1] / found[0]) for mcc, channel, found in labels if found]
    best = max(rows, key=lambda row: row[4])
    caption = (
        "All seeds together; a cell's text is its rate and, in brackets, its merchants; a stronger shade "
        "is a higher rate. "
        "The highest "
        f"rate is {percent(best[4], 1)}, category {best[0]} in {best[1]}. Channels: {listing(channels)}."
        + (
            ""
            if len(shown) == len(ordered)
            else f" The {len(shown)} categories with most virtual merchants of {len(ordered)}."
        )
    )
    table = Table(("category", "channel", "merchants", "virtual", "rate"), rows)
    return Plot(name, title, caption, canvas.to_svg(figure, name), table)


def _heat(axes: Axes, cells: Mapping[tuple[int, str], tuple[int, int]], categories: Sequence[int],
          channels: Sequence[str]) -> None:  # fmt: skip
    highest = max((v / r for r, v in cells.values() if r), default=1.0) or 1.0
    for row, category in enumerate(categories):
        for column, channel in enumerate(channels):
            merchants, virtual = cells.get((category, channel), (0, 0))
            rate = virtual / merchants if merchants else 0.0
            step = min(int(rate / highest * 6.999), 6) if virtual else -1
            colour = canvas.RAMP[step] if step >= 0 else "none"
            axes.add_patch(
                Rectangle(
                    (column + 0.01, row + 0.04),
                    0.98,
                    0.92,
                    facecolor=colour,
                    edgecolor=canvas.GRID,
                    linewidth=0.5,
                )
            )
            text = f"{percent(rate, 1)}  ({merchants:,})" if merchants else "–"
            ink = canvas.SURFACE if step >= 4 else canvas.INK
            axes.text(column + 0.5, row + 0.53, text, ha="center", va="center", color=ink, fontsize=7.5)
    axes.set_xlim(0, len(channels))
    axes.set_ylim(len(categories), 0)
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(channels)) + 0.5, channels)
    axes.set_yticks(np.arange(len(categories)) + 0.5, [str(category) for category in categories])
    axes.tick_params(length=0)
    axes.set_frame_on(False)


SHOWN_ZONES: Final = 16
SHOWN_COUNTRIES: Final = 24
LEAST_SETTLED: Final = 3
_ROW_SETTLED: Final = 13.5
_GROUPS: Final = ((2, 2, "by two"), (3, 5, "3 to 5"), (6, 10**9, "more"))


def duplicates(material: ReportMaterial) -> Plot:
    """Share of merchants whose coordinate another merchant has too, by the size of the group."""
    name, title = "settlement-duplicates", "Merchants that share a settlement coordinate"
    counts = {seed: _sharing(frames["settlement_points"]) for seed, frames in material.plots.items()}
    if not any(counts.values()):
        return nothing(name, title)
    totals = {seed: sum(found.values()) or 1 for seed, found in counts.items()}
    limits = material.bounds("settlement_duplicate_exposure")
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
    limits = material.bounds("settlement_tzid_top1_share")
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
    shown = ordered.filter(weight >= LEAST_SETTLED).head(SHOWN_COUNTRIES)
    if shown.is_empty():
        shown = ordered.head(SHOWN_COUNTRIES)
    figure = canvas.figure(canvas.WIDE, 46 + _ROW_SETTLED * shown.height, left=80, top=12)
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
    for level, value in material.bounds("settlement_overlap_median"):
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
