"""Small files that are either the old bytes or the new ones, also after a crash or a power cut.

Write beside the target, flush to disk, rename, flush the folder. A reader sees one whole version at any
instant.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from seg3b_assets.own_places import fresh_name, write_new

UNFINISHED: Final = ".new"


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
