"""The merchants' networks: sizes and concentration, country mixes, distances."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from seg3b_assets.realism.figure_data import DISTANCE_BIN_KM, SHOWN_MERCHANTS, SHOWN_RANKS
from seg3b_assets.report import canvas
from seg3b_assets.report.figures import Plot, Table, marks_told, nothing
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.wording import number, percent

F64 = NDArray[np.float64]

BINS: Final = 28
SHOWN_COUNTRIES: Final = 28
_LEAST_SHOWN_SHARE: Final = 1e-4
_FACTS: Final = (
    ("edges", "Edges per merchant", "edges", True),
    ("countries", "Countries per merchant", "countries", False),
    ("top1_share", "Heaviest edge's share", "% of the merchant's weight", False),
    ("country_entropy_nats", "Entropy of the country mix", "nats", False),
)


def distributions(material: ReportMaterial) -> Plot:
    """Edges, countries, heaviest share and entropy over merchants."""
    name, title = "merchant-distributions", "How merchants differ"
    if not any(frames["merchants"].height for frames in material.plots.values()):
        return nothing(name, title)
    figure = canvas.figure(canvas.WIDE, 400, left=36, top=44, bottom=36, wspace=0.16, hspace=0.48)
    rows: list[tuple[str | float, ...]] = []
    for position, (column, told, unit, logarithmic) in enumerate(_FACTS):
        axes = figure.add_subplot(2, 2, position + 1)
        scale = 100.0 if column == "top1_share" else 1.0
        values = {
            s: scale * f["merchants"][column].to_numpy().astype(float) for s, f in material.plots.items()
        }
        _histograms(axes, values, logarithmic)
        axes.set_title(told)
        axes.set_xlabel(unit + (" (logarithmic)" if logarithmic else ""))
        if column == "top1_share":
            for level, value in material.bounds("top1_share_p50"):
                if 100 * value <= axes.get_xlim()[1]:
                    canvas.rule(axes, 100 * value, level)
        rows += [(told, str(seed), *_quantiles(found)) for seed, found in values.items() if found.size]
    _legend(figure.axes[0], material.seeds)
    edges, countries = (
        material.values(metric) for metric in ("edges_per_merchant_cv", "countries_per_merchant_cv")
    )
    caption = (
        f"Share of merchants per bin, one line a seed. Edges vary by a coefficient of {_span(edges)}, "
        f"countries by {_span(countries)}; "
        f"the median heaviest edge carries {_span(material.values('top1_share_p50'), 100)} % of its "
        "merchant's weight. One spike means "
        f"merchants that are all alike. Dashed: the bounds on the median."
    )
    table = Table(("what", "seed", "10 %", "median", "90 %", "least", "most"), rows)
    return Plot(name, title, caption, canvas.to_svg(figure, name), table)


def _histograms(axes: Axes, values: dict[int, F64], logarithmic: bool) -> None:
    every = np.concatenate(list(values.values()))
    low, high = float(every.min()), float(every.max())
    if low == high:
        low, high = low * 0.5, high * 1.5 or 1.0
    if logarithmic and low > 0:
        edges = np.geomspace(low, high * 1.0001, BINS + 1)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_xticks(
            [tick for tick in (1, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000) if low <= tick <= high]
        )
        axes.minorticks_off()
    else:
        edges = np.linspace(min(low, 0.0), high * 1.0001, BINS + 1)
    for position, found in enumerate(values.values()):
        counts = np.histogram(found, edges)[0] / max(found.size, 1) * 100
        axes.stairs(
            counts,
            edges,
            color=canvas.series_colour(position),
            linewidth=1.3,
            linestyle=canvas.DASHES[position % 6],
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("% of merchants")
    axes.grid(axis="y")


def _quantiles(values: F64) -> tuple[float, ...]:
    return tuple(float(v) for v in (*np.quantile(values, (0.1, 0.5, 0.9)), values.min(), values.max()))


def _span(values: dict[int, float | None], scale: float = 1.0) -> str:
    known = [scale * value for value in values.values() if value is not None]
    if not known:
        return "n/a"
    low, high = number(min(known)), number(max(known))
    return low if low == high else f"{low} to {high}"


def _legend(axes: Axes, seeds: Sequence[int]) -> None:
    """One line of names above the first of two panels."""
    if len(seeds) < 2:
        return
    lines = [
        axes.plot(
            [], [], color=canvas.series_colour(i), linestyle=canvas.DASHES[i % 6], label=f"seed {seed}"
        )[0]
        for i, seed in enumerate(seeds)
    ]
    axes.legend(
        handles=lines,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.14),
        ncols=min(len(seeds), 6),
        columnspacing=1.2,
    )


def country_profile(material: ReportMaterial) -> Plot:
    """Mean weight of the heaviest countries, and how many merchants serve them."""
    name, title = "country-profile", "Which countries traffic comes from"
    frames = [frames["country_profile"] for frames in material.plots.values()]
    every = pl.concat(frames)
    if every.is_empty():
        return nothing(name, title)
    merchants = sum(frames["merchants"].height for frames in material.plots.values())
    pooled = every.group_by("country_iso").agg(
        share=pl.col("mean_share").sum() / len(frames),
        edges=pl.col("edges").sum(),
        served=pl.col("merchants").sum() / merchants,
    )
    ordered = pooled.sort("share", "country_iso", descending=[True, False])
    shown = ordered.head(SHOWN_COUNTRIES)
    figure = canvas.figure(canvas.WIDE, 230, left=36, top=24, bottom=34)
    axes = figure.add_subplot()
    at = np.arange(shown.height)
    axes.bar(at, 100 * shown["share"].to_numpy(), 0.66, color=canvas.BAR, zorder=2)
    if len(frames) > 1:
        for position, frame in enumerate(frames):
            own = shown.join(frame, on="country_iso", how="left", maintain_order="left")[
                "mean_share"
            ].fill_null(0.0)
            axes.plot(at, 100 * own.to_numpy(), canvas.MARKERS[position % 6], color=canvas.INK, markersize=2.6,
                      markerfacecolor=canvas.SURFACE, markeredgewidth=0.8, zorder=3)  # fmt: skip
    axes.set_xticks(at, shown["country_iso"].to_list())
    axes.set_xlim(-0.7, shown.height - 0.3)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y")
    axes.set_ylim(bottom=0)
    axes.set_title("mean share of a merchant's edge weight, %", fontweight="normal", color=canvas.MUTED)
    first = shown.row(0, named=True)
    five = float(ordered.head(5)["share"].to_numpy().sum())
    caption = (
        f"Mean over merchants. {first['country_iso']} leads with {percent(first['share'], 1)} and is "
        "served by "
        f"{percent(first['served'])} of merchants; the first five countries hold {percent(five)}, "
        f"{number(ordered.height)} have an edge."
        + (f" Bars: mean over seeds.{marks_told(material.seeds)}" if len(frames) > 1 else "")
    )
    table = Table(
        ("country", "mean share", "edges", "merchants that serve it"),
        shown.select("country_iso", "share", "edges", "served").rows(),
        ordered.height - shown.height,
    )
    return Plot(name, title, caption, canvas.to_svg(figure, name), table)


def profiles(material: ReportMaterial) -> Plot:
    """Merchants' country shares by rank, one thin line each, over the band they fall in."""
    name, title = "merchant-profiles", "Merchants' country profiles, overlaid"
    bands = {seed: frames["profile_bands"] for seed, frames in material.plots.items()}
    if not any(band.height for band in bands.values()):
        return nothing(name, title)
    columns = min(len(bands), 4)
    rows = -(-len(bands) // columns)
    figure = canvas.figure(canvas.WIDE, 30 + 190 * rows, left=42, top=20, bottom=34, wspace=0.1, hspace=0.42)
    first: Axes | None = None
    for position, (seed, band) in enumerate(bands.items()):
        axes = figure.add_subplot(rows, columns, position + 1, sharex=first, sharey=first)
        first = first or axes
        _profile(axes, material.plots[seed]["merchant_profiles"], band)
        axes.set_title(f"seed {seed}")
        axes.tick_params(labelleft=position % columns == 0)
        axes.set_xlabel("rank of the country")
    assert first is not None
    first.set_ylim(_lowest_decade(bands.values()), 1.3)
    first.set_xlim(1, SHOWN_RANKS)
    spreads = {seed: band.row(0, named=True) for seed, band in bands.items() if band.height}
    low, high = min(row["p10"] for row in spreads.values()), max(row["p90"] for row in spreads.values())
    caption = (
        f"Weight of a merchant's countries, heaviest first (logarithmic), {SHOWN_MERCHANTS} merchants a "
        "seed at most as thin lines; "
        "thick: the median merchant, dashed: the 10 and 90 % quantiles. The heaviest country holds "
        f"{percent(low)} to {percent(high)} "
        "of a merchant's weight between those quantiles. Lines on top of each other mean one template for "
        "all."
    )
    table = Table(
        ("seed", "rank", "10 %", "median", "90 %"),
        [(str(s), *row) for s, band in bands.items() for row in band.head(8).iter_rows()],
    )
    return Plot(name, title, caption, canvas.to_svg(figure, name), table)


def _lowest_decade(bands: Iterable[pl.DataFrame]) -> float:
    """The decade below the smallest share of any band that is above zero."""
    shares = [
        band.select(pl.min_horizontal(pl.col("p10", "p50", "p90").replace(0.0, 1.0)).min()).item()
        for band in bands
        if band.height
    ]
    return max(_LEAST_SHOWN_SHARE, 10.0 ** math.floor(math.log10(min(shares))))


def _profile(axes: Axes, lines: pl.DataFrame, band: pl.DataFrame) -> None:
    visible = lines.filter(pl.col("share") >= _LEAST_SHOWN_SHARE)
    segments = [
        part.select("rank", "share").to_numpy()
        for _, part in visible.group_by("merchant", maintain_order=True)
    ]
    axes.add_collection(LineCollection(segments, colors=canvas.RAMP[3], linewidths=0.5, alpha=0.35, zorder=2))
    rank = band["rank"].to_numpy()
    for column, width, style in (("p10", 1.0, (0, (3, 1.5))), ("p50", 1.8, "-"), ("p90", 1.0, (0, (3, 1.5)))):
        share = band[column].to_numpy()
        kept = share >= _LEAST_SHOWN_SHARE
        axes.plot(rank[kept], share[kept], color=canvas.INK, linewidth=width, linestyle=style, zorder=3)
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_yticks([1.0, 0.1, 0.01, 0.001, 0.0001], ["100 %", "10 %", "1 %", "0.1 %", "0.01 %"])
    axes.set_xticks([1, 5, 10, 15, 20, 25])
    axes.grid(axis="y")


def distances(material: ReportMaterial) -> Plot:
    """How far edges lie from their merchant's settlement."""
    name, title = "edge-distance", "Distance from edge to settlement"
    frames = {seed: frames["edge_distances"] for seed, frames in material.plots.items()}
    if not any(frame.height for frame in frames.values()):
        return nothing(name, title)
    figure = canvas.figure(canvas.WIDE, 240, left=36, right=20, top=28, bottom=36)
    axes = figure.add_subplot()
    for position, frame in enumerate(frames.values()):
        if not frame.height:
            continue
        share = 100 * frame["edges"].to_numpy() / frame["edges"].sum()
        ends = np.append(frame["from_km"].to_numpy(), frame["from_km"][-1] + DISTANCE_BIN_KM)
        axes.stairs(
            share,
            ends,
            color=canvas.series_colour(position),
            linewidth=1.3,
            linestyle=canvas.DASHES[position % 6],
        )
    axes.set_xlim(0, 20_000)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("km")
    axes.set_ylabel(f"% of edges per {DISTANCE_BIN_KM} km")
    axes.grid(axis="y")
    bounds = sorted(material.bounds("settlement_distance_median_km"), key=lambda bound: bound[1])
    for order, (level, value) in enumerate(bounds):
        canvas.rule(axes, value, f"{level} ≤ {number(value)} km", before=order < len(bounds) - 1)
    if len(frames) > 1:
        lines = [
            axes.plot(
                [], [], color=canvas.series_colour(i), linestyle=canvas.DASHES[i % 6], label=f"seed {s}"
            )[0]
            for i, s in enumerate(frames)
        ]
        axes.legend(handles=lines, loc="lower left", bbox_to_anchor=(-0.01, 1.01), ncols=6, columnspacing=1.2)
    medians, weighted = (
        material.values(f"settlement_distance_{kind}_km") for kind in ("median", "weighted_median")
    )
    caption = (
        f"Half of the edges lie within {_span(medians)} km of their merchant's settlement; half of the "
        f"weight within {_span(weighted)} km. "
        f"Dashed: the bounds on the median over edges."
    )
    rows = [
        (str(seed), medians[seed], weighted[seed], material.values("settlement_distance_p90_km")[seed])
        for seed in frames
    ]
    table = Table(("seed", "median, km", "median by weight, km", "90 %, km"), rows)
    return Plot(name, title, caption, canvas.to_svg(figure, name), table)
