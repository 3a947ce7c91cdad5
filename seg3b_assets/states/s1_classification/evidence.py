"""What people wrote for S1, held against itself and against the merchants: coordinates and override lists."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.joined_keys import (
    ACCEPTED,
    COORDINATES,
    DENIED,
    far_from_zone,
    joined,
    joined_overrides,
)
from seg3b_assets.policies import merchant_overrides

if TYPE_CHECKING:
    from seg3b_assets.laws.zones import ZoneResolver
    from seg3b_assets.policies import PolicySet

LOG: Final = logging.getLogger("seg3b.run")


def require_inside_zones(
    ingested: pl.DataFrame | None, virtual: pl.DataFrame, zones: ZoneResolver, policies: PolicySet
) -> None:
    """Hold each coordinate that is used against the zone beside it: exchanged axes end in another part of the world.

    Args:
        ingested: rows of the coordinates file, in its order. virtual: merchant_id of the virtual merchants.

    Raises:
        Seg3BError: ``SETTLEMENT_COORD_INVALID`` naming row, merchant, point and zone, where the policy refuses it; it
            is a warning in the log where the policy says so.
    """
    if ingested is None:
        return
    rule = policies.settlement.coordinate_outside_zone
    rows = ingested.with_row_index("row").join(virtual.select("merchant_id"), on="merchant_id", how="semi")
    tzid, lon, lat = (rows[name].to_numpy() for name in ("tzid_settlement", "lon_deg", "lat_deg"))
    far = far_from_zone(tzid.astype("U64"), lon, lat, zones.everywhere.rows(), rule.tolerance_deg)
    outside = rows.filter(pl.Series(far))
    if not outside.height:
        return
    first = outside.row(0, named=True)
    zone = first["tzid_settlement"]
    place = f"{COORDINATES}: row {first['row'] + 1}, merchant {first['merchant_id']}"
    detail = {
        "rows": outside.height,
        "row": first["row"] + 1,
        "merchant_id": str(first["merchant_id"]),
        "lat_deg": first["lat_deg"],
        "lon_deg": first["lon_deg"],
        "tzid_settlement": zone,
        "tolerance_deg": rule.tolerance_deg,
    }
    if rule.action == "warn":
        LOG.warning("%s: the point lies outside its zone %s; %d such rows", place, zone, outside.height)
        return
    raise Seg3BError(
        "S1",
        "SETTLEMENT_COORD_INVALID",
        "coordinate_in_its_zone",
        place,
        f"The point is not in {zone}: correct latitude and longitude (exchanged?) or the zone; or let it pass, "
        "with coordinate_outside_zone.action: warn in settlement.yaml.",
        detail,
    )


def joined_sources(
    merchants: pl.DataFrame,
    virtual: pl.DataFrame,
    ingested: pl.DataFrame | None,
    policies: PolicySet,
    created_utc: str,
) -> list[dict[str, Any]]:
    """What was used of the coordinates file and of the override lists; what nobody uses is a warning in the log.

    Args:
        created_utc: of the upstream receipt, against which overrides expire.
    """
    ids = virtual["merchant_id"], merchants["merchant_id"]
    found = list(_joined(*ids, ingested, policies))
    for source, written in merchant_overrides(policies):
        counted = joined_overrides(source, written, created_utc, ids)
        if counted is not None:
            found.append(counted)
    for one in found:
        if one["used"] < one["rows"]:
            LOG.warning(
                "%s: %d of %d rows used; %d of merchants that are not virtual, %d of nobody: %s",
                *(one[key] for key in ("source", "used", "rows", "idle", "unmatched")),
                ", ".join(one["examples"]) or "-",
            )
        else:
            LOG.info("%s: %d of %d rows used", one["source"], one["used"], one["rows"])
    return found


def _joined(
    virtual: pl.Series, merchants: pl.Series, ingested: pl.DataFrame | None, policies: PolicySet
) -> Iterator[dict[str, Any]]:
    overrides = policies.mcc_channel_rules.overrides
    for source, listed in ((ACCEPTED, overrides.accept), (DENIED, overrides.deny)):
        if listed.merchants:
            yield joined(source, pl.Series(listed.merchants, dtype=pl.UInt64), merchants, merchants)
    if ingested is not None:
        yield joined(COORDINATES, ingested["merchant_id"], virtual, merchants)
