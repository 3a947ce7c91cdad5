"""A reader of the blob written from the law's words alone, in plain Python: it finds what the audit finds."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from seg3b_assets.audit import AuditTree
from seg3b_assets.audit.alias_tables import decoded


def read_slice(blob: bytes, offset: int) -> list[tuple[int, int]]:
    """(prob_q, alias) of each slot of the slice that starts at ``offset``."""
    slots, bits, *zeros = struct.unpack_from("<4I", blob, offset)
    assert bits == 32
    assert zeros == [0, 0]
    flat = struct.unpack_from(f"<{2 * slots}I", blob, offset + 16)
    return list(zip(flat[0::2], flat[1::2], strict=True))


def probabilities(pairs: list[tuple[int, int]]) -> list[Fraction]:
    """Chance of each slot when u is uniform: slot j with chance 1/N, kept with prob_q/2³², else its alias."""
    shares = [Fraction(0)] * len(pairs)
    for slot, (prob_q, alias) in enumerate(pairs):
        kept = Fraction(prob_q, 2**32)
        shares[slot] += kept / len(pairs)
        shares[alias] += (1 - kept) / len(pairs)
    return shares


@pytest.mark.parametrize("merchant", [0, -1])
def test_a_reader_of_the_law_decodes_the_catalogue_weights(tree: AuditTree, merchant: int) -> None:
    blob = tree.datasets["edge_alias_blob_3B"].read_bytes()
    index = pl.read_parquet(tree.datasets["edge_alias_index_3B"]).filter(pl.col("scope") == "MERCHANT")
    row = index.row(merchant % index.height, named=True)
    catalogue = pl.read_parquet(tree.datasets["edge_catalogue_3B"] / "*.parquet")
    edges = catalogue.filter(pl.col("merchant_id") == row["merchant_id"])
    shares = probabilities(read_slice(blob, row["blob_offset_bytes"]))
    assert sum(shares) == 1
    worst = max(
        abs(float(share) - weight) for share, weight in zip(shares, edges["edge_weight"], strict=True)
    )
    assert worst <= 2.0**-31


def test_the_audit_decodes_as_that_reader_does() -> None:
    prob_q = np.array([2**31, 2**32 - 1, 7, 2**32 - 1], np.uint32)
    alias = np.array([1, 1, 0, 0], np.uint32)
    slots = np.array([3, 1])
    expected = [*probabilities(list(zip(prob_q[:3].tolist(), alias[:3].tolist(), strict=True))), 1]
    np.testing.assert_allclose(
        decoded(slots, prob_q, alias), [float(share) for share in expected], atol=1e-15
    )
