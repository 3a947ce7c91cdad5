"""Overrides that people write for a merchant or an edge, and until when they hold (law section 4).

No clock decides: an override has expired when its last day lies before the day the upstream receipt was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
TEXT = NDArray[np.str_]


def is_current(expires: str | None, created_utc: str) -> bool:
    """Whether an override still holds.

    Args:
        expires: its last day, ``2026-12-31``; None for ever. created_utc: of the upstream receipt.
    """
    return expires is None or expires >= created_utc[:10]


@dataclass(frozen=True)
class NamedZones:
    """Zones that stand for single edges and for all points of a merchant, where polygons decide nothing.

    Attributes:
        merchants: tzid by merchant_id. edges: tzid by (merchant_id, edge_seq_index).
    """

    merchants: Mapping[int, str]
    edges: Mapping[tuple[int, int], str]

    @classmethod
    def none(cls) -> NamedZones:
        """No overrides."""
        return cls({}, {})

    def of(self, merchant_id: U64, edge_seq_index: I64 | None = None) -> TEXT:
        """The zone named for each point, "" where none is: its edge's, else its merchant's.

        Args:
            merchant_id: (n,). edge_seq_index: (n,) of edges; None for settlements.
        """
        tzid = np.zeros(merchant_id.shape[0], "U64")
        for merchant, zone in self.merchants.items():
            tzid[merchant_id == np.uint64(merchant)] = zone
        if edge_seq_index is not None:
            for (merchant, seq), zone in self.edges.items():
                tzid[(merchant_id == np.uint64(merchant)) & (edge_seq_index == seq)] = zone
        return tzid
