"""Where countries are in a world without a gazetteer, by their tiles (law section 4, country shares).

Recomputed where the surfaces are at hand; an exported tree has S2's own, in its summary, and says so.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from seg3b_assets.audit.input_findings import left_prior
from seg3b_assets.audit.tree import Desk, part_files
from seg3b_assets.foreign.tables import read_arrow
from seg3b_assets.laws.geography import tile_centroid

Centroids = dict[str, tuple[float, float]]

CHECK: Final = "S2.country_centroids"
_SURFACES: Final = ("tile_weights", "tile_bounds")


def tile_centroids(desk: Desk) -> Centroids | None:
    """By country of the prior; what S2 published is held against it. None where neither is to be had."""
    said = _said(desk)
    if not desk.tree.has(*_SURFACES):
        desk.findings.skip("tile surfaces are not at hand: countries are where the summary says", CHECK)
        return (
            None
            if said is None
            else {str(code): (float(lon), float(lat)) for code, (lon, lat) in said.items()}
        )
    left = left_prior(desk)
    prior = sorted(row.country_iso for row in desk.tree.policies.cdn_country_weights.countries)
    found = {code: _centroid(desk, code) for code in prior if code not in left}
    expected = {code: list(point) for code, point in found.items()}
    desk.findings.equal(CHECK, said, expected, document="s2_summary_3B")
    return found


def no_tile_centroids(desk: Desk) -> None:
    """In a world with a gazetteer S2 publishes none."""
    desk.findings.equal(CHECK, _said(desk), None, document="s2_summary_3B")


def _said(desk: Desk) -> Any:
    summary = desk.unjudged("s2_summary_3B")
    return summary.get("country_centroids") if isinstance(summary, dict) else None


def _centroid(desk: Desk, country: str) -> tuple[float, float]:
    weights = read_arrow(desk.tree.inputs["tile_weights"] / f"part-{country}.parquet")
    files = part_files(desk.tree.inputs["tile_bounds"] / f"country={country}")
    bounds = pa.concat_tables([read_arrow(file) for file in files])
    tile_id, known = (table["tile_id"].to_numpy().astype(np.uint64) for table in (weights, bounds))
    order = np.argsort(known, kind="stable")
    row = order[np.searchsorted(known[order], tile_id)]
    lon, lat = (bounds[name].to_numpy()[row] for name in ("centroid_lon_deg", "centroid_lat_deg"))
    return tile_centroid(lon, lat, weights["weight_fp"].to_numpy().astype(np.int64))
