"""Private copies of an upstream root: linked where nothing changes, re-sealed where a test edits."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.laws.hashing import canonical_json, path_digest
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.states.s0_gate.upstream import locate, read_receipt
from seg3b_assets_tests.states.miniature_upstream import Root, write_bundle

SEGMENTS = ("1A", "1B", "2A", "3A")
SURFACES = ("tile_weights", "tile_index", "tile_bounds")  # hundreds of files: shown by one link until needed
Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class UpstreamCopy:
    """A copy of a root that may be changed; the original's bytes are not touched."""

    path: Path

    @classmethod
    def of(cls, source: Path, target: Path) -> UpstreamCopy:
        """Link every file of ``source`` below ``target``."""
        link_tree(source, target, as_one=[_place(source, surface) for surface in SURFACES])
        return cls(target)

    @property
    def world(self) -> WorldIdentity:
        return read_receipt(self.path)

    def bundle(self, segment: str) -> Path:
        """The folder of a segment's gate."""
        return Root(self.path, self.world).bundle(segment)

    def dataset(self, logical_id: str) -> Path:
        """Where a dataset lies, a file or a folder, and may be changed."""
        place = _place(self.path, logical_id)
        if place.is_dir() and place.is_symlink():
            shared = place.resolve()
            place.unlink()
            link_tree(shared, place)
        return place

    def file(self, logical_id: str, country: str = "") -> Path:
        """The dataset's only file, or the only one of a country."""
        place = self.dataset(logical_id)
        if place.is_file():
            return place
        pattern = {"tile_weights": f"part-{country}.parquet"}.get(logical_id, f"country={country}/*.parquet")
        [found] = place.glob(pattern if country else "*.parquet")
        return found

    def write(self, path: Path, data: bytes) -> None:
        """Give a file other bytes, in this copy alone."""
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def change(self, logical_id: str, change: Change, country: str = "") -> None:
        """Put a table through ``change`` and seal the root again."""
        path = self.file(logical_id, country)
        changed = change(pl.read_parquet(path, glob=False, hive_partitioning=False))
        path.unlink()
        changed.write_parquet(path)
        self.seal()

    def truncate(self, logical_id: str, country: str = "") -> Path:
        """Cut a file of the dataset to its first half and seal the root again."""
        path = self.file(logical_id, country)
        data = path.read_bytes()
        self.write(path, data[: len(data) // 2])
        self.seal()
        return path

    def remove(self, logical_id: str, country: str = "") -> None:
        """Take a country's file away and seal the root again."""
        self.file(logical_id, country).unlink()
        self.seal()

    def coordinates(self, text: str) -> None:
        """Give the root a settlement coordinates file."""
        self.write(self.path / contract("virtual_settlement_coords").path, text.encode())

    def seal(self) -> None:
        """Make every bundle vouch for the datasets as they are now: members, index, flag."""
        for segment in SEGMENTS:
            folder = self.bundle(segment)
            names = sorted(path.name for path in folder.glob("*.json") if path.name != "index.json")
            members = {name: (folder / name).read_bytes() for name in names}
            certified = f"certified_datasets_{segment}.json"
            document: dict[str, Any] = orjson.loads(members[certified])
            document["datasets"] = {
                name: path_digest(_place(self.path, name)) for name in document["datasets"]
            }
            members[certified] = canonical_json(document)
            for entry in folder.iterdir():
                entry.unlink()
            write_bundle(Root(self.path, self.world), segment, members)


def _place(root: Path, logical_id: str) -> Path:
    found = locate(contract(logical_id), root, read_receipt(root))
    assert found is not None
    return found


def link_tree(source: Path, target: Path, as_one: Collection[Path] = ()) -> None:
    """A copy of a folder whose files are hard links (copies where the file system has none).

    Args:
        as_one: folders to show by a symbolic link instead of file by file.
    """
    for base, folders, names in os.walk(source):
        here = target / Path(base).relative_to(source)
        here.mkdir(parents=True, exist_ok=True)
        for name in names:
            _link(Path(base, name), here / name)
        for name in [name for name in folders if Path(base, name) in as_one]:
            (here / name).symlink_to(Path(base, name).resolve(), target_is_directory=True)
            folders.remove(name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        target.write_bytes(source.read_bytes())
