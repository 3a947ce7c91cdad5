"""Who works in a home at a URL: leases, which live as long as they are renewed.

    leases/{token}.json  a holder; written again every ``RENEWED_S``, dead when older than ``LIVES_S``
    leases/alone.json    whoever removes snapshots: created exclusively, renewed as a lease is

A holder writes its lease and then looks for ``alone``; a prune creates ``alone`` and then looks for leases. Of two
that come at once at least one sees the other: the prune refuses, the run waits. Ages are differences between times
the store itself wrote, so no machine's clock is trusted.

A holder that sleeps longer than its lease lives may find what it relied on pruned; what it then publishes is
checked again before any head moves (``Store.move_heads``).
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.visible_text import story
from seg3b_assets.locks import held_too_long, wait_s
from seg3b_assets.store.holders import Holder, parsed_holder
from seg3b_assets.store.remote import Entry, Remote

LOG = story("store")
FOLDER: Final = "leases"
RENEWED_S: Final = 20.0
LIVES_S: Final = 120.0
_POLL_S: Final = 1.0
_ALONE: Final = f"{FOLDER}/alone.json"


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
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    holder = Holder(purpose, os.getpid(), socket.gethostname(), since)
    return f"{FOLDER}/{secrets.token_hex(8)}.json", canonical_json(asdict(holder))


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
