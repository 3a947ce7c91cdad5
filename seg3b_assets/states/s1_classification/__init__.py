"""S1: which merchants sell without a place, and where each of them legally is (law section 3)."""

from __future__ import annotations

from seg3b_assets.states.context import StateContext, StateSpec
from seg3b_assets.states.run_report import publish_run_report

__all__ = ["STATE", "run"]

STATE = StateSpec(
    name="S1",
    code_version="2.5.0",
    reads=(
        "edge_topology",
        "mcc_channel_rules",
        "settlement",
        "tz_nudge",
        "tz_overrides",
        "virtual_routing_fields",
        "transaction_schema_merchant_ids",
        "settlement_gazetteer",
        "tz_world",
        "world_countries",
        "virtual_settlement_coords",
    ),
    writes=(
        "virtual_classification_3B",
        "virtual_classification_lineage_3B",
        "virtual_settlement_3B",
        "virtual_settlement_lineage_3B",
        "s1_run_report_3B",
    ),
    objective="decide which merchants are virtual and anchor each of them at a legal settlement point",
)


def run(context: StateContext) -> None:
    """Compute and stage the state's outputs (see ``state``)."""
    from seg3b_assets.states.s1_classification import state  # noqa: PLC0415 - geometry only when S1 computes

    found = state.run(context)
    publish_run_report(context, STATE, **found)
