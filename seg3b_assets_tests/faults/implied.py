"""What damage to a dataset sets off besides its own check, whatever the damage is.

Two kinds: its bytes are what another dataset's digest is over, or its rows are what others are counted and
summed from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BYTES: Final[Mapping[str, tuple[str, ...]]] = {
    "sealed_inputs_3B": ("S0.run_id",),
    "edge_catalogue_3B": ("S2.index_global",),
}
_ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "virtual_classification_3B": (
        "S1.merchant_set",
        "S1.settlement_set",
        "S2.country_counts",
        "S2.profile_class",
        "S4.results",
    ),
    "virtual_classification_lineage_3B": ("S1.lineage", "S1.lineage_set"),
    "virtual_settlement_lineage_3B": ("S1.settlement_lineage", "S1.settlement_lineage_set"),
    "virtual_settlement_3B": (
        "S1.settlement_coordinate",
        "S1.settlement_set",
        "S2.merchant_set",
        "S2.profile_class",
        "S2.profile_metrics",
        "S4.results",
    ),
    "edge_catalogue_3B": (
        "S2.edge_mass",
        "S2.edge_sequence",
        "S2.index_country_mix",
        "S2.index_digests",
        "S2.index_global",
        "S2.index_merchants",
        "S2.part_files",
        "S2.profile_metrics",
        "S2.profile_set",
        "S2.sampling_rank",
        "S3.alias_distribution",
        "S3.alias_rows",
        "S3.alias_table",
        "S4.results",
    ),
    "edge_catalogue_index_3B": ("S2.index_global", "S2.index_merchants", "S4.run_summary"),
    "edge_merchant_profile_3B": (
        "S2.profile_budget",
        "S2.profile_class",
        "S2.profile_set",
        "S2.summary",
        "S4.results",
    ),
    "edge_alias_index_3B": (
        "S3.alias_bounds",
        "S3.alias_padding",
        "S3.alias_rows",
        "S3.blob_digest",
    ),
    "virtual_validation_terms_3B": (
        "S4.families",
        "S4.gate_rows",
        "S4.results",
        "S4.rows",
        "S4.terms",
        "S4.terms_set",
        "S4.test_id",
        "S4.thresholds",
    ),
    "virtual_validation_contract_3B": (
        "S4.families",
        "S4.terms_set",
        "S4.gate_rows",
        "S4.rows",
        "S4.results",
        "S4.run_summary",
    ),
    "virtual_validation_results_3B": ("S4.results",),
}


def of_bytes(dataset: str) -> tuple[str, ...]:
    """Checks that compare another dataset with this one's bytes."""
    return _BYTES.get(dataset, ())


def of_rows(dataset: str) -> tuple[str, ...]:
    """Checks that count or sum this dataset's rows."""
    return (*of_bytes(dataset), *_ROWS.get(dataset, ()))
