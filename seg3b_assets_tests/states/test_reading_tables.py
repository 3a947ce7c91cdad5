"""Tables as strangers write them: parts, spreadsheets' CSV, and where an error says it is."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.strict_json import RepeatedKeyError, parse_once
from seg3b_assets.states.tables import place_of_row, read_table

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
