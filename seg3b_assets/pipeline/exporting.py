"""Lineages exported: each as a plain contract tree, for whoever knows nothing of the store.

    data/ logs/ reports/   the datasets of S0 to S5, byte for byte, in the contract's paths
    inputs/policies/       the sealed policies, byte for byte
    inputs/upstream/       the sealed upstream files an auditor reads, byte for byte, in their sealed paths
    inputs/tile_excerpt.parquet   of the tile surfaces only the tiles the run uses
    run_receipt.json       who the run is, and every other file with its digest

The same lineage always gives the same bytes, and appears whole at its destination (``destinations``). Files are
copied, never linked: a consumer may do with them what it likes, and the snapshots stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import polars as pl

from seg3b_assets.contracts import contract, require_document
from seg3b_assets.contracts.generation import require_current
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import canonical_json, file_digest
from seg3b_assets.pipeline.export_inputs import Copied, Root, copy_files, input_copies, tile_excerpt
from seg3b_assets.pipeline.segment import upstream_root
from seg3b_assets.settings import Settings
from seg3b_assets.store import Store
from seg3b_assets.store.destinations import RECEIPT, destination
from seg3b_assets.store.outputs import folder_digest
from seg3b_assets.store.snapshots import snapshot_place
from seg3b_assets.store.staging import parquet_bytes

if TYPE_CHECKING:
    from seg3b_assets.progress import Progress
    from seg3b_assets.store.runs import KeptRun
    from seg3b_assets.store.snapshots import Snapshot

EXCERPT: Final = "tile_excerpt"
UPSTREAM_RECEIPT: Final = "run_receipt.json"


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


def export(
    settings: Settings, runs: Sequence[KeptRun], dest: str, progress: Progress, force: bool = False
) -> list[Export]:
    """Export lineages: one as ``dest``, several as ``dest/seed=N`` each.

    Args:
        dest: a path, or a URL of an object store.
        force: into an earlier export although a person has put something into it.

    Raises:
        Seg3BError: as ``export_run``; IDENTITY_MISMATCH when no upstream root is a run's.
    """
    store = Store(settings.home, contract)
    exports = []
    for run in runs:
        place = dest if len(runs) == 1 else f"{dest.rstrip('/')}/seed={run.seed}"
        root = sealed_root(settings, run, progress)
        recorded = run.document.get("upstream") if settings.upstream is None else None
        reach = replace(settings, upstream=Path(str(recorded))).reach if recorded else settings.reach
        exports.append(export_run(store, run, Root(root, reach), place, force))
    return exports


def export_run(store: Store, run: KeptRun, upstream: Root, dest: str | Path, force: bool = False) -> Export:
    """Put a lineage's tree at ``dest``.

    Args:
        run: a lineage of this home; its snapshots must be there.
        upstream: root the run was sealed from, and where its files may lie.
        dest: a folder that does not exist, is empty, or is an earlier export of the same lineage; or a URL below
            which nothing else lies (``destinations``).
        force: also where a person has put something into an earlier export since: in a folder it is replaced, at
            a URL it stays.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED when the destination cannot be written, is something else, or holds what its
            own receipt does not list;
            INPUT_OPEN_FAILED for a snapshot that is gone; DIGEST_COMPONENT_MISMATCH when one no longer holds
            what was published; SEALED_INPUT_DIGEST_MISMATCH when upstream or a policy is not what was sealed.
    """
    to = destination(str(dest), store.home)
    to.require_free(run, force)
    with ExitStack() as held:
        held.enter_context(store.in_use(f"an export of seed {run.seed}"))
        snapshots = _snapshots(store, run)
        versions = {state: snapshot.inputs.code_version for state, snapshot in snapshots.items()}
        require_current(versions, f"lineage {run.lineage_id}")
        with to.scratch() as tree:
            receipt = _write_tree(store, run, snapshots, upstream, tree)
            held.close()  # what was copied needs the home no longer
            written = to.take(tree, run, force)
    files = orjson.loads(receipt)["files"]
    size = sum(file["size_bytes"] for file in files) + len(receipt)
    return Export(to.place, run, len(files) + 1, size, written)


def _snapshots(store: Store, run: KeptRun) -> dict[str, Snapshot]:
    found: dict[str, Snapshot] = {}
    for state, key in run.keys.items():
        snapshot = store.snapshot(state, key)
        if snapshot is None:
            raise fail(
                "snapshot_there",
                store.backend.place(snapshot_place(state, key)),
                f"Run seed {run.seed} again under the same policies and upstream: its snapshot was pruned, or "
                "lost files.",
                in_state=state,
                lineage_id=run.lineage_id,
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
    catalogue = located["edge_catalogue_3B"]
    parts = catalogue.outputs["edge_catalogue_3B"].locations(catalogue.root)
    edges = pl.read_parquet(parts, columns=["country_iso", "hrsl_tile_id"], glob=False)
    excerpt = tile_excerpt(edges, sealed, root.path)
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
            raise fail(
                "published_digest",
                str(snapshot.path(record.dataset_id)),
                "Run the seed with --recompute: the snapshot no longer holds what was published.",
                dataset_id=record.dataset_id,
                published=record.digest,
                found=found,
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


def sealed_root(settings: Settings, run: KeptRun, progress: Progress) -> Path:
    """The upstream root a run was sealed from: the one asked for, else the recorded one, else a cached world.

    Raises:
        Seg3BError: IDENTITY_MISMATCH when the root is another world.
    """
    recorded = run.document.get("upstream")
    if settings.upstream is None and recorded is None:
        cached = sorted(settings.cache.glob(f"world/*/seed={run.seed}"))
        for root in cached:
            if _fingerprint(root) == run.manifest_fingerprint:
                return root
    elif settings.upstream is None:
        settings = Settings.from_environment(
            home=settings.home, cache=settings.cache, upstream=Path(str(recorded))
        )
    root = upstream_root(settings, run.seed, progress)
    found = _fingerprint(root)
    if found != run.manifest_fingerprint:
        raise fail(
            "upstream_of_run",
            str(root),
            "Name the upstream root the run was sealed from with --upstream.",
            run=run.manifest_fingerprint,
            found=found,
        )
    return root


def _fingerprint(root: Path) -> Any:
    try:
        return orjson.loads((root / UPSTREAM_RECEIPT).read_bytes())["manifest_fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
