"""S0 re-audited (law section 2): the seal holds, is complete, and the receipt says the same.

The upstream bundles behind the sealed flags are S0's to verify; here a flag is a file with a digest like any
other input, and what it says must be what the receipt says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.tree import AuditContext, read_bounded
from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.contracts.artefact_registry import (
    LAYER_POLICIES,
    LAYER_POLICY,
    Artefact,
    artefacts,
    bundle_id,
    by_own_id,
    layer_policy_id,
    sealed_own_id,
)
from seg3b_assets.laws.hashing import file_digest, stated_digest
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.policies import SEALED_POLICIES

SEGMENTS: Final = ("1A", "1B", "2A", "3A")
GATES: Final = {f"segment_{segment}_gate": segment for segment in SEGMENTS}
COORDINATES: Final = "virtual_settlement_coords"
_NOT_SEALED_THEMSELVES: Final = "validation_index_"
_POLICY_KEYS: Final = ("logical_id", "path", "schema_ref", "sha256_hex", "role", "owner_segment")
_BOUND: Final = {
    "virtual_rules_digest": "mcc_channel_rules",
    "cdn_weights_digest": "cdn_country_weights",
    "virtual_validation_digest": "virtual_validation",
    "settlement_coord_digest": COORDINATES,
}
# Of 2A's timetables, from their manifest.
_RELEASE: Final = {"tzdata_archive_digest": "tzdb_archive_sha256", "tz_index_digest": "tz_index_digest"}
_RELEASE_CACHE: Final = "tz_timetable_cache"
_RELEASE_MANIFEST: Final = "tz_timetable_cache.json"
_POLICY_KINDS: Final = ("policy", LAYER_POLICY)

Rows = Sequence[Mapping[str, Any]]


def audit_seal(context: AuditContext, policies_known: bool = True) -> None:
    """Every S0 check.

    Args:
        policies_known: whether ``tree.policies`` are the run's; else they are not held against the seal.
    """
    rows = context.document("sealed_inputs_3B")
    receipt = context.document("s0_gate_receipt_3B")
    _run_id(context)
    if rows is None:
        return
    sealed = {sealed_own_id(row): row for row in rows}
    _complete(context, sealed)
    _paths(context, sealed)
    _digests(context, sealed)
    if receipt is not None:
        _gates(context, sealed, receipt)
        _policies(context, rows, receipt, policies_known)
        _bound_digests(context, sealed, receipt)
    context.findings.counts["sealed_inputs"] = len(rows)


@check(
    "S0.run_id", "§0 identity", "sealed_inputs_3B was altered, or is of another run", code="IDENTITY_MISMATCH"
)
def _run_id(context: AuditContext) -> None:
    """run_id follows from the identity and the bytes of ``sealed_inputs_3B.json``."""
    path = context.tree.datasets.get("sealed_inputs_3B")
    if path is None or not path.is_file():
        context.findings.skip("sealed_inputs_3B is not in the tree", "S0.run_id")
        return
    claimed = context.tree.identity
    derived = RunIdentity(
        claimed.seed,
        claimed.parameter_hash,
        claimed.manifest_fingerprint,
        claimed.created_utc,
        file_digest(path),
    )
    context.findings.equal("S0.run_id", claimed.run_id, derived.run_id)


def required_inputs() -> tuple[str, ...]:
    """The segment's own ids of what every seal holds: policies, gates and their bundles, upstream datasets."""
    datasets = [
        dataset_id
        for dataset_id, declared in all_contracts().items()
        if declared.producer == "upstream"
        and declared.status == "active"
        and not dataset_id.startswith(_NOT_SEALED_THEMSELVES)
    ]
    return (*SEALED_POLICIES, *GATES, *map(bundle_id, SEGMENTS), *datasets)


def optional_inputs() -> tuple[str, ...]:
    """Ids a seal may hold besides: optional datasets, and policies of the layer that the root carries."""
    datasets = [
        name
        for name, one in all_contracts().items()
        if one.producer == "upstream" and one.status == "optional"
    ]
    return (*datasets, *map(layer_policy_id, LAYER_POLICIES))


@check(
    "S0.sealed_set",
    "§2 seal",
    "an input the segment reads was left out of the seal",
    code="REQUIRED_INPUT_NOT_SEALED",
)
def _complete(context: AuditContext, sealed: Mapping[str, Any]) -> None:
    required = set(required_inputs())
    absent = sorted(required - set(sealed))
    foreign = sorted(set(sealed) - required - set(optional_inputs()))
    if absent or foreign:
        example = {"missing": absent[:3], "unknown": foreign[:3]}
        context.findings.fail("S0.sealed_set", len(absent) + len(foreign), example)
    else:
        context.findings.ok("S0.sealed_set")


@check("S0.sealed_paths", "§2 seal", "a seal names another file, schema, owner or role than the input's")
def _paths(context: AuditContext, sealed: Mapping[str, Mapping[str, Any]]) -> None:
    """Each row says of its input what the registry and the contract say: name, path, schema, owner, kind, role."""
    roles = contract("sealed_inputs_3B").schema["x-roles"]
    for name, row in sealed.items():
        expected = _described(name, str(row["path"]), sealed, context)
        if expected is None:
            continue  # an input nobody knows is the set's matter
        expected["role"] = roles[name]
        found = {key: row[key] for key in expected}
        context.findings.equal("S0.sealed_paths", found, expected, logical_id=name)
    context.findings.ok("S0.sealed_paths")


def _described(
    name: str, path: str, sealed: Mapping[str, Any], context: AuditContext
) -> dict[str, str] | None:
    """What a seal says of the input, but for its digest; the version folder of ``path`` is the input's to choose."""
    plain = name.removeprefix("layer_")
    entry, contracts = by_own_id().get(plain), all_contracts()
    if entry is None:
        return None
    beside = layer_policy_id(plain) in sealed
    if name in SEALED_POLICIES:
        kind, where = "policy", f"{name}.yaml"
    elif plain != name:
        kind, where = LAYER_POLICY, entry.path
    elif name in GATES or name == bundle_id(entry.owner_segment):
        kind, where = "gate" if name in GATES else "bundle", _fitting(entry.path, path, context)
    elif name in contracts and contracts[name].producer == "upstream":
        where = _fitting(contracts[name].path, path, context)
        kind = "dataset" if where.startswith("data/layer1/") else "reference"
        entry = _released(name, path)
    else:
        return None
    ours = name in SEALED_POLICIES and beside
    return {
        "logical_id": f"{name}_3B" if ours else entry.logical_id,
        "artefact_kind": kind,
        "owner_segment": "3B" if ours else entry.owner_segment,
        "path": where,
        "schema_ref": f"policies/{name}" if ours else entry.schema_ref,
    }


def _released(name: str, path: str) -> Artefact:
    """The registry's entry of an input; of one the layer publishes by release, that of the release in its path."""
    known = [entry for entry in artefacts().values() if entry.own_id == name]
    of_release = [entry for entry in known if entry.published and Path(entry.path) == Path(path)]
    unpublished = [entry for entry in known if not entry.published]
    return (of_release or unpublished or known)[0]


def _fitting(template: str, path: str, context: AuditContext) -> str:
    """The contract's path with the folders of ``path`` where the template leaves them open."""
    identity, parts = context.tree.identity, path.split("/")
    wanted = template.split("/")
    for at, part in enumerate(wanted):
        if part in ("{version}", "{vintage}"):
            wanted[at] = parts[at] if at < len(parts) else ""
        elif "{" in part and part.count("{") == 1:
            key = part[part.index("{") + 1 : part.index("}")]
            wanted[at] = part.replace(f"{{{key}}}", str(getattr(identity, key, "")))
    return "/".join(wanted)


@check(
    "S0.sealed_digests",
    "§2 seal",
    "an input changed after sealing, or its seal was forged",
    code="SEALED_INPUT_DIGEST_MISMATCH",
)
def _digests(context: AuditContext, sealed: Mapping[str, Mapping[str, Any]]) -> None:
    """Inputs at hand, hashed again; those away are told in the detail."""
    at_hand = sorted(set(sealed) & set(context.tree.inputs))
    if not at_hand:
        context.findings.skip("no sealed input is at hand", "S0.sealed_digests")
        return

    def digest(logical_id: str) -> str:
        location = context.tree.inputs[logical_id]
        try:
            if sealed[logical_id]["artefact_kind"] in ("gate", "bundle"):
                return (
                    stated_digest(location if location.is_file() else location / "_passed.flag") or "no flag"
                )
            return context.tree.digest_of(location)
        except OSError as error:
            return f"unreadable: {error.strerror}"

    with ThreadPoolExecutor(context.workers) as pool:
        found = dict(zip(at_hand, pool.map(digest, at_hand), strict=True))
    for logical_id in at_hand:
        expected = str(sealed[logical_id]["sha256_hex"])
        context.findings.equal("S0.sealed_digests", found[logical_id], expected, logical_id=logical_id)


@check(
    "S0.receipt_gates",
    "§2 gates",
    "the receipt does not speak of the sealed gates",
    code="GATE_MISSING_OR_INVALID",
)
def _gates(
    context: AuditContext, sealed: Mapping[str, Mapping[str, Any]], receipt: Mapping[str, Any]
) -> None:
    for segment in SEGMENTS:
        gate, logical_id = receipt["upstream_gates"][f"segment_{segment}"], f"segment_{segment}_gate"
        context.findings.equal(
            "S0.receipt_gates", gate["bundle_id"], f"validation_bundle_{segment}", gate=segment
        )
        row = sealed.get(logical_id)
        if row is not None:
            context.findings.equal("S0.receipt_gates", gate["flag_path"], row["path"], gate=segment)
        for name in (logical_id, bundle_id(segment)):
            if name in sealed:
                context.findings.equal(
                    "S0.receipt_gates", gate["sha256_hex"], sealed[name]["sha256_hex"], gate=segment, of=name
                )
        flag = context.tree.inputs.get(logical_id)
        if flag is not None and flag.is_file():
            found = stated_digest(flag) or "no flag"
            context.findings.equal("S0.receipt_gates", gate["sha256_hex"], found, gate=segment)


@check(
    "S0.receipt_policies",
    "§2 receipt",
    "the receipt's policy set is not the sealed one",
    code="IDENTITY_MISMATCH",
)
def _policies(context: AuditContext, rows: Rows, receipt: Mapping[str, Any], loaded_too: bool) -> None:
    policies = [row for row in rows if row["artefact_kind"] in _POLICY_KINDS]
    expected = [{key: row[key] for key in _POLICY_KEYS} for row in policies]
    expected.sort(key=lambda row: str(row["logical_id"]).encode())
    context.findings.equal("S0.receipt_policies", receipt["sealed_policy_set"], expected)
    loaded = context.tree.policies.files if loaded_too else {}
    for row in policies:
        file = loaded.get(sealed_own_id(row))
        if file is not None:
            context.findings.equal(
                "S0.receipt_policies", file.sha256, row["sha256_hex"], policy=row["logical_id"]
            )
    context.findings.equal(
        "S0.receipt_gates",
        receipt["verified_at_utc"],
        context.tree.identity.created_utc,
        key="verified_at_utc",
    )


@check(
    "S0.receipt_digests",
    "§2 receipt",
    "a digest in the receipt is not the sealed one",
    code="IDENTITY_MISMATCH",
)
def _bound_digests(
    context: AuditContext, sealed: Mapping[str, Mapping[str, Any]], receipt: Mapping[str, Any]
) -> None:
    """A digest per artefact that was sealed, each its own; none of what was not."""
    expected = {name: str(sealed[own]["sha256_hex"]) for name, own in _BOUND.items() if own in sealed}
    found = receipt["digests"]
    for name, digest in expected.items():
        context.findings.compare_digest(f"s0_gate_receipt.{name}", str(found.get(name, "")), digest)
        context.findings.equal("S0.receipt_digests", found.get(name), digest, digest=name)
    release = _release(context, sealed)
    for name in sorted(set(found) - set(expected)):
        if name not in _RELEASE or _RELEASE_CACHE not in sealed:
            context.findings.equal("S0.receipt_digests", found[name], None, digest=name)
        elif release is not None:
            context.findings.equal(
                "S0.receipt_digests", found[name], release.get(_RELEASE[name]), digest=name
            )
    if _RELEASE_CACHE in sealed:
        context.findings.equal(
            "S0.receipt_digests", sorted(set(_RELEASE) - set(found)), [], what="digests left out"
        )


def _release(context: AuditContext, sealed: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The manifest of 2A's timetables, where it is at hand."""
    folder = context.tree.inputs.get(_RELEASE_CACHE)
    if _RELEASE_CACHE not in sealed or folder is None:
        return None
    try:
        manifest = orjson.loads(read_bounded(folder / _RELEASE_MANIFEST))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None
