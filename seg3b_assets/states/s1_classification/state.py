"""S1 from sealed inputs to staged outputs: what is read, what each bad input is called, what is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.states.maps import read_countries, read_zones
from seg3b_assets.states.s1_classification.classification import classification_tables
from seg3b_assets.states.s1_classification.evidence import joined_sources, zone_warnings
from seg3b_assets.states.s1_classification.settlement import (
    COORDINATES,
    GAZETTEER,
    AnchorSources,
    settlement_tables,
)

if TYPE_CHECKING:
    import polars as pl

    from seg3b_assets.contracts import Violation
    from seg3b_assets.inputs.sealed import CodeOf, SealedInputs
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.states.context import StateContext

MERCHANTS: Final = "transaction_schema_merchant_ids"
_GAZETTEER_COLUMNS: Final = ("place_id", "country_iso", "lat_deg", "lon_deg", "population")
_FAULTS: Final = {
    "lat_deg": "SETTLEMENT_COORD_INVALID",
    "lon_deg": "SETTLEMENT_COORD_INVALID",
    "merchant_id": "SETTLEMENT_COORD_INVALID",
    "tzid": "TZID_INVALID",
    "tzid_settlement": "TZID_INVALID",
}


def run(context: StateContext) -> dict[str, list[dict[str, Any]]]:
    """Write ``virtual_classification_3B`` and ``virtual_settlement_3B``, each with its lineage.

    Returns:
        For the run report: joined, what was used of coordinates and override lists; warnings, coordinates that the
        policy lets pass outside their zones.

    Raises:
        Seg3BError: ``MERCHANT_REF_INVALID``, ``SETTLEMENT_COORD_INVALID``, ``SETTLEMENT_COORD_MISSING``,
            ``TZ_RESOLUTION_FAILED``, ``TZID_INVALID``, and what reading a sealed input raises.
    """
    with context.lanes("classification"):
        merchants = read_merchants(context.inputs)
        classified, lineage = classification_tables(merchants, context.policies, context.identity)
    with context.lanes("settlement"):
        virtual = merchants.filter(classified["is_virtual"])
        sources = read_sources(context.inputs, context.policies)
        warnings = zone_warnings(sources.ingested, virtual, sources.zones, context.policies)
        settled, countries = settlement_tables(virtual, sources, context.policies, context.identity)
    with context.lanes("publish"):
        context.out.table("virtual_classification_3B", classified)
        context.out.table("virtual_classification_lineage_3B", lineage)
        context.out.table("virtual_settlement_3B", settled)
        context.out.table("virtual_settlement_lineage_3B", countries)
    joined = joined_sources(
        merchants, virtual, sources.ingested, context.policies, context.identity.created_utc
    )
    return {"joined": joined, "warnings": warnings}


def read_merchants(inputs: SealedInputs) -> pl.DataFrame:
    """merchant_id u64, mcc i32, channel, home_country_iso, ascending merchant_id.

    Raises:
        Seg3BError: ``MERCHANT_REF_INVALID`` for a duplicate merchant, an unknown channel, a bad code.
    """
    merchants = inputs.table(MERCHANTS, "S1", code_of=TABLES[MERCHANTS])
    return merchants.sort("merchant_id")


def read_sources(inputs: SealedInputs, policies: PolicySet) -> AnchorSources:
    """The gazetteer, the zone polygons and, where upstream has them, the ingested coordinates.

    Raises:
        Seg3BError: ``SETTLEMENT_COORD_INVALID`` for a point outside the world or a merchant listed twice,
            ``TZID_INVALID`` for something that cannot be a zone's name.
    """
    gazetteer, version = None, ""
    if inputs.has(GAZETTEER):
        gazetteer = inputs.table(GAZETTEER, "S1", _GAZETTEER_COLUMNS, code_of=TABLES[GAZETTEER])
        version = inputs.version(GAZETTEER)
    zones = read_zones(inputs, policies, "S1")
    if not inputs.has(COORDINATES):
        return AnchorSources(gazetteer, version, zones)
    ingested = inputs.table(COORDINATES, "S1", code_of=TABLES[COORDINATES])
    polygons = read_countries(inputs, "S1")
    return AnchorSources(gazetteer, version, zones, ingested, inputs.digest(COORDINATES), polygons)


def _coordinate_fault(violation: Violation) -> str:
    return _FAULTS.get(violation.column, "INPUT_SCHEMA_MISMATCH")


# The tables that this state is the first to hold against their contracts, and what it calls a value that breaks one.
TABLES: Final[Mapping[str, CodeOf]] = {
    MERCHANTS: lambda violation: "MERCHANT_REF_INVALID",
    GAZETTEER: _coordinate_fault,
    COORDINATES: _coordinate_fault,
}
