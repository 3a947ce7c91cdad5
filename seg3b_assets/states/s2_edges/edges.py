"""The edges of a run as columns, before and after they have a place.

Edges are numbered 0 … n−1 in the order of the law: merchant_id, then country_iso, then slot. Within a
merchant that order is edge_seq_index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.apportionment import apportion_exact, segment_ids, segment_starts
from seg3b_assets.laws.randomness import country_codes, edge_address
from seg3b_assets.states.s2_edges.shares import SHARE_UNITS

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]


@dataclass(frozen=True)
class EdgeSlots:
    """One row per edge.

    Attributes:
        iso: country codes, ascending; ``country`` indexes it.
        merchant_id: uint64 (n,).
        merchant, country, slot: int64 (n,): row of the merchant, of the country, 0-based place within both.
        seq: int64 (n,), edge_seq_index.
        address: uint64 (n,), where the edge's draws live.
        per_merchant: int64 (merchants,), edges of each.
        counts: int64 (merchants, countries).
        share_units: int64 (merchants, countries), country shares after countries without an edge lost theirs.
    """

    iso: list[str]
    merchant_id: U64
    merchant: I64
    country: I64
    slot: I64
    seq: I64
    address: U64
    per_merchant: I64
    counts: I64
    share_units: I64

    @property
    def total(self) -> int:
        return int(self.merchant.shape[0])

    def country_text(self) -> NDArray[np.str_]:
        """iso2 of each edge, (n,)."""
        return np.array(self.iso, dtype="U2")[self.country] if self.total else np.zeros(0, "U2")


def allot_slots(merchant_id: U64, iso: list[str], masses: I64, budgets: I64) -> EdgeSlots:
    """Edges per country by largest remainder of budget·share, and a slot for each.

    Args:
        merchant_id: uint64 (merchants,), ascending.
        masses: int64 (merchants, countries), guarded shares on the 1e-9 grid.
        budgets: int64 (merchants,).
    """
    rows, columns = masses.shape
    counts = apportion_exact(masses.ravel(), np.full(rows, columns), budgets).reshape(rows, columns)
    cell = segment_ids(counts.ravel())
    merchant, country = (cell // max(columns, 1), cell % max(columns, 1))
    slot = np.arange(cell.shape[0]) - segment_starts(counts.ravel())[cell]
    per_merchant = counts.sum(axis=1)
    surviving = np.where(counts > 0, masses, 0)
    share_units = apportion_exact(
        surviving.ravel(), np.full(rows, columns), np.full(rows, SHARE_UNITS)
    ).reshape(rows, columns)
    return EdgeSlots(
        iso=iso,
        merchant_id=merchant_id[merchant],
        merchant=merchant,
        country=country,
        slot=slot,
        seq=np.arange(cell.shape[0]) - segment_starts(per_merchant)[merchant],
        address=edge_address(country_codes(iso)[country], slot),
        per_merchant=per_merchant,
        counts=counts,
        share_units=share_units,
    )
