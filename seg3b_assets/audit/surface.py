"""The tiles a draw falls into: the sealed surface, or the excerpt of it that an exported tree carries.

An excerpt holds the used tiles only, each with the weight that lies before it; a draw that falls between them
is a draw no honest edge made. A surface that is not the sealed one is held against the excerpt and believed no
further: it is one finding, not one for every edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.excerpt import BOUNDS, compare_excerpt, read_excerpt
from seg3b_assets.audit.tree import Desk, part_files
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import read_arrow
from seg3b_assets.laws.path_names import COUNTRY
from seg3b_assets.laws.randomness import draw_position

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]

SURFACES: Final = ("tile_weights", "tile_index", "tile_bounds")


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

    def pick(self, words: U64) -> tuple[NDArray[np.int64], BOOL]:
        """Row of the tile each draw falls into, and whether there is one."""
        if not self.tile_id.size:
            return np.zeros(words.shape[0], np.int64), np.zeros(words.shape[0], bool)
        position = draw_position(words, np.uint64(self.total))
        row = np.searchsorted(self.after, position, side="right")
        row = np.minimum(row, self.tile_id.shape[0] - 1)
        return row, (self.before[row] <= position) & (position < self.after[row])


class Surfaces:
    """Tiles by country, from whichever of surface and excerpt is at hand."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._whole = desk.tree.has(*SURFACES)
        excerpt = read_excerpt(desk)
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


def _whole_country(desk: Desk, iso: str) -> CountryTiles:
    files = {name: _country_files(desk.tree.inputs[name], name, iso) for name in SURFACES}
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
