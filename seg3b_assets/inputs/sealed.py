"""The upstream bytes a run may read, and nothing else (law section 2: nothing unsealed is read).

A state asks for an input by logical id and gets it only if S0 sealed it and its bytes are still those S0 saw.
Tables are checked against their contract on the way in. Which inputs exist, and where, is S0's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seg3b_assets.contracts import DatasetContract, Violation, contract
from seg3b_assets.inputs.tables import place_of_row, read_table
from seg3b_assets.laws.errors import Seg3BError, fail

if TYPE_CHECKING:
    import polars as pl

    from seg3b_assets.store.digest_cache import DigestCache

CodeOf = Callable[[Violation], str]
_STRUCTURAL = frozenset({"missing_column", "unknown_column", "dtype", "null"})


@dataclass(frozen=True)
class SealedInput:
    """One sealed artefact: its row in ``sealed_inputs_3B`` and where it lies on this machine."""

    row: Mapping[str, Any]
    location: Path

    @property
    def sha256_hex(self) -> str:
        return str(self.row["sha256_hex"])


@dataclass(frozen=True)
class SealedInputs:
    """What S0 sealed.

    Attributes:
        entries: by the segment's own id, whatever the row calls the input.
        rows: the array of ``sealed_inputs_3B``, in its order.
        receipt: the document ``s0_gate_receipt_3B``.
        digests: re-reads an input's digest at every opening.
    """

    entries: Mapping[str, SealedInput]
    rows: Sequence[Mapping[str, Any]]
    receipt: Mapping[str, Any]
    digests: DigestCache

    def has(self, logical_id: str) -> bool:
        """Whether the input was sealed; optional inputs may not have been."""
        return logical_id in self.entries

    def digest(self, logical_id: str, state: str = "S0") -> str:
        """The digest in force: what S0 sealed, without opening anything."""
        return self._entry(logical_id, state).sha256_hex

    def path(self, logical_id: str, state: str) -> Path:
        """Where the input lies: a file, or the folder of a directory dataset.

        Raises:
            Seg3BError: ``REQUIRED_INPUT_NOT_SEALED``, ``INPUT_OPEN_FAILED`` (it is gone),
                ``SEALED_INPUT_DIGEST_MISMATCH`` (its bytes changed after S0 sealed them).
        """
        entry = self._entry(logical_id, state)
        try:
            found = digest_of(entry.location, self.digests)
        except OSError as error:
            raise open_failed(
                state, logical_id, Path(error.filename or entry.location), error.strerror
            ) from error
        if found != entry.sha256_hex:
            raise fail(
                "sealed_digest",
                str(entry.location),
                "Leave the input alone while a run reads it, then run again from S0 to seal its new bytes.",
                in_state=state,
                logical_id=logical_id,
                expected=entry.sha256_hex,
                found=found,
            )
        return entry.location

    def version(self, logical_id: str, state: str = "S0") -> str:
        """The ``{version}`` or ``{vintage}`` folder the input was found in; empty for one without."""
        return version_folder(contract(logical_id).path, str(self._entry(logical_id, state).row["path"]))

    def table(
        self,
        logical_id: str,
        state: str,
        columns: Sequence[str] | None = None,
        code_of: CodeOf | None = None,
    ) -> pl.DataFrame:
        """A sealed table, checked against its contract and cast to its dtypes.

        Args:
            logical_id: a tabular input, one file or a folder of part files.
            state: who reads it; its name is in the code of any error.
            columns: keep these, in this order; every declared column present otherwise.
            code_of: names the error of a violation about values; ``INPUT_SCHEMA_MISMATCH`` by default, and
                always for a missing or unknown column, a wrong type or a null.

        Raises:
            Seg3BError: what ``path`` raises; ``INPUT_OPEN_FAILED`` for bytes that cannot be read (a truncated
                parquet); ``INPUT_SCHEMA_MISMATCH`` or what ``code_of`` says.
        """
        declared = contract(logical_id)
        frame, errors = self._checked(logical_id, state, code_of)
        for error in errors:
            raise error
        conformed = declared.conform(frame)
        return conformed if columns is None else conformed.select(columns)

    def table_errors(self, logical_id: str, state: str, code_of: CodeOf | None = None) -> list[Seg3BError]:
        """Everything for which ``table`` would refuse a table, the first being the one it raises."""
        try:
            return list(self._checked(logical_id, state, code_of)[1])
        except Seg3BError as error:
            return [error]

    def _checked(
        self, logical_id: str, state: str, code_of: CodeOf | None
    ) -> tuple[pl.DataFrame, Iterator[Seg3BError]]:
        """The rows as read, and what of them breaks the contract: structure first."""
        location, declared = self.path(logical_id, state), contract(logical_id)
        frame = read_table(declared, location, state)
        violations = sorted(declared.check_frame(frame), key=lambda found: found.rule not in _STRUCTURAL)
        return frame, (_table_error(state, declared, location, one, code_of) for one in violations)

    def _entry(self, logical_id: str, state: str) -> SealedInput:
        entry = self.entries.get(logical_id)
        if entry is None:
            raise fail(
                "sealed_input",
                logical_id,
                "Give the upstream root this input and run from S0: a state reads only what S0 sealed.",
                in_state=state,
                logical_id=logical_id,
                sealed=sorted(self.entries),
            )
        return entry


def version_folder(template: str, path: str) -> str:
    """The folder of ``path`` where the contract's template has ``{version}`` or ``{vintage}``; empty without one."""
    parts = template.split("/")
    at = [place for place, part in enumerate(parts) if part in ("{version}", "{vintage}")]
    return path.split("/")[at[0]] if at else ""


def digest_of(location: Path, digests: DigestCache) -> str:
    """Digest of a dataset on disk, by file or folder law."""
    return digests.directory(location) if location.is_dir() else digests.file(location)


def open_failed(state: str, logical_id: str, location: Path, reason: str | None) -> Seg3BError:
    """The error of an input whose bytes cannot be had or decoded."""
    return fail(
        "input_readable",
        str(location),
        "Restore the file: it is missing, unreadable or cut short.",
        in_state=state,
        logical_id=logical_id,
        reason=reason,
    )


def _table_error(
    state: str, declared: DatasetContract, location: Path, first: Violation, code_of: CodeOf | None
) -> Seg3BError:
    structural = first.rule in _STRUCTURAL or code_of is None
    place, facts = str(location), {"example": first.example}
    if isinstance(first.example, dict) and "row" in first.example:
        place, facts = place_of_row(declared, location, int(first.example["row"]))
        facts = {"example": {**facts, "value": first.example["value"]}}
    return Seg3BError(
        state,
        "INPUT_SCHEMA_MISMATCH" if structural or code_of is None else code_of(first),
        first.rule,
        f"{declared.id}.{first.column} in {place}",
        f"Correct {declared.id} upstream to fit its contract, or run on another upstream root.",
        {
            "logical_id": declared.id,
            "column": first.column,
            "rule": first.rule,
            "rows": first.count,
            "expected": first.expected,
            **facts,
        },
    )
