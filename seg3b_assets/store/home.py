"""Where outputs live: immutable snapshots, the heads that say which are in force, and the records of runs.

    snapshots/{state}/{state_key}/   contract tree + snapshot.json, published by one rename
    heads/seed={seed}.json           the snapshot in force per state; replaced last, atomically
    refs/{name}.json                 lineages kept by name (refs)
    runs/{lineage_id}/run.json       one lineage: identity, keys, digests, policies, timings (runs)
    policies/{sha256}.yaml           the bytes of those policies (runs)
    builds/{state}/{state_key}.json  what computing a snapshot cost (time, memory), kept when it is reused
    certifications/{id}/             verdicts over several seeds and their documents (written by certification)
    reports/{certification_id}/      their reports for people, written anew when what they compare with has changed
    staging/, quarantine/, locks/    work in progress; snapshots found damaged; lock files

A crash at any instant leaves the last published state readable: what is not yet renamed is not there, and the
next run removes it. Two runs at once may compute the same snapshot; the one that comes second compares.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.laws.visible_text import story
from seg3b_assets.locks import exclusive, try_lock_folder
from seg3b_assets.own_places import folders_in, make_private, require_unlinked, write_new
from seg3b_assets.store.backend import open_home
from seg3b_assets.store.layout import STATE, belongs, seeds_named
from seg3b_assets.store.outputs import ContractLookup, OutputRecord
from seg3b_assets.store.runs import record_path
from seg3b_assets.store.snapshots import (
    MANIFEST,
    KeyInputs,
    Snapshot,
    find_snapshot,
    manifest_bytes,
    nondeterministic,
    publish_snapshot,
    read_snapshot,
    require_published,
    snapshot_place,
)
from seg3b_assets.store.staging import Staging
from seg3b_assets.store.writing import STAGING, flush_folder, reported_writes, staged_folder

if TYPE_CHECKING:
    from seg3b_assets.laws.identity import RunIdentity

LOG = story("store")
_EXISTS = {errno.ENOTEMPTY, errno.EEXIST}
_PUBLISH_ATTEMPTS = 3


class Store:
    """The home of one installation's outputs.

    Args:
        home: folder; made when first written to. The mirror of a URL stands for the URL (``backend``).
        contracts: dataset id to contract.
    """

    def __init__(self, home: Path, contracts: ContractLookup) -> None:
        self.home = home.absolute()
        self.backend = open_home(self.home)
        self._contracts = contracts

    def snapshot(self, state: str, key: str) -> Snapshot | None:
        """The published snapshot; None when there is none, or when a file of it is missing or cut short."""
        return find_snapshot(self.backend, state, key)

    @contextmanager
    def staging(self, state: str, identity: RunIdentity) -> Iterator[Staging]:
        """A place to write one state's outputs; whatever is not published when the block ends is removed.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED when the home cannot be written.
        """
        with ExitStack() as made:
            with reported_writes(state, self.home):
                folder = made.enter_context(staged_folder(self.home, state))
            staged = Staging(folder, state, identity, self._contracts)
            made.callback(staged.close)
            yield staged

    def publish(self, staged: Staging, inputs: KeyInputs) -> Snapshot:
        """Make what was staged the snapshot of its key, by one rename, and have the back end publish it.

        Where the snapshot exists its bytes are compared: equal ones are reused. A snapshot whose bytes are no
        longer those it was published with is set aside, never overwritten.

        Raises:
            Seg3BError: NONDETERMINISTIC_OUTPUT when the same key gave other bytes; OUTPUT_WRITE_FAILED.
        """
        outputs = staged.finish()
        target = self._snapshot_root(inputs.state, inputs.key)
        with reported_writes(inputs.state, target):
            require_unlinked(self.home, snapshot_place(inputs.state, inputs.key))
            write_new(staged.folder / MANIFEST, manifest_bytes(inputs, outputs))
            flush_folder(staged.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(_PUBLISH_ATTEMPTS):
                if self._rename(staged.folder, target):
                    break
                if self._holds_same(target, outputs, inputs.state):
                    break
                self._set_aside(target)
        published = read_snapshot(target)
        if published is None:
            raise RuntimeError(f"{target} was removed while it was being published")
        publish_snapshot(self.backend, published)
        return published

    def heads(self, seed: int) -> dict[str, str]:
        """State key in force by state; empty for a seed that never ran.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when the file is not what the store wrote.
        """
        path = _heads_path(seed)
        try:
            return self._states(path, self.backend.read(path))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unreadable(self.backend.place(path), error) from error

    def seeds(self) -> list[int]:
        """The seeds that have heads, in order."""
        return seeds_named(self.backend.paths("heads"))

    def move_heads(self, seed: int, keys: Mapping[str, str]) -> None:
        """Put these states' keys in force, leaving the other states' as they are. One reader sees all
        or none.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED.
        """
        if not keys:
            return
        path = _heads_path(seed)

        def moved(content: bytes | None) -> bytes | None:
            current = {} if content is None else self._states(path, content)
            states = current | dict(keys)
            return None if states == current else canonical_json({"seed": seed, "states": states})

        require_published(self.backend, keys)
        with reported_writes(max(keys), self.home / path):
            self.backend.update(path, _lock_name(seed), moved)

    def write_run(self, seed: int, lineage_id: str, record: Mapping[str, Any]) -> str:
        """Keep the record of a finished lineage; a rerun of the same lineage replaces it. Returns its place."""
        self._put(record_path(lineage_id), seed, "S5", record)
        return self.backend.place(record_path(lineage_id))

    def write_build(self, snapshot: Snapshot, seed: int, cost: Mapping[str, Any]) -> None:
        """Keep what computing a snapshot cost."""
        self._put(_build_path(snapshot.state, snapshot.key), seed, snapshot.state, cost)

    def build(self, state: str, key: str) -> dict[str, Any] | None:
        """What computing a snapshot cost, or None when it is not known."""
        try:
            value = orjson.loads(self.backend.read(_build_path(state, key)))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    @contextmanager
    def in_use(self, purpose: str = "a run") -> Iterator[None]:
        """Hold the home as a run does: together with other runs, against whoever removes snapshots.

        Also removes what runs that died left in staging.

        Args:
            purpose: what whoever is kept waiting, or is refused, is told.
        """
        with self.backend.held(purpose):
            self._sweep_staging()
            yield

    def _snapshot_root(self, state: str, key: str) -> Path:
        return self.home / snapshot_place(state, key)

    def _put(self, path: str, seed: int, state: str, value: Mapping[str, Any]) -> None:
        with reported_writes(state, self.home / path):
            content = canonical_json(value)
            self.backend.update(path, _lock_name(seed), lambda _: content)

    def _states(self, path: str, content: bytes) -> dict[str, str]:
        try:
            states = {str(state): str(key) for state, key in orjson.loads(content)["states"].items()}
            for state, key in states.items():
                if not HEX64.fullmatch(key) or not STATE.fullmatch(state):
                    raise ValueError(f"{state}: {key} is not the key of a snapshot")
            return dict(sorted(states.items()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unreadable(self.backend.place(path), error) from error

    def _sweep_staging(self) -> None:
        for folder in folders_in(self.home / STAGING):
            if not belongs(STAGING, folder.name):
                continue
            descriptor = try_lock_folder(folder)
            if descriptor is None:
                continue
            LOG.info("removing what an interrupted run left in %s", folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)

    def _rename(self, folder: Path, target: Path) -> bool:
        try:
            folder.rename(target)
        except OSError as error:
            if error.errno in _EXISTS:
                return False
            raise
        flush_folder(target.parent)
        return True

    def _holds_same(self, target: Path, outputs: Mapping[str, OutputRecord], state: str) -> bool:
        """Whether the published bytes are these. False when they are no longer what was published."""
        existing = read_snapshot(target)
        if existing is None:
            return False
        for dataset_id in sorted(existing.outputs.keys() | outputs.keys()):
            published, computed = existing.outputs.get(dataset_id), outputs.get(dataset_id)
            if published is None or computed is None or published.digest != computed.digest:
                raise nondeterministic(state, str(target), dataset_id, (published, computed))
        return not existing.damage() and existing.altered() is None

    def _set_aside(self, target: Path) -> None:
        """Move a damaged snapshot into quarantine; under a lock, so that a good one is never moved."""
        with exclusive(self.home / "locks" / "snapshots.lock"):
            existing = read_snapshot(target)
            if existing is not None and not existing.damage() and existing.altered() is None:
                return  # another run has built it again meanwhile
            quarantine = self.home / "quarantine"
            make_private(quarantine)
            place = quarantine / f"{target.parent.name}-{target.name}-{secrets.token_hex(4)}"
            try:
                target.rename(place)
            except FileNotFoundError:
                return
        LOG.warning("snapshot %s no longer holds what was published; kept in %s, built again", target, place)


def _unreadable(place: str, error: Exception) -> Seg3BError:
    return fail(
        "heads_readable",
        place,
        "Remove the file and run the seed again: published snapshots are reused.",
        reason=str(error),
    )


def _heads_path(seed: int) -> str:
    return f"heads/seed={seed}.json"


def _build_path(state: str, key: str) -> str:
    return f"builds/{state}/{key}.json"


def _lock_name(seed: int) -> str:
    return f"seed={seed}"
