"""How surprising a count of independent yes/no events is, by a bound that holds at any sample size.

For independent events whose mean probability is q, P(mean ≥ x) ≤ exp(−n·KL(x‖q)) for x > q, and the same
for x < q. The events need not share one probability, which is why picks of different merchants can be
pooled. Source: Hoeffding, "Probability inequalities for sums of bounded random variables", JASA 58,
1963, theorem 1. Several cells are combined by Bonferroni, so every stated rate is an upper bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]

_BISECTIONS: Final = 60


def relative_entropy(x: ArrayLike, q: ArrayLike) -> F64:
    """KL(x‖q) of two Bernoulli means, in nats; infinite where q rules x out."""
    means, rates = np.broadcast_arrays(np.clip(x, 0.0, 1.0), np.clip(q, 0.0, 1.0))
    return _term(means, rates) + _term(1.0 - means, 1.0 - rates)


def _term(x: F64, q: F64) -> F64:
    term = np.zeros(x.shape)
    some = x > 0
    with np.errstate(divide="ignore"):
        term[some] = x[some] * np.log(x[some] / q[some])
    return term


def two_sided_bound(observed: ArrayLike, expected: ArrayLike, n: int) -> F64:
    """Upper bound on the chance of a count as far from its expectation, on either side.

    Args:
        observed: counts of n events each. expected: mean probability of the events of each count.
    """
    means = np.asarray(observed, np.float64) / n
    distance = np.maximum(relative_entropy(means, expected), 0.0)
    bound: F64 = np.minimum(1.0, 2.0 * np.exp(-n * distance))
    return bound


def combined(*families: F64) -> float:
    """Bonferroni over families of tests and the tests within each: a family gets an equal share.

    Returns:
        The smallest adjusted bound, at most 1.
    """
    adjusted = (len(families) * family.size * float(family.min()) for family in families if family.size)
    return min(1.0, *adjusted)


@dataclass(frozen=True)
class RejectionRegion:
    """Means at which a two-sided test of each cell rejects: at ``low`` and below, at ``high`` and above.

    A side on which no mean is far enough is NaN.
    """

    low: F64
    high: F64
    n: int

    @classmethod
    def of(cls, expected: F64, n: int, level: float) -> RejectionRegion:
        """Region of each cell, found by bisection between the expected mean and either end.

        Args:
            expected: (cells,), mean probability of each cell's events.
            level: two-sided level one cell is tested at.
        """
        needed = math.log(2.0 / level) / n
        ends = []
        for end in (0.0, 1.0):
            inner, outer = expected.copy(), np.full(expected.shape, end)
            for _ in range(_BISECTIONS):
                middle = (inner + outer) / 2.0
                rejects = relative_entropy(middle, expected) >= needed
                outer, inner = np.where(rejects, middle, outer), np.where(rejects, inner, middle)
            ends.append(np.where(relative_entropy(outer, expected) >= needed, outer, np.nan))
        return cls(ends[0], ends[1], n)

    def power(self, shifted: F64) -> float:
        """Lower bound on the chance that some cell rejects when the cells' means are the shifted ones."""
        missed = [
            np.where(beyond, np.exp(-self.n * relative_entropy(np.nan_to_num(edge), shifted)), 1.0)
            for edge, beyond in ((self.low, shifted < self.low), (self.high, shifted > self.high))
        ]
        return float(1.0 - min(part.min(initial=1.0) for part in missed))
