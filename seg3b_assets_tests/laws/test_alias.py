"""Alias tables: the lockstep construction equals the textbook one, and decodes to the masses."""

from __future__ import annotations

import heapq
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.alias import build_tables, decoded_masses, encode_slice, pick, quantise, slice_bytes

BITS = 32
merchants = st.lists(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(lambda row: sum(row) > 0),
    min_size=1,
    max_size=6,
)


def textbook(masses: list[int]) -> tuple[list[int], list[int]]:
    n = len(masses)
    scaled = [mass / 2**BITS * n for mass in masses]
    small = [i for i in range(n) if scaled[i] < 1 - 1e-15]
    large = [i for i in range(n) if not scaled[i] < 1 - 1e-15]
    probability, alias = [1.0] * n, list(range(n))
    while small and large:
        s, big = heapq.heappop(small), heapq.heappop(large)
        probability[s], alias[s] = scaled[s], big
        scaled[big] -= 1 - probability[s]
        heapq.heappush(small if scaled[big] < 1 - 1e-15 else large, big)
    return [min(max(math.floor(p * 2**32), 1), 2**32 - 1) for p in probability], alias


@given(merchants)
def test_lockstep_construction_equals_the_textbook(rows: list[list[int]]) -> None:
    lengths = np.array([len(row) for row in rows], np.int64)
    weights = np.concatenate([np.array(row) / sum(row) for row in rows])
    masses = quantise(weights, lengths, BITS)
    tables = build_tables(masses, lengths, BITS)
    start = 0
    for n in lengths.tolist():
        expected = textbook(masses[start : start + n].tolist())
        cells = slice(start, start + n)
        assert (tables.prob_q[cells].tolist(), tables.alias[cells].tolist()) == expected
        start += n


@given(merchants)
def test_decoded_probabilities_equal_the_masses_to_the_resolution(rows: list[list[int]]) -> None:
    lengths = np.array([len(row) for row in rows], np.int64)
    weights = np.concatenate([np.array(row) / sum(row) for row in rows])
    masses = quantise(weights, lengths, BITS)
    assert (np.add.reduceat(masses, np.cumsum(lengths) - lengths) == 2**BITS).all()
    decoded = decoded_masses(build_tables(masses, lengths, BITS))
    assert np.abs(decoded - masses / 2**BITS).max() <= 2.0**-32


def test_slice_length_counts_header_and_pairs() -> None:
    tables = build_tables(np.array([2**31, 2**31]), np.array([2]), BITS)
    assert len(encode_slice(tables.prob_q, tables.alias)) == slice_bytes(2) == 32


def test_picks_follow_the_weights() -> None:
    weights = np.array([0.6, 0.3, 0.1])
    tables = build_tables(quantise(weights, np.array([3]), BITS), np.array([3]), BITS)
    uniforms = (np.arange(100_000) + 0.5) / 100_000
    shares = np.bincount(pick(tables.prob_q, tables.alias, uniforms), minlength=3) / uniforms.shape[0]
    assert np.abs(shares - weights).max() < 1e-4
