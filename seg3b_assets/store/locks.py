"""Locks that die with the process that holds them (``flock`` on a file or a folder).

The kernel drops such a lock when its holder ends, however it ends, so nothing here needs a pid, a
timeout or a clean-up. Local file systems only; the locks are advisory and every writer of the home
takes them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` alone, waiting for whoever holds it. The file stays: it is only a name."""
    with _held(path, fcntl.LOCK_EX):
        yield


@contextmanager
def exclusive_now(path: Path) -> Iterator[bool]:
    """As ``exclusive``, without waiting: yields whether the lock is held; False when somebody else has it."""
    with ExitStack() as held:
        try:
            held.enter_context(_held(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def held_alone(path: Path) -> bool:
    """Whether somebody holds the lock file alone now; nothing is made where it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def shared(path: Path, before_waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file ``path`` together with others; ``exclusive`` waits until all have let go.

    Args:
        before_waiting: called once if somebody holds it alone and this call is about to wait.
    """
    with ExitStack() as held:
        try:
            held.enter_context(_held(path, fcntl.LOCK_SH | fcntl.LOCK_NB))
        except BlockingIOError:
            if before_waiting:
                before_waiting()
            held.enter_context(_held(path, fcntl.LOCK_SH))
        yield


@contextmanager
def _held(path: Path, mode: int) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, mode)
        yield
    finally:
        os.close(descriptor)


def try_lock_folder(folder: Path) -> int | None:
    """Lock an existing folder for as long as the returned descriptor is open.

    Returns None when another process holds it, when it is gone or no folder, or when it was replaced while we waited.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = os.fstat(descriptor)
        named = folder.stat()
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        return None
    if (mine.st_dev, mine.st_ino) != (named.st_dev, named.st_ino):
        os.close(descriptor)
        return None
    return descriptor
