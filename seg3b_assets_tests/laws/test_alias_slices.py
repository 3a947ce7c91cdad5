"""Reading the published blob: the same slots as one slice at a time, and a refusal when it does not fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from seg3b_assets.laws.alias import pick
from seg3b_assets.laws.alias_slices import parse_slices, routed_cells
from seg3b_assets.laws.apportionment import segment_starts
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.realism.population import published_tables
from seg3b_assets_tests.realism.worlds import published

OUTPUTS = published()
TABLES = published_tables(OUTPUTS)


def test_picks_of_all_merchants_together_are_those_of_each_slice_alone() -> None:
    rng = np.random.default_rng(1)
    uniforms = rng.random((TABLES.lengths.size, 300))
    uniforms[:, 0], uniforms[:, 1] = 2.0**-64, 1 - 2.0**-53
    together = routed_cells(TABLES, np.repeat(np.arange(TABLES.lengths.size), 300), uniforms.ravel())
    starts = segment_starts(TABLES.lengths)
    for row, (start, n) in enumerate(zip(starts, TABLES.lengths, strict=True)):
        own = slice(start, start + n)
        alone = start + pick(TABLES.prob_q[own], TABLES.alias[own], uniforms[row])
        assert np.array_equal(together[row * 300 : row * 300 + 300], alone)


def test_slices_are_found_where_the_index_says_whatever_their_order_in_the_file() -> None:
    index = OUTPUTS.alias_index
    offset, length = index["blob_offset_bytes"][0], index["blob_length_bytes"][0]
    first = OUTPUTS.alias_blob[offset : offset + length]
    moved = OUTPUTS.alias_blob + b"\0" * 8 + first
    at = pl.when(pl.int_range(pl.len()) == 0).then(len(moved) - length).otherwise("blob_offset_bytes")
    ids, lengths = OUTPUTS.settlement["merchant_id"].to_numpy(), TABLES.lengths
    again = parse_slices(moved, index.with_columns(blob_offset_bytes=at), ids, lengths)
    assert np.array_equal(again.prob_q, TABLES.prob_q) and np.array_equal(again.alias, TABLES.alias)


def set_word(word: int, value: int) -> Callable[[bytes], bytes]:
    def change(blob: bytes) -> bytes:
        words = np.frombuffer(blob, "<u4").copy()
        words[word] = value
        return words.tobytes()

    return change


@pytest.mark.parametrize(
    ("change", "validator"),
    [
        (lambda blob: blob[:-8], "alias_slice_parses"),
        (set_word(0, 7), "alias_slice_parses"),
        (set_word(1, 31), "alias_slice_parses"),
        (set_word(5, 60_000), "alias_slice_parses"),
    ],
    ids=["cut short", "another length", "other probability bits", "alias beyond the table"],
)
def test_a_blob_that_does_not_fit_is_refused(change: Callable[[bytes], bytes], validator: str) -> None:
    ids = OUTPUTS.settlement["merchant_id"].to_numpy()
    with pytest.raises(Seg3BError) as refused:
        parse_slices(change(OUTPUTS.alias_blob), OUTPUTS.alias_index, ids, TABLES.lengths)
    assert refused.value.code == "E3B_S4_INPUT_SCHEMA_MISMATCH"
    assert refused.value.validator == validator


def test_an_index_of_other_merchants_is_refused() -> None:
    ids = OUTPUTS.settlement["merchant_id"].to_numpy()
    with pytest.raises(Seg3BError) as refused:
        parse_slices(OUTPUTS.alias_blob, OUTPUTS.alias_index[1:], ids, TABLES.lengths)
    assert refused.value.validator == "alias_index_merchants"
