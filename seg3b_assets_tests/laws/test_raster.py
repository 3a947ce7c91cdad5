"""Whether ids say where tiles lie."""

from __future__ import annotations

import numpy as np
import pytest

from seg3b_assets.laws.raster import ids_on_raster


def grid(ncols: int = 360, rows: int = 6, columns: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Ids and bounds of a block of whole cells of one degree."""
    row, column = (part.ravel() for part in np.mgrid[30 : 30 + rows, 40 : 40 + columns])
    west, north = column - 180.0, 90.0 - row
    return (row * ncols + column).astype(np.uint64), np.stack([west, west + 1, north - 1, north], axis=1)


@pytest.mark.parametrize("ncols", [360, 720, 1000])
def test_row_major_ids_follow_a_raster_whatever_its_width(ncols: int) -> None:
    ids, bounds = grid(ncols)
    assert ids_on_raster(np.zeros(ids.shape, np.int64), ids, bounds)
    # Each tile several times, of several countries, in any order.
    order = np.random.default_rng(1).permutation(np.repeat(np.arange(ids.shape[0]), 3))
    assert ids_on_raster(order % 2, ids[order], bounds[order])


@pytest.mark.parametrize(
    "ids_of", [lambda ids: ids[::-1], lambda ids: np.arange(ids.shape[0], dtype=np.uint64) ** 2 + 5]
)
def test_other_ids_do_not(ids_of: object) -> None:
    ids, bounds = grid()
    assert not ids_on_raster(np.zeros(ids.shape, np.int64), ids_of(ids), bounds)  # type: ignore[operator]


def test_a_tile_moved_by_a_cell_is_off() -> None:
    ids, bounds = grid()
    bounds[5, :2] += 1.0
    assert not ids_on_raster(np.zeros(ids.shape, np.int64), ids, bounds)


def test_too_few_tiles_show_no_raster() -> None:
    assert ids_on_raster(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros((0, 4)))
