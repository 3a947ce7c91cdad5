"""What people wrote for S1, held against itself and against the merchants: coordinates and override lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.joined_keys import (
    ACCEPTED,
    COORDINATES,
    DENIED,
    joined,
    joined_overrides,
    outside_zones,
)
from seg3b_assets.laws.visible_text import story
from seg3b_assets.policies import merchant_overrides

if TYPE_CHECKING:
    from seg3b_assets.laws.zones import ZoneResolver
    from seg3b_assets.policies import PolicySet

LOG: Final = story("run")


def zone_warnings(
    ingested: pl.DataFrame | None, virtual: pl.DataFrame, zones: ZoneResolver, policies: PolicySet
) -> list[dict[str, Any]]:
    """Hold each coordinate that is used against the zone beside it: exchanged axes end in another part of the world.

    Args:
        ingested: rows of the coordinates file, in its order. virtual: merchant_id of the virtual merchants.

    Returns:
        What the policy lets pass, as ``outside_zones`` gives it; each is a warning in the log.

    Raises:
        Seg3BError: ``SETTLEMENT_COORD_INVALID`` naming row, merchant, point and zone, where the policy refuses it.
    """
    if ingested is None:
        return []
    rule = policies.settlement.coordinate_outside_zone
    outside = outside_zones(ingested, virtual["merchant_id"], zones.everywhere.rows(), rule.tolerance_deg)
    if outside and rule.action == "refuse":
        raise _outside(outside, rule.tolerance_deg)
    for one in outside:
        LOG.warning(
            "%s: row %d, merchant %s: the point %.6f, %.6f lies outside its zone %s",
            *(one[key] for key in ("source", "row", "merchant_id", "lat_deg", "lon_deg", "tzid_settlement")),
        )
    return outside


def _outside(rows: list[dict[str, Any]], tolerance_deg: float) -> Seg3BError:
    first = rows[0]
    shown = ("row", "merchant_id", "lat_deg", "lon_deg", "tzid_settlement")
    return fail(
        "coordinate_in_its_zone",
        f"{COORDINATES}: row {first['row']}, merchant {first['merchant_id']}",
        f"The point is not in {first['tzid_settlement']}: correct latitude and longitude (exchanged?) or the zone; or "
        "let it pass, with coordinate_outside_zone.action: warn in settlement.yaml.",
        rows=len(rows),
        **{key: first[key] for key in shown},
        tolerance_deg=tolerance_deg,
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
