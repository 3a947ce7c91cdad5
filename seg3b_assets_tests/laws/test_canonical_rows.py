"""Rows built by column are the bytes orjson writes for the same objects."""

from __future__ import annotations

import numpy as np
import orjson
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.canonical_rows import canonical_rows, joined_bytes, line_chunks

plain = st.text(
    alphabet=st.characters(codec="ascii", exclude_characters='"\\', min_codepoint=32), max_size=12
)
rows = st.lists(
    st.tuples(
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(0, 2**64 - 1),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.none() | plain,
    ),
    min_size=1,
    max_size=20,
)


@given(rows)
def test_bytes_equal_orjson(values: list[tuple[float, int, int, bool, str | None]]) -> None:
    columns = list(zip(*values, strict=True))
    names = ["f", "u", "i", "b", "s"]
    dtypes = [pl.Float64, pl.UInt64, pl.Int64, pl.Boolean, pl.String]
    fields = {n: pl.Series(n, c, dtype=d) for n, c, d in zip(names, columns, dtypes, strict=True)}
    got = joined_bytes(canonical_rows({**fields, "k": "constant", "z": None}, "\n")).tobytes()
    expected = b"".join(
        orjson.dumps(
            {**dict(zip(names, row, strict=True)), "k": "constant", "z": None}, option=orjson.OPT_SORT_KEYS
        )
        + b"\n"
        for row in values
    )
    assert got == expected


def test_chunks_join_to_the_whole() -> None:
    series = pl.Series(np.arange(20_000))
    whole = joined_bytes(canonical_rows({"n": series}, "\n")).tobytes()
    assert b"".join(line_chunks({"n": series}, 20_000)) == whole


def test_no_rows_are_no_bytes() -> None:
    assert b"".join(line_chunks({"n": pl.Series([], dtype=pl.Int64)}, 0)) == b""
