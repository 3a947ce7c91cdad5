"""Reading an upstream table from disk: parquet, folders of it, CSV. Contracts are checked elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from seg3b_assets.contracts.geotables import declared_geometry
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import count_rows, read_frame
from seg3b_assets.inputs.csv_text import line_of, read_csv
from seg3b_assets.laws.errors import Seg3BError, fail

if TYPE_CHECKING:
    from seg3b_assets.contracts import DatasetContract


def read_table(declared: DatasetContract, location: Path, state: str) -> pl.DataFrame:
    """All rows, in file order.

    Args:
        declared: the table's contract; it tells CSV text's types.
        location: a file, or a folder whose files, as the contract names them, are read in path order.
        state: who reads, for the error's code.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` for bytes that cannot be read; ``INPUT_SCHEMA_MISMATCH`` for part
            files of different columns, or text that is not of its column's type.
    """
    if declared.format == "csv":
        return read_csv(declared, location, state)
    files = table_files(declared, location)
    if not files:
        raise _unreadable(declared, location, state, "no file of it is there")
    if len(files) == 1:
        return _part(declared, files[0], state)
    parts = [_part(declared, file, state) for file in files]
    for file, part in zip(files, parts, strict=True):
        _require_alike(declared, (files[0], parts[0]), (file, part), state)
    return pl.concat([part.select(parts[0].columns) for part in parts])


def table_files(declared: DatasetContract, location: Path) -> list[Path]:
    """The files of a table in the order they are read."""
    return sorted(location.glob(declared.files)) if location.is_dir() else [location]


def place_of_row(declared: DatasetContract, location: Path, row: int) -> tuple[str, dict[str, Any]]:
    """Where a row of a table that could be read is, for a person.

    Args:
        row: from 0, over all files.

    Returns:
        The file with the row's number in it, or the line of a CSV as an editor counts it; and the same as facts.
    """
    if declared.format == "csv":
        line = line_of(location, row)
        return f"{location}, line {line}", {"file": location.name, "line": line}
    for file in table_files(declared, location):
        rows = count_rows(file)
        if row < rows:
            return f"{file}, row {row + 1} of {rows}", {"file": file.name, "row_number": row + 1}
        row -= rows
    return str(location), {}


def _part(declared: DatasetContract, file: Path, state: str) -> pl.DataFrame:
    try:
        frame = read_frame(file)
    except UnreadableTableError as error:
        raise _unreadable(declared, file, state, str(error)) from error
    frame, refused = declared_geometry(declared, frame, [file])
    for violation in refused:
        found = f"{violation.example}; expected {violation.expected}"
        raise _mismatch(declared, file, state, violation.rule, found)
    return frame


def _require_alike(
    declared: DatasetContract, first: tuple[Path, pl.DataFrame], other: tuple[Path, pl.DataFrame], state: str
) -> None:
    """Parts of one table have the same columns, in any order, of the same types; each its contract's."""
    (first_file, first_part), (file, part) = first, other
    for violation in declared.check_structure(part):
        found = f"{violation.column} is {violation.example or 'not there'}; expected {violation.expected}"
        raise _mismatch(declared, file, state, violation.rule, found)
    for name in dict.fromkeys((*first_part.columns, *part.columns)):
        there, here = first_part.schema.get(name), part.schema.get(name)
        if there != here:
            found = f"{name} is {here or 'not there'}, and {there or 'not there'} in {first_file.name}"
            raise _mismatch(declared, file, state, "part_types", found)


def _unreadable(declared: DatasetContract, place: Path, state: str, reason: str) -> Seg3BError:
    return fail(
        "parquet_readable",
        str(place),
        "Restore the file, or take it away if it is none of the table's: it is missing, cut short or not parquet.",
        in_state=state,
        logical_id=declared.id,
        reason=reason[:300],
    )


def _mismatch(
    declared: DatasetContract, location: Path, state: str, validator: str, found: str
) -> Seg3BError:
    return Seg3BError(
        state,
        "INPUT_SCHEMA_MISMATCH",
        validator,
        str(location),
        f"Write {declared.id} as its contract declares it.",
        {"logical_id": declared.id, "found": found[:300]},
    )
