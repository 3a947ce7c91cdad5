"""What a state may read of earlier states: the datasets of the lineage being run, checked as they are read.

Paths resolve to the snapshots the pipeline chose, never to the heads: a run reads its own lineage even while
another moves the heads. Upstream inputs are not here; see ``inputs.sealed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from seg3b_assets.contracts.generation import foreign_release, written_before
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.store.outputs import ContractLookup, OutputContract, OutputRecord, violation_record
from seg3b_assets.store.snapshots import Snapshot

_SHOWN_VIOLATIONS = 20


class Published:
    """Datasets by id over a lineage's snapshots.

    Args:
        reader: the state that reads, for errors.
        snapshots: of the states before it.
        contracts: dataset id to contract.
    """

    def __init__(self, reader: str, snapshots: Iterable[Snapshot], contracts: ContractLookup) -> None:
        self._reader = reader
        self._contracts = contracts
        self._owner = {dataset_id: snapshot for snapshot in snapshots for dataset_id in snapshot.outputs}

    @property
    def dataset_ids(self) -> tuple[str, ...]:
        """Every dataset of the lineage so far, in id order."""
        return tuple(sorted(self._owner))

    def has(self, dataset_id: str) -> bool:
        return dataset_id in self._owner

    def record(self, dataset_id: str) -> OutputRecord:
        """Path, digest, size and rows as published."""
        return self._snapshot(dataset_id).outputs[dataset_id]

    def digest(self, dataset_id: str) -> str:
        """hex64 of the dataset's bytes as published."""
        return self.record(dataset_id).digest

    def code_version(self, dataset_id: str) -> str:
        """Code version of the state that wrote the dataset."""
        return self._snapshot(dataset_id).inputs.code_version

    def path(self, dataset_id: str) -> Path:
        """Absolute path, a file or a folder."""
        return self._snapshot(dataset_id).path(dataset_id)

    def files(self, dataset_id: str) -> list[Path]:
        """Absolute paths of the dataset's files, in name order."""
        return self.record(dataset_id).locations(self._snapshot(dataset_id).root)

    def table(self, dataset_id: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A published table in the contract's row order.

        Args:
            columns: only these. Then names and dtypes are checked; without it every rule of the contract is.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when it cannot be read, INPUT_SCHEMA_MISMATCH when it breaks
            its contract.
        """
        contract = self._contracts(dataset_id)
        files = self.files(dataset_id)
        try:
            for file in files:
                with file.open("rb") as handle:  # by path, polars would take * and [ for a pattern
                    self._require_columns(contract, pl.read_parquet_schema(handle), file)
            frame = pl.read_parquet(files, columns=list(columns) if columns is not None else None, glob=False)
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise self._unreadable(dataset_id, error) from error
        if columns is None:
            self._require(contract, contract.check_frame(frame))
        return frame

    def document(self, dataset_id: str) -> Any:
        """A published JSON document.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when it cannot be read, INPUT_SCHEMA_MISMATCH when it breaks
            its contract.
        """
        try:
            value = orjson.loads(self.path(dataset_id).read_bytes())
        except (OSError, ValueError) as error:
            raise self._unreadable(dataset_id, error) from error
        contract = self._contracts(dataset_id)
        self._require(contract, contract.check_document(value))
        return value

    def _snapshot(self, dataset_id: str) -> Snapshot:
        if dataset_id not in self._owner:
            raise fail(
                "published_dataset",
                dataset_id,
                f"{self._reader} reads what no earlier state of this run published; declare it there.",
                in_state=self._reader,
                published=list(self.dataset_ids),
            )
        return self._owner[dataset_id]

    def _require_columns(self, contract: OutputContract, schema: Any, file: Path) -> None:
        declared = dict(contract.polars_schema)
        if dict(schema) != declared:
            differs = {
                name: {"expected": str(declared.get(name)), "found": str(schema.get(name))}
                for name in {**declared, **dict(schema)}
                if declared.get(name) != schema.get(name)
            }
            raise self._mismatch(contract.id, str(file), {"columns": differs})

    def _require(self, contract: OutputContract, violations: Sequence[Any]) -> None:
        if violations:
            facts = [violation_record(violation) for violation in violations][:_SHOWN_VIOLATIONS]
            raise self._mismatch(contract.id, str(self.path(contract.id)), {"violations": facts})

    def _mismatch(self, dataset_id: str, place: str, detail: dict[str, Any]) -> Seg3BError:
        snapshot = self._snapshot(dataset_id)
        if foreign_release(snapshot.inputs.code_version) is not None:
            return written_before(snapshot.inputs.state, snapshot.inputs.code_version, place)
        return fail(
            "published_contract",
            place,
            f"{dataset_id} is not what its contract says: it was altered after it was published. "
            "Run the seed with --recompute.",
            in_state=self._reader,
            dataset_id=dataset_id,
            **detail,
        )

    def _unreadable(self, dataset_id: str, error: Exception) -> Seg3BError:
        return fail(
            "published_readable",
            str(self.path(dataset_id)),
            f"{dataset_id} cannot be read: it was altered after it was published. "
            "Run the seed with --recompute.",
            in_state=self._reader,
            dataset_id=dataset_id,
            reason=str(error),
        )
