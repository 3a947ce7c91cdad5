"""Where an export goes: a folder, or a URL of an object store.

In a folder the tree is written beside its target and renamed into place. At a URL its files come first and
``run_receipt.json`` is created last: the receipt is the instant of publication, a tree without one is not an export
yet. There ``.export`` names the lineage whose files are being put, so that an export that died is taken up by the next
one of the same lineage, and refused to any other. Nothing at a URL is ever deleted but that mark.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol

import orjson

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.laws.plain_files import (
    MAX_DOCUMENT_BYTES,
    StrangeFileError,
    files_below,
    read_plain,
    walk_below,
)
from seg3b_assets.locations import is_url
from seg3b_assets.own_places import read_regular
from seg3b_assets.store.remote import Remote
from seg3b_assets.store.writing import flush_folder, reported_writes, staged_folder

if TYPE_CHECKING:
    from seg3b_assets.store.runs import KeptRun

RECEIPT: Final = "export_receipt"
MARK: Final = ".export"
_SETTING: Final = "another DEST"
_LISTED, _SHOWN = 20, 200


class Destination(Protocol):
    """Where one lineage's tree goes."""

    @property
    def place(self) -> str:
        """An absolute path or a URL."""
        ...

    def require_free(self, run: KeptRun, force: bool) -> None:
        """Return where nothing lies, or an earlier export of the same lineage, finished or not.

        Args:
            force: also one that a person has put something into.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED of anything else.
        """
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """A folder to write the tree into, removed in the end where it is still there.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED where it, or what the block writes, cannot be written.
        """
        ...

    def take(self, tree: Path, run: KeptRun, force: bool) -> bool:
        """Have the tree, whole, at the place; False when the very same is there already.

        Args:
            tree: a ``scratch``; its receipt lists every file.
            force: as for ``require_free``.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED: there is no receipt then, unless there was before.
        """
        ...


def destination(text: str, home: Path) -> Destination:
    """A place an export goes to.

    Args:
        text: a path, or a URL of an object store.
        home: what goes to a URL is written there first.
    """
    return UrlDestination(Remote(text), home) if is_url(text) else FolderDestination(Path(text).absolute())


@dataclass(frozen=True)
class FolderDestination:
    """A folder that does not exist, is empty, or holds an earlier export of the same lineage."""

    target: Path

    @property
    def place(self) -> str:
        return str(self.target)

    def require_free(self, run: KeptRun, force: bool) -> None:
        target = self.target
        if not target.exists() and not target.is_symlink():
            return
        if target.is_dir() and not target.is_symlink():
            if not any(target.iterdir()):
                return
            listed = _listed(target, run)
            if listed is not None:
                try:
                    unlisted = _entries(target, listed)
                except StrangeFileError as error:  # nobody's export, and too deep to be removed
                    raise _taken(str(error.filename), run) from error
                if unlisted and not force:
                    raise _holds_more(str(target), unlisted)
                return
        raise _taken(str(target), run)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        with reported_writes("S5", self.target, _SETTING):
            self.target.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.target.with_name(f".{self.target.name}.{secrets.token_hex(6)}")
            fresh.mkdir()
            try:
                yield fresh
            finally:
                shutil.rmtree(fresh, ignore_errors=True)

    def take(self, tree: Path, run: KeptRun, force: bool) -> bool:
        self.require_free(run, force)  # a person may have put something there meanwhile
        return _put(tree, self.target, (tree / contract(RECEIPT).path).read_bytes())


@dataclass(frozen=True)
class UrlDestination:
    """A URL below which nothing lies, or an earlier export of the same lineage, finished or not.

    With ``force`` the tree is put there although what its receipt does not list lies there, too; that stays.
    """

    remote: Remote
    home: Path

    @property
    def place(self) -> str:
        return self.remote.url

    def require_free(self, run: KeptRun, force: bool) -> None:
        if not self.remote.entries(""):
            return
        for name in (contract(RECEIPT).path, MARK):
            found = self.remote.read(name)
            if found is not None:
                try:
                    if orjson.loads(found.content)["lineage_id"] == run.lineage_id:
                        return
                except (ValueError, KeyError, TypeError):
                    pass
                break
        raise _taken(self.place, run)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        with reported_writes("S5", self.home, _SETTING), staged_folder(self.home, "export") as folder:
            tree = folder / "tree"
            tree.mkdir()
            yield tree

    def take(self, tree: Path, run: KeptRun, force: bool) -> bool:
        remote = self.remote
        name = contract(RECEIPT).path
        receipt = (tree / name).read_bytes()
        sizes = {file["path"]: file["size_bytes"] for file in orjson.loads(receipt)["files"]}
        there = {entry.path: entry.bytes for entry in remote.entries("")}
        present = remote.read(name)
        if present is not None and present.content != receipt:
            raise _taken(remote.url, run)  # of other upstream bytes under the same lineage
        unlisted = sorted(there.keys() - sizes.keys() - {name, MARK}) if present is not None else []
        if unlisted and not force:
            raise _holds_more(remote.url, unlisted, "leaves")
        if present is not None and {path: size for path, size in there.items() if path in sizes} == sizes:
            return False
        remote.put(MARK, orjson.dumps({"lineage_id": run.lineage_id}))
        remote.upload({path: tree / path for path in sizes})
        if not remote.create(name, receipt) and (found := remote.read(name)) and found.content != receipt:
            raise _taken(remote.url, run)
        remote.remove([MARK])
        return True


def _listed(target: Path, run: KeptRun) -> set[str] | None:
    """What a tree's receipt lists, itself too; None for a tree that is no export of the lineage."""
    name = contract(RECEIPT).path
    try:
        receipt = orjson.loads(read_regular(target / name, MAX_DOCUMENT_BYTES))
        listed = {str(file["path"]) for file in receipt["files"]}
        return {*listed, name} if receipt["lineage_id"] == run.lineage_id else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _entries(target: Path, listed: Collection[str]) -> list[str]:
    """POSIX paths below a tree of files, links and folders without listed files that are not listed, sorted."""
    ways = {str(way) for path in listed for way in PurePosixPath(path).parents}
    found: list[str] = []
    for folder, folders, names in walk_below(target):
        base = folder.relative_to(target)
        links = [name for name in folders if (folder / name).is_symlink()]
        found += [path for name in (*names, *links) if (path := (base / name).as_posix()) not in listed]
        found += [
            f"{path}/"
            for name in folders
            if (path := (base / name).as_posix()) not in ways and name not in links
        ]
    return sorted(found)


def _holds_more(place: str, unlisted: Sequence[str], forced: str = "removes") -> Seg3BError:
    """OUTPUT_WRITE_FAILED of an export that holds what its receipt does not list.

    Args:
        forced: what ``--force`` does to it.
    """
    return fail(
        "export_unlisted",
        place,
        "Take these out of it, name another DEST, or export with --force, which "
        f"{forced} them. Nothing was written.",
        unlisted=[one[:_SHOWN] for one in unlisted[:_LISTED]],
        count=len(unlisted),
    )


def _taken(place: str, run: KeptRun) -> Seg3BError:
    """OUTPUT_WRITE_FAILED of a target that is something else."""
    return fail(
        "export_target_free",
        place,
        "Name a folder that does not exist, an empty one, or an earlier export of the same lineage; "
        "nothing was touched.",
        lineage_id=run.lineage_id,
    )


def _put(fresh: Path, target: Path, receipt: bytes) -> bool:
    """Move the tree into place; False when the very same is there already."""
    if target.exists() and any(target.iterdir()):
        if _is_same(target, receipt):
            return False
        # Damaged, or of other upstream bytes under the same lineage: set aside first, removed last.
        aside = target.with_name(f"{fresh.name}.old")
        target.rename(aside)
        fresh.rename(target)
        shutil.rmtree(aside)
    else:
        fresh.rename(target)
    flush_folder(target.parent)
    return True


def _is_same(target: Path, receipt: bytes) -> bool:
    name = contract(RECEIPT).path
    files = {file["path"]: file["sha256_hex"] for file in orjson.loads(receipt)["files"]}
    try:
        if read_plain(target / name) != receipt or set(files_below(target)) != {*files, name}:
            return False
        return all(file_digest(target / path) == digest for path, digest in files.items())
    except StrangeFileError:  # what no export holds
        return False
