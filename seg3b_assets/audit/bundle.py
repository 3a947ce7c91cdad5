"""The bundle and its flag (law section 7), each member derived again from what the audit found.

A member, its index row and the flag rewritten together still say other things than the datasets do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.audit.bundle_members import (
    audit_digests,
    audit_member,
    audit_rng,
    audit_structural,
    published_table,
    same_as_compared,
)
from seg3b_assets.audit.checks import audited_datasets, bundle_documents, tree_check
from seg3b_assets.audit.tree import AuditContext, read_bounded
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import by_own_id, own_id
from seg3b_assets.laws.hashing import le64, sha256_hex, uer
from seg3b_assets.laws.plain_files import files_below

BUNDLE: Final = "validation_bundle_3B"
INDEX: Final = "validation_bundle_index_3B"
MANIFEST: Final = "s5_manifest_3B"
RESULTS: Final = "virtual_validation_results_3B"
FLAG_NAME: Final = "_passed.flag"
INDEX_NAME: Final = "index.json"
CARRIED: Final = ("s0_gate_receipt_3B", "sealed_inputs_3B", "s4_run_summary_3B")
_RESULT_COLUMNS: Final = (
    "test_id",
    "metric",
    "severity",
    "status",
    "measured",
    "operator",
    "threshold",
    "n",
    "detail",
)
BUNDLE_CHECKS: Final = (
    "S5.bundle_members",
    "S5.bundle_index",
    "S5.flag",
    "S5.carried",
    "S5.structural_summary",
    "S5.rng_summary",
    "S5.digest_summary",
    "S5.realism_results",
    "S5.audit",
    "S5.manifest",
)

Rows = Sequence[Mapping[str, Any]]


def sealed_digests(context: AuditContext) -> dict[str, str]:
    """Digest by dataset id as the bundle's manifest has it; empty when it cannot be read."""
    manifest = context.document(MANIFEST)
    if manifest is None:
        return {}
    return {own_id(row["logical_id"]): row["sha256_hex"] for row in manifest["evidence"]}


def audit_bundle(context: AuditContext, policies_known: bool) -> None:
    """Every check of the bundle, after everything it speaks of has been audited.

    Args:
        policies_known: whether ``tree.policies`` are the run's.
    """
    folder = context.tree.datasets.get(BUNDLE)
    if folder is None:
        context.findings.skip("the tree has no bundle", *BUNDLE_CHECKS)
        return
    members = _members(context, folder)
    if members is None:
        return
    _flag(context, members)
    _index(context, members)
    _carried(context, members)
    documents = {
        name: context.document(name)
        for name in bundle_documents()
        if name not in (INDEX, MANIFEST)  # the manifest was read before the audit, the index here
    }
    audit_structural(context, documents["s5_structural_summary_3B"])
    audit_rng(context, documents["s5_rng_summary_3B"])
    audit_digests(context, documents["s5_digest_summary_3B"])
    mode = context.tree.policies.virtual_validation.realism_enforcement_mode if policies_known else None
    _realism(context, documents["s5_realism_results_3B"], mode)
    audit_member(context, documents["s5_audit_3B"], mode)
    _manifest(context)


@tree_check("S5.bundle_members", "§7 bundle", "a member is missing, or something else lies in the bundle")
def _members(context: AuditContext, folder: Path) -> dict[str, bytes] | None:
    """Bytes of every file of the bundle; reports files that are none of its members, and missing ones."""
    expected = set(contract(BUNDLE).schema["items"]["enum"])
    found = files_below(folder)
    absent, foreign = sorted(expected - set(found) - {FLAG_NAME}), sorted(set(found) - expected)
    if absent or foreign:
        example = {"missing": absent[:3], "unknown": foreign[:3]}
        context.findings.fail("S5.bundle_members", len(absent) + len(foreign), example)
    try:
        members = {name: read_bounded(folder / name) for name in found}
    except OSError as error:
        context.findings.fail("S5.bundle_members", 1, {"reason": str(error)})
        return None
    context.findings.ok("S5.bundle_members")
    context.findings.digests[BUNDLE] = _folder_digest(members)
    return members


def _folder_digest(members: Mapping[str, bytes]) -> str:
    """The directory law over the bundle; its flag, written over it, is a dataset of its own."""
    digest = hashlib.sha256()
    for name in sorted(members.keys() - {FLAG_NAME}, key=str.encode):
        digest.update(uer(name) + le64(len(members[name])) + members[name])
    return digest.hexdigest()


@tree_check("S5.flag", "§7 flag", "the flag is missing or is not of this bundle", code="FLAG_DIGEST_MISMATCH")
def _flag(context: AuditContext, members: Mapping[str, bytes]) -> None:
    """``sha256_hex = `` and SHA-256 over the members' raw bytes in ASCII path order, LF, nothing else."""
    digest = hashlib.sha256()
    for name in sorted(members):
        if name not in (FLAG_NAME, INDEX_NAME):
            digest.update(members[name])
    expected = f"sha256_hex = {digest.hexdigest()}\n"
    found = members.get(FLAG_NAME)
    told = None if found is None else found[:200].decode("ascii", "backslashreplace")
    context.findings.compare_digest("passed_flag", (told or "")[13:77], digest.hexdigest())
    context.findings.equal("S5.flag", told, expected, file=FLAG_NAME)


@tree_check("S5.bundle_index", "§7 bundle", "index.json does not describe the members")
def _index(context: AuditContext, members: Mapping[str, bytes]) -> None:
    document = context.document(INDEX)
    if document is None:
        context.findings.skip("index.json cannot be read", "S5.bundle_index")
        return
    expected = [
        {
            "logical_id": name.removesuffix(".json"),
            "path": name,
            "schema_ref": by_own_id()[name.removesuffix(".json")].schema_ref,
            "sha256_hex": sha256_hex(members[name]),
            "role": "evidence",
            "size_bytes": len(members[name]),
        }
        for name in sorted(members)
        if name not in (FLAG_NAME, INDEX_NAME)
    ]
    context.findings.compare_keyed("S5.bundle_index", document["members"], expected, "path")
    digest = sha256_hex(members.get(f"{MANIFEST}.json", b""))
    context.findings.equal(
        "S5.bundle_index", document["s5_manifest_digest"], digest, key="s5_manifest_digest"
    )


@tree_check("S5.carried", "§7 evidence", "a member is not the state's document it repeats")
def _carried(context: AuditContext, members: Mapping[str, bytes]) -> None:
    """Members that repeat an earlier state's document, byte for byte."""
    for name in CARRIED:
        path, member = context.tree.datasets.get(name), members.get(f"{name}.json")
        if path is None or member is None:
            context.findings.skip(f"{name} is not in the tree", "S5.carried")
            continue
        context.findings.equal(
            "S5.carried", sha256_hex(member), sha256_hex(read_bounded(path)), member=f"{name}.json"
        )


@tree_check("S5.realism_results", "§7 evidence", "a result is not that of virtual_validation_results_3B")
def _realism(context: AuditContext, summary: Mapping[str, Any] | None, mode: str | None) -> None:
    """What the contract measured, row by row, and whether it let the seed pass."""
    check_id = "S5.realism_results"
    if summary is None:
        return
    if mode is not None:
        found = summary["realism_enforcement_mode"]
        context.findings.equal(check_id, found, mode, key="realism_enforcement_mode")
    table = published_table(context, RESULTS, _RESULT_COLUMNS)
    if table is None:
        context.findings.skip(f"{RESULTS} is not in the tree", check_id)
        return
    rows = table.select(_RESULT_COLUMNS).to_dicts()
    expected = [{**row, "threshold": _value(row["threshold"])} for row in rows]
    context.findings.compare_keyed(check_id, summary["results"], expected, "test_id")
    blocking = [row for row in rows if row["severity"] == "BLOCKING"]
    failed = [row for row in blocking if row["status"] == "FAIL"]
    totals = {
        "contract_rows": len(rows),
        "blocking_rows": len(blocking),
        "status": "FAIL" if failed else "PASS",
    }
    for key, value in totals.items():
        context.findings.equal(check_id, summary[key], value, key=key)
    if failed:
        context.findings.fail(
            check_id, len(failed), {"reason": "a BLOCKING row failed, and yet it was sealed"}
        )


def _value(text: str | None) -> Any:
    """What a text says in JSON; itself where it is none, which no member can agree with."""
    try:
        return orjson.loads(text or "")
    except ValueError:
        return text


@tree_check("S5.manifest", "§7 evidence", "a dataset's digest is not that of its bytes")
def _manifest(context: AuditContext) -> None:
    """Every S0 to S4 dataset, with the digest of its bytes, and what a router is bound by."""
    sealed = context.tree.published
    if not sealed:
        context.findings.skip("s5_manifest_3B cannot be read", "S5.manifest")
        return
    from_disk = context.findings.digests
    expected = {name: from_disk.get(name, sealed.get(name)) for name in audited_datasets()}
    wrong = sorted(name for name in sealed.keys() | expected.keys() if sealed.get(name) != expected.get(name))
    if wrong:
        name = wrong[0]
        example = {"dataset": name, "expected": expected.get(name), "found": sealed.get(name)}
        context.findings.fail("S5.manifest", len(wrong), example)
    manifest = context.document(MANIFEST)
    if manifest is not None:
        context.findings.equal("S5.manifest", manifest["status"], "PASS", key="status")
        digests = manifest["digests"]
        same_as_compared(
            context, "S5.manifest", "edge_catalogue_index.global", digests["edge_catalogue_digest_global"]
        )
        for name, dataset in (
            ("edge_alias_blob_digest", "edge_alias_blob_3B"),
            ("virtual_routing_policy_digest", "virtual_routing_policy_3B"),
        ):
            if dataset in from_disk:
                context.findings.equal("S5.manifest", digests[name], from_disk[dataset], digest=name)
    context.findings.ok("S5.manifest")
