"""A published snapshot: one state's outputs for one key, never rewritten (storage: snapshots, heads, refs).

``snapshot.json`` inside it says what the key was made of and what each output's bytes are; it carries
no clock, no host and no process count. The key is the SHA-256 of the canonical JSON of
``KeyInputs.keyed``. Where a home's back end keeps snapshots elsewhere, their files are fetched when first read.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import canonical_json, sha256_json
from seg3b_assets.laws.plain_files import read_plain
from seg3b_assets.store.outputs import OutputRecord, digest_on_disk, sizes_match
from seg3b_assets.store.writing import reported_writes

if TYPE_CHECKING:
    from seg3b_assets.store.backend import Backend

MANIFEST = "snapshot.json"


def snapshot_place(state: str, key: str) -> str:
    """Where a snapshot is, below the home."""
    return f"snapshots/{state}/{key}"


@dataclass(frozen=True)
class KeyInputs:
    """What a state's outputs are a function of.

    Attributes:
        state, code_version: the state's logic.
        runtime: version by package whose results could differ.
        seed: uint64.
        sealed_inputs: SHA-256 of the bytes of ``sealed_inputs_3B.json``.
        inputs: digest by logical id of what the state reads.
        sealed: digest by logical id of everything S0 sealed. Not keyed by itself (``sealed_inputs``
        covers it);
            kept so that a plan can name what changed.
    """

    state: str
    code_version: str
    runtime: Mapping[str, str]
    seed: int
    sealed_inputs: str
    inputs: Mapping[str, str]
    sealed: Mapping[str, str]

    def keyed(self) -> dict[str, Any]:
        """The JSON object whose digest is the key."""
        return {
            "state": self.state,
            "code_version": self.code_version,
            "runtime": dict(self.runtime),
            "seed": self.seed,
            "sealed_inputs": self.sealed_inputs,
            "inputs": dict(self.inputs),
        }

    @cached_property
    def key(self) -> str:
        """``state_key``: hex64."""
        return sha256_json(self.keyed())


@dataclass(frozen=True)
class Snapshot:
    """One state's published outputs.

    Attributes:
        folder: where the contract tree is, or will be once ``root`` is asked for.
        inputs: what the key was made of.
        outputs: by dataset id, in id order.
        fetch: brings the files of a snapshot that lies elsewhere; None when they are in ``folder``.
    """

    folder: Path
    inputs: KeyInputs
    outputs: Mapping[str, OutputRecord]
    fetch: Callable[[Snapshot], None] | None = field(default=None, compare=False, repr=False)

    @cached_property
    def root(self) -> Path:
        """Folder that holds the contract tree. Raises what fetching it raises."""
        if self.fetch:
            self.fetch(self)
        return self.folder

    @property
    def state(self) -> str:
        return self.inputs.state

    @property
    def key(self) -> str:
        return self.inputs.key

    @cached_property
    def digest(self) -> str:
        """hex64 over all outputs: SHA-256 of the canonical JSON of {dataset_id: digest}."""
        return outputs_digest(self.outputs)

    def path(self, dataset_id: str) -> Path:
        """Absolute path of an output, a file or a folder."""
        return self.root / self.outputs[dataset_id].path

    def damage(self) -> str | None:
        """The first output file that is missing or has another size; None when all are as recorded."""
        for record in self.outputs.values():
            if place := sizes_match(record, self.root):
                return place
        return None

    def altered(self) -> str | None:
        """The first dataset whose bytes are no longer those published; None when all are. Reads everything."""
        for dataset_id, record in self.outputs.items():
            try:
                if digest_on_disk(record, self.root) != record.digest:
                    return dataset_id
            except OSError:
                return dataset_id
        return None


def outputs_digest(outputs: Mapping[str, OutputRecord]) -> str:
    """hex64 of the canonical JSON of {dataset_id: digest}."""
    return sha256_json({dataset_id: record.digest for dataset_id, record in outputs.items()})


def manifest_bytes(inputs: KeyInputs, outputs: Mapping[str, OutputRecord]) -> bytes:
    """The bytes of ``snapshot.json``."""
    document = {
        "key": inputs.key,
        "inputs": inputs.keyed(),
        "sealed": dict(inputs.sealed),
        "outputs": {dataset_id: record.as_json() for dataset_id, record in outputs.items()},
    }
    return canonical_json(document)


def read_snapshot(root: Path) -> Snapshot | None:
    """The snapshot at ``root``; None when there is none, or when its manifest does not describe it."""
    try:
        return parse_snapshot(root, read_plain(root / MANIFEST))
    except OSError:
        return None


def parse_snapshot(root: Path, manifest: bytes) -> Snapshot | None:
    """The snapshot a manifest describes, at ``root``; None when it is not that of a snapshot there."""
    try:
        document = orjson.loads(manifest)
        inputs = KeyInputs(**document["inputs"], sealed=document["sealed"])
        listed = document["outputs"]
        outputs = {name: OutputRecord.from_json(name, listed[name]) for name in sorted(listed)}
    except (ValueError, KeyError, TypeError):
        return None
    if inputs.key != root.name or inputs.state != root.parent.name:
        return None
    return Snapshot(root, inputs, outputs)


def find_snapshot(backend: Backend, state: str, key: str) -> Snapshot | None:
    """A published snapshot; None when there is none, or when a file of it is missing or cut short.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED of a URL that cannot be read.
    """
    place = snapshot_place(state, key)
    manifest = backend.manifest(place, MANIFEST)
    found = parse_snapshot(backend.folder / place, manifest) if manifest is not None else None
    if manifest is None or found is None or not backend.holds(place, manifest, files_of(found)):
        return None
    return replace(found, fetch=partial(_fetch, backend))


def files_of(snapshot: Snapshot) -> dict[str, int]:
    """Bytes by POSIX path below the snapshot of every file of its outputs."""
    return {
        f"{record.path}/{file.name}" if file.name else record.path: file.bytes
        for record in snapshot.outputs.values()
        for file in record.files
    }


def publish_snapshot(backend: Backend, snapshot: Snapshot) -> None:
    """Have a snapshot of the home's folder published, unless one of the same bytes is.

    Raises:
        Seg3BError: NONDETERMINISTIC_OUTPUT when the published one has other bytes; it stays, the folder's goes.
            OUTPUT_WRITE_FAILED: nothing was published then.
    """
    place = snapshot_place(snapshot.state, snapshot.key)
    content = backend.publish_folder(place, MANIFEST, list(files_of(snapshot)))
    if content == (snapshot.folder / MANIFEST).read_bytes():
        return
    published = parse_snapshot(snapshot.folder, content)
    shutil.rmtree(snapshot.folder)
    there = published.outputs if published else {}
    names = sorted(there.keys() | snapshot.outputs.keys())
    differing = next((name for name in names if there.get(name) != snapshot.outputs.get(name)), MANIFEST)
    records = (there.get(differing), snapshot.outputs.get(differing))
    raise nondeterministic(snapshot.state, backend.place(place), differing, records)


def require_published(backend: Backend, keys: Mapping[str, str]) -> None:
    """Heads may point only at what is there.

    Args:
        keys: state key by state, of snapshots that this process found or published while it held the home.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED for one that was pruned meanwhile.
    """
    for state, key in keys.items():
        place = snapshot_place(state, key)
        if not backend.still_published(place, MANIFEST):
            raise fail(
                "snapshot_published",
                backend.place(place),
                "A prune removed it while this run was not heard of for too long. Run again: the heads did not move.",
                in_state=state,
            )


def _fetch(backend: Backend, snapshot: Snapshot) -> None:
    """Have the snapshot's files in the home's folder, every byte as published."""
    place = snapshot_place(snapshot.state, snapshot.key)

    def require(folder: Path) -> None:
        altered = Snapshot(folder, snapshot.inputs, snapshot.outputs).altered()
        if altered is not None:
            raise fail(
                "snapshot_intact",
                f"{altered} in {backend.place(place)}",
                "An output was altered after it was published. Run the seed with --recompute: it is written again.",
                in_state=snapshot.state,
                dataset_id=altered,
            )

    manifest = manifest_bytes(snapshot.inputs, snapshot.outputs)
    with reported_writes(snapshot.state, backend.folder, "SEG3B_CACHE"):
        backend.fetch(place, MANIFEST, manifest, files_of(snapshot), require)


def nondeterministic(
    state: str, place: str, dataset_id: str, records: tuple[OutputRecord | None, OutputRecord | None]
) -> Seg3BError:
    """NONDETERMINISTIC_OUTPUT of a dataset.

    Args:
        records: as published, and as computed again.
    """
    published, computed = (record.digest if record else None for record in records)
    return fail(
        "rerun_digest",
        f"{dataset_id} in {place}",
        "The same inputs and code version gave other bytes; the published ones stay. Raise the "
        f"code version of {state} if its logic changed; else find what depends on order, clock or machine.",
        in_state=state,
        dataset_id=dataset_id,
        published=published,
        computed=computed,
    )
