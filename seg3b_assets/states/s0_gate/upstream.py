"""Where upstream's root, its identity and its datasets are (law section 0 and law section 2, step 1).

A root holds one seed's world. Its receipt says who it is; every folder below must agree. Nothing here judges
what a dataset holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.plain_files import read_plain
from seg3b_assets.laws.strict_json import parse_once

if TYPE_CHECKING:
    from seg3b_assets.contracts import DatasetContract

RECEIPT_ID: Final = "run_receipt"
RECEIPT_NAME: Final = "run_receipt.json"
_FOUND_FOLDER: Final = frozenset({"{version}", "{vintage}"})
_EXAMPLES: Final = 5
_RESTORE_RECEIPT: Final = (
    "Restore run_receipt.json: run_id, seed, parameter_hash, manifest_fingerprint, created_utc."
)


def resolve_upstream(upstream: Path, seed: int) -> Path:
    """The root of a seed's world: ``upstream`` itself, or its folder ``seed={seed}``.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` when neither holds a receipt; ``IDENTITY_MISMATCH`` when the receipt
            is another seed's; what ``read_receipt`` raises.
    """
    tried = (upstream, upstream / f"seed={seed}")
    root = next((folder for folder in tried if (folder / RECEIPT_NAME).exists()), None)
    if root is None:
        raise fail(
            "receipt_present",
            str(upstream / RECEIPT_NAME),
            "Point --upstream to a folder with a run_receipt.json, or with a folder seed=N that has one.",
            seed=seed,
            tried=[str(folder / RECEIPT_NAME) for folder in tried],
        )
    found = read_receipt(root).seed
    if found != seed:
        raise fail(
            "receipt_seed",
            f"{root / RECEIPT_NAME}:seed",
            "Ask for the seed upstream was made for, or point --upstream to the root of this one.",
            requested=seed,
            found=found,
        )
    return root


def read_receipt(root: Path) -> WorldIdentity:
    """The identity a root's receipt gives it.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` (it cannot be read), ``INPUT_SCHEMA_MISMATCH`` (it is not JSON, or
            not a receipt).
    """
    path = root / RECEIPT_NAME
    try:
        value = parse_once(read_plain(path))
    except OSError as error:
        raise fail(
            "receipt_readable", str(path), "Make upstream's run_receipt.json readable.", reason=error.strerror
        ) from error
    except ValueError as error:
        raise fail("receipt_json", str(path), _RESTORE_RECEIPT, reason=str(error)) from error
    violations = contract(RECEIPT_ID).check_document(value)
    if violations:
        first = violations[0]
        facts = {"at": first.column, "expected": first.expected}
        if not path.is_symlink():  # what a link leads to is not ours to show
            facts["found"] = first.example
        raise fail("receipt_schema", str(path), _RESTORE_RECEIPT, violations=len(violations), **facts)
    return WorldIdentity(
        value["seed"], value["parameter_hash"], value["manifest_fingerprint"], value["created_utc"]
    )


def locate(declared: DatasetContract, root: Path, world: WorldIdentity) -> Path | None:
    """Where a dataset lies in a root.

    Args:
        declared: an upstream dataset; ``{version}`` or ``{vintage}`` in its path is the one folder there.

    Returns:
        The file or folder; None for one that upstream need not have and does not.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` (it is not there), ``IDENTITY_MISMATCH`` (only other identities are
            there, or not exactly one version).
    """
    here = root
    for part in declared.path.strip("/").split("/"):
        if part in _FOUND_FOLDER:
            if declared.status == "optional" and not here.is_dir():
                return None
            here = _sole_folder(declared, here)
            continue
        name = part.format(**vars(world))
        if not (here / name).exists():
            if declared.status == "optional":
                return None
            raise _absent(declared, here, name)
        here = here / name
    return here


def _sole_folder(declared: DatasetContract, parent: Path) -> Path:
    found = sorted(path.name for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []
    if len(found) != 1:
        raise fail(
            "one_version",
            str(parent),
            f"Keep exactly one version of {declared.id} in the upstream root.",
            logical_id=declared.id,
            found=found[:_EXAMPLES],
            count=len(found),
        )
    return parent / found[0]


def _absent(declared: DatasetContract, parent: Path, name: str) -> Seg3BError:
    key, partition, _ = name.partition("=")
    others = sorted(path.name for path in parent.glob(f"{key}=*")) if partition else []
    if others:
        return fail(
            "dataset_identity",
            str(parent / name),
            "Point --upstream to a root whose folders carry the identity its run_receipt.json states.",
            logical_id=declared.id,
            expected=name,
            found=others[:_EXAMPLES],
        )
    return fail(
        "dataset_present",
        str(parent / name),
        f"Give the upstream root its {declared.id}, or point --upstream to a complete root.",
        logical_id=declared.id,
        expected=declared.path,
    )
