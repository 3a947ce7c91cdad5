"""Whether the alias tables say what the catalogue says: lengths against edges, decoded against stored."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from seg3b_assets.realism.plots.edges import BINS_PER_DECADE, LEAST_DECADE
from seg3b_assets.realism.report import canvas
from seg3b_assets.realism.report.figures import Plot, Table, nothing
from seg3b_assets.realism.report.gate_lines import bounds_of
from seg3b_assets.realism.report.material import ReportMaterial
from seg3b_assets.realism.report.wording import number

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
    for level, value in bounds_of(material, "alias_max_abs_delta"):
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
