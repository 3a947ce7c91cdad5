"""CSV files nobody vouches for: encoding, lines and columns are judged before a parser gets to see them.

A parser takes memory by what the text says of itself: a line of a gigabyte, a header of a million commas. What a table
of ours or a gazetteer never is, is refused by its line, unparsed.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import told
from seg3b_assets.laws.plain_files import read_plain

# Two million rows of coordinates.
LARGEST_TEXT: Final = 256 << 20
LONGEST_LINE: Final = 1 << 20
MOST_COLUMNS: Final = 512
_OTHER_ENCODINGS: Final = (
    codecs.BOM_UTF32_LE,
    codecs.BOM_UTF32_BE,
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
)


class RefusedTextError(UnreadableTableError):
    """A text that is no table.

    Attributes:
        validator: the rule. line: where, counted from 1. found: what is there, in words. facts: more of it.
    """

    def __init__(self, validator: str, line: int, found: str, **facts: Any) -> None:
        super().__init__(f"line {line}: {found}")
        self.validator, self.line, self.found, self.facts = validator, line, found, facts


def read_text_frame(path: Path) -> pl.DataFrame:
    """The rows of a CSV file, all of them text.

    Raises:
        UnreadableTableError: as for a table; ``RefusedTextError`` for a text that is none.
    """
    with told():
        raw = read_plain(path, LARGEST_TEXT)
    return text_frame(judged_text(raw))


def judged_text(raw: bytes) -> bytes:
    """A text's bytes without a byte order mark; UTF-8 without NUL, of lines that are none too long.

    Raises:
        RefusedTextError: it is anything else.
    """
    if raw.startswith(_OTHER_ENCODINGS):
        raise RefusedTextError("csv_encoding", 1, "the file is UTF-16 or UTF-32; save it as UTF-8")
    text = raw.removeprefix(codecs.BOM_UTF8)
    line = 1
    for part in _whole_lines(text):
        if len(part) > LONGEST_LINE:
            raise RefusedTextError("csv_lines", line, f"a line of more than {LONGEST_LINE:,} bytes")
        try:
            part.decode()
        except UnicodeDecodeError as error:
            at = line + part.count(b"\n", 0, error.start)
            found = f"byte 0x{part[error.start]:02x} is not UTF-8 but, it may be, Windows-1252; save the file as UTF-8"
            raise RefusedTextError("csv_encoding", at, found) from None
        if (nul := part.find(b"\0")) >= 0:
            at = line + part.count(b"\n", 0, nul)
            raise RefusedTextError("csv_encoding", at, "a NUL byte in a text")
        line += part.count(b"\n")
    if b"\n" not in text and text.count(b"\r") > 1:
        raise RefusedTextError("csv_lines", 1, "lines end in CR alone; end them in LF or CR LF")
    return text


def header_of(text: bytes) -> str:
    """The first line of a judged text, without its end."""
    return text.split(b"\n", 1)[0].decode().rstrip("\r")


def text_frame(text: bytes, separator: str = ",", quote: str | None = '"') -> pl.DataFrame:
    """A judged text's rows, every column as text.

    Raises:
        UnreadableTableError: it is no table of so few columns as any has, or the parser broke down over it.
    """
    columns = header_of(text).count(separator) + 1
    if columns > MOST_COLUMNS:
        raise RefusedTextError("csv_header", 1, f"{columns:,} columns; no table has {MOST_COLUMNS}")
    with told():
        return pl.read_csv(text, infer_schema=False, separator=separator, quote_char=quote)


def _whole_lines(text: bytes) -> Iterator[bytes]:
    """The text in parts of whole lines, each as long as a line may be, or else the beginning of one that is longer."""
    at = 0
    while at < len(text):
        end = at + LONGEST_LINE
        if end < len(text):
            end = text.rfind(b"\n", at, end) + 1 or end + 1
        yield text[at:end]
        at = end
