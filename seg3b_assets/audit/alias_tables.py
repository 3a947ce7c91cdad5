"""Alias tables judged by what they are, not by building them again (law section 5).

States build a table by pairing cells. Here a finished table is held against the law: in whole units of the grid, every
cell keeps and receives exactly its mass, and the pairs, put back into the order in which they must have been made, each
took the lowest small cell and the lowest large one. Only one table is such: the law's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.largest_remainder import least, run_of, run_sums
from seg3b_assets.audit.tree import AuditContext

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
U32 = NDArray[np.uint32]
BOOL = NDArray[np.bool_]

CHECKS: Final = ("S3.alias_distribution", "S3.alias_table")
_BITS: Final = 32


@check("S3.alias_distribution", "§5 decode", "the table decodes to other weights than the catalogue's")
@check("S3.alias_table", "§5 table", "the table decodes right but is not built in the law's order")
def audit_tables(context: AuditContext, catalogue: pl.DataFrame, slots: I64, prob_q: U32, alias: U32) -> None:
    """What every merchant's table stands for, and that it is the law's.

    Args:
        catalogue: in its order, slot by slot. slots: int64 (merchants,).
        prob_q, alias: uint32 (slots,), every alias within its table.
    """
    weight = catalogue["edge_weight"].to_numpy()
    bits = context.tree.policies.alias_layout.quantised_bits
    difference = np.abs(decoded(slots, prob_q, alias) - weight)
    # Half a step and a spread step of the mass grid, and what 32-bit thresholds round away.
    tolerance = 1.5 * 2.0**-bits + 2.0**-_BITS
    names = catalogue.select("merchant_id", "edge_id", "edge_weight")
    context.findings.rows(
        "S3.alias_distribution",
        ~(difference <= tolerance),
        lambda at: {**names.row(at, named=True), "difference": float(difference[at])},
    )
    if not (np.abs(run_sums(weight, slots) - 1.0) < 2.0**-bits).all():
        context.findings.skip("the catalogue's weights are no distribution", "S3.alias_table")
        return
    mass = on_grid(weight, slots, bits)
    context.findings.rows(
        "S3.alias_table",
        unlawful(mass, slots, bits, prob_q, alias),
        lambda at: {
            **names.row(at, named=True),
            "mass": int(mass[at]),
            "found": [int(prob_q[at]), int(alias[at])],
        },
    )


def decoded(slots: I64, prob_q: U32, alias: U32) -> F64:
    """Probability of every slot: P(i) = (t_i + Σ over j with alias i of (1 − t_j)) / N, t = prob_q / 2³².

    A slot that aliases itself keeps its whole cell, since both its outcomes are itself.
    """
    of_merchant = run_of(slots)
    keeps = prob_q / 2.0**_BITS
    received = np.zeros(prob_q.shape[0])
    np.add.at(received, (np.cumsum(slots) - slots)[of_merchant] + alias, 1.0 - keeps)
    share: F64 = (keeps + received) / slots[of_merchant]
    return share


def on_grid(weight: F64, slots: I64, bits: int) -> I64:
    """Whole steps of 2^-bits, half to even; what a merchant is short of 2^bits goes by ones to what lost most."""
    scaled = weight * 2.0**bits
    floor = np.floor(scaled)
    beyond = scaled - floor
    up = (beyond > 0.5) | ((beyond == 0.5) & (floor % 2 == 1))
    mass = (floor + up).astype(np.int64)
    short = 2**bits - run_sums(mass, slots)
    lost = scaled - mass
    # Of what is over, what was rounded up most gives back: in either case the least, of equals the earlier.
    wanting = np.sign(short)[run_of(slots)]
    taken: I64 = mass + wanting * least(-wanting * lost, slots, np.abs(short))
    return taken


def unlawful(mass: I64, slots: I64, bits: int, prob_q: U32, alias: U32) -> BOOL:
    """Slots (n,) whose pair is not the one the law's construction gives.

    Args:
        mass: int64 (n,), steps of 2^-bits, 2^bits a merchant; bits of 16 to 32.
    """
    full, of_merchant = np.int64(2**bits), run_of(slots)
    content = mass * slots[of_merchant]
    target = (np.cumsum(slots) - slots)[of_merchant] + alias
    paired = target != np.arange(target.shape[0])
    step = np.int64(2 ** (_BITS - bits))
    kept = np.where(paired, prob_q.astype(np.int64) // step, full)
    threshold = np.where(paired, np.maximum(kept * step, 1), 2**_BITS - 1)
    balance = kept - content
    np.add.at(balance, target, full - kept)
    if step == 1:
        _settle_ones(np.flatnonzero(paired & (kept == 1)), content >= full, kept, balance, target)
    wrong: BOOL = (prob_q != threshold) | (balance != 0)
    if not wrong.any():
        pairs = _Pairs.of(content, kept, full, target, paired)
        wrong[pairs.small[pairs.out_of_order(of_merchant)]] = True
    return wrong


def _settle_ones(ones: I64, was_large: BOOL, kept: I64, balance: I64, target: I64) -> None:
    """A threshold is at least 1: where a step is no more, 1 may stand for a cell that keeps nothing; writes ``kept``.

    What a cell that was small from the first keeps is its content; one that was large leaves to a cell behind it.
    """
    for at in (*ones[~was_large[ones]].tolist(), *ones[was_large[ones]].tolist()):
        if balance[at] == 1:
            kept[at], balance[at] = 0, 0
            balance[target[at]] += 1


class _Pairs:
    """Pairs of balanced tables, in the order in which they must have been made; arrays (pairs,) of slot numbers.

    A large cell is served until it is small, and the next one is the next by number: so pairs stand in the order of
    the large cell, and within it in that of the small one.

    Attributes:
        small, large: the cells of each pair.
    """

    def __init__(self, small: I64, large: I64, content: I64, kept: I64, full: np.int64) -> None:
        self.small, self.large = small, large
        self._content, self._kept, self._full = content, kept, full

    @classmethod
    def of(cls, content: I64, kept: I64, full: np.int64, target: I64, paired: BOOL) -> _Pairs:
        small = np.flatnonzero(paired)
        small = small[np.argsort(target[small], kind="stable")]
        return cls(small, target[small], content, kept, full)

    def out_of_order(self, of_merchant: I64) -> BOOL:
        """Which pairs are not the next the law makes (pairs,)."""
        return self._not_lowest_small() | self._not_lowest_large(of_merchant)

    def _not_lowest_small(self) -> BOOL:
        """Two lines wait: cells small from the first, and cells that were large and served before this pair."""
        first = self._content[self.small] < self._full
        beyond = np.array([self._content.shape[0]])
        at_first = np.append(np.flatnonzero(self._content < self._full), beyond)
        served = np.append(np.sort(self.small[~first]), beyond)
        taken: I64 = np.cumsum(first) - first
        retaken: I64 = np.cumsum(~first) - ~first
        ready = np.searchsorted(served, self.large)
        waiting = np.where(retaken < ready, served[np.minimum(retaken, served.shape[0] - 1)], beyond)
        lowest = np.minimum(at_first[np.minimum(taken, at_first.shape[0] - 1)], waiting)
        return np.asarray(self.small != lowest)

    def _not_lowest_large(self, of_merchant: I64) -> BOOL:
        """A pair of a cell that is not large, of one while a lower one is still large, or of one already served."""
        wrong = self._content[self.large] < self._full
        last = np.flatnonzero(np.diff(self.large, append=-1))
        served = self.large[last]
        # Of the cells served, all but a merchant's last became small, and not before their last pair.
        goes_on = np.append(of_merchant[served[1:]] == of_merchant[served[:-1]], False)
        became_small = self._kept[served] < self._full
        too_late = became_small & (self._kept[served] < self._kept[self.small[last]])
        wrong[last] |= (goes_on != became_small) | too_late
        larges = np.flatnonzero(self._content >= self._full)
        before = larges[np.maximum(np.searchsorted(larges, served) - 1, 0)]
        skipped = (before < served) & (of_merchant[before] == of_merchant[served]) & ~np.isin(before, served)
        wrong[last] |= skipped
        return np.asarray(wrong)
