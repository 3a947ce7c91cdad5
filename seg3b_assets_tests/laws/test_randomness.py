"""Addressed streams: a draw depends on its address alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.randomness import Stream, multiply_high, unit_interval

WORLD = WorldIdentity(7, "a" * 64, "b" * 64, "2026-01-01T00:00:00.000000Z")
word = st.integers(0, 2**64 - 1)


@given(st.lists(st.tuples(word, word), min_size=1, max_size=50), st.randoms())
def test_order_of_evaluation_does_not_matter(addresses: list[tuple[int, int]], random: object) -> None:
    stream = Stream.of(WORLD, "edge_jitter")
    high, low = (np.array(part, np.uint64) for part in zip(*addresses, strict=True))
    together = stream.words(high, low)[0]
    order = np.random.default_rng(len(addresses)).permutation(len(addresses))
    assert (stream.words(high[order], low[order])[0] == together[order]).all()
    alone = [int(stream.words([h], [i])[0][0]) for h, i in addresses[:3]]
    assert alone == together[:3].tolist()


def test_blocks_do_not_show() -> None:
    stream = Stream.of(WORLD, "edge_jitter")
    index = np.arange(40_000, dtype=np.uint64)
    assert (stream.words(5, index)[1][20_000:20_010] == stream.words(5, index[20_000:20_010])[1]).all()


@given(word, word)
def test_multiply_high_is_exact(a: int, b: int) -> None:
    with np.errstate(over="ignore"):
        got = multiply_high(np.array([a], np.uint64), np.array([b], np.uint64))
    assert int(got[0]) == (a * b) >> 64


def test_uniforms_stay_strictly_inside_the_unit_interval() -> None:
    extremes = unit_interval(np.array([0, 2**64 - 1], np.uint64))
    assert 0 < extremes[0] < extremes[1] < 1


def test_labels_and_worlds_have_their_own_keys() -> None:
    other = WorldIdentity(8, "a" * 64, "b" * 64, "2026-01-01T00:00:00.000000Z")
    keys = {
        Stream.of(world, label).key
        for world in (WORLD, other)
        for label in ("edge_jitter", "settlement_pick")
    }
    assert len(keys) == 4
