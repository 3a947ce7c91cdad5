"""The certifications of a home as retention and comparison see them: what each rests on, and its files.

Writing them is ``certification``'s; ``certification.json`` in each folder lists its files with digests and
says which lineages, which certification policy and which scoring it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.own_places import read_regular
from seg3b_assets.store.backend import open_home
from seg3b_assets.store.outputs import is_member_name
from seg3b_assets.store.writing import reported_writes

FOLDER: Final = "certifications"
MANIFEST: Final = "certification.json"
STAGED: Final = ".staged"


@dataclass(frozen=True)
class KeptCertification:
    """One certification.

    Attributes:
        lineages: lineage id by seed.
        policy: SHA-256 of the certification policy's bytes.
        folder: absolute path.
        files: names of its documents.
    """

    certification_id: str
    lineages: Mapping[int, str]
    policy: str
    folder: Path
    files: tuple[str, ...]

    def document(self, name: str) -> Any:
        """A JSON document of it; None when there is none, or when it cannot be read."""
        try:
            if name not in self.files or not have_certification(
                self.folder.parents[1], self.certification_id
            ):
                return None
            return orjson.loads(read_regular(self.folder / name))
        except (OSError, ValueError):
            return None


class Certifications:
    """The certifications of one home.

    Args:
        home: as the store's.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home.absolute() / FOLDER
        self._backend = open_home(home)

    def every(self) -> list[KeptCertification]:
        """Those whose manifest is readable, by id."""
        return self._readable(self._backend.paths(FOLDER))

    def by_age(self) -> list[KeptCertification]:
        """Those whose manifest is readable, the one written last at the end."""
        return self._readable(self._backend.paths_by_age(FOLDER))

    def _readable(self, paths: Iterable[str]) -> list[KeptCertification]:
        places = [path.partition("/") for path in paths]
        ids = [one for one, _, name in places if HEX64.fullmatch(one) and name == MANIFEST]
        found = [self._read(certification_id) for certification_id in ids]
        return [one for one in found if one is not None]

    def _read(self, certification_id: str) -> KeptCertification | None:
        try:
            content = self._backend.read(f"{FOLDER}/{certification_id}/{MANIFEST}")
        except OSError:
            return None
        return _parsed(self._folder / certification_id, content)


def have_certification(home: Path, certification_id: str) -> bool:
    """Have a certification's files in the home's folder; False when it is not kept.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED of a URL; SEALED_INPUT_DIGEST_MISMATCH when what lies there is not what was
            published.
    """
    backend = open_home(home)
    place = f"{FOLDER}/{certification_id}"
    manifest = backend.manifest(place, MANIFEST)
    files = _files(manifest) if manifest is not None else None
    if manifest is None or files is None:
        return False

    def require(folder: Path) -> None:
        for name, digest in files.items():
            if file_digest(folder / name) != digest:
                raise fail(
                    "certification_intact",
                    f"{name} in {backend.place(place)}",
                    "Certify again with --recompute: it is written again.",
                )

    with reported_writes("S5", home, "SEG3B_CACHE"):
        backend.fetch(place, MANIFEST, manifest, dict.fromkeys(files), require)
    return True


def is_file_name(name: str) -> bool:
    """Whether a name is one of a file directly in its folder."""
    return is_member_name(name) and "/" not in name and name != "."


def _files(manifest: bytes) -> dict[str, str] | None:
    """Digest by name of the documents a manifest lists; None for what names a place outside its folder, or is none."""
    try:
        files = {str(name): str(digest) for name, digest in orjson.loads(manifest)["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return files if all(is_file_name(name) for name in files) else None


def _parsed(folder: Path, content: bytes) -> KeptCertification | None:
    try:
        manifest = orjson.loads(content)
        inputs = manifest["inputs"]
        lineages = {int(seed): str(lineage_id) for seed, lineage_id in inputs["lineages"].items()}
        policy = str(inputs["certification_policy"])
        files = tuple(sorted(manifest["files"]))
        if not all(is_file_name(name) for name in files):
            return None  # what names a place outside its folder is no certification
        return KeptCertification(folder.name, lineages, policy, folder, files)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
