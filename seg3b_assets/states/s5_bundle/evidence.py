"""The bundle's members over a clean report (law section 7): canonical JSON, an index, the flag's bytes.

Everything here is a function of the report and the identity: no clock, no host, no path of this machine.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.audit import AUDIT_VERSION, AuditReport, CheckResult
from seg3b_assets.contracts import contract, require_document
from seg3b_assets.contracts.artefact_registry import by_own_id, published_id
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.randomness import (
    COUNTRY_ALLOC,
    EDGE_JITTER,
    EDGE_SCALE,
    EDGE_TILE_ASSIGN,
    PROFILE_NOISE,
    ROUTING_PROBE,
    SETTLEMENT_PICK,
    WEIGHT_SHAPE,
)

INDEX_NAME: Final = "index.json"
MANIFEST: Final = "s5_manifest_3B"
_INDEX: Final = "validation_bundle_index_3B"
# Module and log of each substream that leaves one, its draws per event, and the prefix of its checks.
_LOGGED: Final = {
    EDGE_JITTER: ("3B.S2", "rng_event_edge_jitter_3B", 2, "S2.jitter."),
    EDGE_TILE_ASSIGN: ("3B.S2", "rng_event_edge_tile_assign_3B", 1, "S2.tile_assign."),
}
# Module of each stream that leaves no log, the check that draws it again, and what it draws again.
_ADDRESSED: Final = {
    SETTLEMENT_PICK: ("3B.S1", "S1.settlement_place", "the place of every settlement that was not ingested"),
    EDGE_SCALE: ("3B.S2", "S2.profile_draws", "edge_scale of every merchant"),
    PROFILE_NOISE: ("3B.S2", "S2.profile_draws", "alpha of every merchant"),
    COUNTRY_ALLOC: (
        "3B.S2",
        "S2.country_counts",
        "the country shares of every merchant, through the guards to counts",
    ),
    WEIGHT_SHAPE: ("3B.S2", "S2.edge_weight", "the weight of every edge"),
    ROUTING_PROBE: (
        "3B.S4",
        "S4.results",
        "every pick of the routing probe, through the blob to the results",
    ),
}
_LOGS: Final = {
    "rng_audit_log_3B": "S2.rng_audit.",
    "rng_event_edge_jitter_3B": "S2.jitter.",
    "rng_event_edge_tile_assign_3B": "S2.tile_assign.",
    "rng_trace_log_3B": "S2.trace.",
}
_SEVERITIES: Final = ("BLOCKING", "WARNING", "INFO")
# What the layer counts, by what the audit calls it.
_COUNTS: Final = {
    "virtual_merchants": "virtual_merchants",
    "edge_merchants": "edge_merchants",
    "edge_total": "edges",
    "alias_merchants": "alias_merchants",
    "validation_tests": "contract_rows",
}
# Digests of s5_digest_summary_3B: of sealed policies by logical id, of datasets by dataset id.
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
_GLOBAL_DIGEST: Final = "edge_catalogue_index.global"
_UNIVERSE: Final = "edge_universe_hash"


@dataclass(frozen=True)
class Sealing:
    """What the members are made of besides the audit's report.

    Attributes:
        carried: bytes by member name: members that are an earlier state's document.
        sealed: rows of ``sealed_inputs_3B``.
        realism: the body of ``s5_realism_results_3B`` (``realism_results``).
        contract: the validation contract in figures (``contract_figures``).
    """

    carried: Mapping[str, bytes]
    sealed: Sequence[Mapping[str, Any]]
    realism: Mapping[str, Any]
    contract: Mapping[str, Any]


def bundle_members(report: AuditReport, identity: RunIdentity, sealing: Sealing) -> dict[str, bytes]:
    """Bytes by member name, ``index.json`` last."""
    members = dict(sealing.carried)
    world = {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
    }
    run = {**world, "seed": identity.seed, "run_id": identity.run_id}
    for dataset_id, value in (
        ("s5_structural_summary_3B", world | _structural_summary(report)),
        ("s5_rng_summary_3B", world | _rng_summary(report)),
        ("s5_digest_summary_3B", world | _digest_summary(report, sealing.sealed)),
        ("s5_realism_results_3B", run | dict(sealing.realism)),
        ("s5_audit_3B", run | _audit(report, sealing.contract)),
        (MANIFEST, world | _manifest(report)),
    ):
        members[f"{dataset_id}.json"] = _document(dataset_id, value)
    members[INDEX_NAME] = _document(_INDEX, _index(members, identity))
    return members


def contract_figures(table: pl.DataFrame, mode: str) -> dict[str, Any]:
    """The validation contract in figures.

    Args:
        table: ``virtual_validation_contract_3B``: test_type, severity, enabled. mode: observe or enforce.
    """
    severities = Counter(table["severity"].to_list())
    return {
        "realism_enforcement_mode": mode,
        "rows_total": table.height,
        "rows_enabled": int(table["enabled"].sum()),
        "rows_by_test_type": dict(Counter(table["test_type"].to_list())),
        "rows_by_severity": {name: severities[name] for name in _SEVERITIES},
    }


def realism_results(results: pl.DataFrame, mode: str) -> dict[str, Any]:
    """The body of ``s5_realism_results_3B``.

    Args:
        results: ``virtual_validation_results_3B``, whole. mode: observe or enforce.
    """
    columns = ("test_id", "metric", "severity", "status", "measured", "operator", "threshold", "n", "detail")
    rows = [
        {**row, "threshold": orjson.loads(row["threshold"])}
        for row in results.select(columns).iter_rows(named=True)
    ]
    failed = results.filter((pl.col("severity") == "BLOCKING") & (pl.col("status") == "FAIL")).height
    return {
        "realism_enforcement_mode": mode,
        "status": _status(not failed),
        "contract_rows": results.height,
        "blocking_rows": results.filter(pl.col("severity") == "BLOCKING").height,
        "results": rows,
    }


def flag_bytes(members: Mapping[str, bytes]) -> bytes:
    """``sha256_hex = `` and the bundle digest, over the members' bytes in path order, the index left out."""
    digest = hashlib.sha256()
    for name in sorted(members):
        if name != INDEX_NAME:
            digest.update(members[name])
    return f"sha256_hex = {digest.hexdigest()}\n".encode("ascii")


def _document(dataset_id: str, value: dict[str, Any]) -> bytes:
    require_document(
        contract(dataset_id), value, state="S5", name="BUNDLE_CONTENT_MISMATCH", place=f"{dataset_id}.json"
    )
    return canonical_json(value)


def _status(holds: bool) -> str:
    return "PASS" if holds else "FAIL"


def _structural_summary(report: AuditReport) -> dict[str, Any]:
    checks = [
        {"check_id": result.check_id, "status": result.status, "affected_count": result.affected_count}
        for result in report.checks
    ]
    counts = {name: report.counts[counted] for name, counted in _COUNTS.items()}
    return {"status": _status(not report.failed), "checks": checks, "counts": counts}


def _rng_summary(report: AuditReport) -> dict[str, Any]:
    streams = [_logged_stream(report, label, *told) for label, told in _LOGGED.items()] + [
        _addressed_stream(report, label, *told) for label, told in _ADDRESSED.items()
    ]
    streams.sort(key=lambda stream: (stream["module"], stream["substream_label"]))
    return {"status": _status(all(one["status"] == "PASS" for one in streams)), "streams": streams}


def _logged_stream(
    report: AuditReport, label: str, module: str, dataset_id: str, draws: int, checks: str
) -> dict[str, Any]:
    facts = report.logs[dataset_id]
    found, expected = facts.lines, facts.expected_lines
    return {
        "module": module,
        "substream_label": label,
        "events_total": found,
        "draws_total": draws * found,
        "blocks_total": found,
        "expected_events": expected,
        "expected_draws": draws * expected,
        "expected_blocks": expected,
        "status": _status(report.passes(checks)),
    }


def _addressed_stream(
    report: AuditReport, label: str, module: str, check_id: str, what: str
) -> dict[str, Any]:
    nothing = dict.fromkeys(
        (
            "events_total",
            "draws_total",
            "blocks_total",
            "expected_events",
            "expected_draws",
            "expected_blocks",
        ),
        0,
    )
    return {
        "module": module,
        "substream_label": label,
        **nothing,
        "status": _status(report.passes(check_id)),
        "notes": f"addressed, no event log: {check_id} draws again {what}",
    }


def _digest_summary(report: AuditReport, sealed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    policies = {row["logical_id"]: row["sha256_hex"] for row in sealed}
    return {
        "digests": {
            **{name: policies[logical_id] for name, logical_id in _POLICY_DIGESTS.items()},
            **{name: report.digests[dataset_id] for name, dataset_id in _DATASET_DIGESTS.items()},
            "edge_universe_hash": _recomputed(report, _UNIVERSE),
        }
    }


def _recomputed(report: AuditReport, digest_id: str) -> str:
    return next(one.recomputed for one in report.comparisons if one.digest_id == digest_id)


def _manifest(report: AuditReport) -> dict[str, Any]:
    """Every S0 to S4 dataset with the digest of its bytes, by the layer's names."""
    evidence = [
        {"logical_id": published_id(dataset_id), "sha256_hex": digest}
        for dataset_id, digest in report.digests.items()
    ]
    return {
        "status": _status(not report.failed),
        "evidence": sorted(evidence, key=lambda row: row["logical_id"].encode()),
        "digests": {
            "edge_catalogue_digest_global": _recomputed(report, _GLOBAL_DIGEST),
            "edge_alias_blob_digest": report.digests["edge_alias_blob_3B"],
            "virtual_routing_policy_digest": report.digests["virtual_routing_policy_3B"],
        },
    }


def _audit(report: AuditReport, contract_in_figures: Mapping[str, Any]) -> dict[str, Any]:
    """What the layer's summaries have no member for."""
    return {
        "audit_version": AUDIT_VERSION,
        "status": _status(not report.failed),
        "checks": [_check(result) for result in report.checks],
        "counts": dict(report.counts),
        "digests": [
            {
                "digest_id": comparison.digest_id,
                "published": comparison.published,
                "recomputed": comparison.recomputed,
                "status": _status(comparison.holds),
            }
            for comparison in report.comparisons
        ],
        "logs": {published_id(name): _log(report, name, checks) for name, checks in _LOGS.items()},
        "contract": dict(contract_in_figures),
    }


def _check(result: CheckResult) -> dict[str, Any]:
    return {
        "check_id": result.check_id,
        "law": result.spec.law,
        "status": result.status,
        "affected_count": result.affected_count,
        "detail": canonical_json(dict(result.detail)).decode() if result.detail else None,
        "example": canonical_json(dict(result.example)).decode() if result.example else None,
    }


def _log(report: AuditReport, dataset_id: str, checks: str) -> dict[str, Any]:
    facts = report.logs[dataset_id]
    accepted = {"accepted": facts.accepted, "expected_accepted": facts.expected_accepted}
    return {
        "lines": facts.lines,
        "expected_lines": facts.expected_lines,
        "lane_digest": facts.digest,
        "lane_bytes": facts.bytes,
        "status": _status(report.passes(checks)),
        **(accepted if facts.accepted is not None else {}),
    }


def _index(members: Mapping[str, bytes], identity: RunIdentity) -> dict[str, Any]:
    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "s5_manifest_digest": sha256_hex(members[f"{MANIFEST}.json"]),
        "members": [
            {
                "logical_id": name.removesuffix(".json"),
                "path": name,
                "schema_ref": by_own_id()[name.removesuffix(".json")].schema_ref,
                "sha256_hex": sha256_hex(members[name]),
                "role": "evidence",
                "size_bytes": len(members[name]),
            }
            for name in sorted(members)
        ],
    }
