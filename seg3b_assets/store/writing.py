"""Writing in places of our own: whole or not at all, first in staging, and how it is told where it cannot be done.

A small file is either the old bytes or the new ones, also after a crash or a power cut: it is written beside the
target, flushed to disk, renamed, and its folder flushed. A reader sees one whole version at any instant.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.plain_files import OutOfReachError
from seg3b_assets.locks import try_lock_folder
from seg3b_assets.own_places import fresh_name, make_private, write_new

UNFINISHED: Final = ".new"
READ_ONLY: Final = 0o444
STAGING: Final = "staging"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def replace_file(target: Path, content: bytes, mode: int = 0o666) -> None:
    """Put ``content`` at ``target`` atomically; a link there is replaced, not followed.

    What an interrupted write leaves ends in ``UNFINISHED``.

    Args:
        mode: of the file, before the process's umask.

    Raises:
        OSError: nothing changed then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = fresh_name(target, UNFINISHED)
    try:
        write_new(fresh, content, mode)
        os.replace(fresh, target)  # noqa: PTH105
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    flush_folder(target.parent)


def flush_folder(path: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def staged_folder(home: Path, purpose: str) -> Iterator[Path]:
    """A folder in staging, removed in the end where it is still there; one of a process that died the next run sweeps.

    Args:
        purpose: the state that writes there, or what else for; its name begins so.

    Raises:
        OSError: it cannot be made.
    """
    descriptor = None
    while descriptor is None:  # a sweep may take the folder for a dead run's
        folder = home / STAGING / f"{purpose}-{secrets.token_hex(8)}"
        make_private(folder.parent)
        folder.mkdir()
        descriptor = try_lock_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def reported_writes(state: str, place: Path, setting: str = "--home") -> Iterator[None]:
    """Turn an OSError of the body into the segment's error; nothing else is touched.

    Args:
        state: whose output it was.
        place: where the body writes; the error's own file name is more exact where it has one.
        setting: what a person changes to write elsewhere.
    """
    try:
        yield
    except OSError as error:
        raise write_failed(state, place, error, setting) from error


def write_failed(state: str, place: Path, error: OSError, setting: str = "--home") -> Seg3BError:
    """OUTPUT_WRITE_FAILED for an operating-system error at ``place``."""
    if error.errno in _FULL:
        remedy = "Free space on that disk"
    elif error.errno in _FORBIDDEN:
        remedy = "Make that place writable for this user"
    else:
        remedy = "Check that disk"
    return fail(
        "place_writable",
        str(error.filename or place),
        f"{remedy}, or choose another place with {setting}, and run again. Nothing was published.",
        in_state=state,
        errno=errno.errorcode.get(error.errno or 0),
        reason=error.strerror or str(error),
    )


def out_of_reach(logical_id: str, error: OutOfReachError) -> Seg3BError:
    """INPUT_OPEN_FAILED of a link by which an upstream root shows what is not its own."""
    return fail(
        "link_within_reach",
        str(error.filename),
        "Put the file itself there; or, if the root may show it, name the folder it lies in with SEG3B_SHARED.",
        logical_id=logical_id,
        target=str(error.target),
    )
