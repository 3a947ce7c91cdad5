"""No flag, no read: a run's seal, checked in tens of milliseconds before anything is drawn from it.

The flag must name the bundle, and the bundle's manifest the bytes of every dataset a router reads (law
section 7). This finds a run that was never sealed, and datasets altered since; whether what was sealed is
right is the audit's question, ``seg3b verify``.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import orjson

from seg3b_assets.contracts.artefact_registry import own_id
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import path_digest

if TYPE_CHECKING:
    from pathlib import Path

    from seg3b_assets.consume.tree import PublishedRun

ROUTED: Final = (
    "virtual_classification_3B",
    "virtual_settlement_3B",
    "edge_catalogue_3B",
    "edge_merchant_profile_3B",
    "edge_alias_blob_3B",
    "edge_alias_index_3B",
    "virtual_routing_policy_3B",
    "virtual_routing_bindings_3B",
)
_FLAG: Final = re.compile(rb"sha256_hex = ([0-9a-f]{64})\n")
_BUNDLE, _FLAG_NAME, _INDEX, _MANIFEST = (
    "validation_bundle_3B",
    "_passed.flag",
    "index.json",
    "s5_manifest_3B.json",
)
_REMEDY: Final = "Use none of it: run `seg3b verify` on the tree to see what else differs, and export again."


def require_sealed(run: PublishedRun) -> None:
    """Refuse a run whose flag, bundle or routed datasets are not what was sealed.

    Raises:
        Seg3BError: ``S5 GATE_MISSING_OR_INVALID`` without a flag, ``FLAG_DIGEST_MISMATCH`` when it names
            another bundle, ``BUNDLE_CONTENT_MISMATCH`` when the manifest cannot be read,
            ``DIGEST_COMPONENT_MISMATCH`` for a dataset with other bytes.
    """
    bundle = run.path(_BUNDLE)
    _require_flag(bundle)
    sealed = _manifest(bundle / _MANIFEST)
    for dataset_id in ROUTED:
        found = path_digest(run.path(dataset_id))
        if sealed.get(dataset_id) != found:
            detail = {"sealed": sealed.get(dataset_id), "found": found}
            raise _broken("DIGEST_COMPONENT_MISMATCH", "sealed_dataset", str(run.path(dataset_id)), detail)


def _require_flag(bundle: Path) -> None:
    flag = bundle / _FLAG_NAME
    try:
        named = _FLAG.fullmatch(flag.read_bytes())
    except OSError:
        raise Seg3BError(
            "S5",
            "GATE_MISSING_OR_INVALID",
            "passed_flag",
            str(flag),
            "This run did not pass: take another, or open it with check_seal=False to look at what it holds.",
        ) from None
    digest = hashlib.sha256()
    members = (path for path in bundle.iterdir() if path.name not in (_FLAG_NAME, _INDEX) and path.is_file())
    for member in sorted(members, key=lambda path: path.name.encode()):
        digest.update(member.read_bytes())
    if named is None or named[1].decode() != digest.hexdigest():
        detail = {"flag": named[1].decode() if named else None, "bundle": digest.hexdigest()}
        raise _broken("FLAG_DIGEST_MISMATCH", "flag_names_bundle", str(flag), detail)


def _manifest(path: Path) -> dict[str, str]:
    try:
        evidence = orjson.loads(path.read_bytes())["evidence"]
        return {own_id(str(row["logical_id"])): str(row["sha256_hex"]) for row in evidence}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(
            "BUNDLE_CONTENT_MISMATCH", "manifest_readable", str(path), {"reason": str(error)}
        ) from error


def _broken(name: str, validator: str, place: str, detail: dict[str, str | None]) -> Seg3BError:
    return Seg3BError("S5", name, validator, place, _REMEDY, dict(detail))
