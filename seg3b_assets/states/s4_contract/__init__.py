"""S4: what the router is promised and what realism must show (law section 6)."""

from __future__ import annotations

from seg3b_assets.states.context import StateContext, StateSpec
from seg3b_assets.states.run_report import publish_run_report

__all__ = ["STATE", "run"]

STATE = StateSpec(
    name="S4",
    code_version="2.2.0",
    reads=(
        "alias_layout",
        "cdn_country_weights",
        "edge_topology",
        "route_rng",
        "virtual_routing_fields",
        "virtual_validation",
        "transaction_schema_merchant_ids",
        "world_countries",
        "virtual_classification_3B",
        "virtual_settlement_3B",
        "virtual_settlement_lineage_3B",
        "edge_merchant_profile_3B",
        "edge_catalogue_3B",
        "edge_catalogue_index_3B",
        "edge_alias_blob_3B",
        "edge_alias_index_3B",
        "edge_universe_hash_3B",
    ),
    writes=(
        "virtual_routing_policy_3B",
        "virtual_routing_bindings_3B",
        "virtual_validation_contract_3B",
        "virtual_validation_terms_3B",
        "virtual_validation_results_3B",
        "s4_run_summary_3B",
        "s4_run_report_3B",
    ),
    objective="compile the routing policy, declare the realism tests and measure them",
)


def run(context: StateContext) -> None:
    """Compute and stage the state's outputs (see ``state``)."""
    from seg3b_assets.states.s4_contract import state  # noqa: PLC0415 - realism and its statistics only when S4 computes

    state.run(context)
    publish_run_report(context, STATE)
