"""What people write into files and policies, held against what it is to name and against itself (law section 3).

An id that a spreadsheet rounded, or a merchant who is not virtual, gives a row nobody uses; a point whose axes were
exchanged lies in another part of the world than the zone beside it. Who wrote it ought to hear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.overrides import is_current
from seg3b_assets.laws.tz_database import present_name

F64 = NDArray[np.float64]
COORDINATES: Final = "virtual_settlement_coords"
ACCEPTED, DENIED = "mcc_channel_rules:overrides.accept", "mcc_channel_rules:overrides.deny"
BUDGETS: Final = "edge_topology:budget.merchants"
MERCHANT_ZONES, EDGE_ZONES = "tz_overrides:merchants", "tz_overrides:edges"
MODES: Final = "virtual_routing_fields:overrides"
EXAMPLES: Final = 5
OUTSIDE_ZONE: Final = "COORDINATE_OUTSIDE_ZONE"

ZoneRows = tuple[tuple[str, shapely.Geometry], ...]


def joined(source: str, keys: pl.Series, wanted: pl.Series, merchants: pl.Series) -> dict[str, Any]:
    """How many of a source's merchants are used, and of those that are not, why.

    Args:
        keys: merchant ids the source names. wanted: ids it can serve. merchants: ids of all merchants; all u64.

    Returns:
        source, rows, used; idle: merchants whom it cannot serve; unmatched: ids that are nobody's; examples of these,
        ascending, as text, since they may be beyond what JSON readers hold.
    """
    used, known = keys.is_in(wanted.implode()), keys.is_in(merchants.implode())
    lost = keys.filter(~known).unique().sort()
    return {
        "source": source,
        "rows": keys.len(),
        "used": int(used.sum()),
        "idle": int((known & ~used).sum()),
        "unmatched": int((~known).sum()),
        "examples": [str(one) for one in lost.head(EXAMPLES)],
    }


def joined_overrides(
    source: str, written: Sequence[tuple[int, str | None]], created_utc: str, ids: tuple[pl.Series, pl.Series]
) -> dict[str, Any] | None:
    """``joined`` of an override list of which some may have expired; None of an empty one.

    Args:
        written: merchant_id and last day of each. created_utc: of the upstream receipt.
        ids: of the virtual merchants whom it can serve, and of all.

    Returns:
        As ``joined``, rows being those in force, with expired: how many are not.
    """
    if not written:
        return None
    active = [merchant for merchant, expires in written if is_current(expires, created_utc)]
    virtual, merchants = ids
    counted = joined(source, pl.Series(active, dtype=pl.UInt64), virtual, merchants)
    return {**counted, "expired": len(written) - len(active)}


def outside_zones(
    coordinates: pl.DataFrame, virtual: pl.Series, zones: ZoneRows, tolerance_deg: float
) -> list[dict[str, Any]]:
    """The rows of the coordinates file that are used and whose point is not in the zone beside it.

    Args:
        coordinates: merchant_id u64, lat_deg, lon_deg f64, tzid_settlement, in file order.
        virtual: ids of the virtual merchants. zones: (name, polygon) rows. tolerance_deg: degrees, on the plane.

    Returns:
        In file order: kind, severity, source, row counted from 1 below the header, merchant_id as text, lat_deg,
        lon_deg, tzid_settlement.
    """
    used = coordinates.with_row_index("row", 1).filter(pl.col("merchant_id").is_in(virtual.implode()))
    tzid, lon, lat = (used[name].to_numpy() for name in ("tzid_settlement", "lon_deg", "lat_deg"))
    far = used.filter(pl.Series(far_from_zone(tzid.astype("U64"), lon, lat, zones, tolerance_deg)))
    return far.select(
        kind=pl.lit(OUTSIDE_ZONE),
        severity=pl.lit("WARNING"),
        source=pl.lit(COORDINATES),
        row=pl.col("row").cast(pl.Int64),
        merchant_id=pl.col("merchant_id").cast(pl.String),
        lat_deg=pl.col("lat_deg"),
        lon_deg=pl.col("lon_deg"),
        tzid_settlement=pl.col("tzid_settlement"),
    ).to_dicts()


def far_from_zone(
    tzid: NDArray[np.str_], lon: F64, lat: F64, zones: ZoneRows, tolerance_deg: float
) -> NDArray[np.bool_]:
    """Whether each point is further from every polygon of its stated zone than the tolerance; bool (n,).

    Args:
        tzid: (n,), as stated; an old name means its present zone. zones: (name, polygon) rows.
        tolerance_deg: degrees, on the plane.

    A zone without a polygon says nothing of a point.
    """
    far = np.zeros(tzid.shape[0], bool)
    for name, at in groups(tzid):
        present = present_name(str(name))
        polygons = [polygon for zone, polygon in zones if present_name(zone) == present]
        points = shapely.points(lon[at], lat[at])
        near = [shapely.dwithin(polygon, points, tolerance_deg) for polygon in polygons]
        far[at] = ~np.logical_or.reduce(near) if near else False
    return far
