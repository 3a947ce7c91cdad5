"""A home that is a folder: documents under a lock, folders published by one rename, one lock for the whole of it.

    trash/{prune_id}/{place}     what is being removed, out of everybody's sight by one rename each
    trash/{prune_id}/prune.json  what was to be removed, until the record is kept
    prunes/{prune_id}.json       the record of a prune, for good

A crash at any instant leaves the last published state readable: what is not yet renamed is not there. A prune that
dies has removed each thing whole or not at all, referrers first; the next one records what it had moved, and deletes
it. Deleting the trash needs no lock of the home.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.laws.plain_files import read_plain
from seg3b_assets.locks import UNKNOWN, exclusive, exclusive_now, held_alone, shared, try_lock_folder
from seg3b_assets.own_places import (
    folders_in,
    make_private,
    read_regular,
    require_unlinked,
    size_of,
    unwritable,
)
from seg3b_assets.store.holding import Holder, announced, announcements, holders, in_use, run_lock, told
from seg3b_assets.store.layout import (
    PRUNES,
    TRASH,
    Condition,
    Kind,
    Reached,
    Unreached,
    belongs,
    is_unfinished,
    misplaced,
    strays,
)
from seg3b_assets.store.writing import replace_file, reported_writes

_WRITTEN: Final = ("", "snapshots", "heads", "runs", "builds", "policies", "refs", "locks", "staging")

PLAN: Final = "prune.json"
_SET_ASIDE: Final[tuple[Kind, ...]] = ("quarantine", "staging")
_WITH_UNFINISHED_FILES: Final = (
    "heads",
    "refs",
    "runs",
    "builds",
    "policies",
    "certifications",
    "reports",
    "prunes",
)


@dataclass(frozen=True)
class LocalFolder:
    """The back end (``Backend``) of a folder.

    Attributes:
        folder: absolute path of the home.
    """

    folder: Path

    def made(self) -> bool:
        return self.folder.exists()

    def place(self, path: str) -> str:
        return str(self.folder / path)

    def read(self, path: str) -> bytes:
        require_unlinked(self.folder, path)
        return read_regular(self.folder / path)

    def paths(self, folder: str) -> list[str]:
        root = self.folder / folder
        return sorted(one.relative_to(root).as_posix() for one in root.rglob("*") if one.is_file())

    def paths_by_age(self, folder: str) -> list[str]:
        root = self.folder / folder
        return sorted(self.paths(folder), key=lambda path: ((root / path).stat().st_mtime_ns, path))

    def update(self, path: str, lock: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        with exclusive(self.folder / "locks" / f"{lock}.lock"):
            try:
                current = self.read(path)
            except FileNotFoundError:
                current = None
            content = change(current)
            if content is None or content == current:
                return False
            replace_file(self.folder / path, content)
        return True

    def manifest(self, place: str, name: str) -> bytes | None:
        try:
            return read_plain(self.folder / place / name)
        except OSError:
            return None

    def holds(self, place: str, manifest: bytes, files: Mapping[str, int | None]) -> bool:
        return all(_is_file(self.folder / place / name, size) for name, size in files.items())

    def near(self, place: str) -> Path | None:
        return self.folder / place

    def publish_folder(self, place: str, name: str, files: Sequence[str]) -> bytes:
        return (self.folder / place / name).read_bytes()  # the rename that put it there has published it

    def fetch(
        self,
        place: str,
        name: str,
        manifest: bytes,
        files: Mapping[str, int | None],
        require: Callable[[Path], None],
    ) -> None:
        """Nothing: what is published is here."""

    def still_published(self, place: str, name: str) -> bool:
        return True  # a lock does not lapse

    @contextmanager
    def held(self, purpose: str, state: str = "S0") -> Iterator[None]:
        with ExitStack() as held:
            with reported_writes(state, self.folder):
                make_private(self.folder)
                held.enter_context(shared(run_lock(self.folder), lambda: told(self.holders())))
                held.enter_context(announced(self.folder, purpose))
            yield

    @contextmanager
    def alone(self, purpose: str) -> Iterator[None]:
        with exclusive_now(run_lock(self.folder)) as held:
            if not held:
                raise in_use(str(self.folder), self.holders())
            with announced(self.folder, purpose), exclusive(self.folder / "locks" / "refs.lock"):
                _record_interrupted(self.folder)
                yield
        _empty_trash(self.folder)

    def holders(self) -> list[Holder]:
        return holders(self.folder)

    def unreached(self, found: Reached, about: Callable[[str], dict[str, Any]]) -> list[Unreached]:
        return _unreached_in(self.folder, found, about)

    def remove(self, listed: Sequence[Unreached], record: Mapping[str, Any]) -> None:
        _trashed(self.folder, listed, record)

    def access(self) -> Iterator[Condition]:
        home = self.folder
        if not os.access(home, os.R_OK | os.X_OK):
            yield Condition("HOME_UNREADABLE", str(home), "may not be read by this user")
            return
        for part in (home / name for name in _WRITTEN):
            if part.is_dir() and (why := unwritable(part)):
                yield Condition("HOME_UNWRITABLE", str(part), why)
        for place, found in misplaced(home):
            yield Condition("HOME_STRANGE", str(home / place), found)
        yield Condition("HOME", str(home), "there")

    def holding(self) -> Iterator[Condition]:
        lock = run_lock(self.folder)
        living, dead = announcements(self.folder)
        for holder in living:
            yield Condition("HELD", str(lock), f"by {holder}, which lives")
        if held_alone(lock):
            yield Condition("HELD_ALONE", str(lock), f"by {told(living) or UNKNOWN}")
        for path in dead:
            yield Condition("HOLDER_GONE", str(path), "its process is gone, and holds nothing")
        if not living:
            found = f"nobody on {socket.gethostname()} holds the home"
            yield Condition("LOCKS", str(self.folder / "locks"), found)

    def left_lying(self) -> Iterator[Condition]:
        for path in self._ours("staging"):
            descriptor = try_lock_folder(path)
            if descriptor is None:
                yield Condition("STAGING", str(path), "of a run at work")
                continue
            os.close(descriptor)
            yield Condition("STAGING_LEFT", str(path), "left by a run that was interrupted", size_of(path))
        for path in self._ours("trash"):
            yield Condition("PRUNE_UNFINISHED", str(path), "a prune died", size_of(path))
        for path in self._ours("quarantine"):
            found = "a snapshot that was found damaged and set aside"
            yield Condition("QUARANTINED", str(path), found, size_of(path))
        for place in strays(self.folder):
            yield Condition("STRAY", str(self.folder / place), "none of ours")

    def _ours(self, name: str) -> list[Path]:
        return [path for path in folders_in(self.folder / name) if belongs(name, path.name)]


def _is_file(path: Path, size: int | None) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return size in (None, found.st_size) and stat.S_ISREG(found.st_mode)


def _unreached_in(home: Path, found: Reached, about: Callable[[str], dict[str, Any]]) -> list[Unreached]:
    """What nothing reaches, referrers before what they refer to, by place within a kind."""
    listed: list[Unreached] = []
    reports = _named(home / "reports", found.certifications)
    listed += [_unreached("report", home, folder) for folder in reports]
    packs = _named(home / "certifications", found.certifications)
    listed += [_unreached("certification", home, folder) for folder in packs]
    records = _named(home / "runs", found.lineages)
    listed += [_unreached("run", home, folder, about(folder.name)) for folder in records]
    for folder in folders_in(home / "builds"):
        keys = {key for state, key in found.snapshots if state == folder.name}
        listed += [_unreached("build", home, path) for path in _named(folder, keys, ".json")]
    listed += [
        _unreached("policy", home, path) for path in _named(home / "policies", found.policies, ".yaml")
    ]
    for folder in folders_in(home / "snapshots"):
        keys = {key for state, key in found.snapshots if state == folder.name}
        listed += [_unreached("snapshot", home, path) for path in _named(folder, keys)]
    for kind in _SET_ASIDE:
        ours = [path for path in folders_in(home / kind) if belongs(kind, path.name)]
        listed += [_unreached(kind, home, path) for path in ours]
    inside = tuple(one.place + "/" for one in listed)
    for name in _WITH_UNFINISHED_FILES:
        for path in sorted((home / name).rglob("*")):
            one = _unreached("unfinished", home, path) if is_unfinished(path.name) else None
            if one is not None and not one.place.startswith(inside):
                listed.append(one)
    return listed


def _trashed(home: Path, listed: Sequence[Unreached], record: Mapping[str, Any]) -> None:
    """Move things into the trash and keep the record; ``_empty_trash`` deletes them."""
    trash = home / TRASH / record["prune_id"]
    replace_file(trash / PLAN, canonical_json(record))
    for one in listed:
        _move(home, trash, one.place)
    replace_file(home / PRUNES / f"{record['prune_id']}.json", canonical_json(record))


def _record_interrupted(home: Path) -> None:
    """Keep the record of prunes that died: of what they had moved, which is what they removed."""
    for trash in _trashes(home):
        path = home / PRUNES / f"{trash.name}.json"
        if path.exists():
            continue
        try:
            record = orjson.loads(read_regular(trash / PLAN))
        except (OSError, ValueError):
            shutil.rmtree(trash, ignore_errors=True)  # it died before it had moved anything
            continue
        moved = [one for one in record["removed"] if os.path.lexists(trash / one["place"])]
        replace_file(path, canonical_json({**record, "removed": moved, "interrupted": True}))


def _empty_trash(home: Path) -> None:
    """Delete what prunes have moved and recorded."""
    folder = home / TRASH
    if not folder.is_dir():
        return
    with reported_writes("S5", folder), exclusive(home / "locks" / "trash.lock"):
        for trash in _trashes(home):
            # One that is not recorded yet is of a prune at work.
            if (home / PRUNES / f"{trash.name}.json").exists():
                shutil.rmtree(trash)


def _trashes(home: Path) -> list[Path]:
    return [path for path in folders_in(home / TRASH) if belongs(TRASH, path.name)]


def _move(home: Path, trash: Path, place: str) -> None:
    target = trash / place
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # a holder's own work may end while it is listed
        (home / place).rename(target)


def _unreached(kind: Kind, home: Path, path: Path, about: dict[str, Any] | None = None) -> Unreached:
    return Unreached(kind, path.relative_to(home).as_posix(), size_of(path), about or {})


def _named(folder: Path, kept: Collection[str], suffix: str = "") -> Iterator[Path]:
    """Entries named by a digest that is not among ``kept``."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        stem = path.name.removesuffix(suffix)
        if path.name == stem + suffix and HEX64.fullmatch(stem) and stem not in kept:
            yield path
