"""Tables as strangers write them: parts, spreadsheets' CSV, and where an error says it is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.contracts import contract
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.text_tables import read_text_frame
from seg3b_assets.inputs.tables import place_of_row, read_table
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.strict_json import RepeatedKeyError, parse_once

MERCHANTS, COORDINATES = contract("transaction_schema_merchant_ids"), contract("virtual_settlement_coords")
HEADER = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes\n"
ROW = "5,48.85,2.35,https://register.example/1,register,Europe/Paris,\n"


def merchants(first: int, count: int = 3) -> pl.DataFrame:
    ids = pl.int_range(first, first + count, dtype=pl.UInt64, eager=True).alias("merchant_id")
    return pl.DataFrame(ids).with_columns(
        mcc=pl.lit(5816, pl.Int32), channel=pl.lit("card_not_present"), home_country_iso=pl.lit("FR")
    )


def written(folder: Path, *parts: pl.DataFrame) -> Path:
    for number, part in enumerate(parts):
        part.write_parquet(folder / f"part-{number:05d}.parquet")
    return folder


def refused(place: Path) -> Seg3BError:
    with pytest.raises(Seg3BError) as caught:
        read_table(MERCHANTS if place.is_dir() else COORDINATES, place, "S1")
    return caught.value


def test_parts_are_joined_whatever_the_order_of_their_columns(tmp_path: Path) -> None:
    second = merchants(4)
    folder = written(tmp_path, merchants(1), second.select(reversed(second.columns)), merchants(7, 0))
    assert read_table(MERCHANTS, folder, "S1").equals(pl.concat([merchants(1), merchants(4)]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mcc": pl.col("mcc").cast(pl.Int64)}, "mcc is Int64, and Int32 in part-00000.parquet"),
        ({"mcc": pl.col("mcc").cast(pl.Float32)}, "mcc is Float32; expected Int32"),
        ({"merchant_id": pl.col("merchant_id").cast(pl.Int64)}, "merchant_id is Int64, and UInt64"),
        ({"channel": pl.col("channel").cast(pl.Binary)}, "channel is Binary; expected String"),
        ({"extra": pl.lit(1)}, "extra is not there; expected one of"),
    ],
)
def test_a_part_unlike_the_first_is_named(tmp_path: Path, change: dict[str, pl.Expr], told: str) -> None:
    error = refused(written(tmp_path, merchants(1), merchants(4).with_columns(**change)))
    assert (error.name, error.place) == ("INPUT_SCHEMA_MISMATCH", str(tmp_path / "part-00001.parquet"))
    assert str(error.detail["found"]).startswith(told)


def test_a_part_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    error = refused(written(tmp_path, merchants(1), merchants(4).drop("channel")))
    assert error.place == str(tmp_path / "part-00001.parquet")
    assert "channel is not there" in str(error.detail["found"])


@pytest.mark.parametrize("content", [b"", b"\x00\x05\x16\x07 a Mac's twin", b"PAR1"])
def test_a_file_that_is_none_of_the_tables_is_named_itself(tmp_path: Path, content: bytes) -> None:
    stray = written(tmp_path, merchants(1)) / "._part-00000.parquet"
    stray.write_bytes(content)
    error = refused(tmp_path)
    assert (error.name, error.place) == ("INPUT_OPEN_FAILED", str(stray))
    assert "\n" not in str(error.detail["reason"])


def test_a_row_is_told_with_its_file_and_its_number_in_it(tmp_path: Path) -> None:
    folder = written(tmp_path, merchants(1), merchants(4))
    place, facts = place_of_row(MERCHANTS, folder, 4)
    assert place == f"{tmp_path / 'part-00001.parquet'}, row 2 of 3"
    assert facts == {"file": "part-00001.parquet", "row_number": 2}


def coordinates(folder: Path, text: str | bytes) -> Path:
    file = folder / "coordinates.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize(
    ("text", "line", "validator"),
    [
        (HEADER + ROW + ROW.replace("48.85", "48,85", 1), 3, "csv_rows"),
        (HEADER + ROW + ROW.replace("48.85", '"48,85"'), 3, "type_of_lat_deg"),
        (HEADER + ROW[:-1] + '"two\nlines"\n' + ROW.replace("5,", "x,", 1), 4, "type_of_merchant_id"),
        (HEADER + ROW + "\n" + ROW, 3, "csv_rows"),
        (HEADER + ROW + ",,,,,,\n", 3, "csv_rows"),
        (HEADER + ROW + "6,48.85\n", 3, "csv_rows"),
        (HEADER + ROW[:-1] + '"open\n' + ROW, 2, "csv_rows"),
        ((HEADER + ROW).replace(",", "|"), 1, "csv_separator"),
        ((HEADER + ROW).replace(",", ";").replace("\n", "\r\n"), 1, "csv_separator"),
        ("SEP=;\n" + HEADER + ROW, 1, "csv_separator"),
        (HEADER.replace("notes", "merchant_id") + ROW, 1, "csv_header"),
        (HEADER.replace("lat_deg", "Lat_Deg ") + ROW, 1, "csv_header"),
        (HEADER.replace(",notes", ",remarks") + ROW, 1, "csv_header"),
        ("\n" + HEADER + ROW, 1, "csv_header"),
        ((HEADER + ROW + ROW).replace("\n", "\r"), 1, "csv_lines"),
        ((HEADER + ROW).encode() + ROW.replace("register,", "Régistre,").encode("cp1252"), 3, "csv_encoding"),
        ((HEADER + ROW).encode("utf-16-be"), 1, "csv_rows"),
        (("\ufeff" + HEADER + ROW).encode("utf-16-be"), 1, "csv_encoding"),
        (HEADER + ROW + ROW[:-1] + "a\0b\n", 3, "csv_encoding"),
        ("", 1, "csv_header"),
    ],
)
def test_a_spreadsheets_csv_is_refused_by_line_and_kind(
    tmp_path: Path, text: str | bytes, line: int, validator: str
) -> None:
    file = coordinates(tmp_path, text)
    error = refused(file)
    expected = "csv_encoding" if b"\0" in file.read_bytes() else validator
    assert (error.name, error.validator) == ("INPUT_SCHEMA_MISMATCH", expected)
    assert error.place == f"{file}, line {line}"
    assert "truncate_ragged" not in str(error)


MEGABYTE = 1 << 20
HOSTILE: dict[str, tuple[str | bytes, int, str]] = {
    "a million columns": ("a" + ",a" * 500_000 + "\n" + ROW, 1, "csv_header"),
    "a million columns in a longer line": ("a" + ",a" * 1_000_000 + "\n", 1, "csv_lines"),
    "a name of 200,000 characters": ("x" * 200_000 + "\n" + ROW, 1, "csv_header"),
    "commas alone": ("," * MEGABYTE, 1, "csv_header"),
    "a header without an end": (HEADER[:-1] + "x" * 2 * MEGABYTE, 1, "csv_lines"),
    "an endless line": (HEADER + ROW + ROW[:-1] + "x" * 2 * MEGABYTE + "\n" + ROW, 3, "csv_lines"),
    "an endless last line": (HEADER + ROW * 10_000 + "9" * 3 * MEGABYTE, 10_002, "csv_lines"),
    "an unmatched quote": (HEADER + ROW + ROW[:-1] + '"' + "x" * 1_000 + "\n" + ROW * 100, 3, "csv_rows"),
    "a quoted header": (HEADER.replace("merchant_id", '"merchant_id'), 1, "csv_header"),
    "NUL alone": (b"\0" * MEGABYTE, 1, "csv_encoding"),
    "NUL after many lines": ((HEADER + ROW * 40_000 + "\0\n"), 40_002, "csv_encoding"),
    "no UTF-8 after many lines": ((HEADER + ROW * 40_000).encode() + b"\xff\n", 40_002, "csv_encoding"),
    "UTF-16, little end first": ((HEADER + ROW).encode("utf-16"), 1, "csv_encoding"),
    "UTF-32": ((HEADER + ROW).encode("utf-32"), 1, "csv_encoding"),
    "a mark in the middle of a mark": (b"\xef\xbb", 1, "csv_encoding"),
    "two marks": ("\ufeff\ufeff" + HEADER + ROW, 1, "csv_header"),
    "a lone CR among the lines": (HEADER + ROW[:-1] + "\r" + ROW, 2, "csv_lines"),
    "a table of another kind": (b"PAR1" + bytes(range(1, 128)) * 8 + b"PAR1", 1, "csv_separator"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_odd_csv_is_refused_by_line_in_few_words_and_little_memory(kind: str, tmp_path: Path) -> None:
    text, line, validator = HOSTILE[kind]
    file = coordinates(tmp_path, text)
    error = refused(file)
    assert (error.validator, error.place) == (validator, f"{file}, line {line}")
    assert error.name == "INPUT_SCHEMA_MISMATCH" and error.remedy
    assert len(str(error)) < 30_000


PIECES = st.sampled_from(
    [
        "merchant_id",
        ",",
        "\n",
        "\r",
        '"',
        '""',
        "\0",
        "\ufeff",
        "\u2028",
        "\x0c",
        "5",
        "48.85",
        HEADER,
        ROW,
        ROW[:-1],
        "é",
        " ",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from(["utf-8", "utf-16-le", "latin-1"]))
def test_whatever_a_csv_holds_it_is_a_table_or_is_refused(text: str, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = coordinates(Path(folder), text.encode(encoding, "replace"))
        try:
            frame = read_table(COORDINATES, file, "S1")
        except Seg3BError as error:
            assert error.name == "INPUT_SCHEMA_MISMATCH" and f"{file}, line " in error.place
        else:
            assert set(COORDINATES.polars_schema) <= set(frame.columns)


def test_a_line_ends_where_an_editor_has_it_end(tmp_path: Path) -> None:
    odd = ROW[:-1] + "a\u2028b\x0cc\x85d\n"
    file = coordinates(tmp_path, HEADER + odd + ROW.replace("5,", "x,", 1))
    error = refused(file)
    assert (error.validator, error.place) == ("type_of_merchant_id", f"{file}, line 3")


def test_a_csv_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    file = coordinates(tmp_path, HEADER)
    with file.open("r+b") as handle:
        handle.truncate(1 << 30)
    error = refused(file)
    assert error.name == "INPUT_OPEN_FAILED"
    assert "larger than 268435456 bytes" in str(error)


@pytest.mark.parametrize(
    "panic", [pl.exceptions.PanicException("index out of bounds"), MemoryError(), OverflowError()]
)
def test_a_parser_that_breaks_down_over_a_csv_is_told(
    panic: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise panic

    monkeypatch.setattr(pl, "read_csv", broken)
    file = coordinates(tmp_path, HEADER + ROW)
    error = refused(file)
    assert (error.validator, error.place) == ("csv_rows", f"{file}, line 1")
    with pytest.raises(UnreadableTableError):
        read_text_frame(file)


@pytest.mark.parametrize(
    "text", ["\ufeff" + HEADER + ROW, (HEADER + ROW).replace("\n", "\r\n"), (HEADER + ROW)[:-1], HEADER + ROW]
)
def test_a_csv_of_the_usual_kinds_is_read(tmp_path: Path, text: str) -> None:
    frame = read_table(COORDINATES, coordinates(tmp_path, text), "S1")
    assert frame["merchant_id"].to_list() == [5]
    assert COORDINATES.check_frame(frame) == []


def test_a_row_of_a_csv_is_told_by_its_line(tmp_path: Path) -> None:
    file = coordinates(tmp_path, HEADER + ROW[:-1] + '"two\nlines"\n' + ROW)
    assert place_of_row(COORDINATES, file, 1) == (f"{file}, line 4", {"file": file.name, "line": 4})


@pytest.mark.parametrize("text", [b'{"a":1,"a":1}', b'{"b":[{"a":1,"c":2,"a":3}]}', b'[{"a":{}, "a":{}}]'])
def test_json_that_repeats_a_key_is_refused_at_any_depth(text: bytes) -> None:
    with pytest.raises(RepeatedKeyError) as caught:
        parse_once(text)
    assert caught.value.key == "a"


def test_other_json_is_as_it_is() -> None:
    assert parse_once(b'{"a":{"a":[1,1]},"b":"\xc3\xa4"}') == {"a": {"a": [1, 1]}, "b": "ä"}
    for text in (b"", b"{", b"\xef\xbb\xbf{}", b"[" * 2000 + b"]" * 2000):
        with pytest.raises(ValueError):
            parse_once(text)
