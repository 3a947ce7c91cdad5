"""The bytes of policies, kept by digest: ``policies/{sha256}.yaml``, so that a lineage's policies stay readable
after the folder they came from has moved on.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.store.documents import Documents
from seg3b_assets.store.failures import reported_writes

FOLDER: Final = "policies"


class PolicyBytes:
    """The kept policies of one home.

    Args:
        home: as the store's; made when first written to.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._documents = Documents(home)

    def keep(self, contents: Iterable[bytes]) -> None:
        """Keep these bytes; what is kept already is not written again.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED.
        """
        missing = {digest: content for content in contents if not self._holds(digest := sha256_hex(content))}
        if not missing:
            return
        with reported_writes("S0", self._home / FOLDER):
            for digest, content in missing.items():
                self._documents.put(_path(digest), content, FOLDER)

    def read(self, digest: str) -> bytes:
        """The bytes with this SHA-256.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when they are not kept, or are no longer those bytes.
        """
        place = self._documents.place(_path(digest))
        try:
            content = self._documents.read(_path(digest))
        except OSError as error:
            raise _lost(place, error.strerror or "it is not there") from error
        if sha256_hex(content) != digest:
            raise _lost(place, "the bytes have another digest than their name")
        return content

    def _holds(self, digest: str) -> bool:
        try:
            return sha256_hex(self._documents.read(_path(digest))) == digest
        except OSError:
            return False


def _path(digest: str) -> str:
    return f"{FOLDER}/{digest}.yaml"


def _lost(place: str, reason: str) -> Seg3BError:
    return Seg3BError(
        state="S0",
        name="INPUT_OPEN_FAILED",
        validator="policy_kept",
        place=place,
        remedy="Run a seed under those policies again; its record keeps their bytes.",
        detail={"reason": reason},
    )
