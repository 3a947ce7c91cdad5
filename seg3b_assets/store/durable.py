"""Small files that are either the old bytes or the new ones, also after a crash or a power cut.

Write beside the target, flush to disk, rename, flush the folder. A reader sees one whole version at any
instant.
"""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(target: Path, content: bytes) -> None:
    """Put ``content`` at ``target`` atomically. The caller holds the lock that guards ``target``, so a
    leftover of an interrupted write is overwritten by the next one. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(target.name + ".new")
    try:
        write_durably(fresh, content)
        os.replace(fresh, target)  # noqa: PTH105
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    flush_folder(target.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and flush it to disk. Raises OSError."""
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def flush_folder(path: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
