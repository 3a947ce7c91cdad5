"""Locks that die with the process that holds them (``flock`` on a file or a folder).

The kernel drops such a lock when its holder ends, however it ends, so nothing here needs a pid or a clean-up. Whoever
waits says for whom, and does not wait for ever (``SEG3B_LOCK_WAIT_S``). Lock files are for this user alone: whoever
can open one can hold it. Local file systems only; the locks are advisory and every writer of the home takes them.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.visible_text import story
from seg3b_assets.own_places import make_private, open_lock

LOG: Final = story("store")
WAIT: Final = "SEG3B_LOCK_WAIT_S"
HELD: Final = "lock_free"
# Longer than a world of the finest tiles is built, or a home is pruned, on a slow machine.
DEFAULT_WAIT_S: Final = 1800.0
_SAID_AFTER_S: Final = 2.0
_LONGEST_NAP_S: Final = 0.1
UNKNOWN: Final = "an unknown process"


@contextmanager
def exclusive(path: Path, holder: Callable[[], str] | None = None) -> Iterator[None]:
    """Hold the lock file ``path`` alone, waiting for whoever holds it. The file stays: it is only a name.

    Args:
        holder: names who holds it; what the kernel tells by default.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED (``lock_free``) when it is held longer than one waits.
        OSError: the file cannot be opened, or is none.
    """
    with _held(path, fcntl.LOCK_EX, holder):
        yield


@contextmanager
def exclusive_now(path: Path) -> Iterator[bool]:
    """As ``exclusive``, without waiting: yields whether the lock is held; False when somebody else has it."""
    with _opened(path) as descriptor:
        yield _taken(descriptor, fcntl.LOCK_EX)


@contextmanager
def shared(path: Path, holder: Callable[[], str] | None = None) -> Iterator[None]:
    """Hold the lock file ``path`` together with others; ``exclusive`` waits until all have let go.

    Args, Raises: as for ``exclusive``.
    """
    with _held(path, fcntl.LOCK_SH, holder):
        yield


def held_alone(path: Path) -> bool:
    """Whether somebody holds the lock file alone now; nothing is made where it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _taken(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def wait_s() -> float:
    """How long one waits for a lock, seconds (``SEG3B_LOCK_WAIT_S``). Raises ValueError, see ``seconds``."""
    text = os.environ.get(WAIT)
    return seconds(text) if text else DEFAULT_WAIT_S


def seconds(text: str) -> float:
    """The seconds a text writes. Raises ValueError unless they are 0 or more, and finite."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError("give seconds, 0 or more")
    return value


@contextmanager
def _held(path: Path, mode: int, holder: Callable[[], str] | None) -> Iterator[None]:
    with _opened(path) as descriptor:
        if not _taken(descriptor, mode):
            _wait(descriptor, mode, path, holder)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    make_private(path.parent)
    descriptor = open_lock(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(descriptor: int, mode: int, path: Path, holder: Callable[[], str] | None) -> None:
    def who() -> str:
        return (holder() if holder else "") or _kernel_says(descriptor) or UNKNOWN

    started, nap, told, longest = time.monotonic(), 0.001, False, wait_s()
    while not _taken(descriptor, mode):
        waited = time.monotonic() - started
        if waited >= longest:
            raise held_too_long(path, who(), longest)
        # Most locks are held for the time of a small write; those with a named holder, for the time of a run.
        if not told and (holder or waited >= _SAID_AFTER_S):
            LOG.warning("waiting for %s, which holds %s", who(), path)
            told = True
        time.sleep(min(nap, max(longest - waited, 0.001)))
        nap = min(2 * nap, _LONGEST_NAP_S)


def _kernel_says(descriptor: int) -> str:
    """Who holds a lock, as Linux tells: a process and its name; empty where that is not known."""
    found = os.fstat(descriptor)
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if words[1] == "FLOCK" and words[5] == place and int(words[4]) > 0:
                name = Path(f"/proc/{words[4]}/comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"process {words[4]} ({name})"
    return ""


def held_too_long(path: Path | str, who: str, waited_s: float) -> Seg3BError:
    """OUTPUT_WRITE_FAILED (``lock_free``) of a lock, or a lease, that somebody holds longer than one waits."""
    return fail(
        HELD,
        str(path),
        f"Wait for {who} to end, or end it, then run again; {WAIT} says how many seconds to wait. Nothing was "
        "published.",
        held_by=who,
        waited_s=round(waited_s, 3),
    )


def try_lock_folder(folder: Path) -> int | None:
    """Lock an existing folder for as long as the returned descriptor is open.

    Returns None when another process holds it, when it is gone or no folder of its own (a link is none), or when it was
    replaced while we waited.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = os.fstat(descriptor)
        named = folder.stat(follow_symlinks=False)
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        return None
    if (mine.st_dev, mine.st_ino) != (named.st_dev, named.st_ino):
        os.close(descriptor)
        return None
    return descriptor
