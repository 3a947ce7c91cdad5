"""A home at a URL: documents swapped over the version that was read, folders published by their manifest.

    {place}/{digest}/{file}   the files of a published folder, below the SHA-256 of its manifest
    {place}/{manifest}        the manifest, created last and exclusively

The manifest is the instant of publication: without it the folder does not exist, whatever else lies there. Its
digest says where its files are, so two writers of the same bytes write the same objects, and one with other bytes
cannot touch them; of two manifests one is created, and the other writer learns which.

Removing, of each thing the object that makes it exist (the manifest, the record) goes first, so that whatever a prune
leaves when it dies is invisible, and listed by the next. The home is held by leases (``holding``).
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.locks import exclusive
from seg3b_assets.own_places import require_unlinked, write_new
from seg3b_assets.store import holding
from seg3b_assets.store.holding import Holder
from seg3b_assets.store.layout import PRUNES, Condition, Kind, Reached, Unreached, seeds_named
from seg3b_assets.store.remote import Entry, Remote
from seg3b_assets.store.writing import READ_ONLY, flush_folder, staged_folder

if TYPE_CHECKING:
    from seg3b_assets.store.local_folder import LocalFolder

_ATTEMPTS: Final = 100
# By folder: what a thing of it is called, how many names below the folder say which it is, its first object to go.
_LAYOUT: Final[dict[str, tuple[Kind, int, str]]] = {
    "certifications": ("certification", 1, "certification.json"),
    "runs": ("run", 1, "run.json"),
    "builds": ("build", 2, ""),
    "policies": ("policy", 1, ""),
    "snapshots": ("snapshot", 2, "snapshot.json"),
}


@dataclass(frozen=True)
class ObjectStore:
    """The back end (``Backend``) of a URL.

    Attributes:
        mirror: the folder on this machine that what is read is fetched into, and what is written comes from.
        remote: the objects.
    """

    mirror: LocalFolder
    remote: Remote

    @property
    def folder(self) -> Path:
        return self.mirror.folder

    def made(self) -> bool:
        return True  # a URL needs no making

    def place(self, path: str) -> str:
        return self.remote.place(path) if path else self.remote.url

    def read(self, path: str) -> bytes:
        found = self.remote.read(path)
        if found is None:
            raise FileNotFoundError(self.remote.place(path))
        return found.content

    def paths(self, folder: str) -> list[str]:
        return [entry.path.removeprefix(f"{folder}/") for entry in self.remote.entries(folder)]

    def paths_by_age(self, folder: str) -> list[str]:
        entries = sorted(self.remote.entries(folder), key=lambda entry: (entry.written, entry.path))
        return [entry.path.removeprefix(f"{folder}/") for entry in entries]

    def update(self, path: str, lock: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        for _ in range(_ATTEMPTS):
            found = self.remote.read(path)
            content = change(found.content if found else None)
            if content is None or (found and content == found.content):
                return False
            if self.remote.swap(path, content, found.tag if found else None):
                return True
        raise fail(
            "remote_contention",
            self.remote.place(path),
            f"Others changed it {_ATTEMPTS} times meanwhile: run again. Nothing was published.",
        )

    def manifest(self, place: str, name: str) -> bytes | None:
        found = self.remote.read(f"{place}/{name}")
        return found.content if found else None

    def holds(self, place: str, manifest: bytes, files: Mapping[str, int | None]) -> bool:
        root = f"{place}/{sha256_hex(manifest)}"
        there = {one.path.removeprefix(f"{root}/"): one.bytes for one in self.remote.entries(root)}
        return all(name in there and size in (None, there[name]) for name, size in files.items())

    def near(self, place: str) -> Path | None:
        return None

    def publish_folder(self, place: str, name: str, files: Sequence[str]) -> bytes:
        folder = self.folder / place
        manifest = (folder / name).read_bytes()
        root = f"{place}/{sha256_hex(manifest)}"
        self.remote.upload({f"{root}/{one}": folder / one for one in files})
        while not self.remote.create(f"{place}/{name}", manifest):
            published = self.manifest(place, name)
            if published is not None:
                return published
        return manifest

    def fetch(
        self,
        place: str,
        name: str,
        manifest: bytes,
        files: Mapping[str, int | None],
        require: Callable[[Path], None],
    ) -> None:
        if self._in_mirror(place, name, manifest, files):
            return
        target, root = self.folder / place, f"{place}/{sha256_hex(manifest)}"
        with (
            exclusive(self.folder / "locks" / "fetch.lock"),
            staged_folder(self.folder, "fetch") as folder,
        ):
            if self._in_mirror(place, name, manifest, files):  # another process has fetched it meanwhile
                return
            for one in files:
                (folder / one).parent.mkdir(parents=True, exist_ok=True)
            self.remote.fetch({f"{root}/{one}": folder / one for one in files})
            require(folder)
            for one in files:
                (folder / one).chmod(READ_ONLY)
            write_new(folder / name, manifest)
            require_unlinked(self.folder, place)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target.rename(folder.with_name(f"{folder.name}.old"))
            folder.rename(target)
            flush_folder(target.parent)
            shutil.rmtree(folder.with_name(f"{folder.name}.old"), ignore_errors=True)

    def still_published(self, place: str, name: str) -> bool:
        return self.manifest(place, name) is not None

    @contextmanager
    def held(self, purpose: str, state: str = "S0") -> Iterator[None]:
        with self.mirror.held(purpose, state), holding.leased(self.remote, purpose):
            yield

    @contextmanager
    def alone(self, purpose: str) -> Iterator[None]:
        with self.mirror.alone(purpose), holding.alone(self.remote, purpose) as held_by:
            if held_by is not None:
                raise holding.in_use(self.remote.url, held_by)
            yield

    def holders(self) -> list[Holder]:
        return holding.lease_holders(self.remote)

    def unreached(self, found: Reached, about: Callable[[str], dict[str, Any]]) -> list[Unreached]:
        """As ``Backend``; a folder without its manifest is ``unfinished``."""
        kept = _kept(found)
        listed = []
        for folder in _LAYOUT:
            for place, entries in _things(self.remote.entries(folder), folder).items():
                if place in kept:
                    listed += self._left_beside(place, entries, folder)
                elif HEX64.fullmatch(Path(place).stem):
                    listed.append(_thing(place, entries, folder, about))
        return listed

    def remove(self, listed: Sequence[Unreached], record: Mapping[str, Any]) -> None:
        """As ``Backend``, from the mirror too; the record says ``interrupted`` until it is done."""
        path = f"{PRUNES}/{record['prune_id']}.json"
        self.remote.put(path, canonical_json({**record, "interrupted": True}))
        for one in listed:
            below = [entry.path for entry in self.remote.entries(one.place)]
            self.remote.remove(sorted(below or [one.place], key=lambda name: (name.count("/"), name)))
        self.remote.put(path, canonical_json({**record, "interrupted": False}))
        for one in listed:
            shutil.rmtree(self.folder / one.place, ignore_errors=True)

    def access(self) -> Iterator[Condition]:
        seeds = seeds_named(self.paths("heads"))
        found = f"can be read; seeds with heads: {len(seeds)}"
        yield Condition("HOME", self.remote.url, found, facts={"seeds": seeds})

    def holding(self) -> Iterator[Condition]:
        for holder in self.holders():
            yield Condition("HELD", self.remote.url, f"by {holder}")

    def left_lying(self) -> Iterator[Condition]:
        yield from ()  # what lies in a mirror is a cache

    def _in_mirror(self, place: str, name: str, manifest: bytes, files: Mapping[str, int | None]) -> bool:
        return self.mirror.manifest(place, name) == manifest and self.mirror.holds(place, manifest, files)

    def _left_beside(self, place: str, entries: list[Entry], folder: str) -> list[Unreached]:
        """Files of writers that lost, below a manifest that is not theirs."""
        packs: dict[str, int] = defaultdict(int)
        for entry in entries:
            name, _, rest = entry.path.removeprefix(f"{place}/").partition("/")
            if rest:
                packs[name] += entry.bytes
        if len(packs) < 2:
            return []
        manifest = self.manifest(place, _LAYOUT[folder][2])
        ours = sha256_hex(manifest) if manifest is not None else None
        return [
            Unreached("unfinished", f"{place}/{name}", packs[name]) for name in sorted(packs) if name != ours
        ]


def _kept(found: Reached) -> set[str]:
    return {
        *(f"certifications/{one}" for one in found.certifications),
        *(f"runs/{one}" for one in found.lineages),
        *(f"builds/{state}/{key}.json" for state, key in found.snapshots),
        *(f"policies/{one}.yaml" for one in found.policies),
        *(f"snapshots/{state}/{key}" for state, key in found.snapshots),
    }


def _things(entries: Iterable[Entry], folder: str) -> dict[str, list[Entry]]:
    """Objects by the place of what they belong to."""
    depth = 1 + _LAYOUT[folder][1]
    things: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        things["/".join(entry.path.split("/")[:depth])].append(entry)
    return dict(things)


def _thing(
    place: str, entries: list[Entry], folder: str, about: Callable[[str], dict[str, Any]]
) -> Unreached:
    kind, _, first = _LAYOUT[folder]
    whole = not first or any(entry.path == f"{place}/{first}" for entry in entries)
    told = about(Path(place).name) if kind == "run" and whole else {}
    return Unreached(kind if whole else "unfinished", place, sum(entry.bytes for entry in entries), told)
