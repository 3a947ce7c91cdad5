"""The bundle's summaries (law section 7), each derived again from what the audit found.

Three of them the layer publishes; ``s5_audit_3B`` is the segment's own and holds what those have no member for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.audit.checks import check_specs, tree_check
from seg3b_assets.audit.findings import LogFacts
from seg3b_assets.audit.tree import AuditContext, read_bounded, read_table
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import own_id
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.laws.audit_version import AUDIT_VERSION

CONTRACT: Final = "virtual_validation_contract_3B"
# By module and label: a logged stream's log and draws per event; of another, what its entry says.
_STREAMS: Final[Mapping[tuple[str, str], tuple[str, int] | str]] = {
    ("3B.S2", "edge_jitter"): ("rng_event_edge_jitter_3B", 2),
    ("3B.S2", "edge_tile_assign"): ("rng_event_edge_tile_assign_3B", 1),
    (
        "3B.S1",
        "settlement_pick",
    ): "addressed, no event log: S1.settlement_place draws again the place of every "
    "settlement that was not ingested",
    (
        "3B.S2",
        "3B_S2_edge_scale",
    ): "addressed, no event log: S2.profile_draws draws again edge_scale of every merchant",
    (
        "3B.S2",
        "3B_S2_profile_noise",
    ): "addressed, no event log: S2.profile_draws draws again alpha of every merchant",
    (
        "3B.S2",
        "3B_S2_country_alloc",
    ): "addressed, no event log: S2.country_counts draws again the country shares of "
    "every merchant, through the guards to counts",
    (
        "3B.S2",
        "3B_S2_weight_shape",
    ): "addressed, no event log: S2.edge_weight draws again the weight of every edge",
    (
        "3B.S4",
        "3B_S4_probe",
    ): "addressed, no event log: S4.results draws again every pick of the routing probe, "
    "through the blob to the results",
}
_UNLOGGED: Final = dict.fromkeys(
    ("events_total", "draws_total", "blocks_total", "expected_events", "expected_draws", "expected_blocks"), 0
)
_SOUND: Final[Mapping[str, Any]] = {"status": "PASS", "affected_count": 0, "detail": None, "example": None}
_COUNTS: Final = {
    "virtual_merchants": "virtual_merchants",
    "edge_merchants": "edge_merchants",
    "edge_total": "edges",
    "alias_merchants": "alias_merchants",
    "validation_tests": "contract_rows",
}
_POLICY_DIGESTS: Final = {
    "cdn_country_weights_digest": "cdn_country_weights",
    "mcc_channel_rules_digest": "mcc_channel_rules",
    "route_rng_policy_digest": "route_rng_policy_v1",
    "virtual_routing_fields_digest": "virtual_routing_fields_v1",
    "virtual_validation_policy_digest": "virtual_validation_policy",
}
_DATASET_DIGESTS: Final = {
    "edge_alias_blob_digest": "edge_alias_blob_3B",
    "edge_alias_index_digest": "edge_alias_index_3B",
    "edge_catalogue_index_digest": "edge_catalogue_index_3B",
    "virtual_routing_policy_digest": "virtual_routing_policy_3B",
    "virtual_validation_contract_digest": "virtual_validation_contract_3B",
}

Rows = Sequence[Mapping[str, Any]]


def _sound_checks(context: AuditContext, listed: Rows) -> list[dict[str, Any]]:
    """Every check of the audit with its law, all PASS: a bundle exists only over an audit that found nothing."""
    expected = [{"check_id": spec.check_id, "law": spec.law, **_SOUND} for spec in check_specs()]
    if context.tree.versions.get("S5", AUDIT_VERSION) == AUDIT_VERSION:
        return expected
    # Another audit sealed it: it may have known other checks, which is not to be held against it.
    named = {row["check_id"]: row for row in listed}
    expected = [row for row in expected if row["check_id"] in named]
    strange = named.keys() - {row["check_id"] for row in expected}
    foreign = [named[check_id] for check_id in sorted(strange) if named[check_id]["status"] == "PASS"]
    return expected + [{"law": "", **row} for row in foreign]


def _all_counted(context: AuditContext) -> bool:
    """Whether everything was audited here; what was not was not counted either."""
    return not any(result.status == "SKIPPED" for result in context.findings.of(check_specs()))


@tree_check("S5.structural_summary", "§7 evidence", "a check or count is not what S5's audit gives")
def audit_structural(context: AuditContext, summary: Mapping[str, Any] | None) -> None:
    """``s5_structural_summary_3B``."""
    check_id = "S5.structural_summary"
    if summary is None:
        return
    context.findings.equal(check_id, summary["status"], "PASS", key="status")
    kept = ("check_id", "status", "affected_count")
    expected = [{key: row[key] for key in kept} for row in _sound_checks(context, summary["checks"])]
    context.findings.compare_keyed(check_id, summary["checks"], expected, "check_id")
    if _all_counted(context):
        for name, counted in _COUNTS.items():
            context.findings.equal(
                check_id, summary["counts"][name], context.findings.counts.get(counted), count=name
            )


@tree_check("S5.rng_summary", "§7 evidence", "a total, digest or size is not that of the logs")
def audit_rng(context: AuditContext, summary: Mapping[str, Any] | None) -> None:
    """``s5_rng_summary_3B``."""
    check_id = "S5.rng_summary"
    if summary is None:
        return
    context.findings.equal(check_id, summary["status"], "PASS", key="status")
    expected = []
    for (module, label), told in sorted(_STREAMS.items()):
        counted = _counted(context, *told) if isinstance(told, tuple) else {**_UNLOGGED, "notes": told}
        if counted is not None:
            expected.append({"module": module, "substream_label": label, "status": "PASS", **counted})
    known = {row["substream_label"] for row in expected}
    unknown = {label for _, label in _STREAMS} - known  # logs that are not at hand
    listed = [row for row in summary["streams"] if row["substream_label"] not in unknown]
    context.findings.compare_keyed(check_id, listed, expected, "substream_label")


def _counted(context: AuditContext, dataset: str, draws: int) -> dict[str, Any] | None:
    facts = context.findings.logs.get(dataset)
    if facts is None:
        return None
    found, expected = facts.lines, facts.expected_lines
    return {
        "events_total": found,
        "draws_total": draws * found,
        "blocks_total": found,
        "expected_events": expected,
        "expected_draws": draws * expected,
        "expected_blocks": expected,
    }


@tree_check("S5.digest_summary", "§7 evidence", "a digest is not that of the bytes")
def audit_digests(context: AuditContext, summary: Mapping[str, Any] | None) -> None:
    """``s5_digest_summary_3B``."""
    if summary is None:
        return
    check_id, found = "S5.digest_summary", summary["digests"]
    sealed = context.tree.datasets.get("sealed_inputs_3B")
    policies = {}
    if sealed is not None:
        try:
            policies = {row["logical_id"]: row["sha256_hex"] for row in orjson.loads(read_bounded(sealed))}
        except (OSError, ValueError, TypeError, KeyError):
            policies = {}  # its contract's finding
    for name, logical_id in _POLICY_DIGESTS.items():
        if policies:
            context.findings.equal(check_id, found[name], policies.get(logical_id), digest=name)
    for name, dataset in _DATASET_DIGESTS.items():
        if dataset in context.findings.digests:
            context.findings.equal(check_id, found[name], context.findings.digests[dataset], digest=name)
    same_as_compared(context, check_id, "edge_universe_hash", found["edge_universe_hash"])
    context.findings.ok(check_id)


def same_as_compared(context: AuditContext, check_id: str, digest_id: str, found: object) -> None:
    """A digest that an earlier check recomputed; nothing where it could not."""
    comparison = context.findings.comparisons.get(digest_id)
    if comparison is not None:
        context.findings.equal(check_id, found, comparison.recomputed, digest=digest_id)


@tree_check("S5.audit", "§7 evidence", "a check, count, digest or figure is not what S5's audit gives")
def audit_member(context: AuditContext, document: Mapping[str, Any] | None, mode: str | None) -> None:
    """The segment's own member: what the layer's summaries have no place for."""
    check_id = "S5.audit"
    if document is None:
        return
    version = context.tree.versions.get("S5", AUDIT_VERSION)
    for key, value in (("status", "PASS"), ("audit_version", version)):
        context.findings.equal(check_id, document[key], value, key=key)
    context.findings.compare_keyed(
        check_id, document["checks"], _sound_checks(context, document["checks"]), "check_id"
    )
    _audit_digests(context, document["digests"])
    for logical_id, found in document["logs"].items():
        facts = context.findings.logs.get(own_id(logical_id))
        if facts is not None:
            context.findings.equal(check_id, found, _lane(facts), log=logical_id)
    if _all_counted(context):
        counts = context.findings.counts
        for name in sorted(counts.keys() | document["counts"].keys()):
            context.findings.equal(check_id, document["counts"].get(name), counts.get(name), count=name)
    table = published_table(context, CONTRACT, ("test_type", "severity", "enabled"))
    if table is not None:
        expected = _contract_figures(table) | ({} if mode is None else {"realism_enforcement_mode": mode})
        for key, value in expected.items():
            context.findings.equal(check_id, document["contract"][key], value, key=key)


def _audit_digests(context: AuditContext, listed: Rows) -> None:
    known = {
        name: comparison
        for name, comparison in context.findings.comparisons.items()
        if name != "passed_flag"  # the flag is written after the member
    }
    expected = [
        {
            "digest_id": name,
            "published": known[name].recomputed,
            "recomputed": known[name].recomputed,
            "status": "PASS",
        }
        for name in sorted(known)
    ]
    if not _all_counted(context):
        listed = [row for row in listed if row["digest_id"] in known]
    context.findings.compare_keyed("S5.audit", listed, expected, "digest_id")


def _lane(facts: LogFacts) -> dict[str, Any]:
    accepted = {"accepted": facts.accepted, "expected_accepted": facts.expected_accepted or 0}
    return {
        "lines": facts.lines,
        "expected_lines": facts.expected_lines,
        "lane_digest": facts.digest,
        "lane_bytes": facts.bytes,
        "status": "PASS",
        **(accepted if facts.accepted is not None else {}),
    }


def _contract_figures(table: pl.DataFrame) -> dict[str, Any]:
    severities, families = Counter(table["severity"].to_list()), Counter(table["test_type"].to_list())
    return {
        "rows_total": table.height,
        "rows_enabled": int(table["enabled"].sum()),
        "rows_by_test_type": dict(families),
        "rows_by_severity": {name: severities[name] for name in ("BLOCKING", "WARNING", "INFO")},
    }


def published_table(context: AuditContext, dataset: str, columns: Sequence[str]) -> pl.DataFrame | None:
    """Columns of a table that was judged when it was audited; None where they are not of the contract's types."""
    path, dtypes = context.tree.datasets.get(dataset), contract(dataset).polars_schema
    try:
        frame = None if path is None else read_table([path], columns)
    except UnreadableTableError:
        return None
    sound = frame is not None and all(frame.schema.get(name) == dtypes[name] for name in columns)
    return frame if sound else None
