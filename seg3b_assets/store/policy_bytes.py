"""The bytes of policies, kept by digest: ``policies/{sha256}.yaml``, so that a lineage's policies stay readable
after the folder they came from has moved on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.store.durable import replace_file
from seg3b_assets.store.failures import reported_writes
from seg3b_assets.store.locks import exclusive

FOLDER: Final = "policies"


class PolicyBytes:
    """The kept policies of one home.

    Args:
        home: as the store's; made when first written to.
    """

    def __init__(self, home: Path) -> None:
        self._home = home

    def keep(self, contents: Iterable[bytes]) -> None:
        """Keep these bytes; what is kept already is not written again.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED.
        """
        missing = {digest: content for content in contents if not self._holds(digest := sha256_hex(content))}
        if not missing:
            return
        folder = self._home / FOLDER
        with reported_writes("S0", folder), exclusive(self._home / "locks" / f"{FOLDER}.lock"):
            for digest, content in missing.items():
                replace_file(self._path(digest), content)

    def read(self, digest: str) -> bytes:
        """The bytes with this SHA-256.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when they are not kept, or are no longer those bytes.
        """
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _lost(path, error.strerror or str(error)) from error
        if sha256_hex(content) != digest:
            raise _lost(path, "the bytes have another digest than their name")
        return content

    def _holds(self, digest: str) -> bool:
        try:
            return sha256_hex(self._path(digest).read_bytes()) == digest
        except OSError:
            return False

    def _path(self, digest: str) -> Path:
        return self._home / FOLDER / f"{digest}.yaml"


def _lost(path: Path, reason: str) -> Seg3BError:
    return Seg3BError(
        state="S0",
        name="INPUT_OPEN_FAILED",
        validator="policy_kept",
        place=str(path),
        remedy="Run a seed under those policies again; its record keeps their bytes.",
        detail={"reason": reason},
    )
