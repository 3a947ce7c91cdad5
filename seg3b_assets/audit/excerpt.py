"""The tiles an exported tree carries in place of the sealed surfaces, and what can be told of them (law section 4).

No digest in a tree covers them. What the tree itself shows: weights and order are those of some surface, ids and
bounds of one raster, every tile is one that an edge is drawn into. That they are the sealed surface's own rows only
the surface shows; without it the check is SKIPPED and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.tree import Desk
from seg3b_assets.laws.raster import off_raster

if TYPE_CHECKING:
    from seg3b_assets.audit.ledger import EdgeLedger
    from seg3b_assets.audit.placement import Placement
    from seg3b_assets.audit.surface import CountryTiles

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


def read_excerpt(desk: Desk) -> pl.DataFrame | None:
    """The tree's excerpt; None without one, or, reported, when it cannot be an excerpt of any surface."""
    if desk.tree.excerpt is None:
        return None
    frame = desk.frame(EXCERPT, desk.tree.excerpt, SOUND)
    if frame is None:
        return None
    desk.findings.skip(NOT_SEALED, SEALED)
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
    if _on_raster(desk):
        aside = off_raster(frame["tile_id"].to_numpy(), *(frame[name].to_numpy() for name in BOUNDS))
    faulty = wrong.to_numpy() | aside
    desk.findings.rows(
        SOUND,
        faulty,
        lambda row: {
            **frame.row(row, named=True),
            "reason": "its bounds are not where its id lies" if aside[row] else "its weight fits no surface",
        },
    )
    return None if faulty.any() else frame


def _on_raster(desk: Desk) -> bool:
    """Whether S2, which had the surface, found its ids to follow a raster; where nobody says so they must."""
    summary = desk.unjudged("s2_summary_3B")
    return not (isinstance(summary, dict) and summary.get("tile_ids_on_raster") is False)


def compare_excerpt(desk: Desk, excerpt: pl.DataFrame, tiles: CountryTiles) -> None:
    """One country's rows of the excerpt are rows of its sealed surface."""
    wanted = excerpt["tile_id"].to_numpy()
    row = np.minimum(np.searchsorted(tiles.tile_id, wanted), tiles.tile_id.shape[0] - 1)
    expected = np.stack([tiles.before[row], tiles.after[row] - tiles.before[row]], axis=1)
    found = np.stack([excerpt[name].to_numpy() for name in _WEIGHTS[:2]], axis=1)
    bounds = np.stack([excerpt[name].to_numpy() for name in BOUNDS], axis=1)
    differs = (tiles.tile_id[row] != wanted) | (expected != found).any(axis=1)
    differs |= (bounds != tiles.bounds[row]).any(axis=1)
    differs |= excerpt["country_weight"].to_numpy() != tiles.total
    desk.findings.rows(
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


def audit_excerpt(desk: Desk, ledger: EdgeLedger, placement: Placement | None) -> None:
    """The excerpt holds the tiles that edges are drawn into, and no others."""
    if desk.tree.excerpt is None or desk.findings.failed(SOUND):
        return
    frame = desk.frame(EXCERPT, desk.tree.excerpt, SOUND)
    if frame is None or placement is None:
        desk.findings.skip("the placement could not be recomputed", USED)
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
    desk.findings.rows(USED, np.ones(odd.height, bool), lambda row: odd.row(row, named=True))
