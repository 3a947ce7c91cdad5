"""Folders that are published once, kept at a URL: snapshots and certifications.

    {place}/{digest}/{file}   the files, below the SHA-256 of the manifest
    {place}/{manifest}        the manifest, created last and exclusively

The manifest is the instant of publication: without it the folder does not exist, whatever else lies there. Its
digest says where its files are, so two writers of the same bytes write the same objects, and one with other bytes
cannot touch them; of two manifests one is created, and the other writer learns which.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.locks import exclusive, try_lock_folder
from seg3b_assets.own_places import make_private, require_unlinked, write_new
from seg3b_assets.store.durable import flush_folder
from seg3b_assets.store.remote import Remote
from seg3b_assets.store.staging import READ_ONLY


@dataclass(frozen=True)
class Pack:
    """One folder at a URL.

    Attributes:
        remote: where.
        place: POSIX path below it.
        manifest: name of the manifest.
    """

    remote: Remote
    place: str
    manifest: str

    def published(self) -> bytes | None:
        """The manifest's bytes; None when the folder does not exist. Raises Seg3BError: INPUT_OPEN_FAILED."""
        found = self.remote.read(f"{self.place}/{self.manifest}")
        return found.content if found else None

    def sizes(self, manifest: bytes) -> dict[str, int]:
        """Bytes by file of the folder with this manifest. Raises Seg3BError: INPUT_OPEN_FAILED."""
        root = f"{self.place}/{sha256_hex(manifest)}"
        return {one.path.removeprefix(f"{root}/"): one.bytes for one in self.remote.entries(root)}

    def publish(self, folder: Path, files: Sequence[str]) -> bytes:
        """Upload the files, then create the manifest.

        Args:
            folder: local folder that holds the manifest and the files.
            files: POSIX paths below it, without the manifest.

        Returns:
            The manifest that is published: this one's, or that of a writer who came first.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED; the folder does not exist then, unless it did before.
        """
        manifest = (folder / self.manifest).read_bytes()
        root = f"{self.place}/{sha256_hex(manifest)}"
        self.remote.upload({f"{root}/{name}": folder / name for name in files})
        while not self.remote.create(f"{self.place}/{self.manifest}", manifest):
            published = self.published()
            if published is not None:
                return published
        return manifest

    def fetch(
        self, home: Path, manifest: bytes, files: Sequence[str], require: Callable[[Path], None]
    ) -> None:
        """Have the folder in the mirror, whole, by one rename; one with another manifest is replaced.

        Args:
            home: the mirror.
            manifest: of the published folder.
            files: as for ``publish``.
            require: given the folder fetched, raises when its bytes are not those published.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED; whatever ``require`` raises.
            OSError: the mirror cannot be written.
        """
        target = home / self.place
        root = f"{self.place}/{sha256_hex(manifest)}"
        with exclusive(home / "locks" / "fetch.lock"), staged_folder(home, "fetch") as folder:
            if self._is_there(target, manifest, files):
                return
            for name in files:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            self.remote.fetch({f"{root}/{name}": folder / name for name in files})
            require(folder)
            for name in files:
                (folder / name).chmod(READ_ONLY)
            write_new(folder / self.manifest, manifest)
            require_unlinked(home, self.place)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target.rename(folder.with_name(f"{folder.name}.old"))
            folder.rename(target)
            flush_folder(target.parent)
            shutil.rmtree(folder.with_name(f"{folder.name}.old"), ignore_errors=True)

    def _is_there(self, target: Path, manifest: bytes, files: Sequence[str]) -> bool:
        try:
            return (target / self.manifest).read_bytes() == manifest and all(
                (target / one).is_file() for one in files
            )
        except OSError:
            return False


@contextmanager
def staged_folder(home: Path, purpose: str) -> Iterator[Path]:
    """A folder in staging, removed in the end, also when it is the next run that finds it."""
    descriptor = None
    while descriptor is None:  # a sweep may take the folder for a dead run's
        folder = home / "staging" / f"{purpose}-{secrets.token_hex(8)}"
        make_private(folder.parent)
        folder.mkdir()
        descriptor = try_lock_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)
