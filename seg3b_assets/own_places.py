"""Opening and making things in places of our own (the home, the cache), where nobody else's links belong.

A name that is a link, a pipe or a device is never followed, waited for or written through: a temporary directory, a
synchronised folder or a colleague may have put it there. New files are created exclusively, under names nobody can
foresee; folders and locks are for this user alone.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from seg3b_assets.laws.errors import Seg3BError, fail

LINKED: Final = "place_of_its_own"
NO_FOLDER: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""How a place says that no folder is there: nothing is, another thing, or a link to itself."""
_FOLDER_MODE: Final = 0o700
_LOCK_MODE: Final = 0o600
# Of what is kept in one piece, a certification's report is the largest: some megabytes.
_LARGEST: Final = 256 << 20


def make_private(folder: Path) -> None:
    """Have a folder; it and what is missing above it are made for this user alone. Raises OSError."""
    missing = []
    for one in (folder, *folder.parents):
        if os.path.lexists(one):
            break
        missing.append(one)
    for one in reversed(missing):
        try:
            one.mkdir(_FOLDER_MODE)
        except FileExistsError:  # another process made it meanwhile
            continue
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def write_new(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file that is not there yet, link or not, and flush it to disk.

    Args:
        mode: before the process's umask.

    Raises:
        OSError: FileExistsError where anything has that name.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, mode), "wb") as handle:  # noqa: PTH123 - of a descriptor
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def fresh_name(path: Path, suffix: str) -> Path:
    """A name beside ``path`` that nobody can foresee, ending in ``suffix``."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}{suffix}")


def read_regular(path: Path, most: int = _LARGEST) -> bytes:
    """The bytes of a file that is one: no link, pipe or device.

    Raises:
        OSError: ELOOP of a link, EINVAL of what is no regular file, EFBIG of one larger than ``most``; as ``open``
            otherwise.
    """
    with open(_opened_regular(path, os.O_RDONLY), "rb") as handle:
        size = os.fstat(handle.fileno()).st_size
        data = handle.read(min(size, most) + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes, which no such file is", str(path))
    return data


def open_lock(path: Path) -> int:
    """A descriptor of a lock file, made where it is not there; nobody else may open what is ours. Raises OSError."""
    descriptor = _opened_regular(path, os.O_RDWR | os.O_CREAT, _LOCK_MODE)
    found = os.fstat(descriptor)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != _LOCK_MODE:  # of an earlier release
        os.fchmod(descriptor, _LOCK_MODE)
    return descriptor


def folders_in(parent: Path) -> list[Path]:
    """The folders directly below one, by name; links and files are none, and nothing where ``parent`` is none."""
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        if error.errno in NO_FOLDER:
            return []
        raise
    return [parent / name for name in sorted(names)]


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


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; what vanishes meanwhile counts nothing."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size if os.path.lexists(path) else 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
            except FileNotFoundError:
                continue
    return total


def require_unlinked(root: Path, place: str) -> None:
    """Return where no folder on the way from ``root`` to ``place`` is a link, and ``place`` is none.

    Args:
        root: may itself be a link, or be reached by one.
        place: POSIX path below it, whether it is there or not.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED (``place_of_its_own``), naming the link.
    """
    one = root
    for name in place.split("/"):
        one = one / name
        try:
            found = os.lstat(one)
        except OSError:
            return  # what is not there cannot lead elsewhere; what may not be looked at is met where it is opened
        if stat.S_ISLNK(found.st_mode):
            raise linked(one)


def linked(place: Path) -> Seg3BError:
    """INPUT_OPEN_FAILED of a link where only a thing of our own may be."""
    return fail(
        LINKED,
        str(place),
        "Remove the link, or put what it points at in its place: inside a home no link is followed (the home itself "
        "may be reached by one). Nothing was read or written through it.",
    )


def _opened_regular(path: Path, flags: int, mode: int = 0) -> int:
    # O_NONBLOCK: opening a pipe would wait for its other end.
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    return descriptor
