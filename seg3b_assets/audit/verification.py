"""``seg3b verify``: one exported tree, ours or not, judged from its bytes alone.

The audit is S5's; around it stand the checks of the tree as a whole and of the bundle. What the tree does not
carry is SKIPPED, with the reason; an upstream root supplies it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from seg3b_assets.audit.bundle import audit_bundle, sealed_digests
from seg3b_assets.audit.checks import audited_datasets
from seg3b_assets.audit.examination import examine, examining
from seg3b_assets.audit.exported import BUNDLE, FLAG, POLICIES, RUN_RECEIPT, ExportedTree, disagreements
from seg3b_assets.audit.findings import AuditReport, Findings
from seg3b_assets.audit.listing import Folders, Stamp
from seg3b_assets.audit.run_reports import audit_last_run_report
from seg3b_assets.audit.sealing import audit_seal
from seg3b_assets.audit.surface import SURFACES
from seg3b_assets.audit.tree import AuditTree, Desk, path_digests, read_bounded
from seg3b_assets.audit.tree_checks import (
    ANCHOR,
    AT_HAND,
    DATASETS,
    FILES,
    FLAG_EXPECTED,
    IDENTITY,
    LAST_REPORT,
    LAYOUT,
    RECEIPT,
    STATE_DIGESTS,
    verify_specs,
)
from seg3b_assets.audit.tree_checks import POLICIES as POLICY_CHECK
from seg3b_assets.audit.upstream import GATES, INPUTS, audit_upstream, upstream_of
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import sealed_own_id
from seg3b_assets.contracts.generation import require_current
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, file_digest, sha256_json, stated_digest
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.plain_files import Reach
from seg3b_assets.policies import SEALED_POLICIES, PolicySet
from seg3b_assets.realism.policy_reading import load_policies

EXPORT_RECEIPT: Final = "export_receipt"
STATES: Final = ("S0", "S1", "S2", "S3", "S4", "S5")


@dataclass(frozen=True)
class Verification:
    """What was verified and what was found.

    Attributes:
        identity: who the tree says it is; None when nothing in it says so.
        report: every check of ``verify_specs``.
        flag: the digest the tree's flag states; None without a flag.
        anchors: what outside the tree vouches for it, ``upstream`` or ``flag``. Without any, a tree that holds is one
            that agrees with itself, and whoever can write a tree can make one that does.
    """

    identity: RunIdentity | None
    report: AuditReport
    flag: str | None = None
    anchors: tuple[str, ...] = ()

    def holds(self, strict: bool = False) -> bool:
        """Whether nothing failed and, when strict, nothing was skipped."""
        return not self.report.failed and not (strict and self.report.skipped)


def verify(
    root: Path,
    policies: Path,
    upstream: Path | None = None,
    workers: int = 2,
    expect: str | None = None,
    reach: Reach | None = None,
) -> Verification:
    """Verify a tree.

    Args:
        root: its folder.
        policies: where policies the tree does not carry are read, if they are the sealed ones.
        upstream: root of the upstream world, for what else the tree does not carry, and to hold against it what
            the tree does.
        workers: threads at once; never changes a result.
        expect: the digest of the flag the tree must have, from elsewhere.
        reach: where the upstream root's files may lie; in the root alone if None.

    Raises:
        OSError: the folder itself cannot be listed.
        Seg3BError: INPUT_SCHEMA_MISMATCH for a tree whose receipt says that another release wrote it.
    """
    findings = Findings(verify_specs() if expect is None else (*verify_specs(), ANCHOR))
    tree = ExportedTree.of(root)
    identity = tree.identity
    if identity is None:
        reason = "no receipt in it says whose run it is, or none can be read"
        findings.fail(IDENTITY, 1, {"reason": reason, "files": len(tree.listing.files)})
        _judge_flag(findings, None, expect)
        return Verification(None, findings.report())
    require_current(_versions(tree), str(root))
    _judge_identity(findings, tree, identity)
    _judge_layout(findings, tree)
    _judge_receipt(findings, tree, identity)
    _judge_carried(findings, tree)
    upstream = upstream_of(findings, upstream, identity)
    loaded, trusted = _policies(findings, tree, policies)
    read = {name: loaded.files[name].path for name in SEALED_POLICIES} if trusted else {}
    inputs, digest_of = {**read, **tree.inputs(upstream)}, loaded.digest_again
    held = AuditTree(
        identity=identity,
        datasets=tree.datasets(),
        inputs=inputs,
        policies=loaded,
        digest_of=digest_of,
        excerpt=_excerpt(tree),
        versions=_versions(tree),
        surface_sealed=_surface_sealed(tree, inputs, digest_of),
    )
    _judge_inputs(findings, tree, held)
    desk = Desk(held, findings, workers)
    if upstream is not None:
        with examining(desk, "upstream"):
            audit_upstream(
                findings, tree.sealed, held.inputs, upstream, identity, reach or Reach.of(upstream)
            )
    _examine(desk, trusted)
    _judge_bytes(findings, tree, held)
    with examining(desk, "digests of the states"):
        _judge_states(desk, tree)
    flag = _flag(held)
    _judge_flag(findings, flag, expect)
    for path in _altered(tree):
        findings.fail(LAYOUT, 1, {"path": path, "reason": "it was changed while the tree was verified"})
    return Verification(identity, findings.report(), flag, tuple(_anchors(findings, upstream, expect)))


def _anchors(findings: Findings, upstream: Path | None, expect: str | None) -> Iterator[str]:
    if upstream is not None and not findings.failed(INPUTS) and not findings.failed(GATES):
        yield "upstream"
    if expect is not None and not findings.failed(FLAG_EXPECTED):
        yield "flag"


def _altered(tree: ExportedTree) -> Iterator[str]:
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


def _flag(held: AuditTree) -> str | None:
    path = held.datasets.get(FLAG)
    try:
        return None if path is None else stated_digest(path)
    except OSError:
        return None


def _judge_flag(findings: Findings, flag: str | None, expect: str | None) -> None:
    if expect is not None:
        findings.equal(FLAG_EXPECTED, flag, expect, what="flag")


def _examine(desk: Desk, policies_known: bool) -> None:
    sealed: dict[str, str] = {}
    with examining(desk, "bundle manifest"):
        sealed = sealed_digests(desk)
    states = {name: path for name, path in desk.tree.datasets.items() if name in audited_datasets()}
    if policies_known:
        known = {name: sealed[name] for name in states if name in sealed}
        examine(replace(desk, tree=replace(desk.tree, datasets=states, published=known)))
    else:
        with examining(desk, "seal"):
            audit_seal(replace(desk, tree=replace(desk.tree, datasets=states)), policies_known=False)
    with examining(desk, "bundle"):
        audit_bundle(replace(desk, tree=replace(desk.tree, published=sealed)), policies_known)
    with examining(desk, "run reports"):
        audit_last_run_report(desk)


def _judge_identity(findings: Findings, tree: ExportedTree, identity: RunIdentity) -> None:
    """Every witness says what most of them say."""
    found = list(disagreements(tree.witnesses, identity))
    for witness, field, expected, said in found:
        findings.fail(IDENTITY, 1, {"witness": witness, "field": field, "expected": expected, "found": said})
    findings.ok(IDENTITY)


def _judge_layout(findings: Findings, tree: ExportedTree) -> None:
    """Regular files in the contract's paths, and nothing else."""
    for path, reason in tree.listing.strange.items():
        findings.fail(LAYOUT, 1, {"path": path, "reason": reason})
    files, folders = tree.expected_paths()
    open_to_any = Folders(folders)
    for path in tree.listing.files:
        inside = open_to_any.hold(path) or (not tree.sealed and path.startswith("inputs/"))
        if path not in files and not inside:
            findings.fail(LAYOUT, 1, {"path": path, "reason": "no dataset and no input lies there"})
    findings.ok(LAYOUT)


def _judge_carried(findings: Findings, tree: ExportedTree) -> None:
    """An export that lost its receipt or its inputs is no tree that never had them: what nobody can look at is told."""
    for path in tree.lacking() if tree.is_export else ():
        check_id = RECEIPT if path == RUN_RECEIPT else FILES
        findings.fail(check_id, 1, {"path": path, "reason": "every export carries it, and this one lacks it"})


def _judge_receipt(findings: Findings, tree: ExportedTree, identity: RunIdentity) -> None:
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


def _judge_files(findings: Findings, tree: ExportedTree, receipt: Mapping[str, Any]) -> None:
    listed = {row["path"]: row for row in receipt["files"]}
    for path in sorted(listed.keys() | (tree.listing.files.keys() - {RUN_RECEIPT})):
        row, size = listed.get(path), tree.listing.files.get(path)
        if row is None or size is None:
            findings.fail(FILES, 1, {"path": path, "reason": "not listed" if row is None else "missing"})
        elif size != row["size_bytes"]:
            findings.fail(FILES, 1, {"path": path, "expected": row["size_bytes"], "found": size})
    findings.ok(FILES)


def _judge_bytes(findings: Findings, tree: ExportedTree, held: AuditTree) -> None:
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


def _judge_states(desk: Desk, tree: ExportedTree) -> None:
    """What each state published, as the receipt has it: one digest over those of its datasets."""
    findings, receipt = desk.findings, tree.receipt
    if findings.failed(RECEIPT) or receipt is None or "states" not in receipt:
        findings.skip(f"{RUN_RECEIPT} of an export is not in the tree, or breaks its contract", STATE_DIGESTS)
        return
    outputs = {name: contract(name).producer for name in (*audited_datasets(), BUNDLE, FLAG, LAST_REPORT)}
    known = dict(findings.digests)
    known |= path_digests(desk, [name for name in (FLAG, LAST_REPORT) if name in desk.tree.datasets])
    for state in STATES:
        digests = {name: known.get(name) for name, producer in outputs.items() if producer == state}
        if None not in digests.values():  # what is missing or unreadable has been reported
            found = receipt["states"][state]["digest"]
            findings.equal(STATE_DIGESTS, found, sha256_json(digests), state=state)


def _policies(findings: Findings, tree: ExportedTree, elsewhere: Path) -> tuple[PolicySet, bool]:
    """The tree's policies, or else those of ``elsewhere`` if they are the sealed ones; whether they are known."""
    folder = tree.listing.root / POLICIES
    carried = [name for name in SEALED_POLICIES if tree.listing.is_file(f"{POLICIES}/{name}.yaml")]
    try:
        loaded = load_policies(folder, lacking=elsewhere) if carried else load_policies(elsewhere)
    except Seg3BError as error:
        if not carried:
            raise
        findings.fail(POLICY_CHECK, 1, {"place": error.place, "reason": error.validator, **error.detail})
        return load_policies(elsewhere), False
    sealed = {sealed_own_id(row): row["sha256_hex"] for row in tree.sealed}
    foreign = [
        name
        for name in SEALED_POLICIES
        if name not in carried and loaded.files[name].sha256 != sealed.get(name)
    ]
    if foreign:
        findings.skip(f"neither the tree nor --policies has the sealed {', '.join(foreign)}", POLICY_CHECK)
        return load_policies(elsewhere), False
    findings.ok(POLICY_CHECK)
    return loaded, True


def _excerpt(tree: ExportedTree) -> Path | None:
    path = contract("tile_excerpt").path
    return tree.listing.root / path if tree.listing.is_file(path) else None


def _surface_sealed(tree: ExportedTree, inputs: Mapping[str, Path], digest_of: Callable[[Path], str]) -> bool:
    """Whether the tile surfaces at hand have the bytes that were sealed."""
    sealed = {sealed_own_id(row): row["sha256_hex"] for row in tree.sealed}
    try:
        return all(digest_of(inputs[name]) == sealed[name] for name in SURFACES if name in inputs)
    except OSError:
        return False


def _versions(tree: ExportedTree) -> dict[str, str]:
    """Code versions as the receipt has them; none of a receipt that breaks its contract."""
    receipt = tree.receipt
    if receipt is None or contract(EXPORT_RECEIPT).check_document(receipt):
        return {}
    return {state: row["code_version"] for state, row in receipt["states"].items()}


def _judge_inputs(findings: Findings, tree: ExportedTree, held: AuditTree) -> None:
    """Which sealed inputs nobody could hash again."""
    absent = [row["logical_id"] for row in tree.sealed if sealed_own_id(row) not in held.inputs]
    if not absent:
        findings.ok(AT_HAND)
        return
    findings.skip(f"not at hand, so not hashed again: {', '.join(absent)}", AT_HAND)
