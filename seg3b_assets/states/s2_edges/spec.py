"""What S2 reads and writes, apart from the state itself: a run that reuses S2 imports no geometry."""

from __future__ import annotations

from typing import Final

from seg3b_assets.states.context import StateSpec

STATE: Final = StateSpec(
    name="S2",
    code_version="2.5.0",
    objective="Give every virtual merchant a network of placed, weighted edges, and log every draw.",
    reads=(
        "edge_topology",
        "cdn_country_weights",
        "tz_nudge",
        "tz_overrides",
        "transaction_schema_merchant_ids",
        "outlet_catalogue",
        "zone_alloc",
        "tile_weights",
        "tile_index",
        "tile_bounds",
        "world_countries",
        "tz_world",
        "settlement_gazetteer",
        "input_findings_3B",
        "virtual_classification_3B",
        "virtual_settlement_3B",
        "virtual_settlement_lineage_3B",
    ),
    writes=(
        "edge_catalogue_3B",
        "edge_catalogue_index_3B",
        "edge_merchant_profile_3B",
        "s2_summary_3B",
        "tile_surface_partition_precheck_3B",
        "rng_event_edge_tile_assign_3B",
        "rng_event_edge_jitter_3B",
        "rng_trace_log_3B",
        "rng_audit_log_3B",
        "s2_run_report_3B",
    ),
)
