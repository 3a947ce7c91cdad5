"""The tiles a draw falls into: the sealed surface, or the excerpt of it that an exported tree carries.

An excerpt holds the used tiles only, each with the weight that lies before it; a draw that falls between them
is a draw no honest edge made. A surface that is not the sealed one is held against the excerpt and believed no
further: it is one finding, not one for every edge.

No digest in a tree covers an excerpt. What the tree itself shows: weights and order are those of some surface, ids and
bounds of one raster, every tile is one that an edge is drawn into. That they are the sealed surface's own rows only the
surface shows; without it the check is SKIPPED and says so. In a world without a gazetteer countries are where their
tiles are: recomputed where the surfaces are at hand; an exported tree has S2's own, in its summary, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from seg3b_assets.audit.checks import check, tree_check
from seg3b_assets.audit.draws import Draws
from seg3b_assets.audit.input_findings import left_prior
from seg3b_assets.audit.tree import AuditContext, part_files
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import read_arrow
from seg3b_assets.laws.geography import tile_centroid
from seg3b_assets.laws.path_names import COUNTRY
from seg3b_assets.laws.raster import off_raster

if TYPE_CHECKING:
    from seg3b_assets.audit.ledger import EdgeLedger
    from seg3b_assets.audit.placement import Placement

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]

EXCERPT: Final = "tile_excerpt"
SOUND: Final = "tree.tile_excerpt"
SEALED: Final = "tree.tile_excerpt_sealed"
USED: Final = "tree.tile_excerpt_used"
BOUNDS: Final = ["min_lon_deg", "max_lon_deg", "min_lat_deg", "max_lat_deg"]
NOT_SEALED: Final = (
    "tiles are those of the tree's excerpt, which no digest covers; --upstream holds them against the surface"
)
_WEIGHTS: Final = ["weight_before", "weight_fp", "country_weight"]


U64 = NDArray[np.uint64]
SURFACES: Final = ("tile_weights", "tile_index", "tile_bounds")
Centroids = dict[str, tuple[float, float]]
CHECK: Final = "S2.country_centroids"
_SURFACES: Final = ("tile_weights", "tile_bounds")


@tree_check(
    "tree.tile_excerpt", "§4 tiles", "a tile's weight, id or bounds were edited", code="S2_CONTRACT_VIOLATION"
)
def read_excerpt(context: AuditContext) -> pl.DataFrame | None:
    """The tree's excerpt; None without one, or, reported, when it cannot be an excerpt of any surface."""
    if context.tree.excerpt is None:
        return None
    frame = context.frame(EXCERPT, context.tree.excerpt, SOUND)
    if frame is None:
        return None
    context.findings.skip(NOT_SEALED, SEALED)
    end = pl.col("weight_before") + pl.col("weight_fp")
    same_country = pl.col("country_iso") == pl.col("country_iso").shift()
    wrong = frame.select(
        (
            (pl.col("weight_fp") == 0)
            | (end > pl.col("country_weight"))
            | ~pl.col("country_weight").is_in([10**power for power in range(20)])
            | (same_country & (pl.col("weight_before") < end.shift()))
            | (same_country & (pl.col("country_weight") != pl.col("country_weight").shift()))
        ).fill_null(False)
    ).to_series()
    aside = np.zeros(frame.height, bool)
    if _on_raster(context):
        aside = off_raster(frame["tile_id"].to_numpy(), *(frame[name].to_numpy() for name in BOUNDS))
    faulty = wrong.to_numpy() | aside
    context.findings.rows(
        SOUND,
        faulty,
        lambda row: {
            **frame.row(row, named=True),
            "reason": "its bounds are not where its id lies" if aside[row] else "its weight fits no surface",
        },
    )
    return None if faulty.any() else frame


def _on_raster(context: AuditContext) -> bool:
    """Whether S2, which had the surface, found its ids to follow a raster; where nobody says so they must."""
    summary = context.unjudged("s2_summary_3B")
    return not (isinstance(summary, dict) and summary.get("tile_ids_on_raster") is False)


@tree_check(
    "tree.tile_excerpt_sealed",
    "§4 tiles",
    "the run was made on tiles that were never sealed",
    code="S2_CONTRACT_VIOLATION",
)
def compare_excerpt(context: AuditContext, excerpt: pl.DataFrame, tiles: CountryTiles) -> None:
    """One country's rows of the excerpt are rows of its sealed surface."""
    wanted = excerpt["tile_id"].to_numpy()
    row = np.minimum(np.searchsorted(tiles.tile_id, wanted), tiles.tile_id.shape[0] - 1)
    expected = np.stack([tiles.before[row], tiles.after[row] - tiles.before[row]], axis=1)
    found = np.stack([excerpt[name].to_numpy() for name in _WEIGHTS[:2]], axis=1)
    bounds = np.stack([excerpt[name].to_numpy() for name in BOUNDS], axis=1)
    differs = (tiles.tile_id[row] != wanted) | (expected != found).any(axis=1)
    differs |= (bounds != tiles.bounds[row]).any(axis=1)
    differs |= excerpt["country_weight"].to_numpy() != tiles.total
    context.findings.rows(
        SEALED,
        differs,
        lambda at: {
            "surface": {
                "tile_id": int(tiles.tile_id[row[at]]),
                "weight_before": int(expected[at, 0]),
                "weight_fp": int(expected[at, 1]),
                "country_weight": tiles.total,
                **dict(zip(BOUNDS, tiles.bounds[row[at]].tolist(), strict=True)),
            },
            "found": excerpt.row(at, named=True),
        },
    )


@tree_check(
    "tree.tile_excerpt_used",
    "§4 tiles",
    "a tile was put in that no edge is drawn into",
    code="S2_CONTRACT_VIOLATION",
)
def audit_excerpt(context: AuditContext, ledger: EdgeLedger, placement: Placement | None) -> None:
    """The excerpt holds the tiles that edges are drawn into, and no others."""
    if context.tree.excerpt is None or context.findings.failed(SOUND):
        return
    frame = context.frame(EXCERPT, context.tree.excerpt, SOUND)
    if frame is None or placement is None:
        context.findings.skip("the placement could not be recomputed", USED)
        return
    names = ["country_iso", "tile_id"]
    drawn = pl.DataFrame(
        {
            "country_iso": ledger.country_text.filter(pl.Series(placement.drawn)),
            "tile_id": placement.tile_id[placement.drawn],
        }
    ).unique()
    idle = frame.select(names).join(drawn, on=names, how="anti").with_columns(reason=pl.lit("no edge's tile"))
    lost = drawn.join(frame, on=names, how="anti").with_columns(reason=pl.lit("an edge's tile is missing"))
    odd = pl.concat([idle, lost]).sort(names)
    context.findings.rows(USED, np.ones(odd.height, bool), lambda row: odd.row(row, named=True))


class SurfaceError(Exception):
    """A sealed tile surface that cannot be the one S2 read; holds the country and what is wrong."""


@dataclass(frozen=True)
class CountryTiles:
    """Tiles of one country, by ascending id; arrays (tiles,).

    Attributes:
        tile_id: uint64. before, after: uint64, the country's weight up to and including each tile.
        bounds: float64 (tiles, 4), min and max longitude, min and max latitude.
        total: the country's whole weight.
    """

    tile_id: U64
    before: U64
    after: U64
    bounds: F64
    total: int

    def pick(self, draws: Draws, words: U64) -> tuple[NDArray[np.int64], BOOL]:
        """Row of the tile each draw falls into, and whether there is one."""
        if not self.tile_id.size:
            return np.zeros(words.shape[0], np.int64), np.zeros(words.shape[0], bool)
        position = draws.positions(words, self.total)
        row = np.searchsorted(self.after, position, side="right")
        row = np.minimum(row, self.tile_id.shape[0] - 1)
        return row, (self.before[row] <= position) & (position < self.after[row])


class Surfaces:
    """Tiles by country, from whichever of surface and excerpt is at hand."""

    def __init__(self, context: AuditContext) -> None:
        self._desk = context
        self._whole = context.tree.has(*SURFACES)
        excerpt = read_excerpt(context)
        self._excerpt = None if excerpt is None else excerpt.partition_by("country_iso", as_dict=True)
        self._no_tiles = pl.DataFrame() if excerpt is None else excerpt.clear()

    @property
    def at_hand(self) -> bool:
        return self._whole or self._excerpt is not None

    def country(self, iso: str) -> CountryTiles:
        """One country's tiles.

        Raises:
            SurfaceError: a surface that is none.
        """
        whole = _whole_country(self._desk, iso) if self._whole else None
        if self._excerpt is None:
            assert whole is not None
            return whole
        excerpt = self._excerpt.get((iso,), self._no_tiles)
        if whole is not None:
            compare_excerpt(self._desk, excerpt, whole)
        if whole is not None and self._desk.tree.surface_sealed:
            return whole
        columns = {name: excerpt[name].to_numpy() for name in excerpt.columns}
        return CountryTiles(
            columns["tile_id"],
            columns["weight_before"],
            columns["weight_before"] + columns["weight_fp"],
            np.stack([columns[name] for name in BOUNDS], axis=1),
            int(columns["country_weight"][0]) if excerpt.height else 0,
        )


def _whole_country(context: AuditContext, iso: str) -> CountryTiles:
    files = {name: _country_files(context.tree.inputs[name], name, iso) for name in SURFACES}
    weights = _columns(files["tile_weights"], ["tile_id", "weight_fp", "dp"], iso)
    tile_id, weight, dp = weights["tile_id"], weights["weight_fp"], np.unique(weights["dp"])
    if dp.shape[0] != 1 or int(weight.sum()) != 10 ** int(dp[0]) or (weight < 0).any():
        raise SurfaceError(f"{iso}: weights do not sum to 10^dp")
    bounds = _columns(files["tile_bounds"], ["tile_id", *BOUNDS], iso)
    known = bounds["tile_id"]
    row = np.minimum(np.searchsorted(known, tile_id), max(known.shape[0] - 1, 0))
    index = _columns(files["tile_index"], ["tile_id"], iso)["tile_id"]
    if known.size == 0 or (known[row] != tile_id).any() or not _subset(tile_id, index):
        raise SurfaceError(f"{iso}: a tile with a weight has no bounds or is not in the index")
    stacked = np.stack([bounds[name][row] for name in BOUNDS], axis=1)
    after = np.cumsum(weight.astype(np.uint64))
    return CountryTiles(tile_id, after - weight.astype(np.uint64), after, stacked, int(after[-1]))


def _subset(wanted: U64, known: U64) -> bool:
    return np.array_equal(wanted, known) or bool(np.isin(wanted, known).all())


def _country_files(folder: Path, surface: str, iso: str) -> list[Path]:
    if not COUNTRY.fullmatch(iso):
        raise SurfaceError(f"{iso[:80]!a} is no country")
    if surface == "tile_weights":
        return [folder / f"part-{iso}.parquet"]
    return part_files(folder / f"country={iso}")


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Parts of a column, whose integers may be of several types that the contract takes, all within int64."""
    return np.concatenate([part.astype(np.int64) if part.dtype.kind in "iu" else part for part in parts])


def _columns(files: Sequence[Path], names: list[str], iso: str) -> dict[str, NDArray[Any]]:
    """Columns of a country's files in tile_id order.

    Hundreds of small files: pyarrow opens one in a third of the time a polars scan is planned in.
    """
    try:
        tables = [read_arrow(path, names) for path in files]
        columns = {name: _joined([table.column(name).to_numpy() for table in tables]) for name in names}
        columns["tile_id"] = columns["tile_id"].astype(np.uint64)
    except (UnreadableTableError, KeyError, ValueError) as error:
        raise SurfaceError(f"{iso}: {error}"[:200]) from error
    tile_id = columns["tile_id"]
    if (tile_id[1:] > tile_id[:-1]).all():
        return columns
    order = np.argsort(tile_id, kind="stable")
    return {name: values[order] for name, values in columns.items()}


@check("S2.country_centroids", "§4 country shares", "a country is not where its tiles are")
def tile_centroids(context: AuditContext) -> Centroids | None:
    """By country of the prior; what S2 published is held against it. None where neither is to be had."""
    said = _said(context)
    if not context.tree.has(*_SURFACES):
        context.findings.skip("tile surfaces are not at hand: countries are where the summary says", CHECK)
        return (
            None
            if said is None
            else {str(code): (float(lon), float(lat)) for code, (lon, lat) in said.items()}
        )
    left = left_prior(context)
    prior = sorted(row.country_iso for row in context.tree.policies.cdn_country_weights.countries)
    found = {code: _centroid(context, code) for code in prior if code not in left}
    expected = {code: list(point) for code, point in found.items()}
    context.findings.equal(CHECK, said, expected, document="s2_summary_3B")
    return found


def no_tile_centroids(context: AuditContext) -> None:
    """In a world with a gazetteer S2 publishes none."""
    context.findings.equal(CHECK, _said(context), None, document="s2_summary_3B")


def _said(context: AuditContext) -> Any:
    summary = context.unjudged("s2_summary_3B")
    return summary.get("country_centroids") if isinstance(summary, dict) else None


def _centroid(context: AuditContext, country: str) -> tuple[float, float]:
    weights = read_arrow(context.tree.inputs["tile_weights"] / f"part-{country}.parquet")
    files = part_files(context.tree.inputs["tile_bounds"] / f"country={country}")
    bounds = pa.concat_tables([read_arrow(file) for file in files])
    tile_id, known = (table["tile_id"].to_numpy().astype(np.uint64) for table in (weights, bounds))
    order = np.argsort(known, kind="stable")
    row = order[np.searchsorted(known[order], tile_id)]
    lon, lat = (bounds[name].to_numpy()[row] for name in ("centroid_lon_deg", "centroid_lat_deg"))
    return tile_centroid(lon, lat, weights["weight_fp"].to_numpy().astype(np.int64))
