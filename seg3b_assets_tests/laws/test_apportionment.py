"""Largest remainder: totals met, never further than one unit from the quota, ties to the earlier cell."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.apportionment import apportion, apportion_exact, rank_in_segment, segment_sums

segments = st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=12), min_size=1, max_size=8)


def naive(masses: list[int], total: int) -> list[int]:
    whole = sum(masses)
    quotas = [Fraction(m * total, whole) for m in masses]
    seats = [int(q) for q in quotas]
    order = sorted(range(len(masses)), key=lambda i: (-(quotas[i] - seats[i]), i))
    for i in order[: total - sum(seats)]:
        seats[i] += 1
    return seats


@given(segments, st.integers(0, 10**9))
def test_exact_apportionment_is_hamilton_with_ties_to_the_earlier_cell(
    rows: list[list[int]], total: int
) -> None:
    rows = [row if sum(row) else [1, *row[1:]] for row in rows]
    lengths = [len(row) for row in rows]
    got = apportion_exact(np.concatenate(rows).astype(np.int64), lengths, [total] * len(rows))
    expected = [seat for row in rows for seat in naive(row, total)]
    assert got.tolist() == expected


@given(
    st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=200),
    st.integers(1, 10**12),
)
def test_float_apportionment_meets_the_total_and_stays_within_a_unit(
    weights: list[float], total: int
) -> None:
    values = np.array(weights)
    got = apportion(values, [len(weights)], [total])
    quota = values / values.sum() * total
    assert got.sum() == total
    assert (got >= 0).all()
    assert (np.abs(got - quota) <= 1 + 1e-3).all()


def test_segments_do_not_leak_into_each_other() -> None:
    alone = [apportion(np.array(w), [len(w)], [7]).tolist() for w in ([0.2, 0.5], [0.9, 0.1, 0.4])]
    together = apportion(np.array([0.2, 0.5, 0.9, 0.1, 0.4]), [2, 3], [7, 7]).tolist()
    assert together == alone[0] + alone[1]


def test_rank_breaks_ties_by_position_and_empty_segments_sum_to_zero() -> None:
    assert rank_in_segment(np.array([1, 3, 3, 2, 2]), [3, 2]).tolist() == [2, 0, 1, 0, 1]
    assert segment_sums(np.array([1, 2, 3]), [2, 0, 1]).tolist() == [3, 0, 3]
