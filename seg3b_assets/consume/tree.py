"""A published run, found on disk by the contract's paths (law section 0: exactly one identity in a tree).

Opening a run verifies its seal, so that "no flag, no read" holds for whoever uses this door; see ``seal``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.contracts.columns import dtype_name
from seg3b_assets.contracts.generation import foreign_release, written_before
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import read_frame
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.plain_files import read_plain

RECEIPT: Final = "s0_gate_receipt_3B"
SEALED_INPUTS: Final = "sealed_inputs_3B"
STATE: Final = "S5"


@dataclass(frozen=True)
class PublishedRun:
    """One seed's published outputs.

    Attributes:
        identity: seed, upstream identity, sealed-inputs digest, run_id.
        paths: absolute path by dataset id, a file or a folder of part files.
        flag: the digest its flag states, where the seal was checked; whoever wants to be sure of getting this very run
            again keeps it.
    """

    identity: RunIdentity
    paths: Mapping[str, Path]
    flag: str | None = None

    def path(self, dataset_id: str) -> Path:
        """Where a dataset lies.

        Raises:
            Seg3BError: ``INPUT_OPEN_FAILED`` when the tree lacks it.
        """
        if dataset_id not in self.paths:
            raise _unreadable(dataset_id, "the tree does not hold it")
        return self.paths[dataset_id]

    def table(self, dataset_id: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A table in the contract's order, its columns as the contract has them.

        Args:
            columns: only these, by name.

        Raises:
            Seg3BError: ``INPUT_OPEN_FAILED`` when it cannot be read, ``INPUT_SCHEMA_MISMATCH`` when a column
                is not of the contract's type.
        """
        path, declared = self.path(dataset_id), contract(dataset_id).polars_schema
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        try:
            frame = pl.concat([read_frame(file, list(columns or declared)) for file in files])
        except (UnreadableTableError, ValueError, pl.exceptions.PolarsError) as error:
            raise _unreadable(str(path), str(error)) from error
        differs = {
            name: {"expected": str(declared.get(name)), "found": dtype_name(dtype)}
            for name, dtype in frame.schema.items()
            if declared.get(name) != dtype
        }
        if differs:
            raise _mismatch(str(path), {"columns": differs})
        return frame

    def document(self, dataset_id: str) -> Any:
        """A JSON document.

        Raises:
            Seg3BError: ``INPUT_OPEN_FAILED``, ``INPUT_SCHEMA_MISMATCH``.
        """
        path = self.path(dataset_id)
        try:
            value = orjson.loads(read_plain(path))
        except (OSError, ValueError) as error:
            raise _unreadable(str(path), str(error)) from error
        violations = contract(dataset_id).check_document(value)
        if violations:
            raise _mismatch(str(path), {"violations": [violation.record() for violation in violations[:5]]})
        return value


def open_run(root: str | Path, check_seal: bool = True, expect: str | None = None) -> PublishedRun:
    """Open a contract tree that holds one run.

    Args:
        root: the folder that holds ``data/`` and ``logs/``.
        check_seal: verify flag, bundle and the digests of what a router reads; False reads a run that was
            never sealed, for looking at what went wrong.
        expect: the flag as one has it from elsewhere, its digest or its line. Without it a run is as good as whoever
            wrote the tree: whoever can write a tree can seal it.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` when there is no run, ``IDENTITY_MISMATCH`` when there are several,
            ``INPUT_SCHEMA_MISMATCH`` for one that another release wrote, and what ``seal.require_sealed`` raises.
    """
    if "://" in str(root):
        raise _unreadable(str(root), "a URL: copy the exported tree to a folder, and open that")
    base = Path(root).expanduser().absolute()
    if not base.is_dir():
        raise _unreadable(str(base), "it is no folder")
    identity = _identity(_only(base, RECEIPT), _only(base, SEALED_INPUTS))
    paths = {
        declared.id: base / declared.relative_path(identity).rstrip("/")
        for declared in all_contracts().values()
        if declared.producer.startswith("S") and declared.status != "planned"
    }
    return run_over({name: path for name, path in paths.items() if path.exists()}, check_seal, expect)


def run_over(paths: Mapping[str, Path], check_seal: bool = True, expect: str | None = None) -> PublishedRun:
    """A run whose datasets lie wherever ``paths`` says, such as in the snapshots of a home.

    Args:
        paths: absolute path by dataset id.

    Raises:
        Seg3BError: as ``open_run``.
    """
    from seg3b_assets.consume.seal import require_sealed, stated_flag  # noqa: PLC0415 - the seal reads runs

    try:
        flag = None if expect is None else stated_flag(expect)
    except ValueError as error:
        raise _refused_flag(str(error)) from error
    for needed in (RECEIPT, SEALED_INPUTS):
        if needed not in paths:
            raise _unreadable(needed, "the run does not hold it")
    run = PublishedRun(_identity(paths[RECEIPT], paths[SEALED_INPUTS]), dict(paths))
    if check_seal or flag is not None:
        return replace(run, flag=require_sealed(run, flag))
    return run


def virtual_merchants(run: PublishedRun) -> pl.DataFrame:
    """Who is virtual, where each settles and how many edges it has.

    Returns:
        merchant_id u64, virtual_mode, virtual_class, size_bucket, tzid_settlement, lat_deg, lon_deg (of the
        settlement, degrees), edge_count i64; ascending by merchant_id.
    """
    settled = run.table("virtual_settlement_3B", ["merchant_id", "tzid_settlement", "lat_deg", "lon_deg"])
    modes = run.table("virtual_classification_3B", ["merchant_id", "virtual_mode"])
    profiles = run.table("edge_merchant_profile_3B", ["merchant_id", "virtual_class", "size_bucket"])
    counts = run.table("edge_alias_index_3B", ["merchant_id", "edge_count_total"]).drop_nulls("merchant_id")
    return (
        settled.join(modes, on="merchant_id", how="left", maintain_order="left")
        .join(profiles, on="merchant_id", how="left", maintain_order="left")
        .join(counts, on="merchant_id", how="left", maintain_order="left")
        .select(
            "merchant_id",
            "virtual_mode",
            "virtual_class",
            "size_bucket",
            "tzid_settlement",
            "lat_deg",
            "lon_deg",
            pl.col("edge_count_total").alias("edge_count"),
        )
    )


def _identity(receipt: Path, sealed_inputs: Path) -> RunIdentity:
    try:
        found = orjson.loads(read_plain(receipt))
        # The receipt's form rises with the states' shapes, so its version tells whether we know them.
        if foreign_release(str(found["version"])) is not None:
            raise written_before("S0", str(found["version"]), str(receipt))
        identity = RunIdentity(
            seed=found["seed"],
            parameter_hash=found["parameter_hash"],
            manifest_fingerprint=found["manifest_fingerprint"],
            created_utc=found["verified_at_utc"],
            sealed_inputs_digest=file_digest(sealed_inputs),
        )
    except OSError as error:
        raise _unreadable(str(receipt), str(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _mismatch(str(receipt), {"reason": str(error)}) from error
    if f"manifest_fingerprint={identity.manifest_fingerprint}" != receipt.parent.name:
        raise fail(
            "receipt_names_its_folder",
            str(receipt),
            "Take a tree as it was exported: the receipt and the folder it lies in are of different worlds.",
            receipt=identity.manifest_fingerprint,
            folder=receipt.parent.name,
        )
    return identity


def _only(base: Path, dataset_id: str) -> Path:
    """The one file of a dataset whose path has the manifest fingerprint as its only token."""
    pattern = contract(dataset_id).path.format(manifest_fingerprint="*")
    found = sorted(base.glob(pattern))
    if len(found) == 1:
        return found[0]
    if not found:
        raise _unreadable(str(base), f"no {pattern} below it")
    raise fail(
        "one_run_per_tree",
        str(base),
        "Open one run at a time: export each seed to a folder of its own.",
        found=[str(path.relative_to(base)) for path in found],
    )


def _refused_flag(reason: str) -> Seg3BError:
    return fail(
        "stated_flag", "expect", "Give the flag as `seg3b run` or `seg3b verify` printed it.", reason=reason
    )


def _unreadable(place: str, reason: str) -> Seg3BError:
    return fail(
        "run_readable",
        place,
        "Name a folder that `seg3b export` wrote, or any tree with data/layer1/3B in the contract's paths.",
        reason=reason,
    )


def _mismatch(place: str, detail: dict[str, Any]) -> Seg3BError:
    return fail(
        "published_contract",
        place,
        "Export the run again, and see what else was altered with `seg3b verify`.",
        in_state=STATE,
        **detail,
    )
