"""Which countries a sealed tile surface has, by the names of its files, and a few of a country's tiles.

Nothing here judges a surface; S2 does, of the countries it needs. A real surface has 221 million tiles: names are
listed, and of a file one row group is read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import parquet_file
from seg3b_assets.laws.plain_files import files_below

SURFACES: Final = ("tile_weights", "tile_index", "tile_bounds")
BOUNDS: Final = ("min_lon_deg", "min_lat_deg", "max_lon_deg", "max_lat_deg")
NAME_OF_FILE: Final = {
    "tile_weights": re.compile(r"part-(?P<iso>[A-Z]{2})\.parquet"),
    "tile_index": re.compile(r"country=(?P<iso>[A-Z]{2})/[^/]+\.parquet"),
    "tile_bounds": re.compile(r"country=(?P<iso>[A-Z]{2})/[^/]+\.parquet"),
}


def files_by_country(surface: str, folder: Path) -> dict[str, list[Path]]:
    """Files of a surface by the country their name carries; those without one are left out."""
    found: dict[str, list[Path]] = {}
    for name in files_below(folder):
        match = NAME_OF_FILE[surface].fullmatch(name)
        if match:
            found.setdefault(match["iso"], []).append(folder / name)
    return found


def sample_bounds(files: list[Path], wanted: int) -> NDArray[np.float64]:
    """West, south, east, north of some tiles, evenly over one row group: float64 (at most wanted, 4).

    Empty where the file is no surface, which S2 says better; tiles over the antimeridian are left out.
    """
    try:
        with parquet_file(files[len(files) // 2], BOUNDS) as file:
            if not file.num_row_groups:
                return np.zeros((0, 4))
            group = file.read_row_group(file.num_row_groups // 2, columns=list(BOUNDS), use_threads=False)
            numbers = [group.column(name).cast("float64").to_numpy() for name in BOUNDS]
    except (UnreadableTableError, KeyError, ValueError):
        return np.zeros((0, 4))
    bounds = np.stack(numbers, axis=1)
    flat = bounds[(bounds[:, 0] <= bounds[:, 2]) & np.isfinite(bounds).all(axis=1)]
    if not len(flat):
        return np.zeros((0, 4))
    chosen: NDArray[np.float64] = flat[np.unique(np.linspace(0, len(flat) - 1, wanted).astype(int))]
    return chosen
