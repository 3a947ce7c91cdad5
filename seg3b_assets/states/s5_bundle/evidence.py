"""The bundle's members over a clean report (law section 7): canonical JSON, an index, the flag's bytes.

Everything here is a function of the report and the identity: no clock, no host, no path of this machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.audit import AuditReport, CheckResult, LogFacts
from seg3b_assets.contracts import contract, require_document
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.randomness import EDGE_JITTER, EDGE_TILE_ASSIGN

INDEX_NAME: Final = "index.json"
MANIFEST: Final = "s5_manifest_3B"
_INDEX: Final = "validation_bundle_index_3B"
# Log of each substream, its draws per event, and the prefix of its checks.
_STREAMS: Final = {
    EDGE_JITTER: ("rng_event_edge_jitter_3B", 2, "S2.jitter."),
    EDGE_TILE_ASSIGN: ("rng_event_edge_tile_assign_3B", 1, "S2.tile_assign."),
}
_LOGS: Final = {
    "trace": ("rng_trace_log_3B", "S2.trace."),
    "audit": ("rng_audit_log_3B", "S2.rng_audit."),
}


def bundle_members(
    report: AuditReport, identity: RunIdentity, carried: Mapping[str, bytes], realism: Mapping[str, Any]
) -> dict[str, bytes]:
    """Bytes by member name, ``index.json`` last.

    Args:
        report: of the audit; ``carried``: members that are an earlier state's document; ``realism``: what
            the contract measured (``realism_results``).
    """
    members = dict(carried)
    for dataset_id, value in (
        ("s5_structural_summary_3B", _structural_summary(report)),
        ("s5_rng_summary_3B", _rng_summary(report)),
        ("s5_digest_summary_3B", _digest_summary(report)),
        ("s5_realism_results_3B", dict(realism)),
        (MANIFEST, _manifest(report)),
    ):
        members[f"{dataset_id}.json"] = _document(dataset_id, {**_identity(identity), **value})
    members[INDEX_NAME] = _document(_INDEX, _index(members, identity))
    return members


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


def _identity(identity: RunIdentity) -> dict[str, Any]:
    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "seed": identity.seed,
        "run_id": identity.run_id,
    }


def _status(holds: bool) -> str:
    return "PASS" if holds else "FAIL"


def _structural_summary(report: AuditReport) -> dict[str, Any]:
    return {
        "status": _status(not report.failed),
        "checks": [_check(result) for result in report.checks],
        "counts": dict(report.counts),
    }


def _check(result: CheckResult) -> dict[str, Any]:
    return {
        "check_id": result.check_id,
        "status": result.status,
        "affected_count": result.affected_count,
        "detail": canonical_json(dict(result.detail)).decode() if result.detail else None,
        "example": canonical_json(dict(result.example)).decode() if result.example else None,
        "law": result.spec.law,
    }


def _lane(facts: LogFacts, holds: bool) -> dict[str, Any]:
    return {"status": _status(holds), "lane_digest": facts.digest, "lane_bytes": facts.bytes}


def _rng_summary(report: AuditReport) -> dict[str, Any]:
    streams: dict[str, dict[str, Any]] = {}
    for label, (dataset_id, draws, checks) in _STREAMS.items():
        facts = report.logs[dataset_id]
        counted = {"events": facts.lines, "draws": draws * facts.lines, "blocks": facts.lines}
        wanted = facts.expected_lines
        expected = {"events": wanted, "draws": draws * wanted, "blocks": wanted}
        streams[label] = {
            **counted,
            **{f"expected_{name}": value for name, value in expected.items()},
            **_lane(facts, report.passes(checks)),
        }
        if facts.accepted is not None and facts.expected_accepted is not None:
            streams[label] |= {"accepted": facts.accepted, "expected_accepted": facts.expected_accepted}
    logs: dict[str, dict[str, Any]] = {}
    for name, (dataset_id, checks) in _LOGS.items():
        facts = report.logs[dataset_id]
        rows = {"rows": facts.lines, "expected_rows": facts.expected_lines}
        logs[name] = {**rows, **_lane(facts, report.passes(checks))}
    parts = [*streams.values(), *logs.values()]
    return {"status": _status(all(part["status"] == "PASS" for part in parts)), "streams": streams, **logs}


def _digest_summary(report: AuditReport) -> dict[str, Any]:
    digests = [
        {
            "digest_id": comparison.digest_id,
            "published": comparison.published,
            "recomputed": comparison.recomputed,
            "status": _status(comparison.holds),
        }
        for comparison in report.comparisons
    ]
    return {"status": _status(all(row["status"] == "PASS" for row in digests)), "digests": digests}


def _manifest(report: AuditReport) -> dict[str, Any]:
    """Every S0 to S4 dataset with the digest of its bytes."""
    evidence = [
        {"logical_id": dataset_id, "sha256_hex": digest} for dataset_id, digest in report.digests.items()
    ]
    return {"evidence": evidence}


def _index(members: Mapping[str, bytes], identity: RunIdentity) -> dict[str, Any]:
    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "s5_manifest_digest": sha256_hex(members[f"{MANIFEST}.json"]),
        "members": [
            {
                "logical_id": name.removesuffix(".json"),
                "path": name,
                "schema_ref": contract(name.removesuffix(".json")).schema_ref,
                "sha256_hex": sha256_hex(members[name]),
                "role": "evidence",
                "size_bytes": len(members[name]),
            }
            for name in sorted(members)
        ],
    }
