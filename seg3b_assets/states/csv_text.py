"""A CSV that people write: read by columns, and refused by the line an editor shows.

Comma-separated, UTF-8 (a byte order mark is passed over), a header with the contract's names. What a spreadsheet makes
of it otherwise (another encoding, another separator, a line too long) is named as what it is.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import polars as pl

from seg3b_assets.foreign.tables import LARGEST_TEXT
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.plain_files import read_plain

if TYPE_CHECKING:
    from seg3b_assets.contracts import DatasetContract

_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN: Final = 120
_OTHER_ENCODINGS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _RefusedError(ValueError):
    """What is wrong, and where."""

    def __init__(self, validator: str, line: int, found: str, **facts: Any) -> None:
        super().__init__(found)
        self.validator, self.line, self.found, self.facts = validator, line, found, facts


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
        raise Seg3BError(
            state,
            "INPUT_OPEN_FAILED",
            "csv_readable",
            str(location),
            "Make the file readable.",
            {"logical_id": declared.id, "reason": error.strerror},
        ) from error
    try:
        text = _decoded(raw)
        _require_header(declared, text)
        return _typed(declared, _parsed(declared, text), text)
    except _RefusedError as refused:
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
    starts = [start for start, _ in _records(_decoded(read_plain(location, LARGEST_TEXT)))]
    return starts[row + 1] if row + 1 < len(starts) else row + 2


def _decoded(raw: bytes) -> str:
    if raw.startswith(_OTHER_ENCODINGS):
        raise _RefusedError("csv_encoding", 1, "the file is UTF-16; save it as UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = (
            f"byte 0x{raw[error.start]:02x} is not UTF-8 but, it may be, Windows-1252; save the file as UTF-8"
        )
        raise _RefusedError("csv_encoding", raw.count(b"\n", 0, error.start) + 1, found) from None
    if "\0" in text:
        raise _RefusedError("csv_encoding", text.count("\n", 0, text.index("\0")) + 1, "a NUL byte in a text")
    if "\n" not in text and text.count("\r") > 1:
        raise _RefusedError("csv_lines", 1, "lines end in CR alone; end them in LF or CR LF")
    return text


def _require_header(declared: DatasetContract, text: str) -> None:
    line = text.split("\n", 1)[0].rstrip("\r")
    names = next(csv.reader([line]), [])
    known = [*declared.polars_schema, *declared.optional_columns]
    if not names:
        raise _RefusedError("csv_header", 1, "there is no header", expected=known)
    if names[0].lower().startswith("sep="):
        raise _RefusedError(
            "csv_separator", 1, f"{line!r} is a spreadsheet's hint and no header; take it out"
        )
    for separator, called in _SEPARATORS.items():
        if len(names) < len(known) and len(line.split(separator)) > len(names):
            raise _RefusedError("csv_separator", 1, f"{called} separate the columns; use commas")
    repeated = sorted({name for name in names if names.count(name) > 1})
    unknown = [name for name in names if name not in known]
    missing = [name for name in declared.polars_schema if name not in names]
    if repeated:
        raise _RefusedError("csv_header", 1, f"the column {repeated[0]} is there more than once")
    if unknown or missing:
        near = [name for name in unknown if name.strip().lower() in known]
        found = (
            f"write {near[0].strip().lower()} for {near[0]!r}"
            if near
            else "these are not the contract's names"
        )
        raise _RefusedError("csv_header", 1, found, unknown=unknown[:_SHOWN], missing=missing)


def _parsed(declared: DatasetContract, text: str) -> pl.DataFrame:
    """Every column as text."""
    try:
        frame = pl.read_csv(text.encode(), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        _refuse_first_odd(text)
        raise _RefusedError("csv_rows", 1, str(error).splitlines()[0][:_SHOWN]) from None
    # An empty or short line comes out as nulls; one that is whole and lacks a value is for the contract to refuse.
    if any(frame[name].null_count() for name in declared.polars_schema):
        _refuse_first_odd(text)
    return frame


def _typed(declared: DatasetContract, frame: pl.DataFrame, text: str) -> pl.DataFrame:
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
            raise _RefusedError(f"type_of_{column}", starts[row + 1], found, **facts)
        frame = frame.with_columns(typed)
    return frame


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line on which it begins, its fields) of every record, the header first; only asked where something is wrong."""
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    begins = 1
    try:
        for fields in reader:
            yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise _RefusedError("csv_rows", begins, f"what begins on this line cannot be read: {error}") from None


def _refuse_first_odd(text: str) -> None:
    """Refuse the first line that is empty or has not as many fields as the header."""
    width = 0
    for line, fields in _records(text):
        width = width or len(fields)
        if not fields or not any(fields):
            _refuse_empty(line)
        if len(fields) != width:
            found = f"{len(fields)} fields, where the header has {width}"
            raise _RefusedError("csv_rows", line, found)


def _refuse_empty(line: int) -> NoReturn:
    raise _RefusedError("csv_rows", line, "the line is empty, or has nothing but commas; take it out")
