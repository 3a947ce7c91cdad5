"""The bundles and flags with which segments 1A, 1B, 2A and 3A would certify this world (law section 2).

Each bundle lists the digests of the datasets it certifies, and each has its own index shape and flag digest.
1A's index lists itself; 1B's does not: both are legal upstream, so both are met here. S0 checks the same laws
by its own code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.world.recipe import WORLD_VERSION

FLAG: Final = "_passed.flag"
INDEX: Final = "index.json"

CERTIFIED: Final[Mapping[str, tuple[str, ...]]] = {
    "1A": ("outlet_catalogue", "transaction_schema_merchant_ids"),
    "1B": ("site_locations", "tile_bounds", "tile_index", "tile_weights", "world_countries"),
    "2A": ("settlement_gazetteer", "site_timezones", "tz_world"),
    "3A": ("zone_alloc",),
}
"""Which datasets each segment answers for."""


def write_bundles(root: Path, world: WorldIdentity, digests: Mapping[str, str]) -> None:
    """Write all four bundles below ``root``.

    Args:
        digests: dataset id to hex digest, every dataset of ``CERTIFIED``.
    """
    for segment, datasets in CERTIFIED.items():
        folder = (
            root
            / "data/layer1"
            / segment
            / "validation"
            / f"manifest_fingerprint={world.manifest_fingerprint}"
        )
        folder.mkdir(parents=True)
        members = _members(segment, world, {dataset: digests[dataset] for dataset in datasets})
        index = canonical_json(_INDEX_OF[segment](world, members))
        digest = _flag_digest(segment, members, index)
        for name, data in {**members, INDEX: index}.items():
            (folder / name).write_bytes(data)
        (folder / FLAG).write_bytes(f"sha256_hex = {digest}\n".encode())


def _members(segment: str, world: WorldIdentity, digests: dict[str, str]) -> dict[str, bytes]:
    identity = {"manifest_fingerprint": world.manifest_fingerprint, "parameter_hash": world.parameter_hash}
    summary = {
        **identity,
        "segment": segment,
        "seed": world.seed,
        "status": "PASS",
        "produced_by": f"seg3b embedded world {WORLD_VERSION}",
    }
    return {
        f"certified_datasets_{segment}.json": canonical_json({**identity, "datasets": digests}),
        f"validation_summary_{segment}.json": canonical_json(summary),
    }


def _array_index(members: dict[str, bytes], itself: bool) -> list[dict[str, Any]]:
    paths = sorted([*members, INDEX] if itself else members)
    return [
        {
            "artifact_id": path.removesuffix(".json"),
            "kind": "summary",
            "path": path,
            "mime": "application/json",
            "notes": None,
        }
        for path in paths
    ]


def _index_1a(world: WorldIdentity, members: dict[str, bytes]) -> Any:
    return _array_index(members, itself=True)


def _index_1b(world: WorldIdentity, members: dict[str, bytes]) -> Any:
    return _array_index(members, itself=False)


def _index_2a(world: WorldIdentity, members: dict[str, bytes]) -> Any:
    return {
        "files": [{"path": path, "sha256_hex": sha256_hex(data)} for path, data in sorted(members.items())]
    }


def _index_3a(world: WorldIdentity, members: dict[str, bytes]) -> Any:
    return {
        "manifest_fingerprint": world.manifest_fingerprint,
        "parameter_hash": world.parameter_hash,
        "s6_receipt_digest": sha256_hex(members["validation_summary_3A.json"]),
        "members": [
            {
                "logical_id": path.removesuffix(".json"),
                "path": path,
                "schema_ref": f"schemas.3A.yaml#/validation/{path.removesuffix('.json')}",
                "sha256_hex": sha256_hex(data),
                "role": "evidence",
                "size_bytes": len(data),
            }
            for path, data in sorted(members.items())
        ],
    }


_INDEX_OF: Final = {"1A": _index_1a, "1B": _index_1b, "2A": _index_2a, "3A": _index_3a}


def _flag_digest(segment: str, members: dict[str, bytes], index: bytes) -> str:
    if segment == "3A":
        return sha256_hex("".join(sha256_hex(data) for _, data in sorted(members.items())).encode())
    hashed = {**members, INDEX: index} if segment == "1A" else members
    return sha256_hex(b"".join(data for _, data in sorted(hashed.items())))
