"""A router written by somebody else: the blob decoded in plain Python from law section 5 alone."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pytest

from seg3b_assets_tests.end_to_end.installation import Installation


@dataclass(frozen=True)
class Slice:
    """One merchant's table: (prob_q, alias) pairs."""

    pairs: list[tuple[int, int]]

    def distribution(self) -> list[float]:
        """Probability of each slot: what it keeps of its own column, and what others leave to it."""
        n, share = len(self.pairs), [0.0] * len(self.pairs)
        for slot, (prob_q, alias) in enumerate(self.pairs):
            kept = 1.0 if alias == slot else prob_q / 2**32
            share[slot] += kept / n
            share[alias] += (1.0 - kept) / n
        return share

    def pick(self, u: float) -> int:
        """The slot a uniform in (0, 1) chooses."""
        j = int(u * len(self.pairs))
        prob_q, alias = self.pairs[j]
        return j if int((u * len(self.pairs) - j) * 2**32) < prob_q else alias


def read_slice(blob: bytes, row: dict[str, int | str]) -> Slice:
    """Decode one MERCHANT row's slice, checking what the law fixes."""
    start, length = int(row["blob_offset_bytes"]), int(row["blob_length_bytes"])
    data = blob[start : start + length]
    count, bits, zero, also_zero = struct.unpack_from("<4I", data)
    assert (bits, zero, also_zero, start % 8) == (32, 0, 0, 0)
    assert length == 16 + 8 * count
    assert count == row["edge_count_total"] == row["alias_table_length"]
    assert hashlib.sha256(data).hexdigest() == row["merchant_alias_checksum"]
    assert not any(blob[start + length : start + (length + 7) // 8 * 8])
    return Slice([struct.unpack_from("<2I", data, 16 + 8 * slot) for slot in range(count)])


@pytest.fixture(scope="module")
def index(coarse: Installation) -> pl.DataFrame:
    return pl.read_parquet(coarse.path("edge_alias_index_3B"))


@pytest.fixture(scope="module")
def blob(coarse: Installation) -> bytes:
    return coarse.path("edge_alias_blob_3B").read_bytes()


def slices(blob: bytes, index: pl.DataFrame) -> Iterator[tuple[int, Slice]]:
    for row in index.filter(pl.col("scope") == "MERCHANT").iter_rows(named=True):
        yield row["merchant_id"], read_slice(blob, row)


def test_the_blob_decodes_to_the_catalogues_weights(
    coarse: Installation, blob: bytes, index: pl.DataFrame
) -> None:
    edges = pl.read_parquet(sorted(coarse.path("edge_catalogue_3B").iterdir()))
    weights = edges.sort("merchant_id", "edge_id").partition_by("merchant_id", as_dict=True)
    decoded = dict(slices(blob, index))
    assert [(merchant,) for merchant in decoded] == list(weights)
    for merchant, table in decoded.items():
        wanted = weights[(merchant,)]["edge_weight"].to_list()
        assert max(abs(a - b) for a, b in zip(table.distribution(), wanted, strict=True)) < 1e-9
        assert all(0 < prob_q < 2**32 and alias < len(wanted) for prob_q, alias in table.pairs)


def test_slices_follow_each_other_and_the_global_row_sums_them_up(blob: bytes, index: pl.DataFrame) -> None:
    *merchants, everything = index.iter_rows(named=True)
    ends = [0, *(row["blob_offset_bytes"] + (row["blob_length_bytes"] + 7) // 8 * 8 for row in merchants)]
    assert [row["blob_offset_bytes"] for row in merchants] == ends[:-1]
    assert (everything["scope"], everything["blob_length_bytes"]) == ("GLOBAL", len(blob))
    assert ends[-1] == len(blob)
    assert everything["edge_count_total"] == sum(row["edge_count_total"] for row in merchants)
    assert everything["blob_sha256_hex"] == hashlib.sha256(blob).hexdigest()


def test_even_steps_through_the_unit_interval_pick_every_edge_by_its_weight(
    blob: bytes, index: pl.DataFrame
) -> None:
    _, table = next(slices(blob, index))
    share, steps = table.distribution(), 2000 * len(table.pairs)
    seen = Counter(table.pick((step + 0.5) / steps) for step in range(steps))
    # A column is cut in two, so each of the columns that lead to an edge miscounts it by less than one step.
    columns = Counter(alias for _, alias in table.pairs) + Counter(range(len(table.pairs)))
    for slot, wanted in enumerate(share):
        assert abs(seen[slot] - wanted * steps) <= columns[slot]
