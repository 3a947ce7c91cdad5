"""The small files of a home that are replaced (heads, refs, run records, policies' bytes), by path below it.

In a folder: read, change and rename under a lock. At a URL: read, change, and write only over the version that
was read, again from the start when somebody else was first. Either way a reader sees the old bytes or the new ones,
and no change is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.locks import exclusive
from seg3b_assets.own_places import read_regular, require_unlinked
from seg3b_assets.store.durable import replace_file
from seg3b_assets.store.layout import require_own_folders
from seg3b_assets.store.mirror import remote_of
from seg3b_assets.store.remote import Remote

_ATTEMPTS: Final = 100


class Documents:
    """The documents of one home.

    Args:
        home: as the store's; nothing is made until something is written.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED when a folder of the home is a link.
    """

    def __init__(self, home: Path) -> None:
        require_own_folders(home)
        self._home = home

    def place(self, path: str) -> str:
        """Where a document is, for messages: an absolute path or a URL."""
        remote = remote_of(self._home)
        return remote.place(path) if remote else str(self._home / path)

    def read(self, path: str) -> bytes:
        """A document's bytes. Raises FileNotFoundError, OSError; Seg3BError: INPUT_OPEN_FAILED of a URL."""
        remote = remote_of(self._home)
        if remote is None:
            return self._read(path)
        found = remote.read(path)
        if found is None:
            raise FileNotFoundError(remote.place(path))
        return found.content

    def paths(self, folder: str) -> list[str]:
        """Paths of all documents below a folder, relative to it, sorted. Raises as ``read``."""
        remote = remote_of(self._home)
        if remote is not None:
            return [entry.path.removeprefix(f"{folder}/") for entry in remote.entries(folder)]
        root = self._home / folder
        return sorted(one.relative_to(root).as_posix() for one in root.rglob("*") if one.is_file())

    def paths_by_age(self, folder: str) -> list[str]:
        """As ``paths``, the one written last being last."""
        remote = remote_of(self._home)
        if remote is not None:
            entries = sorted(remote.entries(folder), key=lambda entry: (entry.written, entry.path))
            return [entry.path.removeprefix(f"{folder}/") for entry in entries]
        root = self._home / folder
        return sorted(self.paths(folder), key=lambda path: ((root / path).stat().st_mtime_ns, path))

    def put(self, path: str, content: bytes, lock: str) -> None:
        """Write a document, over whatever is there.

        Args:
            lock: name of the lock file that guards it in a folder.

        Raises:
            OSError, or Seg3BError: OUTPUT_WRITE_FAILED of a URL.
        """
        self.update(path, lock, lambda current: content)

    def update(self, path: str, lock: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Change a document.

        Args:
            lock: as for ``put``.
            change: given the present bytes, None where there is no document, says the new ones, or None to leave
                it. Called again when another writer came first.

        Returns:
            Whether the document changed.

        Raises:
            OSError, or Seg3BError: OUTPUT_WRITE_FAILED of a URL; whatever ``change`` raises.
        """
        remote = remote_of(self._home)
        if remote is not None:
            return _swapped(remote, path, change)
        with exclusive(self._home / "locks" / f"{lock}.lock"):
            try:
                current = self._read(path)
            except FileNotFoundError:
                current = None
            content = change(current)
            if content is None or content == current:
                return False
            replace_file(self._home / path, content)
        return True

    def _read(self, path: str) -> bytes:
        """A file of the home. Raises OSError; Seg3BError of a link."""
        require_unlinked(self._home, path)
        return read_regular(self._home / path)


def _swapped(remote: Remote, path: str, change: Callable[[bytes | None], bytes | None]) -> bool:
    for _ in range(_ATTEMPTS):
        found = remote.read(path)
        content = change(found.content if found else None)
        if content is None or (found and content == found.content):
            return False
        if remote.swap(path, content, found.tag if found else None):
            return True
    raise Seg3BError(
        "S0",
        "OUTPUT_WRITE_FAILED",
        "remote_contention",
        remote.place(path),
        f"Others changed it {_ATTEMPTS} times meanwhile: run again. Nothing was published.",
    )
