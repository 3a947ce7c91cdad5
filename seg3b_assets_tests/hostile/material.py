"""What is mutated: a finished run's tree, the upstream root it was made of, and its policies; and copies to spoil.

The root has everything that a root may have: timetables and policies of other segments, and a CSV of coordinates,
beside what a run needs. A copy is made by hard links, once for each process; after each trial the files that were
replaced are linked again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import LAYER_POLICIES, by_own_id
from seg3b_assets.laws.hashing import canonical_json, path_digest
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
from seg3b_assets.states.s0_gate.bundles import INDEX_NAME, SEGMENTS, bundle_digest, index_members
from seg3b_assets.states.s0_gate.upstream import locate, read_receipt
from seg3b_assets_tests.faults.edited_tree import BUNDLE, EVIDENCE, Tree
from seg3b_assets_tests.faults.exporting import export_heads
from seg3b_assets_tests.faults.specimen import SEED, Specimen, small_policies
from seg3b_assets_tests.states.miniature_upstream import Root, write_bundle

_LAYER: Final[Mapping[str, bytes]] = {
    "alias_layout": b'{"quantised_bits": 24, "alignment_bytes": 8, "record_layout": {"prob_qbits": 32}}',
    "route_rng": b'{"algorithm": "philox2x64-10", "substreams": [{"id": "virtual_edge", "label": "cdn_edge_pick"}]}',
    "tz_nudge": b'semver: "1.3.0"\nepsilon_degrees: 0.001\n',
    "tz_overrides": b"- &one {scope: country, target: RS, tzid: Europe/Belgrade}\n- {<<: *one, target: ME}\n",
}


@dataclass(frozen=True)
class Material:
    """What lies on disk, to be mutated in copies.

    Attributes:
        tree: an exported run. upstream: the root it was made of. policies: those it was made under.
        folder: that it all lies in.
    """

    tree: Path
    upstream: Path
    policies: Path
    folder: Path

    @classmethod
    def of(cls, specimen: Specimen) -> Material:
        return cls(specimen.tree, specimen.upstream, specimen.policies, specimen.folder)

    def copies(self, folder: Path, by: Callable[[str, str], object]) -> Material:
        """Copies below a folder, file by file as ``by`` makes them."""
        found = replace(
            self, tree=folder / "tree", upstream=folder / "root", policies=folder / "policies", folder=folder
        )
        for source, target in zip(self._roots(), found._roots(), strict=True):
            shutil.copytree(source, target, copy_function=by)
        return found

    def restore(self, original: Material) -> None:
        """Make the copies what they were."""
        for copy, source in zip(self._roots(), original._roots(), strict=True):
            sound, there = _files(source), _files(copy)
            for relative in there.keys() - sound.keys():
                (copy / relative).unlink()
            for relative in (name for name, inode in sound.items() if there.get(name) != inode):
                (copy / relative).unlink(missing_ok=True)
                (copy / relative).parent.mkdir(parents=True, exist_ok=True)
                link(source / relative, copy / relative)

    def _roots(self) -> tuple[Path, Path, Path]:
        return self.tree, self.upstream, self.policies

    def path(self, file: str) -> Path:
        """Where a file lies that is named below ``tree/``, ``root/`` or ``policies/``."""
        of, _, relative = file.partition("/")
        return dict(zip(("tree", "root", "policies"), self._roots(), strict=True))[of] / relative

    def settings(self, home: Path) -> Settings:
        """Settings of a run of the root under the policies, in a home."""
        return Settings.from_environment(
            home=home,
            policies=self.policies,
            cache=self.folder / "cache",
            workers=1,
            promote=True,
            upstream=self.upstream,
        )


def make_material(folder: Path) -> Material:
    """A small world with all that a root may have, a run of it, and the run's export."""
    specimen = Specimen(folder / "tree", folder)
    material = replace(Material.of(specimen), upstream=specimen.copy_of_world(folder / "root"))
    small_policies(material.policies)
    _enrich(material.upstream)
    settings = material.settings(folder / "home")
    SeedRun(settings, SEED).run()
    export_heads(settings, material.tree)
    return material


def _files(root: Path) -> dict[str, int]:
    """Inodes of what lies below a folder and is none, by path; a hundred folders are listed some thousand times."""
    found, waiting = {}, [str(root)]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                found[entry.path[len(str(root)) + 1 :]] = entry.inode()
    return found


def link(source: str | Path, target: str | Path) -> None:
    """A copy of a file that shares its bytes; of a link's, what it leads to."""
    os.link(Path(source).resolve(), target)


def _enrich(root: Path) -> None:
    world = read_receipt(root)
    for policy_id in LAYER_POLICIES:
        put(root / by_own_id()[policy_id].path, _LAYER[policy_id])
    manifest = {
        "manifest_fingerprint": world.manifest_fingerprint,
        "tzdb_release_tag": "2021a",
        "tzdb_archive_sha256": "a" * 64,
        "tz_index_digest": "b" * 64,
        "rle_cache_bytes": 2,
        "created_utc": world.created_utc,
    }
    folder = root / contract("tz_timetable_cache").path.format(**vars(world))
    put(folder / "tz_timetable_cache.json", canonical_json(manifest))
    put(folder / "tz_cache_v1.bin", b"\x00\x01")
    put(root / contract("virtual_settlement_coords").path, _coordinates(root, world))


def _coordinates(root: Path, world: WorldIdentity) -> bytes:
    """Every merchant in a town of its own country."""
    merchants = _table(root, world, "transaction_schema_merchant_ids")
    places = _table(root, world, "settlement_gazetteer").unique("country_iso", maintain_order=True)
    rows = merchants.join(places, left_on="home_country_iso", right_on="country_iso", maintain_order="left")
    return (
        rows.select(
            "merchant_id",
            "lat_deg",
            "lon_deg",
            evidence_url=pl.lit("https://example.org/where"),
            coord_source=pl.lit("a register, seen in 2024"),
            tzid_settlement="tzid",
            notes=pl.lit(None, pl.String),
        )
        .write_csv()
        .encode()
    )


def _table(root: Path, world: WorldIdentity, own_id: str) -> pl.DataFrame:
    place = locate(contract(own_id), root, world)
    assert place is not None
    return pl.read_parquet(sorted(place.glob("*.parquet"))[0] if place.is_dir() else place)


def put(path: Path, data: bytes) -> None:
    """Other bytes for a file; what it shares by link stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def sign_root(root: Path, world: WorldIdentity, spoilt: Path) -> None:
    """Make every bundle of a root vouch for what lies there now, the spoilt file being left as it is."""
    for segment in SEGMENTS:
        folder = Root(root, world).bundle(segment)
        names = sorted(path.name for path in folder.glob("*.json") if path.name != INDEX_NAME)
        members = {name: (folder / name).read_bytes() for name in names}
        certified = f"certified_datasets_{segment}.json"
        if spoilt.name != certified:
            members[certified] = _certified(root, world, members[certified], spoilt)
        flag = (folder / "_passed.flag").read_bytes()
        if spoilt == folder / INDEX_NAME:
            with contextlib.suppress(Exception):  # an index that is none has no flag
                listed = index_members(segment, orjson.loads(spoilt.read_bytes()))
                put(
                    folder / "_passed.flag",
                    f"sha256_hex = {bundle_digest(segment, folder, listed)}\n".encode(),
                )
        elif any(members[name] != (folder / name).read_bytes() for name in names) or spoilt.parent == folder:
            for path in folder.iterdir():
                path.unlink()
            write_bundle(Root(root, world), segment, members)
            if spoilt.name == "_passed.flag":
                put(spoilt, flag)


def _certified(root: Path, world: WorldIdentity, member: bytes, spoilt: Path) -> bytes:
    document: dict[str, Any] = orjson.loads(member)
    for name in document["datasets"]:
        place = locate(contract(name), root, world)
        if place is not None and (place == spoilt or place in spoilt.parents):
            document["datasets"][name] = path_digest(place)
    return canonical_json(document)


def sign_tree(root: Path, spoilt: Path) -> None:
    """Make every digest of a tree agree with its bytes, the spoilt file being left as it is."""
    with contextlib.suppress(Exception):  # as far as it goes: what is spoilt may not be read
        tree = Tree(root)
        tree.touched.add(spoilt.name)
        for dataset_id in (*EVIDENCE, BUNDLE):
            place = tree.path(dataset_id)
            if dataset_id != BUNDLE and (place == spoilt or place in spoilt.parents):
                tree.touched.add(dataset_id)
        tree.reseal()
