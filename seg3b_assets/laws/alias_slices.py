"""The published alias blob, read as a router reads it: slices found through the index (law section 5).

Nothing here looks at the weights the tables were built from. A blob that does not parse is a structural
fault and is raised; whether it says the right thing is for the metrics.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.alias import HEADER_BYTES, PAIR_BYTES, PROBABILITY_BITS, AliasTables
from seg3b_assets.laws.apportionment import segment_ids, segment_starts
from seg3b_assets.laws.errors import fail

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

_BLOB: Final = "edge_alias_blob_3B"
_REMEDY: Final = "Run S3 again: blob, alias index and edge catalogue must be of one snapshot."
_WORD_BYTES: Final = 4
_HEADER_WORDS: Final = HEADER_BYTES // _WORD_BYTES


def parse_slices(blob: bytes, index: pl.DataFrame, merchant_id: U64, lengths: I64) -> AliasTables:
    """Every merchant's table, flat, in merchant order.

    Args:
        blob: the file's bytes.
        index: ``edge_alias_index_3B``; its MERCHANT rows say where the slices lie.
        merchant_id: uint64 (merchants,), ascending: who must be in it.
        lengths: int64 (merchants,): edges of each in the catalogue.

    Raises:
        Seg3BError: ``S4 INPUT_SCHEMA_MISMATCH`` when index, blob and catalogue do not fit together.
    """
    rows = index.filter(pl.col("scope") == "MERCHANT").sort("merchant_id")
    if not np.array_equal(rows["merchant_id"].to_numpy(), merchant_id):
        raise fail(
            "alias_index_merchants", _BLOB, _REMEDY, index_rows=rows.height, merchants=merchant_id.shape[0]
        )
    offsets = rows["blob_offset_bytes"].fill_null(-1).to_numpy()
    _require(
        merchant_id,
        (offsets >= 0) & (offsets % _WORD_BYTES == 0),
        (offsets + HEADER_BYTES + PAIR_BYTES * lengths) <= len(blob),
        rows["alias_table_length"].fill_null(-1).to_numpy() == lengths,
    )
    words = np.frombuffer(blob, "<u4", count=len(blob) // _WORD_BYTES)
    first = offsets // _WORD_BYTES
    header = words[first[:, None] + np.arange(_HEADER_WORDS)] if merchant_id.size else np.zeros((0, 4), "<u4")
    _require(merchant_id, header[:, 0] == lengths, header[:, 1] == PROBABILITY_BITS)
    ids = segment_ids(lengths)
    cell = np.arange(ids.shape[0]) - segment_starts(lengths)[ids]
    at = first[ids] + _HEADER_WORDS + 2 * cell
    prob_q, alias = words[at].astype(np.uint32), words[at + 1].astype(np.uint32)
    outside = np.bincount(ids[alias >= lengths[ids]], minlength=lengths.shape[0])
    _require(merchant_id, outside == 0)
    return AliasTables(lengths, prob_q, alias)


def routed_cells(tables: AliasTables, segment: I64, uniforms: F64) -> I64:
    """Flat cell each uniform picks in its segment's table (law section 5, decode).

    Args:
        segment: int64 (k,), which table. uniforms: float64 (k,), in (0, 1).
    """
    starts = segment_starts(tables.lengths)[segment]
    scaled = uniforms * tables.lengths[segment].astype(np.float64)
    within = np.floor(scaled).astype(np.int64)
    rest = np.floor((scaled - within) * 2.0**PROBABILITY_BITS)
    cell = starts + within
    return np.where(rest < tables.prob_q[cell], cell, starts + tables.alias[cell].astype(np.int64))


def _require(merchant_id: U64, *conditions: NDArray[np.bool_]) -> None:
    for condition in conditions:
        if not condition.all():
            example = int(merchant_id[int(np.argmin(condition))])
            count = int((~condition).sum())
            raise fail("alias_slice_parses", _BLOB, _REMEDY, merchant_id=example, count=count)
