"""Tile ids that follow a raster: row·ncols + column, row 0 north (law section 2, upstream datasets).

A surface of other ids is as lawful, as long as its three tables agree; what lies where its id says can then not be
told from the ids.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]

# Degrees: far below a tile, far above what adding up spans rounds away.
_HAIR_DEG: Final = 1e-6
_FEWEST: Final = 3


def ids_on_raster(country: NDArray[np.int64], tile_id: NDArray[np.uint64], bounds: F64) -> bool:
    """Whether the ids of the distinct tiles among (n,) place every one of them in its cell.

    Args:
        country: which country's tile it is, any code. bounds: float64 (n, 4), min and max longitude, min and max
            latitude.
    """
    order = np.lexsort((tile_id, country))
    new = np.ones(order.shape[0], bool)
    new[1:] = (np.diff(country[order]) != 0) | (tile_id[order][1:] != tile_id[order][:-1])
    distinct = order[new]
    return not off_raster(tile_id[distinct], *bounds[distinct].T).any()


def off_raster(tile_id: NDArray[np.uint64], west: F64, east: F64, south: F64, north: F64) -> BOOL:
    """Tiles whose bounds leave the cell of the raster that their id names.

    Ids are row·ncols + column, row 0 north. Tiles of the commonest size are whole cells; two of them in different
    rows give ncols, and then every id its cell. Nothing is off where too few whole cells show the raster.

    Args:
        tile_id: uint64 (n,). west, east, south, north: degrees (n,); a tile over the antimeridian, whose west is
            the greater, is left out.
    """
    off = np.zeros(tile_id.shape[0], bool)
    whole, width, height = _whole_cells(east - west, north - south)
    if whole.size < _FEWEST:
        return off
    first = int(whole[0])
    apart = tile_id.astype(np.int64) - np.int64(tile_id[first])
    down = np.rint((north[first] - north[whole]) / height).astype(np.int64)
    along = np.rint((west[whole] - west[first]) / width).astype(np.int64)
    below = down != 0
    if not below.any():
        return off
    ratio, left = np.divmod(apart[whole][below] - along[below], down[below])
    ratios, votes = np.unique_counts(ratio[left == 0])
    if not ratios.size:
        off[whole] = True
        return off
    columns = int(ratios[np.argmax(votes)])
    row = np.floor((north[first] - (south + north) / 2.0) / height).astype(np.int64)
    cell_west = west[first] + (apart - row * columns) * width
    cell_north = north[first] - row * height
    beyond = (west - cell_west + 180.0) % 360.0 - 180.0
    off = (beyond < -_HAIR_DEG) | (beyond + (east - west) > width + _HAIR_DEG)
    off |= (north > cell_north + _HAIR_DEG) | (south < cell_north - height - _HAIR_DEG)
    within: BOOL = off & (west <= east)
    return within


def _whole_cells(width: F64, height: F64) -> tuple[I64, float, float]:
    """Which tiles have the commonest width and height, and these, in degrees."""
    if not width.size:
        return np.zeros(0, np.int64), 0.0, 0.0
    size = np.rint(np.stack([width, height], axis=1) / _HAIR_DEG).astype(np.int64)
    _, of_tile, counts = np.unique(size, axis=0, return_inverse=True, return_counts=True)
    whole = np.flatnonzero(of_tile.ravel() == int(np.argmax(counts)))
    wide, high = float(np.median(width[whole])), float(np.median(height[whole]))
    return (whole, wide, high) if wide > 0 and high > 0 else (np.zeros(0, np.int64), 0.0, 0.0)
