"""Which columns a published column is made from, where a table's parents alone do not say it.

Only what the numbers come from: identity columns (seed, fingerprint) and what is constant per policy have no
parents. Told in each column's description, and as Dagster's column lineage with each event, for whoever asks its
API (this UI does not draw it). A test holds it against the contracts and the assets' parents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

MERCHANTS: Final = "transaction_schema_merchant_ids"
_RULED = (f"{MERCHANTS}.mcc", f"{MERCHANTS}.channel", f"{MERCHANTS}.home_country_iso")
_TRAITS = ("virtual_classification_3B.virtual_mode", "outlet_catalogue.legal_country_iso")
_ANCHOR = ("virtual_settlement_3B.lat_deg", "virtual_settlement_3B.lon_deg")
_PLACED = tuple(f"tile_bounds.{edge}_deg" for edge in ("min_lon", "max_lon", "min_lat", "max_lat"))
_SHARES = (*_TRAITS, *_ANCHOR, "settlement_gazetteer.population", "zone_alloc.zone_site_count")

COLUMNS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "virtual_classification_3B": {
        "merchant_id": (f"{MERCHANTS}.merchant_id",),
        "is_virtual": _RULED,
        "virtual_mode": _RULED,
        "decision_reason": _RULED,
        "rule_id": _RULED,
    },
    "virtual_classification_lineage_3B": {
        "merchant_id": (f"{MERCHANTS}.merchant_id",),
        "rule_id": _RULED,
        "reason_code": _RULED,
    },
    "virtual_settlement_3B": {
        "merchant_id": (f"{MERCHANTS}.merchant_id",),
        "lat_deg": (
            "settlement_gazetteer.lat_deg",
            "settlement_gazetteer.population",
            f"{MERCHANTS}.home_country_iso",
        ),
        "lon_deg": (
            "settlement_gazetteer.lon_deg",
            "settlement_gazetteer.population",
            f"{MERCHANTS}.home_country_iso",
        ),
        "tzid_settlement": ("tz_world.geometry", "tz_world.tzid", "settlement_gazetteer.country_iso"),
        "evidence_url": ("virtual_settlement_coords.evidence_url",),
    },
    "edge_merchant_profile_3B": {
        "merchant_id": ("virtual_classification_3B.merchant_id",),
        "virtual_class": (*_TRAITS, f"{MERCHANTS}.home_country_iso", *_ANCHOR),
        "size_bucket": ("outlet_catalogue.site_order", "zone_alloc.zone_site_count"),
        "settlement_overlap": ("edge_catalogue_3B.edge_weight", "edge_catalogue_3B.country_iso", *_ANCHOR),
        "weighted_distance_km": (
            "edge_catalogue_3B.edge_weight",
            "edge_catalogue_3B.lat_deg",
            "edge_catalogue_3B.lon_deg",
            *_ANCHOR,
        ),
        "merchant_top1_share": ("edge_catalogue_3B.edge_weight",),
        "merchant_hhi": ("edge_catalogue_3B.edge_weight",),
    },
    "edge_catalogue_3B": {
        "merchant_id": ("virtual_classification_3B.merchant_id",),
        "country_iso": (*_SHARES, "world_countries.country_iso"),
        "hrsl_tile_id": ("tile_weights.tile_id", "tile_weights.weight_fp"),
        "lat_deg": (*_PLACED, "world_countries.geom"),
        "lon_deg": (*_PLACED, "world_countries.geom"),
        "tzid_operational": ("tz_world.geometry", "tz_world.tzid"),
        "edge_weight": _SHARES,
    },
    "edge_catalogue_index_3B": {
        "merchant_id": ("edge_catalogue_3B.merchant_id",),
        "edge_count_total": ("edge_catalogue_3B.edge_id",),
        "edge_digest": ("edge_catalogue_3B.edge_digest",),
        "country_mix_summary": ("edge_catalogue_3B.country_iso",),
    },
    "edge_alias_index_3B": {
        "merchant_id": ("edge_catalogue_3B.merchant_id",),
        "edge_count_total": ("edge_catalogue_index_3B.edge_count_total",),
        "alias_table_length": ("edge_catalogue_index_3B.edge_count_total",),
        "merchant_alias_checksum": ("edge_catalogue_3B.edge_weight", "edge_catalogue_3B.edge_id"),
    },
    "virtual_validation_results_3B": {
        "test_id": ("virtual_validation_contract_3B.test_id",),
        "threshold": (
            "virtual_validation_terms_3B.value",
            "virtual_validation_terms_3B.low",
            "virtual_validation_terms_3B.high",
        ),
        "measured": (
            "virtual_validation_terms_3B.metric",
            "edge_catalogue_3B.edge_weight",
            "edge_catalogue_3B.country_iso",
            "virtual_settlement_3B.tzid_settlement",
            "edge_alias_index_3B.merchant_alias_checksum",
        ),
    },
}


def column_lineage(dataset_id: str) -> dict[str, Any]:
    """Metadata with a table's column lineage; empty where its parents say enough."""
    columns = COLUMNS.get(dataset_id)
    if columns is None:
        return {}
    by_column = {name: [_column(parent) for parent in parents] for name, parents in columns.items()}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=by_column)}


def made_from(dataset_id: str, column: str) -> str:
    """The same of one column in words; empty where there is nothing to say."""
    parents = COLUMNS.get(dataset_id, {}).get(column, ())
    return f"Made from {', '.join(f'`{parent}`' for parent in parents)}." if parents else ""


def _column(parent: str) -> dg.TableColumnDep:
    dataset, column = parent.rsplit(".", 1)
    return dg.TableColumnDep(asset_key=dataset, column_name=column)
