"""Maps, on an equal-area projection so that a shade means the same everywhere.

Equal Earth: Šavrič, Patterson & Jenny, International Journal of Geographical Information Science 33(3), 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from seg3b_assets.realism.figure_data import COLUMNS, ROWS
from seg3b_assets.report import canvas
from seg3b_assets.report.figures import Plot, Table, nothing
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.wording import number, percent

F64 = NDArray[np.float64]

_A: Final = (1.340264, -0.081106, 0.000893, 0.003796)
_HALF_ROOT_3: Final = math.sqrt(3) / 2
# The projection's half width and half height.
_WIDTH, _HEIGHT = 2.7066, 1.3174
_SPLIT_DEG: Final = 180.0
CELL_KM2: Final = 4 * math.pi * 6371.0088**2 / (COLUMNS * ROWS)
_RAMP_STEPS: Final = (1, 3, 10, 30, 100, 300, 1000)


def project(lon_deg: F64, lat_deg: F64) -> tuple[F64, F64]:
    """Equal Earth x, y of points in degrees, radii of the sphere."""
    parameter = np.arcsin(_HALF_ROOT_3 * np.sin(np.radians(lat_deg)))
    p2 = parameter * parameter
    p6 = p2**3
    slope = _A[0] + 3 * _A[1] * p2 + p6 * (7 * _A[2] + 9 * _A[3] * p2)
    x = 2 * math.sqrt(3) * np.radians(lon_deg) * np.cos(parameter) / (3 * slope)
    y = parameter * (_A[0] + _A[1] * p2 + p6 * (_A[2] + _A[3] * p2))
    return x, y


def _polygons(rings: Sequence[tuple[F64, F64]]) -> Path:
    """One compound path of closed rings."""
    corners, codes = [], []
    for x, y in rings:
        corners.append(np.column_stack([x, y]))
        code = np.full(x.shape[0], Path.LINETO, np.uint8)
        code[0], code[-1] = Path.MOVETO, Path.CLOSEPOLY
        codes.append(code)
    return Path(np.concatenate(corners), np.concatenate(codes))


def base_map(axes: Axes, land: pl.DataFrame) -> None:
    """The sphere's outline, a graticule of 30 and 60 degrees, the land."""
    edge = np.linspace(-90, 90, 61)
    outline = [
        np.concatenate(
            [project(np.full(61, lon), lat) for lon, lat in ((-180, edge), (180, edge[::-1]))], axis=1
        )
    ]
    x, y = outline[0]
    axes.plot(np.append(x, x[0]), np.append(y, y[0]), color=canvas.GRID, linewidth=0.8)
    for lat in (-60, -30, 0, 30, 60):
        ends = project(np.array([-180.0, 180.0]), np.array([lat, lat], float))
        axes.plot(*ends, color=canvas.GRID, linewidth=0.4, zorder=0.5)
    for lon in (-120, -60, 0, 60, 120):
        axes.plot(*project(np.full(61, float(lon)), edge), color=canvas.GRID, linewidth=0.4, zorder=0.5)
    rings = [ring for _, ring in land.group_by("ring", maintain_order=True)]
    whole = [project(ring["lon_deg"].to_numpy(), ring["lat_deg"].to_numpy()) for ring in rings]
    if whole:
        axes.add_patch(
            PathPatch(
                _polygons(whole), facecolor=canvas.LAND, edgecolor=canvas.SURFACE, linewidth=0.3, zorder=1
            )
        )
    axes.set_xlim(-_WIDTH * 1.005, _WIDTH * 1.005)
    axes.set_ylim(-_HEIGHT * 1.01, _HEIGHT * 1.01)
    axes.set_aspect("equal")
    axes.set_axis_off()


def settlement_map(material: ReportMaterial) -> Plot:
    name, title = "settlement-map", "Where virtual merchants settle"
    points = {seed: frames["settlement_points"] for seed, frames in material.plots.items()}
    if not any(frame.height for frame in points.values()):
        return nothing(name, title)
    columns = 2 if len(points) > 1 else 1
    rows_of_maps = math.ceil(len(points) / columns)
    width = canvas.WIDE / columns
    figure = canvas.figure(
        canvas.WIDE,
        rows_of_maps * (width * 0.49 + 20),
        left=4,
        right=4,
        top=18,
        bottom=2,
        wspace=0.03,
        hspace=0.1,
    )
    for position, (seed, frame) in enumerate(points.items()):
        axes = figure.add_subplot(rows_of_maps, columns, position + 1)
        axes.set_title(f"seed {seed}")
        base_map(axes, material.plots[seed]["land"])
        _dots(axes, frame)
    busiest = {
        seed: frame.sort("merchants", descending=True).row(0, named=True)
        for seed, frame in points.items()
        if frame.height
    }
    seed, top = max(busiest.items(), key=lambda item: item[1]["merchants"])
    caption = (
        "A dot is one settlement coordinate; its area grows with the merchants on it. The busiest holds "
        f"{number(top['merchants'])} "
        f"merchants (seed {seed}, {top['lat_deg']:.2f}° latitude, {top['lon_deg']:.2f}° longitude). Equal "
        "Earth projection."
    )
    rows = [(str(seed), *_counts(frame)) for seed, frame in points.items()]
    table = Table(("seed", "settlements", "distinct coordinates", "most merchants on one"), rows)
    return Plot(name, title, caption, canvas.to_svg(figure, name), table)


def _counts(points: pl.DataFrame) -> tuple[int, int, int]:
    merchants = points["merchants"].to_numpy()
    return int(merchants.sum()), points.height, int(merchants.max(initial=0))


def _dots(axes: Axes, frame: pl.DataFrame) -> None:
    if not frame.height:
        return
    x, y = project(frame["lon_deg"].to_numpy(), frame["lat_deg"].to_numpy())
    drawn: PathCollection = axes.scatter(x, y, s=9 * frame["merchants"].to_numpy(), zorder=3)
    drawn.set(facecolor=canvas.SERIES[0], edgecolor=canvas.SURFACE, linewidth=0.4, alpha=0.8)


def edge_density(material: ReportMaterial) -> Plot:
    name, title = "edge-density", "Where edges lie"
    frames = [frames["edge_density"] for frames in material.plots.values()]
    cells = pl.concat(frames).group_by("column", "row").agg(pl.col("edges").sum()).sort("row", "column")
    if cells.is_empty():
        return nothing(name, title)
    figure = canvas.figure(canvas.WIDE, canvas.WIDE * 0.49 + 34, left=4, right=4, top=4, bottom=34)
    axes = figure.add_subplot()
    base_map(axes, next(iter(material.plots.values()))["land"])
    per_seed = cells["edges"].to_numpy() / len(frames)
    step = np.digitize(per_seed, _RAMP_STEPS[1:])
    for level in range(len(_RAMP_STEPS)):
        kept = cells.filter(pl.Series(step == level))
        if kept.height:
            axes.add_patch(PathPatch(_cells(kept), facecolor=canvas.RAMP[level], edgecolor="none", zorder=2))
    _legend(axes)
    total = int(cells["edges"].sum())
    busiest = int(cells["edges"].to_numpy().max())
    tenth = cells.sort("edges", descending=True).head(max(cells.height // 10, 1))["edges"].to_numpy().sum()
    caption = (
        f"Edges per cell of {number(CELL_KM2)} km², mean over seeds; every cell has the same area and the "
        "scale is "
        f"logarithmic. {number(cells.height)} of {number(COLUMNS * ROWS)} cells have an edge; the busiest "
        "tenth of them "
        f"holds {percent(tenth / total)} of {number(total)} edges, the busiest one "
        f"{number(busiest / len(frames))} a seed."
    )
    heaviest = cells.sort("edges", "row", "column", descending=[True, False, False]).head(12)
    rows = [
        (f"{_centre(c, r)[1]:.1f}°", f"{_centre(c, r)[0]:.1f}°", e / len(frames))
        for c, r, e in heaviest.select("column", "row", "edges").iter_rows()
    ]
    return Plot(
        name,
        title,
        caption,
        canvas.to_svg(figure, name),
        Table(("latitude", "longitude", "edges a seed"), rows, cells.height - len(rows)),
    )


def _cells(cells: pl.DataFrame) -> Path:
    west = cells["column"].to_numpy() * (360.0 / COLUMNS) - 180.0
    south = np.degrees(np.arcsin(np.clip(cells["row"].to_numpy() * (2.0 / ROWS) - 1.0, -1, 1)))
    north = np.degrees(np.arcsin(np.clip((cells["row"].to_numpy() + 1) * (2.0 / ROWS) - 1.0, -1, 1)))
    east = west + 360.0 / COLUMNS
    x, y = project(
        np.stack([west, east, east, west, west], 1), np.stack([south, south, north, north, south], 1)
    )
    codes = np.tile(
        np.array([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], np.uint8), len(west)
    )
    return Path(np.stack([x, y], 2).reshape(-1, 2), codes)


def _centre(column: int, row: int) -> tuple[float, float]:
    return (column + 0.5) * 360 / COLUMNS - 180, math.degrees(math.asin((row + 0.5) * 2 / ROWS - 1))


def _legend(axes: Axes) -> None:
    """A key of the shades below the map."""
    key: Any = axes.inset_axes((0.28, -0.075, 0.44, 0.03))
    for level, low in enumerate(_RAMP_STEPS):
        key.axvspan(level, level + 1, color=canvas.RAMP[level], linewidth=0)
        key.text(
            level,
            -0.35,
            f"<{_RAMP_STEPS[1]}" if level == 0 else f"{low:,}",
            ha="left" if level == 0 else "center",
            va="top",
            fontsize=7.5,
            color=canvas.MUTED,
        )
    key.text(
        len(_RAMP_STEPS) + 0.15, 0.5, "edges per cell and seed", va="center", fontsize=7.5, color=canvas.MUTED
    )
    key.set_xlim(0, len(_RAMP_STEPS))
    key.set_axis_off()
