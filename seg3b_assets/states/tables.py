"""Reading an upstream table from disk: parquet, folders of it, CSV. Contracts are checked elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from seg3b_assets.contracts.geotables import declared_geometry
from seg3b_assets.laws.errors import Seg3BError

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
        return _read_csv(declared, location, state)
    files = sorted(location.glob(declared.files)) if location.is_dir() else [location]
    try:
        frame = pl.read_parquet(files, glob=False, hive_partitioning=False)
    except (pl.exceptions.SchemaError, pl.exceptions.ColumnNotFoundError) as error:
        raise _mismatch(declared, location, state, "part_columns", str(error)) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Seg3BError(
            state,
            "INPUT_OPEN_FAILED",
            "parquet_readable",
            str(location),
            "Restore the file: it is missing, cut short or not parquet.",
            {"logical_id": declared.id, "files": len(files), "reason": str(error)[:300]},
        ) from error
    frame, refused = declared_geometry(declared, frame, files)
    for violation in refused:
        found = f"{violation.example}; expected {violation.expected}"
        raise _mismatch(declared, location, state, violation.rule, found)
    return frame


def _read_csv(declared: DatasetContract, location: Path, state: str) -> pl.DataFrame:
    try:
        text = pl.read_csv(location.read_bytes(), infer_schema=False)
    except OSError as error:
        raise Seg3BError(
            state,
            "INPUT_OPEN_FAILED",
            "csv_readable",
            str(location),
            "Make the file readable.",
            {"logical_id": declared.id, "reason": error.strerror},
        ) from error
    except pl.exceptions.PolarsError as error:
        raise _mismatch(declared, location, state, "csv_rows", str(error)) from error
    for column, dtype in {**declared.polars_schema, **declared.optional_columns}.items():
        if column not in text.columns:
            continue
        typed = text[column].cast(dtype, strict=False)
        lost = text.filter(typed.is_null() & text[column].is_not_null())
        if lost.height:
            raise _mismatch(declared, location, state, f"type_of_{column}", lost[column][0])
        text = text.with_columns(typed)
    return text


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
