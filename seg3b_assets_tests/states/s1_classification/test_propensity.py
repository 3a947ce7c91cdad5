"""The hash draw is the law's, and independent of everything but rule, seed and merchant."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.states.s1_classification.propensity import Propensity, hash_uniform

IDS = st.integers(1, 2**64 - 1)


def test_the_known_answer() -> None:
    drawn = hash_uniform("VRULE_DIGITAL_GOODS", 42, np.array([1234567890123456789], np.uint64))
    assert drawn[0] == 0.2806312844285852


@given(st.lists(IDS, max_size=8), st.integers(0, 2**64 - 1), st.text("ABC_#19", min_size=1))
def test_each_draw_is_the_formula_by_hand(ids: list[int], seed: int, rule: str) -> None:
    drawn = hash_uniform(rule, seed, np.array(ids, np.uint64))
    for merchant, found in zip(ids, drawn.tolist(), strict=True):
        head = hashlib.sha256(f"{rule}|{seed}|{merchant}".encode()).digest()[:8]
        assert found == (int.from_bytes(head, "big") + 0.5) / 2**64
        assert 0.0 <= found <= 1.0


def test_a_share_of_one_takes_everybody_and_a_half_about_half() -> None:
    ids = np.arange(1, 20_001, dtype=np.uint64)
    assert Propensity("R", 1.0, 7).takes(ids).all()
    assert abs(Propensity("R", 0.5, 7).takes(ids).mean() - 0.5) < 0.02
