"""What the routing probe counted: per edge and per merchant, enough for every traffic test and every class.

Counts only; the tests on them are in ``probe_metrics``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.policies.validation import Probe

I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]


@dataclass(frozen=True)
class ProbeTallies:
    """Counts of one probe.

    Attributes:
        policy: picks per merchant, false-alarm rate, the shift to notice.
        edge_picks: int64 (edges,), picks of each edge.
        day_differs: int64 (merchants,), picks whose settlement day is not the calendar day at the edge.
        day_mismatches: int64 (merchants,), picks outside their settlement day's two local midnights.
        receipt_mismatches: int64 (merchants,), picks whose receipt is incomplete, contradicts the
            catalogue or cannot be drawn again alone.
    """

    policy: Probe
    edge_picks: I64
    day_differs: I64
    day_mismatches: I64
    receipt_mismatches: I64

    def rows(self, merchants: BOOL, edges: BOOL) -> ProbeTallies:
        """The tallies of some merchants and their edges."""
        return replace(
            self,
            edge_picks=self.edge_picks[edges],
            day_differs=self.day_differs[merchants],
            day_mismatches=self.day_mismatches[merchants],
            receipt_mismatches=self.receipt_mismatches[merchants],
        )

    @property
    def picks(self) -> int:
        """Picks of all merchants together."""
        return int(self.day_differs.shape[0]) * self.policy.picks_per_merchant
