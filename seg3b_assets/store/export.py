"""A run as a plain contract tree, for whoever knows nothing of this store.

    data/ logs/ reports/   the datasets of S0 to S5, byte for byte, in the contract's paths
    inputs/policies/       the sealed policies, byte for byte
    inputs/upstream/       the sealed upstream files an auditor reads, byte for byte, in their sealed paths
    inputs/tile_excerpt.parquet   of the tile surfaces only the tiles the run uses
    run_receipt.json       who the run is, and every other file with its digest

The tree is written beside its target and renamed into place; the same lineage always gives the same bytes.
Files are copied, never linked: a consumer may do with them what it likes, and the snapshots stay.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import orjson

from seg3b_assets.contracts import contract, require_document
from seg3b_assets.contracts.generation import require_current
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, file_digest
from seg3b_assets.laws.plain_files import (
    MAX_DOCUMENT_BYTES,
    StrangeFileError,
    files_below,
    read_plain,
    walk_below,
)
from seg3b_assets.own_places import read_regular
from seg3b_assets.store.copies import Copied, copy_files
from seg3b_assets.store.durable import flush_folder
from seg3b_assets.store.export_inputs import Root, input_copies, tile_excerpt
from seg3b_assets.store.failures import reported_writes
from seg3b_assets.store.outputs import folder_digest
from seg3b_assets.store.snapshots import snapshot_place
from seg3b_assets.store.staging import parquet_bytes

if TYPE_CHECKING:
    from seg3b_assets.store.home import Store
    from seg3b_assets.store.runs import KeptRun
    from seg3b_assets.store.snapshots import Snapshot

RECEIPT: Final = "export_receipt"
EXCERPT: Final = "tile_excerpt"
_LISTED, _SHOWN = 20, 200


@dataclass(frozen=True)
class Export:
    """An exported tree.

    Attributes:
        place: its root, an absolute path or a URL.
        run: whose it is.
        files, bytes: how many files, how large.
        written: False when the very same tree was there already.
    """

    place: str
    run: KeptRun
    files: int
    bytes: int
    written: bool

    def as_json(self) -> dict[str, Any]:
        """What ``seg3b export --json`` prints of a tree."""
        return {
            "seed": self.run.seed,
            "run_id": self.run.run_id,
            "lineage_id": self.run.lineage_id,
            "path": self.place,
            "files": self.files,
            "bytes": self.bytes,
            "written": self.written,
        }


def export_run(store: Store, run: KeptRun, upstream: Root, target: Path, force: bool = False) -> Export:
    """Put a lineage's tree at ``target``.

    Args:
        run: a lineage of this home; its snapshots must be there.
        upstream: root the run was sealed from, and where its files may lie.
        target: a folder that does not exist, is empty, or is an earlier export of the same lineage.
        force: replace an earlier export with whatever a person has put into it since.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED when the target cannot be written, is something else, or holds what its own
            receipt does not list;
            INPUT_OPEN_FAILED for a snapshot that is gone; DIGEST_COMPONENT_MISMATCH when one no longer holds
            what was published; SEALED_INPUT_DIGEST_MISMATCH when upstream or a policy is not what was sealed.
    """
    target = target.absolute()
    _require_free(target, run, force)
    with store.in_use(f"an export of seed {run.seed}"):
        snapshots = _snapshots(store, run)
        versions = {state: snapshot.inputs.code_version for state, snapshot in snapshots.items()}
        require_current(versions, f"lineage {run.lineage_id}")
        with reported_writes("S5", target, "another DEST"):
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
            fresh.mkdir()
        try:
            with reported_writes("S5", target, "another DEST"):
                receipt = _write_tree(store, run, snapshots, upstream, fresh)
                _require_free(target, run, force)  # a person may have put something there meanwhile
                written = _put(fresh, target, receipt)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    files = orjson.loads(receipt)["files"]
    size = sum(file["size_bytes"] for file in files) + len(receipt)
    return Export(str(target), run, len(files) + 1, size, written)


def _require_free(target: Path, run: KeptRun, force: bool) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not target.is_symlink():
        if not any(target.iterdir()):
            return
        listed = _listed(target, run)
        if listed is not None:
            try:
                unlisted = _entries(target, listed)
            except StrangeFileError as error:  # nobody's export, and too deep to be removed
                raise target_taken(str(error.filename), run) from error
            if unlisted and not force:
                raise holds_more(str(target), unlisted)
            return
    raise target_taken(str(target), run)


def _listed(target: Path, run: KeptRun) -> set[str] | None:
    """What a tree's receipt lists, itself too; None for a tree that is no export of the lineage."""
    name = contract(RECEIPT).path
    try:
        receipt = orjson.loads(read_regular(target / name, MAX_DOCUMENT_BYTES))
        listed = {str(file["path"]) for file in receipt["files"]}
        return {*listed, name} if receipt["lineage_id"] == run.lineage_id else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _entries(target: Path, listed: Collection[str]) -> list[str]:
    """POSIX paths below a tree of files, links and folders without listed files that are not listed, sorted."""
    ways = {str(way) for path in listed for way in PurePosixPath(path).parents}
    found: list[str] = []
    for folder, folders, names in walk_below(target):
        base = folder.relative_to(target)
        links = [name for name in folders if (folder / name).is_symlink()]
        found += [path for name in (*names, *links) if (path := (base / name).as_posix()) not in listed]
        found += [
            f"{path}/"
            for name in folders
            if (path := (base / name).as_posix()) not in ways and name not in links
        ]
    return sorted(found)


def holds_more(place: str, unlisted: Sequence[str], forced: str = "removes") -> Seg3BError:
    """OUTPUT_WRITE_FAILED of an export that holds what its receipt does not list.

    Args:
        forced: what ``--force`` does to it.
    """
    return Seg3BError(
        "S5",
        "OUTPUT_WRITE_FAILED",
        "export_unlisted",
        place,
        "Take these out of it, name another DEST, or export with --force, which "
        f"{forced} them. Nothing was written.",
        {"unlisted": [one[:_SHOWN] for one in unlisted[:_LISTED]], "count": len(unlisted)},
    )


def target_taken(place: str, run: KeptRun) -> Seg3BError:
    """OUTPUT_WRITE_FAILED of a target that is something else."""
    return Seg3BError(
        "S5",
        "OUTPUT_WRITE_FAILED",
        "export_target_free",
        place,
        "Name a folder that does not exist, an empty one, or an earlier export of the same lineage; "
        "nothing was touched.",
        {"lineage_id": run.lineage_id},
    )


def _snapshots(store: Store, run: KeptRun) -> dict[str, Snapshot]:
    found: dict[str, Snapshot] = {}
    for state, key in run.keys.items():
        snapshot = store.snapshot(state, key)
        if snapshot is None:
            raise Seg3BError(
                state,
                "INPUT_OPEN_FAILED",
                "snapshot_there",
                store.documents.place(snapshot_place(state, key)),
                f"Run seed {run.seed} again under the same policies and upstream: its snapshot was pruned, or "
                "lost files.",
                {"lineage_id": run.lineage_id},
            )
        found[state] = snapshot
    return found


def _write_tree(
    store: Store, run: KeptRun, snapshots: Mapping[str, Snapshot], root: Root, folder: Path
) -> bytes:
    """Everything below ``folder``; the receipt's bytes."""
    outputs = {
        location.relative_to(snapshot.root).as_posix(): location
        for snapshot in snapshots.values()
        for record in snapshot.outputs.values()
        for location in record.locations(snapshot.root)
    }
    copied = copy_files(outputs, folder)
    for snapshot in snapshots.values():
        _require_published(snapshot, copied, folder)
    located = {name: snapshot for snapshot in snapshots.values() for name in snapshot.outputs}
    sealed = orjson.loads(located["sealed_inputs_3B"].path("sealed_inputs_3B").read_bytes())
    copied |= input_copies(sealed, root, run, store.home, folder)
    excerpt = tile_excerpt(located["edge_catalogue_3B"].path("edge_catalogue_3B"), sealed, root.path)
    path = folder / contract(EXCERPT).path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(parquet_bytes(excerpt))
    copied[contract(EXCERPT).path] = Copied(path.stat().st_size, file_digest(path))
    receipt = _receipt(run, snapshots, copied, located["s0_gate_receipt_3B"])
    (folder / contract(RECEIPT).path).write_bytes(receipt)
    return receipt


def _require_published(snapshot: Snapshot, copied: Mapping[str, Copied], folder: Path) -> None:
    """The copied bytes are those the state published."""
    for record in snapshot.outputs.values():
        if len(record.files) == 1 and not record.files[0].name:
            found = copied[record.path].sha256
        else:
            found = folder_digest(folder / record.path, [file.name for file in record.files])
        if found != record.digest:
            raise Seg3BError(
                "S5",
                "DIGEST_COMPONENT_MISMATCH",
                "published_digest",
                str(snapshot.path(record.dataset_id)),
                "Run the seed with --recompute: the snapshot no longer holds what was published.",
                {"dataset_id": record.dataset_id, "published": record.digest, "found": found},
            )


def _receipt(
    run: KeptRun, snapshots: Mapping[str, Snapshot], copied: Mapping[str, Copied], gate: Snapshot
) -> bytes:
    declared = contract(RECEIPT)
    value = {
        "run_id": run.run_id,
        "seed": run.seed,
        "parameter_hash": run.parameter_hash,
        "manifest_fingerprint": run.manifest_fingerprint,
        "created_utc": orjson.loads(gate.path("s0_gate_receipt_3B").read_bytes())["verified_at_utc"],
        "sealed_inputs_digest": run.sealed_inputs_digest,
        "lineage_id": run.lineage_id,
        "states": {
            state: {
                "key": snapshot.key,
                "digest": snapshot.digest,
                "code_version": snapshot.inputs.code_version,
            }
            for state, snapshot in snapshots.items()
        },
        "files": [
            {"path": path, "size_bytes": copied[path].bytes, "sha256_hex": copied[path].sha256}
            for path in sorted(copied)
        ],
    }
    require_document(declared, value, state="S5", name="OUTPUT_WRITE_FAILED", place=declared.path)
    return canonical_json(value)


def _put(fresh: Path, target: Path, receipt: bytes) -> bool:
    """Move the tree into place; False when the very same is there already."""
    if target.exists() and any(target.iterdir()):
        if _is_same(target, receipt):
            return False
        # Damaged, or of other upstream bytes under the same lineage: set aside first, removed last.
        aside = target.with_name(f"{fresh.name}.old")
        target.rename(aside)
        fresh.rename(target)
        shutil.rmtree(aside)
    else:
        fresh.rename(target)
    flush_folder(target.parent)
    return True


def _is_same(target: Path, receipt: bytes) -> bool:
    name = contract(RECEIPT).path
    files = {file["path"]: file["sha256_hex"] for file in orjson.loads(receipt)["files"]}
    try:
        if read_plain(target / name) != receipt or set(files_below(target)) != {*files, name}:
            return False
        return all(file_digest(target / path) == digest for path, digest in files.items())
    except StrangeFileError:  # what no export holds
        return False
