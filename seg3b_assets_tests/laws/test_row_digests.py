"""A column's digests are hashlib's, whatever the rows hold."""

import hashlib

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.row_digests import leading_u64, row_digests


@given(st.lists(st.none() | st.binary(max_size=200)))
def test_rows_of_bytes(rows: list[bytes | None]) -> None:
    expected = [None if row is None else hashlib.sha256(row).hexdigest() for row in rows]
    assert row_digests(pl.Series(rows, dtype=pl.Binary)).to_list() == expected


@given(st.lists(st.text(max_size=200)))
def test_rows_of_text_are_their_utf_8(rows: list[str]) -> None:
    expected = [hashlib.sha256(row.encode()).hexdigest() for row in rows]
    assert row_digests(pl.Series(rows, dtype=pl.String)).to_list() == expected


@given(st.lists(st.binary(max_size=20)))
def test_leading_bytes_are_a_big_endian_number(rows: list[bytes]) -> None:
    expected = [int.from_bytes(hashlib.sha256(row).digest()[:8]) for row in rows]
    assert leading_u64(row_digests(pl.Series(rows, dtype=pl.Binary))).tolist() == expected
