"""Edges by the hundred thousand, counted into bins: where they lie, how far from home, how well they decode.

A histogram is all that is ever drawn of them; no plot has a mark per edge.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.alias import AliasTables, decoded_masses
from seg3b_assets.laws.snapping import snap
from seg3b_assets.realism.population import MASS_UNITS, EdgeFacts

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

DENSITY: Final = pl.Schema({"column": pl.Int64(), "row": pl.Int64(), "edges": pl.Int64()})
DISTANCES: Final = pl.Schema({"from_km": pl.Int64(), "edges": pl.Int64(), "weight": pl.Float64()})
DECODING: Final = pl.Schema({"weight_bin": pl.Int64(), "decoded_bin": pl.Int64(), "edges": pl.Int64()})
ERRORS: Final = pl.Schema({"decade": pl.Int64(), "edges": pl.Int64()})

# Cells of equal area: equal steps of longitude, and of the sine of latitude. 59,000 km² each.
COLUMNS: Final = 120
ROWS: Final = 72
DISTANCE_BIN_KM: Final = 250
BINS_PER_DECADE: Final = 10
# Errors at or below this are below what a double of this size can hold; they count as none.
LEAST_DECADE: Final = -18


def density(edges: pl.DataFrame) -> pl.DataFrame:
    """Edges by cell of an equal-area grid.

    Returns:
        column: 0 at 180° W, each 360/``COLUMNS`` degrees wide; row: 0 at the south pole, each 2/``ROWS`` high
        in the sine of latitude; edges. Empty cells are left out.
    """
    column = np.clip((edges["lon_deg"].to_numpy() + 180.0) * (COLUMNS / 360.0), 0, COLUMNS - 1)
    height = snap(np.sin(np.radians(edges["lat_deg"].to_numpy())))
    row = np.clip((height + 1.0) * (ROWS / 2.0), 0, ROWS - 1)
    return _counted(("column", "row"), (column.astype(np.int64), row.astype(np.int64)), DENSITY)


def distances(edges: EdgeFacts) -> pl.DataFrame:
    """Edges, and their share of all merchants' weight, by distance to the merchant's settlement.

    Returns:
        from_km: lower end of a bin of ``DISTANCE_BIN_KM``; edges; weight, which adds up to 1. Bins run from 0
        without gaps to the farthest edge's.
    """
    if not edges.mass.size:
        return pl.DataFrame(schema=DISTANCES)
    at = (edges.distance_km / DISTANCE_BIN_KM).astype(np.int64)
    mass = np.zeros(int(at.max()) + 1, np.int64)
    np.add.at(mass, at, edges.mass)
    return pl.DataFrame(
        {
            "from_km": np.arange(mass.shape[0]) * DISTANCE_BIN_KM,
            "edges": np.bincount(at),
            "weight": snap(mass / int(mass.sum())),
        },
        schema=DISTANCES,
    )


def decoding(edges: EdgeFacts, tables: AliasTables) -> pl.DataFrame:
    """Edges by stored weight and by decoded probability.

    Returns:
        weight_bin, decoded_bin: bin b of ``BINS_PER_DECADE`` d holds 10^(b/d) up to 10^((b+1)/d); edges.
    """
    return _counted(
        ("weight_bin", "decoded_bin"),
        (log_bin(edges.mass / MASS_UNITS), log_bin(decoded_masses(tables))),
        DECODING,
    )


def log_bin(values: F64) -> I64:
    """Logarithmic bin of positive values; the edge of a bin is decided on a grid, not by the last bit of a log."""
    smallest = 1.0 / (10 * MASS_UNITS)
    return np.floor(snap(np.log10(np.maximum(values, smallest)) * BINS_PER_DECADE)).astype(np.int64)


def decoding_errors(edges: EdgeFacts) -> pl.DataFrame:
    """Edges by the decade of |decoded probability − stored weight|.

    Returns:
        decade: floor of the decimal logarithm; ``LEAST_DECADE`` for no error at all; edges.
    """
    error = edges.decoding_error
    floor = 10.0**LEAST_DECADE
    decade = np.floor(snap(np.log10(np.maximum(error, floor)))).astype(np.int64)
    return _counted(("decade",), (decade,), ERRORS)


def _counted(names: tuple[str, ...], codes: tuple[I64, ...], schema: pl.Schema) -> pl.DataFrame:
    frame = pl.DataFrame(dict(zip(names, codes, strict=True)))
    return frame.group_by(names).agg(edges=pl.len()).sort(names).select(list(schema)).cast(schema)
