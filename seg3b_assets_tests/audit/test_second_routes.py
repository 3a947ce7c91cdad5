"""The audit's own largest remainder and its judgement of alias tables, against exact fractions and the law's code."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import permutations
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.audit.alias_tables import on_grid, unlawful
from seg3b_assets.audit.draws import attempt_addresses, edge_addresses, philox, spread, stream_key, unit
from seg3b_assets.audit.largest_remainder import run_sums, share_out, share_out_rows
from seg3b_assets.audit.profile import far_apart_km
from seg3b_assets.laws.alias import build_tables, quantise
from seg3b_assets.laws.apportionment import apportion
from seg3b_assets.laws.geography import haversine_km
from seg3b_assets.laws.identity import RunIdentity

runs = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=6)


def exact(weights: list[int], units: int) -> list[int]:
    """Hamilton's method by fractions, a unit at a time."""
    quotas = [Fraction(weight * units, sum(weights)) for weight in weights]
    seats = [quota.numerator // quota.denominator for quota in quotas]
    while sum(seats) < units:
        lacking = [quota - seat for quota, seat in zip(quotas, seats, strict=True)]
        seats[lacking.index(max(lacking))] += 1
    return seats


@given(runs, st.integers(0, 10**9))
def test_integers_are_shared_out_as_fractions_say_ties_to_the_earlier(
    rows: list[list[int]], units: int
) -> None:
    rows = [row if sum(row) else [1, *row[1:]] for row in rows]
    lengths = np.array([len(row) for row in rows])
    got = share_out(np.concatenate(rows).astype(np.int64), lengths, np.full(len(rows), units))
    assert got.tolist() == [seat for row in rows for seat in exact(row, units)]


@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=200), st.integers(1, 10**12))
def test_floats_are_shared_out_as_the_law_says(weights: list[float], units: int) -> None:
    values, lengths = np.array(weights), np.array([len(weights)])
    got = share_out(values, lengths, np.array([units]))
    assert got.sum() == units
    np.testing.assert_array_equal(got, apportion(values, lengths, [units]))


def test_rows_and_empty_runs() -> None:
    assert share_out_rows(np.array([[1, 1, 1], [0, 5, 5]]), np.array([2, 3])).tolist() == [
        [1, 1, 0],
        [0, 2, 1],
    ]
    assert share_out(np.array([3, 1]), np.array([0, 2, 0]), np.array([0, 4, 0])).tolist() == [3, 1]
    assert run_sums(np.array([0.5, 0.25, 2.0]), np.array([2, 0, 1])).tolist() == [0.75, 0.0, 2.0]


weights = st.lists(st.integers(0, 12), min_size=1, max_size=12).filter(any)


@given(st.lists(weights, min_size=1, max_size=5), st.sampled_from([16, 24, 32]))
def test_the_laws_tables_are_lawful_and_its_masses_are_on_the_grid(rows: list[list[int]], bits: int) -> None:
    slots = np.array([len(row) for row in rows])
    weight = np.concatenate([np.array(row) / sum(row) for row in rows])
    mass = on_grid(weight, slots, bits)
    np.testing.assert_array_equal(mass, quantise(weight, slots, bits))
    built = build_tables(mass, slots, bits)
    assert not unlawful(mass, slots, bits, built.prob_q, built.alias).any()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=5), st.integers(0, 4), st.integers(-1, 1))
def test_a_step_that_is_no_more_than_the_least_threshold_is_read_both_ways(
    parts: list[int], rest: int, off: int
) -> None:
    """At 32 bits a cell that keeps nothing and one that keeps a step have one threshold."""
    slots, full = np.array([len(parts)]), 2**32
    mass = np.array([max(part * (full // len(parts)) + off, 0) for part in parts])
    mass[rest % len(parts)] += full - mass.sum()
    if (mass >= 0).all():
        built = build_tables(mass, slots, 32)
        assert not unlawful(mass, slots, 32, built.prob_q, built.alias).any()


@given(st.lists(st.integers(0, 30), min_size=2, max_size=5).filter(any))
def test_no_other_table_is_lawful_whatever_the_order_it_was_paired_in(parts: list[int]) -> None:
    slots, bits = np.array([len(parts)]), 16
    mass = on_grid(np.array(parts) / sum(parts), slots, bits)
    law = build_tables(mass, slots, bits)
    for order in permutations(range(len(parts))):
        other = build_tables(mass[list(order)], slots, bits)
        back = np.argsort(order)
        prob_q, alias = other.prob_q[back], np.array(order, np.uint32)[other.alias[back]]
        same = np.array_equal(prob_q, law.prob_q) and np.array_equal(alias, law.alias)
        assert same != unlawful(mass, slots, bits, prob_q, alias).any()
        if same:
            prob_q[0] ^= 2
            assert unlawful(mass, slots, bits, np.maximum(prob_q, 1), alias).any()


KNOWN = json.loads((Path(__file__).parents[1] / "laws" / "known_answers.json").read_text(encoding="utf-8"))


def test_philox_of_plain_integers_gives_the_published_words() -> None:
    assert [f"{word:016x}" for word in philox(0, 0, 0)] == KNOWN["philox_zero"]
    for row in KNOWN["streams"]:
        world = (row["seed"], row["parameter_hash"], row["manifest_fingerprint"])
        identity = RunIdentity(*world, "2026-01-01T00:00:00.000000Z", "0" * 64)
        key = stream_key(identity, row["label"])
        words = philox(key, row["merchant_id"], row["index"])
        assert (f"{key:016x}", f"{words[0]:016x}", f"{words[1]:016x}") == (row["key"], row["x0"], row["x1"])
        assert [repr(float(u)) for u in unit(np.array(words, np.uint64))] == [row["u0"], row["u1"]]


def test_addresses_are_the_published_ones_and_uniforms_stay_below_one() -> None:
    for row in KNOWN["edge_addresses"]:
        address = edge_addresses(np.array([row["cc"]], np.uint64), np.array([row["slot"]]))
        assert int(address[0]) == row["address"]
        assert int(attempt_addresses(address, row["attempt"])[0]) == row["jitter_index"]
    assert unit(np.array([2**64 - 1], np.uint64)).tolist() == [1.0 - 2.0**-53]


def test_a_sample_has_both_ends() -> None:
    assert (spread(0, 4), spread(1, 4), spread(3, 4), spread(10, 4)) == ([], [0], [0, 1, 2], [0, 3, 6, 9])


places = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


@given(places, places)
def test_vectors_and_haversines_tell_one_distance_short_of_the_antipode(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    found, law = (
        float(way(*(np.array([x]) for x in (*one, *other)))[0]) for way in (far_apart_km, haversine_km)
    )
    assert abs(found - law) <= 2e-6 or found > 3.13 * 6371.0088
