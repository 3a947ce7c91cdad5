"""No flag, no read: a run's seal, checked in tens of milliseconds before anything is drawn from it.

The flag must name the bundle, and the bundle's manifest the bytes of everything that an answer depends on: the
datasets a router reads, and the receipt and sealed inputs from which the run's identity, and so its random stream, is
made (law section 7). This finds a run that was never sealed, and datasets altered since. Whether what was sealed is
right is the audit's question, ``seg3b verify``; whether it is the run one meant, only a flag says that one has from
elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import orjson

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import own_id
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import path_digest
from seg3b_assets.laws.plain_files import read_plain

if TYPE_CHECKING:
    from pathlib import Path

    from seg3b_assets.consume.tree import PublishedRun
    from seg3b_assets.laws.identity import RunIdentity

ROUTED: Final = (
    "s0_gate_receipt_3B",
    "sealed_inputs_3B",
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
_STATED: Final = re.compile(r"(?:sha256_hex = )?([0-9a-f]{64})")
_LONGEST_FLAG: Final = 1024
_REMEDY: Final = "Use none of it: run `seg3b verify` on the tree to see what else differs, and export again."


def require_sealed(run: PublishedRun, expect: str | None = None) -> str:
    """Refuse a run whose flag, bundle or routed datasets are not what was sealed.

    Args:
        expect: the flag's digest as one has it from elsewhere; None takes any run that is sealed.

    Returns:
        The flag's digest.

    Raises:
        Seg3BError: ``S5 GATE_MISSING_OR_INVALID`` without a flag, ``FLAG_DIGEST_MISMATCH`` when it names
            another bundle or is not the one expected, ``BUNDLE_CONTENT_MISMATCH`` when the manifest cannot be
            read, ``IDENTITY_MISMATCH`` when it is another world's, ``DIGEST_COMPONENT_MISMATCH`` for a dataset with
            other bytes.
    """
    bundle = run.path(_BUNDLE)
    flag = _require_flag(bundle)
    if expect is not None and flag != expect:
        raise fail("expected_flag", str(bundle / _FLAG_NAME), _REMEDY, flag=flag, expected=expect)
    sealed = _manifest(bundle / _MANIFEST, run.identity)
    for dataset_id in ROUTED:
        found = _digest(run.path(dataset_id))
        if sealed.get(dataset_id) != found:
            place = str(run.path(dataset_id))
            raise fail("sealed_dataset", place, _REMEDY, sealed=sealed.get(dataset_id), found=found)
    return flag


def stated_flag(expect: str) -> str:
    """The digest of a flag that somebody wrote down: 64 hex digits, or the flag's whole line.

    Raises:
        ValueError: it is neither.
    """
    named = _STATED.fullmatch(expect.strip())
    if named is None:
        raise ValueError(
            f"{expect[:100]!r} is no flag: 64 lower-case hex digits, or a line sha256_hex = and these"
        )
    return named[1]


def _digest(path: Path) -> str:
    try:
        return path_digest(path)
    except OSError as error:
        place = str(error.filename or path)
        raise fail("sealed_dataset", place, _REMEDY, reason=error.strerror) from error


def _require_flag(bundle: Path) -> str:
    """The flag's digest, which is the bundle's."""
    flag = bundle / _FLAG_NAME
    try:
        named = _FLAG.fullmatch(read_plain(flag, _LONGEST_FLAG))
    except OSError:
        raise fail(
            "passed_flag",
            str(flag),
            "This run did not pass: take another, or open it with check_seal=False to look at what it holds.",
        ) from None
    digest = hashlib.sha256()
    try:
        # What else lies there, a file manager's leavings say, is none of the bundle.
        for name in sorted(contract(_BUNDLE).schema["items"]["enum"]):
            if name not in (_FLAG_NAME, _INDEX):
                digest.update(read_plain(bundle / name))
    except OSError as error:
        place = str(error.filename or bundle)
        raise fail("bundle_readable", place, _REMEDY, reason=error.strerror) from error
    if named is None or named[1].decode() != digest.hexdigest():
        stated = named[1].decode() if named else None
        raise fail("flag_names_bundle", str(flag), _REMEDY, flag=stated, bundle=digest.hexdigest())
    return digest.hexdigest()


def _manifest(path: Path, identity: RunIdentity) -> dict[str, str]:
    try:
        document = orjson.loads(read_plain(path))
        for key in ("manifest_fingerprint", "parameter_hash"):
            if document[key] != (expected := getattr(identity, key)):
                found = str(document[key])
                raise fail("manifest_identity", str(path), _REMEDY, key=key, expected=expected, found=found)
        return {own_id(str(row["logical_id"])): str(row["sha256_hex"]) for row in document["evidence"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise fail("manifest_readable", str(path), _REMEDY, reason=str(error)) from error
