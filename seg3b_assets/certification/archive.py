"""Where certifications are kept: ``certifications/{certification_id}/`` of the home, one folder each.

A folder appears whole, by one rename, and is not changed afterwards. ``certification.json`` lists what is in
it with digests; a folder that no longer holds what it lists is set aside and written again.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.store.certifications import FOLDER as CERTIFICATIONS
from seg3b_assets.store.certifications import MANIFEST, have_certification
from seg3b_assets.store.durable import flush_folder, write_durably
from seg3b_assets.store.failures import reported_writes
from seg3b_assets.store.locks import exclusive
from seg3b_assets.store.mirror import remote_of
from seg3b_assets.store.packs import Pack

STATE: Final = "S5"
_STAGED: Final = ".staged"


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
        """Its JSON documents by file name, brought here from the home's URL where it has one."""
        have_certification(self._home, certification_id)
        folder = self.folder(certification_id)
        return {path.name: orjson.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))}

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
                return self._uploaded(target, manifest, files)
            if target.exists():
                self._set_aside(target)
            staged = target.with_name(target.name + _STAGED)
            staged.mkdir(parents=True)
            for name, content in {**files, MANIFEST: manifest}.items():
                write_durably(staged / name, content)
            flush_folder(staged)
            staged.rename(target)
            flush_folder(target.parent)
            return self._uploaded(target, manifest, files)

    def _uploaded(self, target: Path, manifest: bytes, files: Mapping[str, bytes]) -> Path:
        """The certification, published at the home's URL too where it has one."""
        remote = remote_of(self._home)
        if remote is not None:
            pack = Pack(remote, f"{CERTIFICATIONS}/{target.name}", MANIFEST)
            _require_same(target, pack.publish(target, list(files)), manifest)
        return target

    def _sweep(self) -> None:
        """Remove what a writer that died left; the caller holds the lock every writer holds."""
        for left in self._folder.glob(f"*{_STAGED}"):
            shutil.rmtree(left)

    def _set_aside(self, target: Path) -> None:
        quarantine = self._home / "quarantine"
        quarantine.mkdir(parents=True, exist_ok=True)
        target.rename(quarantine / f"certification-{target.name}-{secrets.token_hex(4)}")


def _intact(folder: Path) -> bool:
    try:
        listed = orjson.loads((folder / MANIFEST).read_bytes())["files"]
        return all(sha256_hex((folder / name).read_bytes()) == digest for name, digest in listed.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


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
