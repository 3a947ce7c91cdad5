"""The hash draw behind propensities and seat picks (law section 3).

u = (BE64(SHA256("rule_id|seed|merchant_id")[0:8]) + 0.5) / 2⁶⁴, the text in UTF-8 with decimal integers. It
is a pure function of rule, seed and merchant, so a rule's answer does not move when another rule does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.row_digests import leading_u64, row_digests

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]


def hash_uniform(rule_id: str, seed: int, merchant_id: U64) -> F64:
    """One uniform per merchant, in [0, 1].

    Args:
        rule_id: the rule whose draw it is.
        seed: uint64.
        merchant_id: uint64 (n,).

    Returns:
        float64 (n,).
    """
    merchants = pl.DataFrame({"merchant_id": merchant_id})
    names = merchants.select(pl.concat_str(pl.lit(f"{rule_id}|{seed}|"), pl.col("merchant_id"))).to_series()
    return (leading_u64(row_digests(names)).astype(np.float64) + 0.5) / 2.0**64


@dataclass(frozen=True)
class Propensity:
    """How often a rule takes a merchant it matches: always at share 1, by its hash draw below that."""

    rule_id: str
    share: float
    seed: int

    def takes(self, merchant_id: U64) -> BOOL:
        """Whether each merchant (n,) falls under the share."""
        if self.share >= 1.0:
            return np.ones(merchant_id.shape, np.bool_)
        return hash_uniform(self.rule_id, self.seed, merchant_id) < self.share
