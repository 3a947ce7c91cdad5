"""Regular files, and nothing else: how every byte that this project reads from a folder is opened and found.

A pipe keeps whoever opens it waiting, a device never ends, a folder linked into itself has no last file. None of them
is data, wherever it lies; each is an ``OSError`` here that says what it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

# Nobody's dataset is deeper, and its path can still be opened.
DEEPEST: Final = 64
MOST_FILES: Final = 1_000_000
MAX_DOCUMENT_BYTES: Final = 16 << 20
MAX_BLOB_BYTES: Final = 8 << 30
# A file of a few kilobytes on disk may have holes of terabytes, and hashing one takes as long as if they were filled.
_LARGE: Final = 1 << 30
_MOST_HOLES: Final = 100
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class StrangeFileError(OSError):
    """Something that is there and is no data: ``strerror`` says what it is."""

    def __init__(self, what: str, path: Path | str) -> None:
        super().__init__(errno.EINVAL, what, str(path))


def open_plain(path: Path, *, follow: bool = True) -> BufferedReader:
    """Open a regular file for reading.

    Args:
        follow: False refuses a link.

    Raises:
        OSError: it cannot be opened; ``StrangeFileError`` where it is something else, or large and next to empty.
    """
    # Looked at first, since opening a device may do something; and again, since it may have been exchanged.
    _require_regular(path, path.stat() if follow else path.lstat())
    # Without O_NONBLOCK a pipe put here meanwhile would keep us waiting for a writer.
    handle = os.open(path, _FLAGS | (0 if follow else os.O_NOFOLLOW))
    try:
        status = os.fstat(handle)
        _require_regular(path, status)
        _require_filled(path, handle, status)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_plain(path: Path, most: int = MAX_DOCUMENT_BYTES) -> bytes:
    """A small file's bytes.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger than ``most``.
    """
    with open_plain(path) as handle:
        # What is asked for is allocated, whatever is there; a byte more than there is shows that it grows.
        data = handle.read(min(os.fstat(handle.fileno()).st_size, most) + 1)
    if len(data) > most:
        raise StrangeFileError(f"larger than {most} bytes, which no such file is", path)
    return data


def real_path(path: Path) -> Path:
    """Where a path leads, its links resolved as far as they go; ``Path.resolve`` breaks down over one in a circle."""
    return Path(os.path.realpath(path))


def bytes_below(root: Path) -> int:
    """Bytes of the regular files below a folder, links not followed; what cannot be looked at counts for nothing."""
    total, waiting = 0, [root]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
            except OSError:
                continue
    return total


def walk_below(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Each folder below a root, itself first, with the names of the folders and of all else in it; no link is followed.

    As ``os.walk``, which before Python 3.12 goes as deep as its caller's stack.

    Raises:
        StrangeFileError: for deeper folders than any dataset has.
    """
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        if depth > DEEPEST:
            raise StrangeFileError(f"folders deeper than {DEEPEST}", folder)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        folders = [entry.name for entry in entries if _is_folder(entry)]
        yield folder, folders, [entry.name for entry in entries if not _is_folder(entry)]
        waiting += [
            (folder / entry.name, depth + 1) for entry in entries if entry.is_dir(follow_symlinks=False)
        ]


def files_below(root: Path) -> list[str]:
    """Relative POSIX paths of every file below a folder, links followed, in path order (byte order of UTF-8).

    Raises:
        OSError: a folder cannot be listed; ``StrangeFileError`` for a link into a folder above itself, for what is
            neither file nor folder or leads nowhere, for a name that is not UTF-8, and for more or deeper folders than
            any dataset has.
    """
    found = [path for path, is_link, is_file in _walk(root) if is_file]
    return sorted(found, key=str.encode)


def _walk(root: Path) -> Iterator[tuple[str, bool, bool]]:
    """(path, whether it is a link, whether it is a file) of everything below the root, in no order."""
    waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [("", (_identity(root.stat()),))]
    files = 0
    while waiting:
        folder, above = waiting.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if not _is_text(name):
                    raise StrangeFileError("a name that is not UTF-8", ascii(name))
                if _is_folder(entry):
                    here = _identity(entry.stat())
                    if here in above:
                        raise StrangeFileError("a link into a folder above itself", root / name)
                    if len(above) > DEEPEST:
                        raise StrangeFileError(f"folders deeper than {DEEPEST}", root / folder)
                    waiting.append((name, (*above, here)))
                elif not _is_file(entry):
                    raise StrangeFileError("neither a file nor a folder", root / name)
                else:
                    files += 1
                if files > MOST_FILES:
                    raise StrangeFileError(f"more than {MOST_FILES} files", root)
                yield name, entry.is_symlink(), _is_file(entry)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; a link that leads in a circle, or too far, leads nowhere."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """As ``_is_folder``."""
    try:
        return entry.is_file()
    except OSError:
        return False


@dataclass(frozen=True)
class Reach:
    """The folders whose files may be read on a stranger's word: what is linked from elsewhere is not his to show.

    Attributes:
        folders: with their links resolved.
    """

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, *folders: Path | None) -> Reach:
        return cls(tuple(dict.fromkeys(real_path(folder) for folder in folders if folder is not None)))

    def require(self, location: Path) -> None:
        """Return where a file, or everything below a folder, really lies within reach.

        Raises:
            OutOfReachError: naming the link and where it leads. OSError: as ``files_below``.
        """
        self._require(location)
        if location.is_dir():
            for name, is_link, _ in _walk(location):
                if is_link:
                    self._require(location / name)

    def _require(self, path: Path) -> None:
        real = Path(os.path.realpath(path, strict=True))
        if not any(real.is_relative_to(folder) for folder in self.folders):
            raise OutOfReachError(path, real)


class OutOfReachError(StrangeFileError):
    """A link that leads out of every folder that may be read."""

    def __init__(self, path: Path, target: Path) -> None:
        super().__init__(f"a link that leads out, to {target}", path)
        self.target = target


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = "a folder, not a file" if stat.S_ISDIR(status.st_mode) else "neither a file nor a folder"
        raise StrangeFileError("a link" if stat.S_ISLNK(status.st_mode) else what, path)


def _require_filled(path: Path, handle: int, status: os.stat_result) -> None:
    """Refuse a large file of which next to nothing is there."""
    if status.st_size <= _LARGE or status.st_blocks * 512 * _MOST_HOLES > status.st_size:
        return
    # Some file systems do not count blocks; those that know of holes tell where data is.
    there = at = 0
    with contextlib.suppress(OSError):  # ENXIO: no data behind
        while at < status.st_size:
            at = os.lseek(handle, at, os.SEEK_DATA)
            end = os.lseek(handle, at, os.SEEK_HOLE)
            there, at = there + end - at, end
            if there * _MOST_HOLES > status.st_size:
                break
    os.lseek(handle, 0, os.SEEK_SET)
    if there * _MOST_HOLES <= status.st_size:
        raise StrangeFileError(f"{status.st_size} bytes of which {there} are there, the rest holes", path)
