"""A CSV that people write: read by columns, and refused by the line an editor shows.

Comma-separated, UTF-8 (a byte order mark is passed over), a header with the contract's names. What a spreadsheet makes
of it otherwise (another encoding, another separator, a line too long) is named as what it is.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import polars as pl

from seg3b_assets.foreign.reading import UnreadableTableError
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
