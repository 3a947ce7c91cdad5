"""How often merchants are virtual: by category, channel, country, and category by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from seg3b_assets.realism.report import canvas
from seg3b_assets.realism.report.figures import Plot, Table, marks_told, nothing
from seg3b_assets.realism.report.material import ReportMaterial
from seg3b_assets.realism.report.wording import listing, number, percent

SHOWN: Final = 24
SHOWN_CATEGORIES: Final = 22
LEAST_MERCHANTS: Final = 30
_ROW: Final = 13.0


def _pooled(material: ReportMaterial, attribute: str) -> pl.DataFrame:
    """value, rows, virtual, rate over all seeds, and a column of rates per seed; most virtual merchants first."""
    frames = [
        pl.DataFrame(document["metrics"][f"virtual_rate_by_{attribute}"]).select(
            pl.lit(seed, pl.UInt64).alias("seed"),
            pl.col("value").cast(pl.String),
            "rows",
            "virtual",
            "virtual_rate",
        )
        for seed, document in material.metrics.items()
        if document["metrics"][f"virtual_rate_by_{attribute}"]
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
