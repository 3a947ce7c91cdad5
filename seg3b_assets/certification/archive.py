"""Where certifications are kept: ``certifications/{certification_id}/`` of the home, one folder each.

A folder appears whole, by one rename, and is not changed afterwards. ``certification.json`` lists what is in
it with digests; a folder that no longer holds what it lists is set aside and written again.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.locks import exclusive
from seg3b_assets.own_places import folders_in, fresh_name, make_private, read_regular, write_new
from seg3b_assets.store.backend import open_home
from seg3b_assets.store.certifications import FOLDER as CERTIFICATIONS
from seg3b_assets.store.certifications import MANIFEST, STAGED, have_certification, is_file_name
from seg3b_assets.store.writing import flush_folder, reported_writes

STATE: Final = "S5"


class Archive:
    """The certifications of one home.

    Args:
        home: as the store's; made when first written to.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / CERTIFICATIONS

    def folder(self, certification_id: str) -> Path:
        """Where a certification lies, or would."""
        return self._folder / certification_id

    def holds(self, certification_id: str) -> bool:
        """Whether the certification is there with the bytes it was written with."""
        return have_certification(self._home, certification_id) and _intact(self.folder(certification_id))

    def documents(self, certification_id: str) -> dict[str, Any]:
        """Its JSON documents that are there, by file name; brought here from the home's URL where it has one."""
        have_certification(self._home, certification_id)
        folder = self.folder(certification_id)
        names = [name for name in (*_listed(folder), MANIFEST) if name.endswith(".json")]
        there = [name for name in sorted(names) if os.path.lexists(folder / name)]
        return {name: orjson.loads(read_regular(folder / name)) for name in there}

    def publish(self, certification_id: str, inputs: Mapping[str, Any], files: Mapping[str, bytes]) -> Path:
        """Write a certification; one that is there already must have the same bytes.

        Args:
            inputs: what the id is the digest of. files: bytes by name.

        Raises:
            Seg3BError: NONDETERMINISTIC_OUTPUT when the same id was published with other bytes;
                OUTPUT_WRITE_FAILED.
        """
        target = self.folder(certification_id)
        manifest = canonical_json(
            {
                "certification_id": certification_id,
                "inputs": dict(inputs),
                "files": {name: sha256_hex(content) for name, content in files.items()},
            }
        )
        with reported_writes(STATE, target), exclusive(self._home / "locks" / f"{CERTIFICATIONS}.lock"):
            self._sweep()
            if _intact(target):
                _require_same(target, (target / MANIFEST).read_bytes(), manifest)
                return self._published(target, manifest, files)
            if target.exists():
                self._set_aside(target)
            make_private(target.parent)
            staged = fresh_name(target, STAGED)
            staged.mkdir()
            for name, content in {**files, MANIFEST: manifest}.items():
                write_new(staged / name, content)
            flush_folder(staged)
            staged.rename(target)
            flush_folder(target.parent)
            return self._published(target, manifest, files)

    def _published(self, target: Path, manifest: bytes, files: Mapping[str, bytes]) -> Path:
        """The certification, published for all who share the home."""
        place = f"{CERTIFICATIONS}/{target.name}"
        _require_same(target, open_home(self._home).publish_folder(place, MANIFEST, list(files)), manifest)
        return target

    def _sweep(self) -> None:
        """Remove what a writer that died left; the caller holds the lock every writer holds."""
        for left in folders_in(self._folder):
            if left.name.endswith(STAGED):
                shutil.rmtree(left)

    def _set_aside(self, target: Path) -> None:
        quarantine = self._home / "quarantine"
        make_private(quarantine)
        target.rename(quarantine / f"certification-{target.name}-{secrets.token_hex(4)}")


def _intact(folder: Path) -> bool:
    try:
        return all(
            sha256_hex(read_regular(folder / name)) == digest for name, digest in _listed(folder).items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _listed(folder: Path) -> dict[str, str]:
    """Digest by name of a certification's documents.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError: there is no manifest, or it is none.
    """
    listed: dict[str, str] = orjson.loads(read_regular(folder / MANIFEST))["files"]
    if outside := [name for name in listed if not is_file_name(name)]:
        raise ValueError(f"{outside[0]} is no file of its folder")
    return listed


def _require_same(target: Path, there: bytes, manifest: bytes) -> None:
    if there == manifest:
        return
    published, computed = (orjson.loads(one)["files"] for one in (there, manifest))
    differ = sorted(
        name for name in published.keys() | computed.keys() if published.get(name) != computed.get(name)
    )
    raise Seg3BError(
        STATE,
        "NONDETERMINISTIC_OUTPUT",
        "certification_digest",
        f"{', '.join(differ)} in {target}",
        "The same lineages and policy gave other bytes; the published ones stay. Raise CODE_VERSION of "
        "seg3b_assets.certification if scoring changed; else find what depends on order, clock or machine.",
        {"files": differ},
    )
