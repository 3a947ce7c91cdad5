"""The certifications of a home as retention and comparison see them: what each rests on, and its files.

Writing them is ``certification``'s; ``certification.json`` in each folder lists its files with digests and
says which lineages, which certification policy and which scoring it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.identity import HEX64

FOLDER: Final = "certifications"
MANIFEST: Final = "certification.json"


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
            return orjson.loads((self.folder / name).read_bytes()) if name in self.files else None
        except (OSError, ValueError):
            return None


class Certifications:
    """The certifications of one home.

    Args:
        home: as the store's.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def every(self) -> list[KeptCertification]:
        """Those whose manifest is readable, by id."""
        folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        found = [_read(folder) for folder in folders if HEX64.fullmatch(folder.name)]
        return [one for one in found if one is not None]


def _read(folder: Path) -> KeptCertification | None:
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        inputs = manifest["inputs"]
        lineages = {int(seed): str(lineage_id) for seed, lineage_id in inputs["lineages"].items()}
        policy = str(inputs["certification_policy"])
        return KeptCertification(folder.name, lineages, policy, folder, tuple(sorted(manifest["files"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
