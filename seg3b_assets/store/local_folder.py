"""A home that is a folder: documents under a lock, folders published by one rename, one lock for the whole of it.

A crash at any instant leaves the last published state readable: what is not yet renamed is not there.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
from seg3b_assets.store import trash
from seg3b_assets.store.holding import Holder, announced, announcements, holders, in_use, run_lock, told
from seg3b_assets.store.layout import Condition, Reached, Unreached, belongs, misplaced, strays
from seg3b_assets.store.writing import replace_file, reported_writes

_WRITTEN: Final = ("", "snapshots", "heads", "runs", "builds", "policies", "refs", "locks", "staging")


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
                trash.record_interrupted(self.folder)
                yield
        trash.empty(self.folder)

    def holders(self) -> list[Holder]:
        return holders(self.folder)

    def unreached(self, found: Reached, about: Callable[[str], dict[str, Any]]) -> list[Unreached]:
        return trash.unreached(self.folder, found, about)

    def remove(self, listed: Sequence[Unreached], record: Mapping[str, Any]) -> None:
        trash.remove(self.folder, listed, record)

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
