"""What lies below a folder that nobody vouches for: regular files, and everything that has no place in a tree.

Links are never followed, so nothing outside the root is read; a tree of absurdly many entries is not walked to
its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_ENTRIES: Final = 200_000


@dataclass(frozen=True)
class Listing:
    """A folder's content.

    Attributes:
        root: the folder.
        files: size in bytes by POSIX path, of regular files, in path order.
        strange: reason by POSIX path of what is neither a regular file nor a folder, or cannot be listed.
    """

    root: Path
    files: dict[str, int]
    strange: dict[str, str]

    @classmethod
    def of(cls, root: Path) -> Listing:
        """List a folder. Raises OSError when the root itself cannot be listed."""
        files: dict[str, int] = {}
        strange: dict[str, str] = {}
        for number, (path, size, reason) in enumerate(_entries(root)):
            if reason:
                strange[path] = reason
            else:
                files[path] = size
            if number >= MAX_ENTRIES:
                strange["."] = f"more than {MAX_ENTRIES} entries"
                break
        return cls(root, {path: files[path] for path in sorted(files)}, strange)

    def is_file(self, path: str) -> bool:
        """Whether a regular file of the tree lies there."""
        return path in self.files

    def below(self, folder: str) -> dict[str, int]:
        """Files below a folder, by their path in it."""
        prefix = f"{folder.rstrip('/')}/"
        return {
            path.removeprefix(prefix): size for path, size in self.files.items() if path.startswith(prefix)
        }

    def sound_folder(self, folder: str) -> bool:
        """Whether a folder holds regular files and nothing else."""
        prefix = f"{folder.rstrip('/')}/"
        return bool(self.below(folder)) and not any(path.startswith(prefix) for path in self.strange)


def _entries(root: Path) -> Iterator[tuple[str, int, str]]:
    """(path, size, what is wrong) of every file and link below the root, by folder."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            found = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            if not folder:
                raise
            yield folder, 0, error.strerror or "cannot be listed"
            continue
        for entry in found:
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                path.encode()
                if entry.is_symlink():
                    yield path, 0, "a link"
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif entry.is_file(follow_symlinks=False):
                    yield path, entry.stat(follow_symlinks=False).st_size, ""
                else:
                    yield path, 0, "neither file nor folder"
            except OSError as error:
                yield path, 0, error.strerror or "cannot be looked at"
            except UnicodeEncodeError:
                yield ascii(path), 0, "a name that is not UTF-8"
