"""The sealed polygons as states read them: countries, and the zones of a point; what is unfit is named.

S0 has looked at every polygon (``s0_gate.geometry``); here they are read again from the sealed bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.polygons import PolygonFault, UnfitPolygonsError
from seg3b_assets.laws.zones import ZoneResolver

if TYPE_CHECKING:
    import polars as pl

    from seg3b_assets.inputs.sealed import SealedInputs
    from seg3b_assets.policies import PolicySet

COUNTRIES: Final = "world_countries"
ZONES: Final = "tz_world"


def read_countries(inputs: SealedInputs, state: str) -> CountryPolygons:
    """One prepared polygon per country.

    Raises:
        Seg3BError: ``INPUT_SCHEMA_MISMATCH`` for what is no polygon; what reading a sealed table raises.
    """
    frame = inputs.table(COUNTRIES, state, ["country_iso", "geom"])
    codes = frame["country_iso"].to_list()
    try:
        return CountryPolygons.from_wkb(codes, frame["geom"].to_list())
    except UnfitPolygonsError as error:
        raise unfit(state, COUNTRIES, codes, error.faults) from error


def read_zones(inputs: SealedInputs, policies: PolicySet, state: str) -> ZoneResolver:
    """The resolver over all rows of the zone table.

    Raises:
        Seg3BError: as ``read_countries``.
    """
    frame = inputs.table(ZONES, state)
    try:
        return ZoneResolver.from_wkb(
            frame["tzid"].to_list(),
            frame["country_iso"].to_list() if "country_iso" in frame.columns else None,
            frame["geometry"].to_list(),
            policies.tz_nudge.epsilon_deg,
            policies.tz_overrides.tzid_by_country(str(inputs.receipt["verified_at_utc"])),
        )
    except UnfitPolygonsError as error:
        raise unfit(state, ZONES, zone_names(frame), error.faults) from error


def zone_names(zones: pl.DataFrame) -> list[str]:
    """What each row of a zone table is called in an error: zone, and country where the table has one."""
    if "country_iso" not in zones.columns:
        return [str(name) for name in zones["tzid"].to_list()]
    return [f"{tzid} ({country})" for tzid, country in zones.select("tzid", "country_iso").iter_rows()]


def unfit(state: str, dataset: str, names: Sequence[str], faults: Mapping[int, PolygonFault]) -> Seg3BError:
    """The error of polygons that are none: every one of them, by country or zone.

    Args:
        names: of the table's rows. faults: by position.
    """
    listed = [
        {"row": names[at], "fault": fault.kind, "found": fault.found} for at, fault in sorted(faults.items())
    ]
    first = listed[0]
    return fail(
        "fit_polygons",
        f"{dataset}.{contract(dataset).geometry}: {', '.join(names[at] for at in sorted(faults)[:10])}",
        f"Mend the geometry of {dataset}: valid polygons in degrees, longitude first (EPSG:4326), cut at 180 "
        "degrees. First fault: " + f"{first['row']}, {first['fault']} ({first['found']}).",
        in_state=state,
        logical_id=dataset,
        count=len(listed),
        faults=listed,
    )


def unresolved_zone(
    state: str,
    validator: str,
    place: str,
    point: tuple[str, float, float],
    resolver: ZoneResolver,
    facts: Mapping[str, Any],
) -> Seg3BError:
    """The error of a point that no rule gives a zone.

    Args:
        point: country, longitude, latitude. facts: more of them, for the detail.
    """
    country, lon, lat = point
    covering = resolver.covering(country, lon, lat)
    if len(covering) > 1:
        remedy = (
            f"Give {' or '.join(covering)} alone the land both cover, in {ZONES}; or settle the merchants "
            "concerned by a row each in the coordinates file, or by an override of their own."
        )
    elif len(resolver.zones.get(country, ())) == 1:
        remedy = f"Mend the zone polygon of {country} in {ZONES}, or name its one zone for it in tz_overrides.yaml."
    else:
        remedy = (
            f"Mend the zone polygons of {country} in {ZONES}, so that one of them covers the point. An override "
            "for the whole country would give this zone to every point its polygons miss."
        )
    return Seg3BError(
        state,
        "TZ_RESOLUTION_FAILED",
        validator,
        place,
        remedy,
        {"country_iso": country, "lon_deg": lon, "lat_deg": lat, "zones_covering": covering, **facts},
    )
