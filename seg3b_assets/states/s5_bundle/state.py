"""S5 (law section 7): re-audits every published byte and writes the bundle and its flag over a clean report.

What is audited, and how, is ``seg3b_assets.audit``; here a report becomes a bundle, or an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.laws.audit_version import AUDIT_VERSION
from seg3b_assets.states.context import StateContext, StateSpec
from seg3b_assets.states.run_report import publish_run_report

if TYPE_CHECKING:
    import polars as pl

    from seg3b_assets.audit import AuditTree

BUNDLE: Final = "validation_bundle_3B"
FLAG: Final = "passed_flag_3B"

PUBLISHED: Final = (
    "sealed_inputs_3B",
    "s0_gate_receipt_3B",
    "input_findings_3B",
    "virtual_classification_3B",
    "virtual_classification_lineage_3B",
    "virtual_settlement_3B",
    "virtual_settlement_lineage_3B",
    "edge_catalogue_3B",
    "edge_catalogue_index_3B",
    "edge_merchant_profile_3B",
    "s2_summary_3B",
    "tile_surface_partition_precheck_3B",
    "rng_event_edge_tile_assign_3B",
    "rng_event_edge_jitter_3B",
    "rng_trace_log_3B",
    "rng_audit_log_3B",
    "edge_alias_blob_3B",
    "edge_alias_index_3B",
    "edge_universe_hash_3B",
    "gamma_draw_log_3B",
    "virtual_routing_policy_3B",
    "virtual_routing_bindings_3B",
    "virtual_validation_contract_3B",
    "virtual_validation_terms_3B",
    "virtual_validation_results_3B",
    "s4_run_summary_3B",
    "s1_run_report_3B",
    "s2_run_report_3B",
    "s3_run_report_3B",
    "s4_run_report_3B",
)
SEALED: Final = (
    "alias_layout",
    "cdn_country_weights",
    "edge_topology",
    "mcc_channel_rules",
    "route_rng",
    "settlement",
    "tz_nudge",
    "tz_overrides",
    "virtual_routing_fields",
    "virtual_validation",
    "segment_1A_gate",
    "segment_1B_gate",
    "segment_2A_gate",
    "segment_3A_gate",
    "run_receipt",
    "transaction_schema_merchant_ids",
    "outlet_catalogue",
    "site_locations",
    "site_timezones",
    "tz_timetable_cache",
    "zone_alloc",
    "tile_index",
    "tile_bounds",
    "tile_weights",
    "world_countries",
    "tz_world",
    "settlement_gazetteer",
    "virtual_settlement_coords",
)

STATE: Final = StateSpec(
    name="S5",
    code_version=AUDIT_VERSION,
    reads=(*SEALED, *PUBLISHED),
    writes=(BUNDLE, FLAG, "s5_run_report_3B"),
    objective="audit S0 to S4 from the bytes on disk, then seal the evidence and write the flag",
)


def run(context: StateContext) -> None:
    """Ask whether realism lets the seed pass, audit, then seal.

    Raises:
        Seg3BError: ``REALISM_GATE_BLOCKED`` when a BLOCKING row of the contract failed; else that of the
            first check that failed, with all of them in its detail. Nothing is written then.
    """
    from seg3b_assets.audit import audit  # noqa: PLC0415 - a run that reuses S5 needs none of it
    from seg3b_assets.states.s5_bundle.evidence import Sealing, bundle_members, flag_bytes  # noqa: PLC0415
    from seg3b_assets.states.s5_bundle.verdict import require_realistic, require_sound  # noqa: PLC0415

    results = context.published.table("virtual_validation_results_3B")
    require_realistic(results)
    with context.lanes("audit"):
        report = audit(audit_tree(context), context.workers)
        require_sound(report)
    with context.lanes("bundle"):
        sealing = Sealing(
            _carried(context), context.inputs.rows, _realism(context, results), _contract(context)
        )
        members = bundle_members(report, context.identity, sealing)
        for name, data in members.items():
            context.out.member(BUNDLE, name, data)
    with context.lanes("flag"):
        context.out.blob(FLAG, flag_bytes(members))
    publish_run_report(context, STATE)


def _realism(context: StateContext, results: pl.DataFrame) -> dict[str, Any]:
    from seg3b_assets.states.s5_bundle.evidence import realism_results  # noqa: PLC0415

    return realism_results(results, context.policies.virtual_validation.realism_enforcement_mode)


def _contract(context: StateContext) -> dict[str, Any]:
    from seg3b_assets.states.s5_bundle.evidence import contract_figures  # noqa: PLC0415

    table = context.published.table("virtual_validation_contract_3B")
    return contract_figures(table, context.policies.virtual_validation.realism_enforcement_mode)


def audit_tree(context: StateContext) -> AuditTree:
    """The lineage's datasets and sealed inputs, by path; an input's bytes are hashed again, whatever is remembered."""
    from seg3b_assets.audit import AuditTree  # noqa: PLC0415

    inputs, published = context.inputs, context.published
    return AuditTree(
        identity=context.identity,
        datasets={dataset_id: published.path(dataset_id) for dataset_id in PUBLISHED},
        inputs={logical_id: entry.location for logical_id, entry in inputs.entries.items()},
        policies=context.policies,
        published={dataset_id: published.digest(dataset_id) for dataset_id in PUBLISHED},
        digest_of=context.policies.digest_again,
        versions={"S2": published.code_version("rng_audit_log_3B")},
    )


def _carried(context: StateContext) -> dict[str, bytes]:
    """Members that are an earlier state's document, byte for byte."""
    carried = ("s0_gate_receipt_3B", "sealed_inputs_3B", "s4_run_summary_3B")
    return {f"{name}.json": context.published.path(name).read_bytes() for name in carried}
