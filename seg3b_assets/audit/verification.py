"""``seg3b verify``: one exported tree, ours or not, judged from its bytes alone.

The audit is S5's; around it stand the checks of the tree as a whole and of the bundle. What the tree does not
carry is SKIPPED, with the reason; an upstream root supplies it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seg3b_assets.audit.bundle import audit_bundle, sealed_digests
from seg3b_assets.audit.checks import (
    audited_datasets,
    check_specs,
    tree_check,
    tree_specs,
)
from seg3b_assets.audit.examination import examine, examining
from seg3b_assets.audit.exported import FLAG, POLICIES, ExportedTree, disagreements
from seg3b_assets.audit.findings import AuditReport, CheckSpec, Findings
from seg3b_assets.audit.listing import Folders
from seg3b_assets.audit.receipt import (
    EXPORT_RECEIPT,
    altered_files,
    judge_bytes,
    judge_carried,
    judge_receipt,
    judge_states,
)
from seg3b_assets.audit.run_reports import audit_last_run_report
from seg3b_assets.audit.sealing import audit_seal
from seg3b_assets.audit.surface import SURFACES
from seg3b_assets.audit.tree import AuditContext, AuditTree
from seg3b_assets.audit.upstream import GATES, INPUTS, audit_upstream, upstream_of
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import sealed_own_id
from seg3b_assets.contracts.generation import require_current
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import stated_digest
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.plain_files import Reach
from seg3b_assets.policies import SEALED_POLICIES, PolicySet
from seg3b_assets.realism.policy_reading import load_policies

IDENTITY: Final = "tree.identity"
LAYOUT: Final = "tree.layout"
POLICY_CHECK: Final = "tree.policies"
AT_HAND: Final = "S0.sealed_at_hand"
FLAG_EXPECTED: Final = "tree.flag"
# Asked only where somebody says which flag to expect.
ANCHOR: Final = CheckSpec(
    FLAG_EXPECTED,
    "§7 flag",
    "FLAG_DIGEST_MISMATCH",
    "the tree is another run than the one expected, or a forgery",
)


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


def verify_specs() -> tuple[CheckSpec, ...]:
    """Every check of ``seg3b verify``, by check_id: those of S5's audit, of the tree and of the bundle."""
    return tuple(sorted((*check_specs(), *tree_specs()), key=lambda spec: spec.check_id))


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
    judge_receipt(findings, tree, identity)
    judge_carried(findings, tree)
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
    context = AuditContext(held, findings, workers)
    if upstream is not None:
        with examining(context, "upstream"):
            audit_upstream(
                findings, tree.sealed, held.inputs, upstream, identity, reach or Reach.of(upstream)
            )
    _examine(context, trusted)
    judge_bytes(findings, tree, held)
    with examining(context, "digests of the states"):
        judge_states(context, tree)
    flag = _flag(held)
    _judge_flag(findings, flag, expect)
    for path in altered_files(tree):
        findings.fail(LAYOUT, 1, {"path": path, "reason": "it was changed while the tree was verified"})
    return Verification(identity, findings.report(), flag, tuple(_anchors(findings, upstream, expect)))


def _anchors(findings: Findings, upstream: Path | None, expect: str | None) -> Iterator[str]:
    if upstream is not None and not findings.failed(INPUTS) and not findings.failed(GATES):
        yield "upstream"
    if expect is not None and not findings.failed(FLAG_EXPECTED):
        yield "flag"


def _flag(held: AuditTree) -> str | None:
    path = held.datasets.get(FLAG)
    try:
        return None if path is None else stated_digest(path)
    except OSError:
        return None


def _judge_flag(findings: Findings, flag: str | None, expect: str | None) -> None:
    if expect is not None:
        findings.equal(FLAG_EXPECTED, flag, expect, what="flag")


def _examine(context: AuditContext, policies_known: bool) -> None:
    sealed: dict[str, str] = {}
    with examining(context, "bundle manifest"):
        sealed = sealed_digests(context)
    states = {name: path for name, path in context.tree.datasets.items() if name in audited_datasets()}
    if policies_known:
        known = {name: sealed[name] for name in states if name in sealed}
        examine(replace(context, tree=replace(context.tree, datasets=states, published=known)))
    else:
        with examining(context, "seal"):
            audit_seal(replace(context, tree=replace(context.tree, datasets=states)), policies_known=False)
    with examining(context, "bundle"):
        audit_bundle(replace(context, tree=replace(context.tree, published=sealed)), policies_known)
    with examining(context, "run reports"):
        audit_last_run_report(context)


@tree_check(
    "tree.identity", "§0 identity", "receipts and paths speak of different runs", code="IDENTITY_MISMATCH"
)
def _judge_identity(findings: Findings, tree: ExportedTree, identity: RunIdentity) -> None:
    """Every witness says what most of them say."""
    found = list(disagreements(tree.witnesses, identity))
    for witness, field, expected, said in found:
        findings.fail(IDENTITY, 1, {"witness": witness, "field": field, "expected": expected, "found": said})
    findings.ok(IDENTITY)


@tree_check("tree.layout", "§0 identity", "a file, folder or link that no dataset and no input of the run is")
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


@tree_check(
    "tree.policies",
    "§2 seal",
    "a policy of the tree was edited or is not readable",
    code="POLICY_SCHEMA_INVALID",
)
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


@tree_check(
    "S0.sealed_at_hand",
    "§2 seal",
    "--upstream names what the tree does not carry",
    code="REQUIRED_INPUT_NOT_SEALED",
)
def _judge_inputs(findings: Findings, tree: ExportedTree, held: AuditTree) -> None:
    """Which sealed inputs nobody could hash again."""
    absent = [row["logical_id"] for row in tree.sealed if sealed_own_id(row) not in held.inputs]
    if not absent:
        findings.ok(AT_HAND)
        return
    findings.skip(f"not at hand, so not hashed again: {', '.join(absent)}", AT_HAND)
