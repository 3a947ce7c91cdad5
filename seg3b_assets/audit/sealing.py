"""S0 re-audited (law section 2): the seal holds, is complete, and the receipt says the same.

The upstream bundles behind the sealed flags are S0's to verify; here a flag is a file with a digest like any
other input, and what it says must be what the receipt says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from seg3b_assets.audit.tree import Desk
from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.policies import SEALED_POLICIES

SEGMENTS: Final = ("1A", "1B", "2A", "3A")
GATES: Final = {f"segment_{segment}_gate": segment for segment in SEGMENTS}
COORDINATES: Final = "virtual_settlement_coords"
_NOT_SEALED_THEMSELVES: Final = "validation_index_"
_FLAG: Final = re.compile(rb"sha256_hex = ([a-f0-9]{64})\n?")
_POLICY_KEYS: Final = ("logical_id", "path", "schema_ref", "sha256_hex", "role", "owner_segment")
_BOUND: Final = {
    "virtual_rules_digest": "mcc_channel_rules",
    "cdn_weights_digest": "cdn_country_weights",
    "virtual_validation_digest": "virtual_validation",
    "cdn_key_digest": "edge_topology",
    "tzdata_archive_digest": "tz_world",
    "tz_index_digest": "tz_world",
}

Rows = Sequence[Mapping[str, Any]]


def audit_seal(desk: Desk, policies_known: bool = True) -> None:
    """Every S0 check.

    Args:
        policies_known: whether ``tree.policies`` are the run's; else they are not held against the seal.
    """
    rows = desk.document("sealed_inputs_3B")
    receipt = desk.document("s0_gate_receipt_3B")
    _run_id(desk)
    if rows is None:
        return
    sealed = {str(row["logical_id"]): row for row in rows}
    _complete(desk, sealed)
    _paths(desk, rows)
    _digests(desk, sealed)
    if receipt is not None:
        _gates(desk, sealed, receipt)
        _policies(desk, rows, receipt, policies_known)
        _bound_digests(desk, sealed, receipt)
    desk.findings.counts["sealed_inputs"] = len(rows)


def _run_id(desk: Desk) -> None:
    """run_id follows from the identity and the bytes of ``sealed_inputs_3B.json``."""
    path = desk.tree.datasets.get("sealed_inputs_3B")
    if path is None or not path.is_file():
        desk.findings.skip("sealed_inputs_3B is not in the tree", "S0.run_id")
        return
    claimed = desk.tree.identity
    derived = RunIdentity(
        claimed.seed,
        claimed.parameter_hash,
        claimed.manifest_fingerprint,
        claimed.created_utc,
        file_digest(path),
    )
    desk.findings.equal("S0.run_id", claimed.run_id, derived.run_id)


def required_inputs() -> tuple[str, ...]:
    """Logical ids every seal holds: the policies, the gates and the upstream datasets."""
    datasets = [
        dataset_id
        for dataset_id, declared in all_contracts().items()
        if declared.producer == "upstream"
        and declared.status == "active"
        and not dataset_id.startswith(_NOT_SEALED_THEMSELVES)
    ]
    return (*SEALED_POLICIES, *GATES, *datasets)


def _complete(desk: Desk, sealed: Mapping[str, Any]) -> None:
    required = set(required_inputs())
    absent = sorted(required - set(sealed))
    foreign = sorted(set(sealed) - required - {COORDINATES})
    if absent or foreign:
        example = {"missing": absent[:3], "unknown": foreign[:3]}
        desk.findings.fail("S0.sealed_set", len(absent) + len(foreign), example)
    else:
        desk.findings.ok("S0.sealed_set")


def _paths(desk: Desk, rows: Rows) -> None:
    """Each row names the input's own path, schema, owner, kind and role."""
    roles = contract("sealed_inputs_3B").schema["x-roles"]
    for row in rows:
        name = str(row["logical_id"])
        expected = _described(name, str(row["path"]), desk)
        if expected is None:
            continue  # an input nobody knows is the set's matter
        expected["role"] = roles[name]
        found = {key: row[key] for key in expected}
        desk.findings.equal("S0.sealed_paths", found, expected, logical_id=name)
    desk.findings.ok("S0.sealed_paths")


def _described(name: str, path: str, desk: Desk) -> dict[str, str] | None:
    """What a seal says of the input, but for its digest; the version folder of ``path`` is the input's to choose."""
    contracts = all_contracts()
    if name in SEALED_POLICIES:
        described = ("policy", "3B", f"{name}.yaml", f"policies/{name}")
    elif name in GATES:
        segment, index = GATES[name], contracts[f"validation_index_{GATES[name]}"]
        flag = index.relative_path(desk.tree.identity).replace("index.json", "_passed.flag")
        described = ("gate", segment, flag, index.schema_ref)
    elif name in contracts and contracts[name].producer == "upstream":
        declared = contracts[name]
        owner = re.match(r"data/layer1/([^/]+)/", declared.path)
        kind, segment = ("dataset", owner[1]) if owner else ("reference", "ingress")
        described = (kind, segment, _fitting(declared.path, path, desk), declared.schema_ref)
    else:
        return None
    return dict(zip(("artefact_kind", "owner_segment", "path", "schema_ref"), described, strict=True))


def _fitting(template: str, path: str, desk: Desk) -> str:
    """The contract's path with the folders of ``path`` where the template leaves them open."""
    identity, parts = desk.tree.identity, path.split("/")
    wanted = template.split("/")
    for at, part in enumerate(wanted):
        if part in ("{version}", "{vintage}"):
            wanted[at] = parts[at] if at < len(parts) else ""
        elif "{" in part and part.count("{") == 1:
            key = part[part.index("{") + 1 : part.index("}")]
            wanted[at] = part.replace(f"{{{key}}}", str(getattr(identity, key, "")))
    return "/".join(wanted)


def _digests(desk: Desk, sealed: Mapping[str, Mapping[str, Any]]) -> None:
    """Inputs at hand, hashed again; those away are told in the detail."""
    at_hand = sorted(set(sealed) & set(desk.tree.inputs))
    if not at_hand:
        desk.findings.skip("no sealed input is at hand", "S0.sealed_digests")
        return

    def digest(logical_id: str) -> str:
        try:
            return desk.tree.digest_of(desk.tree.inputs[logical_id])
        except OSError as error:
            return f"unreadable: {error.strerror}"

    with ThreadPoolExecutor(desk.workers) as pool:
        found = dict(zip(at_hand, pool.map(digest, at_hand), strict=True))
    for logical_id in at_hand:
        expected = str(sealed[logical_id]["sha256_hex"])
        desk.findings.equal("S0.sealed_digests", found[logical_id], expected, logical_id=logical_id)


def _gates(desk: Desk, sealed: Mapping[str, Mapping[str, Any]], receipt: Mapping[str, Any]) -> None:
    for segment in SEGMENTS:
        gate, logical_id = receipt["upstream_gates"][f"segment_{segment}"], f"segment_{segment}_gate"
        desk.findings.equal(
            "S0.receipt_gates", gate["bundle_id"], f"validation_bundle_{segment}", gate=segment
        )
        row = sealed.get(logical_id)
        if row is not None:
            desk.findings.equal("S0.receipt_gates", gate["flag_path"], row["path"], gate=segment)
        flag = desk.tree.inputs.get(logical_id)
        if flag is not None and flag.is_file():
            said = _FLAG.fullmatch(flag.read_bytes())
            found = said[1].decode() if said else "no flag"
            desk.findings.equal("S0.receipt_gates", gate["sha256_hex"], found, gate=segment)


def _policies(desk: Desk, rows: Rows, receipt: Mapping[str, Any], loaded_too: bool) -> None:
    expected = [{key: row[key] for key in _POLICY_KEYS} for row in rows if row["artefact_kind"] == "policy"]
    desk.findings.equal("S0.receipt_policies", receipt["sealed_policy_set"], expected)
    loaded = desk.tree.policies.files if loaded_too else {}
    for row in expected:
        file = loaded.get(str(row["logical_id"]))
        if file is not None:
            desk.findings.equal(
                "S0.receipt_policies", file.sha256, row["sha256_hex"], policy=row["logical_id"]
            )
    desk.findings.equal(
        "S0.receipt_gates", receipt["verified_at_utc"], desk.tree.identity.created_utc, key="verified_at_utc"
    )


def _bound_digests(desk: Desk, sealed: Mapping[str, Mapping[str, Any]], receipt: Mapping[str, Any]) -> None:
    settlement = COORDINATES if COORDINATES in sealed else "settlement_gazetteer"
    for name, logical_id in {**_BOUND, "settlement_coord_digest": settlement}.items():
        row = sealed.get(logical_id)
        if row is None:
            continue
        recomputed = str(row["sha256_hex"])
        desk.findings.compare_digest(f"s0_gate_receipt.{name}", receipt["digests"][name], recomputed)
        desk.findings.equal("S0.receipt_digests", receipt["digests"][name], recomputed, digest=name)
