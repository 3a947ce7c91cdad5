"""Files copied and digested in one pass, several at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seg3b_assets.laws.plain_files import open_plain

_CHUNK: Final = 1 << 20
_AT_ONCE: Final = 2


@dataclass(frozen=True)
class Copied:
    """What a copied file is: its size and hex SHA-256."""

    bytes: int
    sha256: str


def copy_files(files: Mapping[str, Path], folder: Path) -> dict[str, Copied]:
    """Copy each file to its POSIX path below ``folder``. Raises OSError."""

    def copy(entry: tuple[str, Path]) -> tuple[str, Copied]:
        path, source = entry
        return path, _copy(source, folder / path)

    with ThreadPoolExecutor(_AT_ONCE) as pool:  # hashing and copying leave the interpreter lock
        return dict(pool.map(copy, files.items()))


def _copy(source: Path, target: Path) -> Copied:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with open_plain(source) as read, target.open("xb") as write:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            write.write(chunk)
            size += len(chunk)
    return Copied(size, digest.hexdigest())
