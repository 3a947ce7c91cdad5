"""SHA-256 of every row of a column (law section 0), by column and outside the interpreter's lock."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars_hash import CryptographicHashingNameSpace


def digest_of(rows: pl.Expr) -> pl.Expr:
    """Lower-case hex SHA-256, String, of each row's bytes: a String's UTF-8, a Binary's own. Null stays null."""
    return CryptographicHashingNameSpace(rows).sha2_256()


def row_digests(rows: pl.Series) -> pl.Series:
    """The same of a Series."""
    return rows.to_frame("rows").select(digest_of(pl.col("rows"))).to_series()


def leading_u64(digests: pl.Series) -> NDArray[np.uint64]:
    """The first eight bytes of each hex digest as a big-endian integer: uint64 (n,)."""
    heads = bytes.fromhex("".join(digests.str.slice(0, 16).to_list()))
    return np.frombuffer(heads, ">u8").astype(np.uint64)
