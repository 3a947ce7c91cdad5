"""The home: whether it can be read and written, what its pointers name, who holds it, what lies about, who wrote it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.generation import foreign_release
from seg3b_assets.doctor.finding import Finding, fine, looked, odd, of_error, stops
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.locks import UNKNOWN, held_alone, try_lock_folder
from seg3b_assets.own_places import folders_in
from seg3b_assets.store import Store
from seg3b_assets.store.holders import announcements, run_lock, told
from seg3b_assets.store.layout import belongs, misplaced, strays
from seg3b_assets.store.leases import lease_holders
from seg3b_assets.store.mirror import remote_of
from seg3b_assets.store.reach import size_of
from seg3b_assets.store.refs import REF_NAMES, Refs
from seg3b_assets.store.runs import Runs
from seg3b_assets.store.snapshots import Snapshot, read_snapshot, snapshot_place

AREA: Final = "home"
_MB: Final = 1e6


def home(folder: Path) -> Iterator[Finding]:
    """Everything about a home; one that is not there yet is made by the first run."""
    remote = remote_of(folder)
    if remote is not None:
        seeds = Store(folder, contract).seeds()
        yield fine(AREA, "HOME", remote.url, f"can be read; seeds with heads: {len(seeds)}", seeds=seeds)
        for holder in lease_holders(remote):
            yield fine(AREA, "HELD", remote.url, f"by {holder}")
    elif not folder.exists():
        yield from _to_be_made(folder)
        return
    else:
        yield from _access(folder)
        yield from looked(AREA, lambda: _locks(folder))
        yield from looked(AREA, lambda: _left_lying(folder))
    yield from looked(AREA, lambda: _heads(folder))
    yield from looked(AREA, lambda: _refs(folder))


def nearest(path: Path) -> Path:
    """The path itself, or the first folder above it that is there."""
    return next((one for one in (path, *path.parents) if one.exists()), Path("/"))


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written into a folder, or made where it is to be; None where it can. Nothing is tried."""
    there = nearest(folder)
    if not there.is_dir():
        return f"{there} is no folder"
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return f"{there} is on a file system mounted for reading only"
    return None if os.access(there, os.W_OK | os.X_OK) else f"{there} may not be written by this user"


def _to_be_made(folder: Path) -> Iterator[Finding]:
    if why := unwritable(folder):
        yield stops(AREA, "HOME_UNWRITABLE", str(folder), why, "Name another with --home or SEG3B_HOME.")
    else:
        yield fine(AREA, "HOME", str(folder), "not there yet; the first run makes it")


def _access(folder: Path) -> Iterator[Finding]:
    if not os.access(folder, os.R_OK | os.X_OK):
        yield stops(
            AREA, "HOME_UNREADABLE", str(folder), "may not be read by this user", f"chmod u+rwx {folder}"
        )
        return
    parts = ("", "snapshots", "heads", "runs", "builds", "policies", "refs", "locks", "staging")
    for part in (folder / name for name in parts):
        if part.is_dir() and (why := unwritable(part)):
            remedy = "Let the user who runs write it, or name another home with --home or SEG3B_HOME."
            yield stops(AREA, "HOME_UNWRITABLE", str(part), why, remedy)
    for place, found in misplaced(folder):
        remedy = "Move it away, or put back what was there: a run that needs it stops."
        yield stops(AREA, "HOME_STRANGE", str(folder / place), found, remedy)
    yield fine(AREA, "HOME", str(folder), "there")


def _locks(folder: Path) -> Iterator[Finding]:
    living, dead = announcements(folder)
    for holder in living:
        yield fine(AREA, "HELD", str(run_lock(folder)), f"by {holder}, which lives")
    if held_alone(run_lock(folder)):
        who = told(living) or UNKNOWN
        remedy = "Wait: a run that starts now waits for it. The lock goes with its process."
        yield odd(AREA, "HELD_ALONE", str(run_lock(folder)), f"by {who}", remedy)
    for path in dead:
        found = "its process is gone, and holds nothing"
        yield odd(AREA, "HOLDER_GONE", str(path), found, "Nothing: the next run or prune removes it.")
    if not living:
        yield fine(AREA, "LOCKS", str(folder / "locks"), f"nobody on {socket.gethostname()} holds the home")


def _left_lying(folder: Path) -> Iterator[Finding]:
    for path in _ours(folder, "staging"):
        descriptor = try_lock_folder(path)
        if descriptor is None:
            yield fine(AREA, "STAGING", str(path), "of a run at work")
            continue
        os.close(descriptor)
        found = f"left by a run that was interrupted, {_size(path)}"
        yield odd(AREA, "STAGING_LEFT", str(path), found, "Nothing: the next run removes it.")
    for path in _ours(folder, "trash"):
        remedy = "seg3b prune records it and empties the trash."
        yield odd(AREA, "PRUNE_UNFINISHED", str(path), f"a prune died, {_size(path)}", remedy)
    for path in _ours(folder, "quarantine"):
        found = f"a snapshot that was found damaged and set aside, {_size(path)}"
        yield odd(AREA, "QUARANTINED", str(path), found, "Look at the disk; seg3b prune removes it.")
    for place in strays(folder):
        remedy = "Take it elsewhere, if it is in your way: no command reads or removes it."
        yield odd(AREA, "STRAY", str(folder / place), "none of ours", remedy)


def _heads(folder: Path) -> Iterator[Finding]:
    store = Store(folder, contract)
    whole: list[int] = []
    writers: dict[str, str] = {}
    for seed in store.seeds():
        try:
            keys = store.heads(seed)
        except Seg3BError as error:
            yield of_error(AREA, error)  # a run of the seed cannot move them
            continue
        lacking = _lacking(folder, keys) if remote_of(folder) is None else {}
        for state, why in lacking.items():
            place = str(folder / snapshot_place(state, keys[state]))
            remedy = f"seg3b run --seed {seed} computes it again; --recompute where bytes were altered."
            yield odd(AREA, "SNAPSHOT_BROKEN", place, f"{state} of seed {seed}: {why}", remedy)
        if not lacking:
            whole.append(seed)
        writers |= _writers(folder, keys)
    yield from written_by(folder, writers)
    yield fine(AREA, "HEADS", str(folder / "heads"), f"{len(whole)} seeds whole", seeds=whole)


def _lacking(folder: Path, keys: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with snapshots in force, by state."""
    found = {state: read_snapshot(folder / snapshot_place(state, key)) for state, key in keys.items()}
    why = {state: _why(snapshot) for state, snapshot in found.items()}
    return {state: text for state, text in why.items() if text}


def _why(snapshot: Snapshot | None) -> str | None:
    if snapshot is None:
        return "the snapshot that is in force is not there"
    damage = snapshot.damage()
    return f"{damage} is missing or of another size" if damage else None


def _writers(folder: Path, keys: Mapping[str, str]) -> dict[str, str]:
    """Code version of each state in force, and of the packages it was computed with."""
    if remote_of(folder) is not None:
        return {}
    found: dict[str, str] = {}
    for state, key in sorted(keys.items()):
        snapshot = read_snapshot(folder / snapshot_place(state, key))
        if snapshot is not None:
            found |= {state: snapshot.inputs.code_version}
            found |= {f"package {name}": version for name, version in snapshot.inputs.runtime.items()}
    return found


def written_by(folder: Path, writers: Mapping[str, str]) -> Iterator[Finding]:
    """This tree against what the home was written by."""
    if not writers:
        return
    from seg3b_assets.pipeline.keys import runtime_versions  # noqa: PLC0415 - geometry, for its version
    from seg3b_assets.states.registry import states  # noqa: PLC0415 - with the states

    here = {one.spec.name: one.spec.code_version for one in states()}
    here |= {f"package {name}": version for name, version in runtime_versions().items()}
    for name, version in writers.items():
        if not name.startswith("package") and (release := foreign_release(version)):
            remedy = (
                f"Run the seeds again, or read it with that release: pip install 'seg3b-assets=={release}.*'"
            )
            yield odd(AREA, "OLDER_HOME", str(folder), f"{name} was written by release {release}", remedy)
            return
    other = {
        name: f"{version}, here {here[name]}"
        for name, version in writers.items()
        if version != here.get(name)
    }
    if other:
        told_of = ", ".join(f"{name} {text}" for name, text in other.items())
        remedy = "Nothing: the next run computes anew what that makes stale (seg3b plan)."
        yield odd(AREA, "OTHER_VERSIONS", str(folder), f"what is in force was written by {told_of}", remedy)
    else:
        yield fine(
            AREA, "VERSIONS", str(folder), "what is in force was written by this code and these packages"
        )


def _refs(folder: Path) -> Iterator[Finding]:
    refs, runs = Refs(folder), Runs(folder)
    resolved = 0
    for name in REF_NAMES:
        try:
            pointers = refs.read(name)
        except Seg3BError as error:
            yield of_error(AREA, error)  # a run cannot move it
            continue
        for seed, lineage_id in pointers.items():
            try:
                run = runs.read(lineage_id)
            except Seg3BError as error:
                yield odd(
                    AREA, error.code, error.place, f"the record {name} names for seed {seed}", error.remedy
                )
                continue
            lacking = {} if remote_of(folder) or run is None else _lacking(folder, run.keys)
            if run is None or lacking:
                found = f"seed {seed}: lineage {lineage_id[:12]} " + (
                    "has no record" if run is None else f"lacks {', '.join(lacking)}"
                )
                remedy = f"Point it elsewhere: seg3b refs set {name}; until then a prune may refuse."
                yield odd(AREA, "REF_BROKEN", f"refs/{name}.json", found, remedy)
            else:
                resolved += 1
    yield fine(AREA, "REFS", str(folder / "refs"), f"{resolved} lineages kept by name are whole")


def _ours(home: Path, name: str) -> list[Path]:
    return [path for path in folders_in(home / name) if belongs(name, path.name)]


def _size(path: Path) -> str:
    return f"{size_of(path) / _MB:,.1f} MB"
