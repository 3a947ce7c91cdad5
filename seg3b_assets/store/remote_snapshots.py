"""Snapshots of a home at a URL: found by their manifest, fetched into the mirror when first read, published last."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.store.failures import reported_writes
from seg3b_assets.store.mirror import remote_of
from seg3b_assets.store.packs import Pack
from seg3b_assets.store.remote import Remote
from seg3b_assets.store.snapshots import (
    MANIFEST,
    Snapshot,
    manifest_bytes,
    nondeterministic,
    parse_snapshot,
    read_snapshot,
    snapshot_place,
)


def find_snapshot(remote: Remote, home: Path, state: str, key: str) -> Snapshot | None:
    """A published snapshot, its files not fetched yet; None when there is none, or when a file of it is missing.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED when the store cannot be read.
    """
    place = snapshot_place(state, key)
    pack = Pack(remote, place, MANIFEST)
    manifest = pack.published()
    found = parse_snapshot(home / place, manifest) if manifest else None
    if manifest is None or found is None:
        return None
    sizes = pack.sizes(manifest)
    if any(sizes.get(name) != size for name, size in files_of(found).items()):
        return None
    return replace(found, fetch=partial(_fetch, home))


def files_of(snapshot: Snapshot) -> dict[str, int]:
    """Bytes by POSIX path below the snapshot of every file of its outputs."""
    return {
        f"{record.path}/{file.name}" if file.name else record.path: file.bytes
        for record in snapshot.outputs.values()
        for file in record.files
    }


def publish_snapshot(remote: Remote, snapshot: Snapshot) -> None:
    """Upload a snapshot of the mirror and make it the one of its key, unless one of the same bytes is.

    Raises:
        Seg3BError: NONDETERMINISTIC_OUTPUT when the published one has other bytes; it stays, the mirror's goes.
            OUTPUT_WRITE_FAILED: nothing was published then.
    """
    pack = _pack(remote, snapshot)
    content = pack.publish(snapshot.folder, list(files_of(snapshot)))
    if content == (snapshot.folder / MANIFEST).read_bytes():
        return
    published = parse_snapshot(snapshot.folder, content)
    shutil.rmtree(snapshot.folder)
    there = published.outputs if published else {}
    names = sorted(there.keys() | snapshot.outputs.keys())
    differing = next((name for name in names if there.get(name) != snapshot.outputs.get(name)), MANIFEST)
    records = (there.get(differing), snapshot.outputs.get(differing))
    raise nondeterministic(snapshot.state, remote.place(pack.place), differing, records)


def require_published(remote: Remote, keys: Mapping[str, str]) -> None:
    """Heads may point only at what is there: every snapshot has its manifest.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED for one that was pruned meanwhile.
    """
    for state, key in keys.items():
        place = snapshot_place(state, key)
        if Pack(remote, place, MANIFEST).published() is None:
            raise Seg3BError(
                state,
                "OUTPUT_WRITE_FAILED",
                "snapshot_published",
                remote.place(place),
                "A prune removed it while this run was not heard of for too long. Run again: the heads did not move.",
            )


def _pack(remote: Remote, snapshot: Snapshot) -> Pack:
    return Pack(remote, snapshot_place(snapshot.state, snapshot.key), MANIFEST)


def _fetch(home: Path, snapshot: Snapshot) -> None:
    """Have the snapshot's files in the mirror, every byte as published."""
    remote = remote_of(home)
    assert remote is not None
    manifest = manifest_bytes(snapshot.inputs, snapshot.outputs)
    local = read_snapshot(snapshot.folder)
    if local == snapshot and not local.damage():
        return

    def require(folder: Path) -> None:
        altered = Snapshot(folder, snapshot.inputs, snapshot.outputs).altered()
        if altered is not None:
            raise Seg3BError(
                snapshot.state,
                "SEALED_INPUT_DIGEST_MISMATCH",
                "snapshot_intact",
                f"{altered} in {remote.place(snapshot_place(snapshot.state, snapshot.key))}",
                "An output was altered after it was published. Run the seed with --recompute: it is written again.",
                {"dataset_id": altered},
            )

    with reported_writes(snapshot.state, home, "SEG3B_CACHE"):
        _pack(remote, snapshot).fetch(home, manifest, list(files_of(snapshot)), require)
