"""Where a home's bytes are: the one place that knows a folder from an object store, chosen when the home is opened.

A home by URL is a local folder that names its origin: ``remote.json``, as a clone of a repository does. The folder
(the mirror) has the shape of any home, so states read and write local files and processes of one machine lock each
other out as usual. What is published lies at the origin; the mirror is a cache of it, and may be removed at any time
no process works in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.locations import FILE, folder_of, object_url, scheme_of
from seg3b_assets.locks import exclusive
from seg3b_assets.own_places import make_private, read_regular
from seg3b_assets.store.holding import Holder
from seg3b_assets.store.layout import Condition, Reached, Unreached, require_own_folders
from seg3b_assets.store.local_folder import LocalFolder
from seg3b_assets.store.object_store import ObjectStore
from seg3b_assets.store.remote import Remote
from seg3b_assets.store.writing import replace_file

ORIGIN: Final = "remote.json"
_KNOWN: dict[Path, Remote] = {}


class Backend(Protocol):
    """One home's bytes. Paths and places are POSIX, below the home.

    Documents are the small files that are replaced (heads, refs, records): a reader sees the old bytes or the new
    ones, and of two writers neither's change is lost. Published folders (snapshots, certifications) appear whole and
    are never changed; a manifest among their files makes them exist.
    """

    @property
    def folder(self) -> Path:
        """The folder on this machine that states and people work in."""
        ...

    def made(self) -> bool:
        """Whether the home is there; one that is not is made by what is first written."""
        ...

    def place(self, path: str) -> str:
        """Where something is, for messages: an absolute path or a URL; of an empty path, where the home is."""
        ...

    def read(self, path: str) -> bytes:
        """A document's bytes. Raises FileNotFoundError, OSError; Seg3BError: INPUT_OPEN_FAILED of a URL."""
        ...

    def paths(self, folder: str) -> list[str]:
        """Paths of all documents below a folder, relative to it, sorted. Raises as ``read``."""
        ...

    def paths_by_age(self, folder: str) -> list[str]:
        """As ``paths``, the one written last being last."""
        ...

    def update(self, path: str, lock: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        """Change a document.

        Args:
            lock: name of the lock file that guards it among processes of this machine.
            change: given the present bytes, None where there is no document, says the new ones, or None to leave
                it. Called again when another writer came first.

        Returns:
            Whether the document changed.

        Raises:
            OSError, or Seg3BError: OUTPUT_WRITE_FAILED of a URL; whatever ``change`` raises.
        """
        ...

    def manifest(self, place: str, name: str) -> bytes | None:
        """The manifest of a published folder; None when the folder does not exist, or a manifest cannot be read.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED of a URL.
        """
        ...

    def holds(self, place: str, manifest: bytes, files: Mapping[str, int | None]) -> bool:
        """Whether files of a published folder are there.

        Args:
            manifest: of the folder.
            files: bytes by POSIX path below it, None where any number will do.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED of a URL.
        """
        ...

    def near(self, place: str) -> Path | None:
        """A published folder where it may be read without fetching anything; None where it lies elsewhere."""
        ...

    def publish_folder(self, place: str, name: str, files: Sequence[str]) -> bytes:
        """Have a folder that is whole in ``folder`` published for all who share the home.

        Args:
            name: of its manifest.
            files: POSIX paths below it, without the manifest.

        Returns:
            The manifest that is published: this one's, or that of a writer elsewhere who came first.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED; the folder is not published then, unless it was before.
        """
        ...

    def fetch(
        self,
        place: str,
        name: str,
        manifest: bytes,
        files: Mapping[str, int | None],
        require: Callable[[Path], None],
    ) -> None:
        """Have a published folder in ``folder``, whole; one there with another manifest is replaced.

        Args:
            name, manifest: of the manifest, as published.
            files: as for ``holds``.
            require: given the folder fetched, raises when its bytes are not those published.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED; whatever ``require`` raises.
            OSError: ``folder`` cannot be written.
        """
        ...

    def still_published(self, place: str, name: str) -> bool:
        """Whether what this process relied on while it held the home is published still; a lease may have lapsed."""
        ...

    def held(self, purpose: str, state: str = "S0") -> AbstractContextManager[None]:
        """Hold the home together with others while the block lasts, against whoever removes published folders.

        Args:
            purpose: what whoever is kept waiting, or is refused, is told.
            state: whose errors.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED when the home cannot be written, or is held alone longer than one waits.
        """
        ...

    def alone(self, purpose: str) -> AbstractContextManager[None]:
        """Hold the home alone while the block lasts, without waiting; what a removal that died left is finished.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED (``home_unused``), naming whoever holds it.
        """
        ...

    def holders(self) -> list[Holder]:
        """Who holds the home now, longest first: for messages, nothing decides by it."""
        ...

    def unreached(self, found: Reached, about: Callable[[str], dict[str, Any]]) -> list[Unreached]:
        """What nothing reaches, referrers before what they refer to.

        Args:
            about: of a lineage, what stays known of it.
        """
        ...

    def remove(self, listed: Sequence[Unreached], record: Mapping[str, Any]) -> None:
        """Remove things, each whole or not at all, and keep the record, which has a ``prune_id``; while ``alone``."""
        ...

    def access(self) -> Iterator[Condition]:
        """Whether the home can be used. Raises Seg3BError: INPUT_OPEN_FAILED of a URL."""
        ...

    def holding(self) -> Iterator[Condition]:
        """Who holds the home, and who did and died."""
        ...

    def left_lying(self) -> Iterator[Condition]:
        """What unfinished work left on this machine, and what is none of ours."""
        ...


def open_home(home: Path) -> Backend:
    """A home's back end, once it is known that no link leads out of it.

    Args:
        home: a folder, or the mirror of a URL; nothing is made until something is written.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED when a folder of the home is a link, or what it says of its origin cannot be read.
    """
    require_own_folders(home)
    return backend_of(home)


def backend_of(home: Path) -> Backend:
    """As ``open_home``, without looking at the home's folders: for who is to say what is wrong with them."""
    origin = _KNOWN.get(home)
    if origin is None and (url := _origin(home)):
        origin = _KNOWN.setdefault(home, Remote(url))
    return LocalFolder(home) if origin is None else ObjectStore(LocalFolder(home), origin)


def home_at(text: str, cache: Path) -> Path:
    """The folder of a home named by URL: its mirror below ``cache``, or the folder itself of a ``file://``.

    Raises:
        ValueError: a URL of a scheme we cannot use, or with credentials or a query in it.
    """
    if scheme_of(text) == FILE:
        return folder_of(text)
    folder, url = _mirror(text, cache)
    if _origin(folder) != url:
        make_private(folder)
        with exclusive(folder / "locks" / "remote.lock"):
            replace_file(folder / ORIGIN, canonical_json({"url": url}))
    return folder


def unwritten_home_at(text: str, cache: Path) -> Path:
    """As ``home_at``, and nothing is written: the origin is known to this process alone. Raises ValueError."""
    if scheme_of(text) == FILE:
        return folder_of(text)
    folder, url = _mirror(text, cache)
    _KNOWN.setdefault(folder, Remote(url))
    return folder


def _mirror(text: str, cache: Path) -> tuple[Path, str]:
    try:
        url = object_url(text)
    except ValueError as error:
        raise ValueError(f"home: {error}") from None
    return cache / "homes" / sha256_hex(url.encode())[:16], url


def _origin(home: Path) -> str | None:
    try:
        return str(orjson.loads(read_regular(home / ORIGIN))["url"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, PermissionError) and not os.access(home, os.X_OK):
            return None  # a folder that is closed to us: who reads or writes there says so
        raise fail(
            "origin_readable",
            str(home / ORIGIN),
            "Move it away if the home is a folder of its own; the mirror of a URL is made anew once it is removed.",
            reason=(error.strerror if isinstance(error, OSError) else None) or "it names no origin",
        ) from error
