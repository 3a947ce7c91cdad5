"""Who holds a home, and by what: a lock that dies with its process, and at a URL a lease that does.

    locks/run.lock              held together by whoever reads or adds snapshots, alone by whoever removes them
    locks/holders/{token}.json  a holder in words, kept locked by it; one nobody has locked is of a process that died
    leases/{token}.json         at a URL: a holder; written again every ``RENEWED_S``, dead when older than ``LIVES_S``
    leases/alone.json           whoever removes snapshots: created exclusively, renewed as a lease is

The lock knows no names, so each of its holders has a file: nothing decides by these, all who wait or are refused are
told of them.

A holder of a lease writes it and then looks for ``alone``; a prune creates ``alone`` and then looks for leases. Of two
that come at once at least one sees the other: the prune refuses, the run waits. Ages are differences between times
the store itself wrote, so no machine's clock is trusted. A holder that sleeps longer than its lease lives may find
what it relied on pruned; what it then publishes is checked again before any head moves (``Store.move_heads``).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.visible_text import story
from seg3b_assets.locks import UNKNOWN, held_too_long, wait_s
from seg3b_assets.own_places import make_private
from seg3b_assets.store.layout import belongs
from seg3b_assets.store.remote import Entry, Remote

LOG = story("store")
FOLDER: Final = "leases"
RENEWED_S: Final = 20.0
LIVES_S: Final = 120.0
_POLL_S: Final = 1.0
_ALONE: Final = f"{FOLDER}/alone.json"
# A holder's few facts are far below it; a file of another size is not one.
_MOST_BYTES: Final = 4096


@dataclass(frozen=True)
class Holder:
    """A process that holds a home.

    Attributes:
        purpose: what for, such as ``a run of seed 42``.
        since_utc: rfc3339, to the second.
    """

    purpose: str
    pid: int
    host: str
    since_utc: str

    def __str__(self) -> str:
        return f"{self.purpose} (process {self.pid} on {self.host}, since {self.since_utc})"


def run_lock(home: Path) -> Path:
    """The lock of the whole home."""
    return home / "locks" / "run.lock"


@contextmanager
def announced(home: Path, purpose: str) -> Iterator[None]:
    """Say while the block lasts that this process holds the home."""
    folder = home / "locks" / "holders"
    make_private(folder)
    path = folder / f"{secrets.token_hex(8)}.json"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, _in_words(purpose))
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def holders(home: Path) -> list[Holder]:
    """The living holders, longest first; files of dead ones are removed."""
    living, dead = announcements(home)
    for path in dead:
        with suppress(OSError):  # whoever may only read leaves it
            path.unlink()
    return living


def announcements(home: Path) -> tuple[list[Holder], list[Path]]:
    """The living holders, longest first, and the files of dead ones; nothing is removed."""
    folder = home / "locks" / "holders"
    living: list[Holder] = []
    dead: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not belongs("locks/holders", path.name):
            continue
        lives, holder = _announced(path)
        if holder is not None and lives:
            living.append(holder)
        elif not lives:
            dead.append(path)
    return sorted(living, key=lambda holder: (holder.since_utc, holder.pid)), dead


def parsed_holder(content: bytes) -> Holder:
    """The holder a file or a lease tells of. Raises ValueError or TypeError for anything else."""
    found = Holder(**orjson.loads(content))
    if not isinstance(found.pid, int) or not all(
        isinstance(text, str) for text in (found.purpose, found.host, found.since_utc)
    ):
        raise TypeError("not the facts of a holder")
    return found


def told(found: Sequence[Holder]) -> str:
    """The holders in words."""
    return ", ".join(str(holder) for holder in found)


def in_use(place: str, found: Sequence[Holder]) -> Seg3BError:
    """OUTPUT_WRITE_FAILED (``home_unused``) of what must hold a home alone, while others hold it."""
    return fail(
        "home_unused",
        place,
        f"Wait for {told(found) or UNKNOWN} to end, then prune again. Nothing was removed.",
        held_by=[str(holder) for holder in found],
    )


@contextmanager
def leased(remote: Remote, purpose: str) -> Iterator[None]:
    """Hold the home together with others while the block lasts, waiting for a prune at work.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED when the store cannot be written, or is held alone longer than one waits.
    """
    path, content = _new(purpose)
    remote.put(path, content)
    told, started, longest = False, time.monotonic(), wait_s()
    try:
        while _alone_lives(remote, path):
            holder = _holder(remote, _ALONE) or _unknown()
            if time.monotonic() - started >= longest:
                raise held_too_long(remote.place(_ALONE), str(holder), longest)
            if not told:
                LOG.warning("waiting for %s, which holds %s", holder, remote.url)
                told = True
            time.sleep(min(_POLL_S, longest))
            remote.put(path, content)
        with _renewed(remote, path, content):
            yield
    finally:
        with suppress(Seg3BError):
            remote.remove([path])


@contextmanager
def alone(remote: Remote, purpose: str) -> Iterator[list[Holder] | None]:
    """Hold the home alone while the block lasts, without waiting.

    Yields:
        None when it is held; the holders that keep it from being held otherwise.
    """
    path, content = _new(purpose)
    try:
        if not _taken(remote, path, content):
            yield _living(remote, path) or [_unknown()]
            return
        try:
            found = _living(remote, _ALONE)
            if found:
                yield found
                return
            with _renewed(remote, _ALONE, content):
                yield None
        finally:
            with suppress(Seg3BError):
                remote.remove([_ALONE])
    finally:
        with suppress(Seg3BError):
            remote.remove([path])


def lease_holders(remote: Remote) -> list[Holder]:
    """The living holders by this machine's clock, longest first: for messages, nothing decides by it."""
    now = datetime.now(UTC)
    living = [entry for entry in remote.entries(FOLDER) if (now - entry.written).total_seconds() < LIVES_S]
    return _holders(remote, living)


def _taken(remote: Remote, path: str, content: bytes) -> bool:
    """Create ``alone``, or take it over from one that died."""
    if remote.create(_ALONE, content):
        return True
    remote.put(path, content)
    if _alone_lives(remote, path):
        return False
    found = remote.read(_ALONE)
    taken = remote.swap(_ALONE, content, found.tag if found else None)
    remote.remove([path])
    return taken


def _alone_lives(remote: Remote, mine: str) -> bool:
    entries = {entry.path: entry for entry in remote.entries(FOLDER)}
    if _ALONE not in entries:
        return False
    return mine not in entries or _lives(entries[_ALONE], entries[mine])


def _living(remote: Remote, mine: str) -> list[Holder]:
    """Holders other than ``mine``, as old as they are beside it; leases of dead ones are removed."""
    entries = remote.entries(FOLDER)
    now = next((entry for entry in entries if entry.path == mine), None)
    others = [entry for entry in entries if entry.path != mine]
    living = [entry for entry in others if now is None or _lives(entry, now)]
    remote.remove([entry.path for entry in others if entry not in living and entry.path != _ALONE])
    return _holders(remote, living)


def _holders(remote: Remote, living: Sequence[Entry]) -> list[Holder]:
    # A process may hold the home more than once.
    found = {holder for entry in living if (holder := _holder(remote, entry.path))}
    return sorted(found, key=lambda holder: (holder.since_utc, holder.pid))


def _lives(entry: Entry, now: Entry) -> bool:
    return (now.written - entry.written).total_seconds() < LIVES_S


def _holder(remote: Remote, path: str) -> Holder | None:
    found = remote.read(path)
    if found is None:
        return None
    try:
        return parsed_holder(found.content)
    except (ValueError, TypeError):
        return _unknown()


def _unknown() -> Holder:
    return Holder("somebody", 0, "an unknown host", "an unknown time")


def _new(purpose: str) -> tuple[str, bytes]:
    return f"{FOLDER}/{secrets.token_hex(8)}.json", _in_words(purpose)


def _in_words(purpose: str) -> bytes:
    """This process as a holder, as its file or its lease tells of it."""
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return canonical_json(asdict(Holder(purpose, os.getpid(), socket.gethostname(), since)))


@contextmanager
def _renewed(remote: Remote, path: str, content: bytes) -> Iterator[None]:
    """Write the lease again and again while the block lasts."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEWED_S):
            try:
                remote.put(path, content)
            except Seg3BError as error:
                LOG.warning("a lease could not be renewed: %s", error)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _announced(path: Path) -> tuple[bool, Holder | None]:
    """Whether a process keeps a holder's file locked, and what it says; one that is gone counts as kept."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True, None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with suppress(OSError, ValueError, TypeError):
            return True, parsed_holder(os.read(descriptor, _MOST_BYTES))
        return True, None
    finally:
        os.close(descriptor)
    return False, None
