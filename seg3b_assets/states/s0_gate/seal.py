"""Sealing a world: gates first, then every input's digest, then the two documents (law section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import LAYER_POLICY, sealed_own_id
from seg3b_assets.inputs.sealed import SealedInput, SealedInputs
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.policies import PolicySet
from seg3b_assets.states.s0_gate.bundles import SEGMENTS, VerifiedGate, verify_bundle
from seg3b_assets.states.s0_gate.inventory import sealed_datasets, sealed_gates, sealed_policies
from seg3b_assets.states.s0_gate.layer_policies import differences
from seg3b_assets.states.s0_gate.path_columns import require_path_columns
from seg3b_assets.states.s0_gate.reach import require_in_reach, require_reachable
from seg3b_assets.states.s0_gate.upstream import read_receipt
from seg3b_assets.states.s0_gate.vouched import require_vouched, vouched
from seg3b_assets.states.s0_gate.zone_release import ZoneRelease, read_release, release_notes

if TYPE_CHECKING:
    from seg3b_assets.laws.plain_files import Reach
    from seg3b_assets.store.digest_cache import DigestCache

RECEIPT_VERSION: Final = "2.0.0"
POLICY_KINDS: Final = ("policy", LAYER_POLICY)
ROW_ORDER: Final = ("owner_segment", "artefact_kind", "logical_id", "path")
_POLICY_KEYS: Final = ("logical_id", "path", "schema_ref", "sha256_hex", "role", "owner_segment")

# What the receipt calls each digest, and whose it is; one whose artefact was not sealed is left out.
BOUND_DIGESTS: Final = {
    "virtual_rules_digest": "mcc_channel_rules",
    "cdn_weights_digest": "cdn_country_weights",
    "virtual_validation_digest": "virtual_validation",
    "settlement_coord_digest": "virtual_settlement_coords",
}


@dataclass(frozen=True)
class SealedWorld:
    """A verified upstream world with every input sealed.

    Attributes:
        world: the identity in upstream's receipt.
        sealed_inputs: the array of ``sealed_inputs_3B``.
        sealed_bytes: its canonical JSON, the published bytes.
        receipt: the document ``s0_gate_receipt_3B``.
        inputs: the sealed inputs as states read them.
    """

    world: WorldIdentity
    sealed_inputs: Sequence[Mapping[str, Any]]
    sealed_bytes: bytes
    receipt: Mapping[str, Any]
    inputs: SealedInputs

    @property
    def sealed_inputs_digest(self) -> str:
        """SHA-256 of the bytes of ``sealed_inputs_3B.json``."""
        return sha256_hex(self.sealed_bytes)


def seal(
    upstream: Path, policies: PolicySet, digests: DigestCache, reach: Reach | None = None
) -> SealedWorld:
    """Verify the four gates and seal every input.

    Args:
        upstream: the root of one seed's world (``resolve_upstream`` finds it).
        policies: already loaded, hence valid.
        digests: remembers digests of large inputs.
        reach: whose files a link may show; asked before a gate is read, and before a dataset is looked into (its
            bytes may have been hashed). None follows links anywhere.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED``, ``INPUT_SCHEMA_MISMATCH``, ``IDENTITY_MISMATCH``,
            ``GATE_MISSING_OR_INVALID``, ``UPSTREAM_INDEX_INVALID``, ``UPSTREAM_HASH_MISMATCH``.
    """
    world = read_receipt(upstream)
    gates = [verified_gate(segment, upstream, world, reach) for segment in SEGMENTS]
    sealed = [
        *sealed_policies(policies, upstream, world),
        *sealed_gates(gates, upstream, world),
        *sealed_datasets(upstream, world, digests),
    ]
    if reach is not None:
        require_reachable(sealed, reach)
    sealed.sort(key=lambda entry: tuple(str(entry.row[key]).encode() for key in ROW_ORDER))
    rows = [entry.row for entry in sealed]
    entries = {sealed_own_id(entry.row): entry for entry in sealed}
    require_path_columns(world, entries, digests)
    require_vouched(vouched(gates), entries, digests)
    release = read_release(entries, world.manifest_fingerprint)
    notes = [*differences(upstream, policies), *release_notes(release, entries)]
    receipt = gate_receipt(world, gates, entries, upstream, release) | _noted(notes)
    return SealedWorld(
        world, rows, canonical_json(rows), receipt, SealedInputs(entries, rows, receipt, digests)
    )


def gate_receipt(
    world: WorldIdentity,
    gates: Sequence[VerifiedGate],
    sealed: Mapping[str, SealedInput],
    root: Path,
    release: ZoneRelease | None,
) -> dict[str, Any]:
    """The document ``s0_gate_receipt_3B``, without notes.

    Args:
        sealed: by the segment's own id.
        release: of 2A's timetable cache, where the root has it.
    """
    policies = [entry.row for entry in sealed.values() if entry.row["artefact_kind"] in POLICY_KINDS]
    bound = {name: sealed[own].sha256_hex for name, own in BOUND_DIGESTS.items() if own in sealed}
    return {
        "version": RECEIPT_VERSION,
        "manifest_fingerprint": world.manifest_fingerprint,
        "parameter_hash": world.parameter_hash,
        "seed": world.seed,
        "verified_at_utc": world.created_utc,
        "upstream_gates": {
            f"segment_{gate.segment}": {
                "bundle_id": gate.bundle_id,
                "flag_path": gate.flag.relative_to(root).as_posix(),
                "sha256_hex": gate.sha256_hex,
                "status": "PASS",
            }
            for gate in gates
        },
        "sealed_policy_set": [
            {key: row[key] for key in _POLICY_KEYS}
            for row in sorted(policies, key=lambda row: str(row["logical_id"]).encode())
        ],
        "digests": bound if release is None else bound | release.digests,
    }


def _noted(notes: Sequence[str]) -> dict[str, str]:
    """The receipt's member for what a reader should know; absent when there is nothing."""
    return {"notes": "; ".join(notes)} if notes else {}


def verified_gate(segment: str, root: Path, world: WorldIdentity, reach: Reach | None = None) -> VerifiedGate:
    """One segment's bundle in the root of a world.

    Raises:
        Seg3BError: as ``verify_bundle``, ``IDENTITY_MISMATCH``, and ``INPUT_OPEN_FAILED`` for a link out of reach.
    """
    folder = bundle_folder(segment, root, world)
    if reach is not None and folder.exists():
        require_in_reach(f"validation_bundle_{segment}", folder, reach)
    return verify_bundle(segment, folder, world)


def bundle_folder(segment: str, root: Path, world: WorldIdentity) -> Path:
    """Where a segment's bundle is to be. Raises ``IDENTITY_MISMATCH`` where only those of other worlds are."""
    folder = (root / contract(f"validation_index_{segment}").path.format(**vars(world))).parent
    others = sorted(path.name for path in folder.parent.glob("manifest_fingerprint=*"))
    if others and folder.name not in others:
        raise fail(
            "gate_identity",
            str(folder),
            "Point --upstream to a root whose folders carry the identity its run_receipt.json states.",
            segment=segment,
            expected=folder.name,
            found=others[:5],
        )
    return folder
