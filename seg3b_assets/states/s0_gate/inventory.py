"""What the segment reads from outside, and the rows of ``sealed_inputs_3B`` about it (law section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from seg3b_assets.contracts import contract
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.policies import SEALED_POLICIES, PolicySet
from seg3b_assets.states.s0_gate.bundles import VerifiedGate
from seg3b_assets.states.s0_gate.upstream import RECEIPT_ID, locate
from seg3b_assets.states.sealed import SealedInput, digest_of, open_failed

if TYPE_CHECKING:
    from seg3b_assets.store.digest_cache import DigestCache

DATASET: Final = "dataset"
REFERENCE: Final = "reference"
INGRESS: Final = "ingress"


class Artefact(NamedTuple):
    """An upstream dataset: who owns its bytes, what kind it is, what the segment wants it for."""

    logical_id: str
    owner_segment: str
    artefact_kind: str
    role: str


UPSTREAM: Final = (
    Artefact(RECEIPT_ID, INGRESS, REFERENCE, "world_identity"),
    Artefact("transaction_schema_merchant_ids", INGRESS, REFERENCE, "merchant_universe"),
    Artefact("outlet_catalogue", "1A", DATASET, "merchant_outlets"),
    Artefact("site_locations", "1B", DATASET, "outlet_places"),
    Artefact("site_timezones", "2A", DATASET, "outlet_zones"),
    Artefact("zone_alloc", "3A", DATASET, "merchant_zones"),
    Artefact("tile_index", "1B", DATASET, "tile_surface"),
    Artefact("tile_bounds", "1B", DATASET, "tile_surface"),
    Artefact("tile_weights", "1B", DATASET, "tile_surface"),
    Artefact("world_countries", INGRESS, REFERENCE, "country_polygons"),
    Artefact("tz_world", INGRESS, REFERENCE, "zone_polygons"),
    Artefact("settlement_gazetteer", INGRESS, REFERENCE, "settlement_places"),
    Artefact("virtual_settlement_coords", INGRESS, REFERENCE, "settlement_evidence"),
)

POLICY_ROLES: Final = {
    "alias_layout": "alias_bytes",
    "cdn_country_weights": "country_prior",
    "edge_topology": "edge_network",
    "mcc_channel_rules": "classification_rules",
    "route_rng": "routing_stream",
    "settlement": "settlement_draw",
    "tz_nudge": "zone_resolution",
    "tz_overrides": "zone_resolution",
    "virtual_routing_fields": "routing_bindings",
    "virtual_validation": "realism_contract",
}


def gate_id(segment: str) -> str:
    """Logical id of a segment's gate."""
    return f"segment_{segment}_gate"


def sealed_policies(policies: PolicySet, world: WorldIdentity) -> Iterator[SealedInput]:
    """The ten policies, by the bytes they were loaded from."""
    for policy_id in SEALED_POLICIES:
        file = policies.files[policy_id]
        yield _sealed(
            world,
            Artefact(policy_id, "3B", "policy", POLICY_ROLES[policy_id]),
            file.path,
            {"path": file.relative_path, "schema_ref": f"policies/{policy_id}", "sha256_hex": file.sha256},
        )


def sealed_gates(
    gates: Iterable[VerifiedGate], root: Path, world: WorldIdentity, digests: DigestCache
) -> Iterator[SealedInput]:
    """The flags of the verified gates."""
    for gate in gates:
        artefact = Artefact(gate_id(gate.segment), gate.segment, "gate", "upstream_gate")
        yield _sealed(
            world,
            artefact,
            gate.flag,
            {
                "path": gate.flag.relative_to(root).as_posix(),
                "schema_ref": contract(f"validation_index_{gate.segment}").schema_ref,
                "sha256_hex": _digest(artefact.logical_id, gate.flag, digests),
            },
        )


def sealed_datasets(root: Path, world: WorldIdentity, digests: DigestCache) -> Iterator[SealedInput]:
    """Upstream's datasets and reference data; an optional one only where it exists.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED``, ``IDENTITY_MISMATCH``.
    """
    for artefact in UPSTREAM:
        declared = contract(artefact.logical_id)
        location = locate(declared, root, world)
        if location is None:
            continue
        relative = location.relative_to(root).as_posix()
        yield _sealed(
            world,
            artefact,
            location,
            {
                "path": relative + "/" if location.is_dir() else relative,
                "schema_ref": declared.schema_ref,
                "sha256_hex": _digest(artefact.logical_id, location, digests),
            },
        )


def _sealed(world: WorldIdentity, artefact: Artefact, location: Path, found: dict[str, str]) -> SealedInput:
    row = {"manifest_fingerprint": world.manifest_fingerprint, **artefact._asdict(), **found}
    return SealedInput(row, location)


def _digest(logical_id: str, location: Path, digests: DigestCache) -> str:
    try:
        return digest_of(location, digests)
    except OSError as error:
        raise open_failed("S0", logical_id, location, error.strerror) from error
