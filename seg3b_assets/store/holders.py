"""Who holds a home, for messages: each holder of the run lock has a small file that it keeps locked.

The lock itself (``locks/run.lock``) knows no names. A holder's file is ``locks/holders/{token}.json``; one
that nobody has locked is of a process that died, and goes. Nothing decides by these files.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.own_places import make_private
from seg3b_assets.store.layout import belongs

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
    """Held together by whoever reads or adds snapshots, alone by whoever removes them."""
    return home / "locks" / "run.lock"


@contextmanager
def announced(home: Path, purpose: str) -> Iterator[None]:
    """Say while the block lasts that this process holds the home."""
    folder = home / "locks" / "holders"
    make_private(folder)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    holder = Holder(purpose, os.getpid(), socket.gethostname(), now)
    path = folder / f"{secrets.token_hex(8)}.json"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, canonical_json(asdict(holder)))
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
