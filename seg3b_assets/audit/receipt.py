"""The receipt of an exported tree held against the tree: its shape, lineage and files, and what states published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from seg3b_assets.audit.checks import audited_datasets, later_datasets, tree_check
from seg3b_assets.audit.exported import BUNDLE, FLAG, RUN_RECEIPT, ExportedTree
from seg3b_assets.audit.findings import Findings
from seg3b_assets.audit.listing import Stamp
from seg3b_assets.audit.tree import AuditContext, AuditTree, path_digests, read_bounded
from seg3b_assets.contracts import contract
from seg3b_assets.laws.hashing import canonical_json, file_digest, sha256_json
from seg3b_assets.laws.identity import STATES, RunIdentity

DATASETS: Final = "tree.datasets"
RECEIPT: Final = "tree.receipt"
FILES: Final = "tree.files"
STATE_DIGESTS: Final = "tree.states"
EXPORT_RECEIPT: Final = "export_receipt"


def judge_carried(findings: Findings, tree: ExportedTree) -> None:
    """An export that lost its receipt or its inputs is no tree that never had them: what nobody can look at is told."""
    for path in tree.lacking() if tree.is_export else ():
        check_id = RECEIPT if path == RUN_RECEIPT else FILES
        findings.fail(check_id, 1, {"path": path, "reason": "every export carries it, and this one lacks it"})


@tree_check(
    "tree.receipt",
    "§0 identity",
    "run_receipt.json was edited, or is of another run",
    code="IDENTITY_MISMATCH",
)
@tree_check("tree.datasets", "§7 evidence", "a dataset the receipt's states published is not in the tree")
def judge_receipt(findings: Findings, tree: ExportedTree, identity: RunIdentity) -> None:
    """The receipt of an export: its shape, its lineage, and every file it lists."""
    receipt = tree.receipt
    if receipt is None or "files" not in receipt:
        told = "it is there and cannot be read" if tree.listing.is_file(RUN_RECEIPT) else "not in the tree"
        if tree.listing.is_file(RUN_RECEIPT) and receipt is None:
            findings.fail(RECEIPT, 1, {"file": RUN_RECEIPT, "reason": "no JSON object"})
        findings.skip(f"{RUN_RECEIPT} of an export: {told}", RECEIPT, FILES, DATASETS)
        return
    violations = contract(EXPORT_RECEIPT).check_document(receipt)
    for violation in violations:
        findings.fail(RECEIPT, violation.count, {"file": RUN_RECEIPT, **violation.record()})
    if violations:
        findings.skip("the receipt breaks its contract", FILES, DATASETS)
        return
    written = canonical_json(receipt)
    on_disk = read_bounded(tree.listing.root / RUN_RECEIPT)
    findings.equal(RECEIPT, on_disk == written, True, what="canonical JSON, every key once")
    keys = {state: row["key"] for state, row in receipt["states"].items()}
    expected = {
        "run_id": identity.run_id,
        "sealed_inputs_digest": identity.sealed_inputs_digest,
        "lineage_id": sha256_json(keys),
    }
    for key, value in expected.items():
        findings.equal(RECEIPT, receipt[key], value, key=key)
    findings.equal(RECEIPT, sorted(keys), list(STATES), key="states")
    _judge_files(findings, tree, receipt)
    held = tree.datasets()
    absent = [name for name in audited_datasets() if name not in held]
    if absent:
        findings.fail(DATASETS, len(absent), {"missing": absent[:5]})
    findings.ok(DATASETS)


@tree_check(
    "tree.files",
    "§7 evidence",
    "a file is missing, or its bytes changed after the export",
    code="DIGEST_COMPONENT_MISMATCH",
)
def _judge_files(findings: Findings, tree: ExportedTree, receipt: Mapping[str, Any]) -> None:
    listed = {row["path"]: row for row in receipt["files"]}
    for path in sorted(listed.keys() | (tree.listing.files.keys() - {RUN_RECEIPT})):
        row, size = listed.get(path), tree.listing.files.get(path)
        if row is None or size is None:
            findings.fail(FILES, 1, {"path": path, "reason": "not listed" if row is None else "missing"})
        elif size != row["size_bytes"]:
            findings.fail(FILES, 1, {"path": path, "expected": row["size_bytes"], "found": size})
    findings.ok(FILES)


def judge_bytes(findings: Findings, tree: ExportedTree, held: AuditTree) -> None:
    """Every listed file has its digest; that of a dataset of one file was computed in the audit."""
    if findings.failed(RECEIPT) or tree.receipt is None or "files" not in tree.receipt:
        return
    root = tree.listing.root
    known = {
        path.relative_to(root).as_posix(): findings.digests[name]
        for name, path in held.datasets.items()
        if name in findings.digests and path.is_file()
    }
    hashed: dict[Stamp, str] = {}  # names of one file are hashed once: a tree may have many of a large one
    for row in tree.receipt["files"]:
        path = row["path"]
        if tree.listing.files.get(path) != row["size_bytes"]:
            continue  # reported with the sizes
        stamp = tree.listing.stamps[path]
        try:
            found = known.get(path) or hashed.get(stamp) or hashed.setdefault(stamp, file_digest(root / path))
        except OSError as error:
            found = f"unreadable: {error.strerror}"
        if found != row["sha256_hex"]:
            findings.fail(FILES, 1, {"path": path, "expected": row["sha256_hex"], "found": found})


@tree_check(
    "tree.states",
    "§7 evidence",
    "the receipt speaks of other outputs than the tree holds",
    code="DIGEST_COMPONENT_MISMATCH",
)
def judge_states(context: AuditContext, tree: ExportedTree) -> None:
    """What each state published, as the receipt has it: one digest over those of its datasets."""
    findings, receipt = context.findings, tree.receipt
    if findings.failed(RECEIPT) or receipt is None or "states" not in receipt:
        findings.skip(f"{RUN_RECEIPT} of an export is not in the tree, or breaks its contract", STATE_DIGESTS)
        return
    last = (FLAG, *later_datasets())
    outputs = {name: contract(name).producer for name in (*audited_datasets(), BUNDLE, *last)}
    known = dict(findings.digests)
    known |= path_digests(context, [name for name in last if name in context.tree.datasets])
    for state in STATES:
        digests = {name: known.get(name) for name, producer in outputs.items() if producer == state}
        if None not in digests.values():  # what is missing or unreadable has been reported
            found = receipt["states"][state]["digest"]
            findings.equal(STATE_DIGESTS, found, sha256_json(digests), state=state)


def altered_files(tree: ExportedTree) -> Iterator[str]:
    """Files written to since they were listed; one that was only linked elsewhere, which touches it too, is none."""
    listed = (tree.receipt or {}).get("files")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    stated = {row.get("path"): row.get("sha256_hex") for row in rows}
    if tree.receipt is not None:
        # No file lists its own digest: where it is what it was read as, it has one form.
        stated[RUN_RECEIPT] = sha256_json(tree.receipt)
    for path in tree.listing.changed():
        try:
            same = path in stated and file_digest(tree.listing.root / path) == stated[path]
        except OSError:
            same = False
        if not same:
            yield path
