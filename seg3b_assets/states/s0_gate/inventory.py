"""What the segment reads from outside, and the rows of ``sealed_inputs_3B`` about it (law section 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import (
    LAYER_POLICY,
    artefacts,
    bundle_id,
    by_own_id,
    layer_policy_id,
    sealed_id,
)
from seg3b_assets.inputs.sealed import SealedInput, digest_of, open_failed, version_folder
from seg3b_assets.laws.hashing import path_digest
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.policies import SEALED_POLICIES, PolicySet
from seg3b_assets.states.s0_gate.bundles import VerifiedGate
from seg3b_assets.states.s0_gate.layer_policies import carried_policies
from seg3b_assets.states.s0_gate.upstream import RECEIPT_ID, locate

if TYPE_CHECKING:
    from seg3b_assets.store.digest_cache import DigestCache

SEGMENT: Final = "3B"
DATASET: Final = "dataset"
REFERENCE: Final = "reference"
GATE: Final = "gate"
BUNDLE: Final = "bundle"


class Artefact(NamedTuple):
    """An upstream dataset: what the segment calls it, what kind it is, what it is wanted for."""

    own_id: str
    artefact_kind: str
    role: str


UPSTREAM: Final = (
    Artefact(RECEIPT_ID, REFERENCE, "world_identity"),
    Artefact("transaction_schema_merchant_ids", REFERENCE, "merchant_universe"),
    Artefact("outlet_catalogue", DATASET, "merchant_outlets"),
    Artefact("site_locations", DATASET, "outlet_places"),
    Artefact("site_timezones", DATASET, "outlet_zones"),
    Artefact("tz_timetable_cache", DATASET, "zone_release"),
    Artefact("zone_alloc", DATASET, "merchant_zones"),
    Artefact("tile_index", DATASET, "tile_surface"),
    Artefact("tile_bounds", DATASET, "tile_surface"),
    Artefact("tile_weights", DATASET, "tile_surface"),
    Artefact("world_countries", REFERENCE, "country_polygons"),
    Artefact("tz_world", REFERENCE, "zone_polygons"),
    Artefact("settlement_gazetteer", REFERENCE, "settlement_places"),
    Artefact("virtual_settlement_coords", REFERENCE, "settlement_evidence"),
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
    """The segment's own id of an upstream segment's flag."""
    return f"segment_{segment}_gate"


def sealed_policies(policies: PolicySet, root: Path, world: WorldIdentity) -> Iterator[SealedInput]:
    """The ten policies, by the bytes they were loaded from; of the layer's own, those the root carries.

    A policy of ours that stands beside the layer's leaves it the published id.
    """
    carried = dict(carried_policies(root))
    for policy_id in SEALED_POLICIES:
        file, beside = policies.files[policy_id], policy_id in carried
        artefact = Artefact(policy_id, "policy", POLICY_ROLES[policy_id])
        entry = by_own_id()[policy_id]
        found = {
            "logical_id": sealed_id(policy_id, beside),
            "owner_segment": SEGMENT if beside else entry.owner_segment,
            "path": file.relative_path,
            "schema_ref": f"policies/{policy_id}" if beside else entry.schema_ref,
            "sha256_hex": file.sha256,
        }
        yield _sealed(world, artefact, file.path, found)
    for policy_id, path in carried.items():
        artefact = Artefact(layer_policy_id(policy_id), LAYER_POLICY, "layer_policy")
        entry = by_own_id()[policy_id]
        found = {
            "logical_id": entry.logical_id,
            "owner_segment": entry.owner_segment,
            "path": entry.path,
            "schema_ref": entry.schema_ref,
            "sha256_hex": _digest(artefact.own_id, path, None),
        }
        yield _sealed(world, artefact, path, found)


def sealed_gates(gates: Iterable[VerifiedGate], root: Path, world: WorldIdentity) -> Iterator[SealedInput]:
    """The verified bundles and their flags, each by the bundle's digest."""
    for gate in gates:
        flag = Artefact(gate_id(gate.segment), GATE, "upstream_gate")
        bundle = Artefact(bundle_id(gate.segment), BUNDLE, "upstream_bundle")
        for artefact, location in ((flag, gate.flag), (bundle, gate.folder)):
            relative = location.relative_to(root).as_posix()
            found = _registered(artefact.own_id) | {
                "path": f"{relative}/" if artefact is bundle else relative,
                "sha256_hex": gate.sha256_hex,
            }
            yield _sealed(world, artefact, location, found)


def sealed_datasets(root: Path, world: WorldIdentity, digests: DigestCache) -> Iterator[SealedInput]:
    """Upstream's datasets and reference data; an optional one only where it exists.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED``, ``IDENTITY_MISMATCH``.
    """
    for artefact in UPSTREAM:
        sealed = sealed_dataset(artefact, root, world, digests)
        if sealed is not None:
            yield sealed


def sealed_dataset(
    artefact: Artefact, root: Path, world: WorldIdentity, digests: DigestCache
) -> SealedInput | None:
    """One of ``UPSTREAM``; None for an optional one that is not there. Raises as ``sealed_datasets``."""
    declared = contract(artefact.own_id)
    location = locate(declared, root, world)
    if location is None:
        return None
    return sealed_at(artefact, location, location.relative_to(root).as_posix(), world, digests)


def sealed_at(
    artefact: Artefact, location: Path, relative: str, world: WorldIdentity, digests: DigestCache
) -> SealedInput:
    """An upstream dataset that lies at ``location`` and, in a root, at ``relative``. Raises ``INPUT_OPEN_FAILED``."""
    version = version_folder(contract(artefact.own_id).path, relative)
    found = _registered(artefact.own_id, version) | {
        "path": relative + "/" if location.is_dir() else relative,
        "sha256_hex": _digest(artefact.own_id, location, digests),
    }
    return _sealed(world, artefact, location, found)


def _registered(name: str, version: str = "") -> dict[str, str]:
    """What the registry says of an input; of an unpublished release of a published one, our own contract."""
    logical_id = sealed_id(name, version=version)
    entry = next(one for one in artefacts().values() if one.own_id == name and one.logical_id == logical_id)
    return {
        "logical_id": logical_id,
        "owner_segment": entry.owner_segment,
        "schema_ref": entry.schema_ref,
    }


def _sealed(world: WorldIdentity, artefact: Artefact, location: Path, found: dict[str, str]) -> SealedInput:
    said = {"artefact_kind": artefact.artefact_kind, "role": artefact.role}
    return SealedInput({"manifest_fingerprint": world.manifest_fingerprint, **said, **found}, location)


def _digest(name: str, location: Path, digests: DigestCache | None) -> str:
    try:
        return path_digest(location) if digests is None else digest_of(location, digests)
    except OSError as error:
        raise open_failed("S0", name, Path(error.filename or location), error.strerror) from error
