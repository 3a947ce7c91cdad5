"""What lies below a folder that nobody vouches for: regular files, and everything that has no place in a tree.

Links are never followed, so nothing outside the root is read; a tree of absurdly many entries is not walked to
its end.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

MAX_ENTRIES: Final = 200_000
# Bytes, then when they and the file's state were last changed, in nanoseconds, and which file it is.
Stamp = tuple[int, int, int, int]


class Paths:
    """Paths in order: what lies below a folder are neighbours, found by halving, however many folders are asked for.

    Args:
        paths: POSIX paths, of files.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._ordered = sorted(paths)

    def below(self, folder: str) -> Iterator[str]:
        """The paths below a folder, in order."""
        prefix = f"{folder.rstrip('/')}/"
        for at in range(bisect_left(self._ordered, prefix), len(self._ordered)):
            if not self._ordered[at].startswith(prefix):
                return
            yield self._ordered[at]

    def any_below(self, folder: str) -> bool:
        """Whether anything lies below a folder."""
        return next(self.below(folder), None) is not None


class Folders:
    """Folders, asked whether a path is below any of them.

    Args:
        prefixes: their paths, each ending in a slash.
    """

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._outermost: list[str] = []
        for prefix in sorted(prefixes):
            if not self._outermost or not prefix.startswith(self._outermost[-1]):
                self._outermost.append(prefix)

    def hold(self, path: str) -> bool:
        """Whether one of them holds the path."""
        # None of them is inside another, so the last one before the path is the only one it can be below.
        at = bisect_right(self._outermost, path) - 1
        return at >= 0 and path.startswith(self._outermost[at])


@dataclass(frozen=True)
class Listing:
    """A folder's content.

    Attributes:
        root: the folder.
        files: size in bytes by POSIX path, of regular files, in path order.
        stamps: what changes with a file's bytes, by path.
        strange: reason by POSIX path of what is neither a regular file nor a folder, or cannot be listed.
    """

    root: Path
    files: dict[str, int]
    stamps: dict[str, Stamp]
    strange: dict[str, str]

    @classmethod
    def of(cls, root: Path) -> Listing:
        """List a folder. Raises OSError when the root itself cannot be listed."""
        stamps: dict[str, Stamp] = {}
        strange: dict[str, str] = {}
        for number, (path, found) in enumerate(_entries(root)):
            if isinstance(found, str):
                strange[path] = found
            else:
                stamps[path] = found
            if number >= MAX_ENTRIES:
                strange["."] = f"more than {MAX_ENTRIES} entries"
                break
        ordered = {path: stamps[path] for path in sorted(stamps)}
        return cls(root, {path: stamp[0] for path, stamp in ordered.items()}, ordered, strange)

    def changed(self) -> list[str]:
        """Paths that came, went or were written to since they were listed; all when the root cannot be listed again."""
        try:
            now = Listing.of(self.root)
        except OSError:
            return list(self.files)
        before, after = ({**one.stamps, **dict.fromkeys(one.strange)} for one in (self, now))
        return [
            path for path in sorted(before.keys() | after.keys()) if before.get(path, 0) != after.get(path, 0)
        ]

    def is_file(self, path: str) -> bool:
        """Whether a regular file of the tree lies there."""
        return path in self.files

    def below(self, folder: str) -> dict[str, int]:
        """Files below a folder, by their path in it."""
        prefix = f"{folder.rstrip('/')}/"
        return {path.removeprefix(prefix): self.files[path] for path in self.paths.below(folder)}

    def sound_folder(self, folder: str) -> bool:
        """Whether a folder holds regular files and nothing else."""
        return self.paths.any_below(folder) and not self._strange_paths.any_below(folder)

    @cached_property
    def paths(self) -> Paths:
        """The regular files' paths."""
        return Paths(self.files)

    @cached_property
    def _strange_paths(self) -> Paths:
        return Paths(self.strange)


def _entries(root: Path) -> Iterator[tuple[str, Stamp | str]]:
    """(path, its stamp or what is wrong) of every file and link below the root, by folder."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            found = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            if not folder:
                raise
            yield folder, error.strerror or "cannot be listed"
            continue
        for entry in found:
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                path.encode()
                if entry.is_symlink():
                    yield path, "a link"
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    yield path, (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                else:
                    yield path, "neither file nor folder"
            except OSError as error:
                yield path, error.strerror or "cannot be looked at"
            except UnicodeEncodeError:
                yield ascii(path), "a name that is not UTF-8"
