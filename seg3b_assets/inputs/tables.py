"""Reading an upstream table from disk: parquet, folders of it, CSV. Contracts are checked elsewhere.

A CSV is one that people write: read by columns, and refused by the line an editor shows. Comma-separated, UTF-8 (a byte
order mark is passed over), a header with the contract's names. What a spreadsheet makes of it otherwise (another
encoding, another separator, a line too long) is named as what it is.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import polars as pl

from seg3b_assets.contracts.geotables import declared_geometry
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import count_rows, read_frame
from seg3b_assets.foreign.text_tables import (
    LARGEST_TEXT,
    MOST_COLUMNS,
    RefusedTextError,
    header_of,
    judged_text,
    text_frame,
)
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.plain_files import read_plain

if TYPE_CHECKING:
    from seg3b_assets.contracts import DatasetContract

_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN: Final = 120
_CR_ALONE: Final = re.compile(rb"\r(?!\n)")


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


def read_csv(declared: DatasetContract, location: Path, state: str) -> pl.DataFrame:
    """All rows, text cast to the contract's types.

    Args:
        state: who reads, for the error's code.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` for a file that cannot be read; ``INPUT_SCHEMA_MISMATCH`` naming the line,
            counted from 1 with the header, and what is wrong there.
    """
    try:
        raw = read_plain(location, LARGEST_TEXT)
    except OSError as error:
        raise fail(
            "csv_readable",
            str(location),
            "Make the file readable.",
            in_state=state,
            logical_id=declared.id,
            reason=error.strerror,
        ) from error
    try:
        text = judged_text(raw)
        _require_header(declared, text)
        return _typed(declared, _parsed(declared, text), text)
    except RefusedTextError as refused:
        raise Seg3BError(
            state,
            "INPUT_SCHEMA_MISMATCH",
            refused.validator,
            f"{location}, line {refused.line}",
            f"Write {declared.id} as its contract declares it: commas, UTF-8, the header's names as they are.",
            {"logical_id": declared.id, "line": refused.line, "found": refused.found, **refused.facts},
        ) from None


def line_of(location: Path, row: int) -> int:
    """The line on which a row begins, both as people count: lines from 1, the header being one; rows from 0."""
    starts = [start for start, _ in _records(judged_text(read_plain(location, LARGEST_TEXT)))]
    return starts[row + 1] if row + 1 < len(starts) else row + 2


def _require_header(declared: DatasetContract, text: bytes) -> None:
    line = header_of(text)
    try:
        names = next(csv.reader([line]), [])
    except csv.Error as error:
        raise RefusedTextError("csv_header", 1, f"the header cannot be read: {error}") from None
    known = [*declared.polars_schema, *declared.optional_columns]
    if not names:
        raise RefusedTextError("csv_header", 1, "there is no header", expected=known)
    if len(names) > MOST_COLUMNS:
        raise RefusedTextError("csv_header", 1, f"there are {len(names):,} columns", expected=known)
    if names[0].lower().startswith("sep="):
        raise RefusedTextError(
            "csv_separator", 1, f"{line[:_SHOWN]!r} is a spreadsheet's hint and no header; take it out"
        )
    for separator, called in _SEPARATORS.items():
        if len(names) < len(known) and len(line.split(separator)) > len(names):
            raise RefusedTextError("csv_separator", 1, f"{called} separate the columns; use commas")
    repeated = sorted({name for name in names if names.count(name) > 1})
    unknown = [name for name in names if name not in known]
    missing = [name for name in declared.polars_schema if name not in names]
    if repeated:
        raise RefusedTextError("csv_header", 1, f"the column {repeated[0]} is there more than once")
    if unknown or missing:
        near = [name for name in unknown if name.strip().lower() in known]
        found = (
            f"write {near[0].strip().lower()} for {near[0]!r}"
            if near
            else "these are not the contract's names"
        )
        raise RefusedTextError("csv_header", 1, found, unknown=unknown[:_SHOWN], missing=missing)


def _parsed(declared: DatasetContract, text: bytes) -> pl.DataFrame:
    """Every column as text."""
    try:
        frame = text_frame(text)
    except UnreadableTableError as error:
        _refuse_first_odd(text)
        raise RefusedTextError("csv_rows", 1, str(error)[:_SHOWN]) from None
    if lost := [name for name in declared.polars_schema if name not in frame.columns]:
        raise RefusedTextError("csv_header", 1, f"the header is quoted so that {lost[0]} is not found")
    # An empty or short line comes out as nulls; one that is whole and lacks a value is for the contract to refuse.
    if any(frame[name].null_count() for name in declared.polars_schema):
        _refuse_first_odd(text)
    return frame


def _typed(declared: DatasetContract, frame: pl.DataFrame, text: bytes) -> pl.DataFrame:
    for column, dtype in {**declared.polars_schema, **declared.optional_columns}.items():
        if column not in frame.columns:
            continue
        typed = frame[column].cast(dtype, strict=False)
        lost = typed.is_null() & frame[column].is_not_null()
        if lost.any():
            row = int(lost.arg_true()[0])
            starts = [start for start, _ in _records(text)]
            facts = {"column": column, "rows": int(lost.sum()), "expected": str(dtype)}
            found = str(frame[column][row])[:_SHOWN]
            raise RefusedTextError(f"type_of_{column}", starts[row + 1], found, **facts)
        frame = frame.with_columns(typed)
    return frame


def _records(text: bytes) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, its fields) of every record, the header first; only asked where something is wrong."""
    # Lines end where an editor has them end, and not at every character that Unicode calls a separator.
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(text), "utf-8", newline=""), strict=True)
    begins = 1
    try:
        for fields in reader:
            yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise RefusedTextError(
            "csv_rows", begins, f"what begins on this line cannot be read: {error}"
        ) from None


def _refuse_first_odd(text: bytes) -> None:
    """Refuse the first line that is empty or has not as many fields as the header; else the first that ends in CR."""
    width = 0
    for line, fields in _records(text):
        width = width or len(fields)
        if not fields or not any(fields):
            _refuse_empty(line)
        if len(fields) != width:
            found = f"{len(fields)} fields, where the header has {width}"
            raise RefusedTextError("csv_rows", line, found)
    if alone := _CR_ALONE.search(text):
        at = text.count(b"\n", 0, alone.start()) + 1
        raise RefusedTextError(
            "csv_lines", at, "a line ends in CR alone, and others do not; end them in LF or CR LF"
        )


def _refuse_empty(line: int) -> NoReturn:
    raise RefusedTextError("csv_rows", line, "the line is empty, or has nothing but commas; take it out")
