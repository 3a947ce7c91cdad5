"""One state's outputs while they are written: invisible until the store publishes them together.

Every output is checked against its contract before its bytes are written, and digested while they are. Bytes
are a function of the values alone: parquet with fixed compression, row groups and one chunk per column; JSON
in its canonical form. Nothing here knows where snapshots live or which one is in force.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import polars as pl

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, indented_json
from seg3b_assets.store.outputs import (
    ContractLookup,
    FileRecord,
    FolderDigest,
    OutputContract,
    OutputRecord,
    folder_digest,
    is_member_name,
    violation_record,
)
from seg3b_assets.store.writing import READ_ONLY, reported_writes

if TYPE_CHECKING:
    from seg3b_assets.laws.identity import RunIdentity

Chunk: TypeAlias = bytes | bytearray | memoryview

PARQUET_LEVEL = 3
PARQUET_ROW_GROUP = 100_000
SHOWN_VIOLATIONS = 20
_VIOLATION_CODES = {
    "edge_catalogue_3B": "EDGE_CATALOGUE_SCHEMA_VIOLATION",
    "edge_catalogue_index_3B": "EDGE_CATALOGUE_SCHEMA_VIOLATION",
}


class Staging:
    """Where a state writes. Methods may be called from several threads, each dataset from one.

    Args:
        folder: an empty folder on the home's file system; it becomes the snapshot.
        state: ``S0`` … ``S5``, for errors.
        identity: fills the path templates.
        contracts: dataset id to contract.
    """

    def __init__(self, folder: Path, state: str, identity: RunIdentity, contracts: ContractLookup) -> None:
        self.folder = folder
        self.state = state
        self._identity = identity
        self._contracts = contracts
        self._lock = threading.Lock()
        self._records: dict[str, OutputRecord] = {}
        self._members: dict[str, dict[str, int]] = {}
        self._hashing = ThreadPoolExecutor(1, "digest")

    def table(self, dataset_id: str, frame: pl.DataFrame, rows_per_part: int | None = None) -> None:
        """Write a table as parquet, its columns put in the contract's order.

        Args:
            frame: the whole table, in the contract's sort order.
            rows_per_part: for ``parquet_parts``: rows per ``part-NNNNN.parquet`` (all in one if None);
            an empty
                table is one part without rows.

        Raises:
            Seg3BError: EDGE_CATALOGUE_SCHEMA_VIOLATION for the edge catalogue and its index,
            OUTPUT_WRITE_FAILED
                for any other table that breaks its contract, and for a disk that cannot be written.
        """
        contract = self._open(dataset_id, {"parquet", "parquet_parts"})
        declared = list(contract.polars_schema)
        if set(declared) == set(frame.columns):
            frame = frame.select(declared)
        self._require(contract, contract.check_frame(frame))
        if contract.format == "parquet":
            content = parquet_bytes(frame)
            digest = self._write(self.path(dataset_id), [content])
            self._record(contract, digest, frame.height, [FileRecord("", len(content))])
            return
        self._parts(contract, frame, rows_per_part)

    def _parts(self, contract: OutputContract, frame: pl.DataFrame, rows_per_part: int | None) -> None:
        size = rows_per_part or max(frame.height, 1)
        folder = FolderDigest()
        files = []
        for number, start in enumerate(range(0, max(frame.height, 1), size)):
            name = f"part-{number:05d}.parquet"
            content = parquet_bytes(frame.slice(start, size))
            hashed = self._hashing.submit(folder.add, name, len(content), [content])
            self._write(self.path(contract.id) / name, [content], digested=False)
            hashed.result()
            files.append(FileRecord(name, len(content)))
        self._record(contract, folder.hexdigest(), frame.height, files)

    def document(self, dataset_id: str, value: Any) -> None:
        """Write a JSON document: canonical, or indented where the contract says ``json_indented``."""
        contract = self._open(dataset_id, {"json", "json_indented"})
        self._require(contract, contract.check_document(value))
        content = indented_json(value) if contract.format == "json_indented" else canonical_json(value)
        self._record(
            contract, self._write(self.path(dataset_id), [content]), None, [FileRecord("", len(content))]
        )

    def lines(self, dataset_id: str, chunks: Iterable[Chunk]) -> None:
        """Write JSON lines as they come, digesting and counting them in the same pass.

        Args:
            chunks: buffers of whole or partial LF-terminated lines of canonical JSON; none for an empty file.
                Line schemas are the audit's concern: the state builds lines from columns it has checked.
        """
        contract = self._open(dataset_id, {"jsonl"})
        counted = _LineCount()
        digest = self._write(self.path(dataset_id), chunks, counted)
        if not counted.ends_with_newline:
            raise ValueError(f"{dataset_id}: the last line has no newline")
        self._record(contract, digest, counted.rows, [FileRecord("", counted.bytes)])

    def blob(self, dataset_id: str, data: Chunk) -> None:
        """Write raw bytes: a binary file, or a flag."""
        contract = self._open(dataset_id, {"binary", "flag", "csv"})
        digest = self._write(self.path(dataset_id), [data])
        self._record(contract, digest, None, [FileRecord("", len(data))])

    def member(self, dataset_id: str, name: str, data: Chunk) -> None:
        """Write one file of a ``directory`` dataset. The dataset is complete when the state ends."""
        contract = self._contracts(dataset_id)
        if contract.format != "directory" or not is_member_name(name):
            raise ValueError(f"{dataset_id} has no member {name!r}")
        with self._lock:
            members = self._members.setdefault(dataset_id, {})
            if name in members:
                raise ValueError(f"{dataset_id}: {name} was written before")
            members[name] = len(data)
        self._write(self.path(dataset_id) / name, [data], digested=False)

    def path(self, dataset_id: str) -> Path:
        """Where the dataset is, or will be, while staged."""
        return self.folder / self._relative(self._contracts(dataset_id))

    @property
    def outputs(self) -> dict[str, OutputRecord]:
        """What has been written, by dataset id; folder datasets as far as their members go."""
        with self._lock:
            members = {dataset_id: dict(sizes) for dataset_id, sizes in self._members.items()}
            records = dict(self._records)
        for dataset_id, sizes in members.items():
            files = tuple(FileRecord(name, sizes[name]) for name in sorted(sizes, key=str.encode))
            path = self._relative(self._contracts(dataset_id))
            digest = folder_digest(self.folder / path, list(sizes))
            records[dataset_id] = OutputRecord(dataset_id, path, digest, sum(sizes.values()), None, files)
        return records

    def finish(self) -> dict[str, OutputRecord]:
        """Make the files read-only and say what they are; the store calls it before publishing.

        Outputs are not flushed to disk: waiting for hundreds of megabytes costs seconds on a busy disk, and
        one that a power cut shortened is found by its size and computed again.
        """
        records = self.outputs
        with reported_writes(self.state, self.folder):
            for record in records.values():
                for location in record.locations(self.folder):
                    location.chmod(READ_ONLY)
        self.close()
        return records

    def close(self) -> None:
        """End the digesting thread; idempotent."""
        self._hashing.shutdown()

    def _relative(self, contract: OutputContract) -> str:
        return contract.relative_path(self._identity).rstrip("/")

    def _open(self, dataset_id: str, formats: set[str]) -> OutputContract:
        contract = self._contracts(dataset_id)
        if contract.format not in formats:
            raise ValueError(f"{dataset_id} is {contract.format}, not one of {sorted(formats)}")
        if dataset_id in self._records:
            raise ValueError(f"{dataset_id} was written before")
        return contract

    def _record(
        self, contract: OutputContract, digest: str, rows: int | None, files: list[FileRecord]
    ) -> None:
        total = sum(file.bytes for file in files)
        record = OutputRecord(contract.id, self._relative(contract), digest, total, rows, tuple(files))
        with self._lock:
            self._records[contract.id] = record

    def _require(self, contract: OutputContract, violations: Any) -> None:
        if not violations:
            return
        raise Seg3BError(
            state=self.state,
            name=_VIOLATION_CODES.get(contract.id, "OUTPUT_WRITE_FAILED"),
            validator="output_contract",
            place=contract.id,
            remedy=f"The state computed rows its contract forbids; correct {self.state}, or the contract, "
            "and raise the state's code version. Nothing was published.",
            detail={"violations": [violation_record(v) for v in violations][:SHOWN_VIOLATIONS]},
        )

    def _write(
        self, target: Path, chunks: Iterable[Chunk], count: _LineCount | None = None, digested: bool = True
    ) -> str:
        digest = hashlib.sha256()
        hashed: Future[None] | None = None
        with reported_writes(self.state, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle = target.open("xb")
        with handle:
            for chunk in chunks:
                view = memoryview(chunk).cast("B")
                if hashed:
                    hashed.result()  # one buffer in flight bounds the memory and keeps the order
                if digested:
                    hashed = self._hashing.submit(digest.update, view)
                if count:
                    count.add(view)
                with reported_writes(self.state, target):
                    handle.write(view)
            with reported_writes(self.state, target):
                handle.flush()
        if hashed:
            hashed.result()
        return digest.hexdigest()


class _LineCount:
    """Lines and bytes seen so far."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0
        self.ends_with_newline = True

    def add(self, view: memoryview) -> None:
        if not len(view):
            return
        self.rows += int(np.count_nonzero(np.frombuffer(view, np.uint8) == ord("\n")))
        self.bytes += len(view)
        self.ends_with_newline = view[-1] == ord("\n")


def parquet_bytes(frame: pl.DataFrame) -> memoryview:
    """A frame as zstd parquet whose bytes depend on schema and values only, not on how the frame was
    chunked.
    """
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(
        buffer,
        compression="zstd",
        compression_level=PARQUET_LEVEL,
        statistics=True,
        row_group_size=PARQUET_ROW_GROUP,
    )
    return buffer.getbuffer()
