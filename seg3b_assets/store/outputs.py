"""What an output is on disk: its files, their sizes, its digest (law section 0), and how to read that back.

A dataset of one file has the file's SHA-256. A dataset of several files (part files, the members of a
bundle) has the directory law's digest over the files that belong to it: SHA-256 over UER(name) ‖ LE64
size ‖ bytes, in name order. A file another dataset owns (the flag inside the bundle's folder) is not
counted.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import polars as pl

from seg3b_assets.laws.hashing import file_digest, le64, uer

_CHUNK = 1 << 20


class OutputContract(Protocol):
    """What the store needs of a dataset's contract (``seg3b_assets.contracts.DatasetContract`` has it)."""

    @property
    def id(self) -> str: ...

    @property
    def format(self) -> str: ...

    @property
    def polars_schema(self) -> dict[str, Any]: ...

    def relative_path(self, identity: Any) -> str: ...

    def check_frame(self, frame: pl.DataFrame) -> Sequence[Any]: ...

    def check_document(self, value: Any) -> Sequence[Any]: ...


ContractLookup = Callable[[str], OutputContract]


@dataclass(frozen=True)
class FileRecord:
    """One file of an output: name relative to the dataset's path (empty for a one-file dataset), and
    its size.
    """

    name: str
    bytes: int


@dataclass(frozen=True)
class OutputRecord:
    """One dataset of a snapshot.

    Attributes:
        dataset_id: id in the dictionary.
        path: POSIX path below the snapshot, a file or a folder, as the contract's template gives it.
        digest: hex64 of the bytes.
        bytes: total size.
        rows: rows of a table or lines of a JSONL file; None for other formats.
        files: every file of it.
    """

    dataset_id: str
    path: str
    digest: str
    bytes: int
    rows: int | None
    files: tuple[FileRecord, ...]

    def locations(self, root: Path) -> list[Path]:
        """Absolute paths of the files, in name order."""
        return [root / self.path / file.name if file.name else root / self.path for file in self.files]

    def as_json(self) -> dict[str, Any]:
        files = [{"name": file.name, "bytes": file.bytes} for file in self.files]
        return {
            "path": self.path,
            "digest": self.digest,
            "bytes": self.bytes,
            "rows": self.rows,
            "files": files,
        }

    @classmethod
    def from_json(cls, dataset_id: str, value: dict[str, Any]) -> OutputRecord:
        files = tuple(FileRecord(file["name"], file["bytes"]) for file in value["files"])
        if outside := [
            name for name in (value["path"], *(one.name or "x" for one in files)) if not is_member_name(name)
        ]:
            raise ValueError(f"{outside[0]!r} is no path below a snapshot")
        return cls(dataset_id, value["path"], value["digest"], value["bytes"], value["rows"], files)


class FolderDigest:
    """The directory law, fed file by file in name order while the files are written."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._last = b""

    def add(self, name: str, size: int, chunks: Iterable[bytes | memoryview]) -> None:
        """Count one file; ``name`` must come after the one before it in byte order of UTF-8."""
        if name.encode() <= self._last:
            raise ValueError(f"{name} is out of order")
        self._last = name.encode()
        self._digest.update(uer(name))
        self._digest.update(le64(size))
        for chunk in chunks:
            self._digest.update(chunk)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def digest_on_disk(record: OutputRecord, root: Path) -> str:
    """The digest of an output's bytes as they are on disk now. Raises OSError when a file is missing."""
    if len(record.files) == 1 and not record.files[0].name:
        return file_digest(root / record.path)
    return folder_digest(root / record.path, [file.name for file in record.files])


def folder_digest(folder: Path, names: Sequence[str]) -> str:
    """The directory law over the named files of ``folder``."""
    digest = FolderDigest()
    for name in sorted(names, key=str.encode):
        path = folder / name
        digest.add(name, path.stat().st_size, _chunks(path))
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            yield chunk


def sizes_match(record: OutputRecord, root: Path) -> str | None:
    """None if every file is there, is one and has its recorded size, else the first path that is not."""
    for file, location in zip(record.files, record.locations(root), strict=True):
        try:
            found = os.lstat(location)
        except OSError:
            return str(location)
        if found.st_size != file.bytes or not stat.S_ISREG(found.st_mode):
            return str(location)
    return None


def is_member_name(name: str) -> bool:
    """Whether ``name`` may be a file of a folder dataset: printable ASCII, relative, no ``..``, no backslash or
    colon.
    """
    path = PurePosixPath(name)
    clean = name.isascii() and name.isprintable() and not path.is_absolute() and ".." not in path.parts
    return bool(name) and clean and "\\" not in name and ":" not in name and str(path) == name


def violation_record(violation: Any) -> Any:
    """A contract's violation as JSON-serialisable facts."""
    if is_dataclass(violation) and not isinstance(violation, type):
        return asdict(violation)
    return str(violation)
