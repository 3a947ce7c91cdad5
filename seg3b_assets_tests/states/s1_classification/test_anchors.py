"""The place draw: the law's order, capacities kept, independent of who else is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg3b_assets.laws.randomness import SETTLEMENT_PICK, Stream
from seg3b_assets.states.s1_classification.anchors import (
    WEIGHT_UNITS,
    CountryPlaces,
    place_capacities,
    place_weights,
)
from seg3b_assets_tests.states.miniature_upstream import WORLD

STREAM = Stream.of(WORLD, SETTLEMENT_PICK)


def places(weights: list[int], capacity: list[int]) -> CountryPlaces:
    return CountryPlaces.of(np.array(weights, np.uint64), np.array(capacity, np.int64))


def served_by_hand(seats: CountryPlaces, merchants: list[int], max_attempts: int) -> list[int]:
    """Merchant by merchant, attempt by attempt, in Python integers."""
    bounds = [int(bound) for bound in seats.cumulative]
    load, chosen = [0] * len(bounds), []
    for merchant in merchants:
        place = -1
        for attempt in range(max_attempts):
            word = int(STREAM.words(merchant, attempt)[0])
            position = word * bounds[-1] >> 64
            asked = next(at for at, bound in enumerate(bounds) if bound > position)
            if load[asked] < seats.capacity[asked]:
                place = asked
                break
        if place < 0:
            place = min(range(len(bounds)), key=lambda at: (load[at], at))
        load[place] += 1
        chosen.append(place)
    return chosen


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 3)), min_size=1, max_size=6),
    st.lists(st.integers(1, 2**64 - 1), max_size=14, unique=True),
    st.sampled_from([1, 3, 8, 9, 20]),
)
def test_everyone_is_served_as_the_law_reads(
    country: list[tuple[int, int]], ids: list[int], max_attempts: int
) -> None:
    seats = places([weight for weight, _ in country], [room for _, room in country])
    found = seats.assign(STREAM, np.array(sorted(ids), np.uint64), max_attempts)
    assert found.tolist() == served_by_hand(seats, sorted(ids), max_attempts)


def test_capacities_hold_while_there_is_room() -> None:
    seats = places([10**9, 10**8, 10**7, 10**6], [3, 3, 3, 3])
    found = seats.assign(STREAM, np.arange(1, 13, dtype=np.uint64), 64)
    assert np.bincount(found, minlength=4).max() <= 12
    few = seats.assign(STREAM, np.arange(1, 7, dtype=np.uint64), 64)
    assert np.bincount(few, minlength=4).max() <= 3


def test_beyond_all_room_the_least_loaded_place_takes_the_next() -> None:
    seats = places([1, 1, 1], [1, 1, 1])
    found = seats.assign(STREAM, np.arange(1, 100, dtype=np.uint64), 64)
    assert np.bincount(found).tolist() == [33, 33, 33]


def test_a_merchant_served_first_does_not_depend_on_later_ones() -> None:
    seats = places([5, 3, 2], [2, 2, 2])
    everyone = seats.assign(STREAM, np.arange(1, 30, dtype=np.uint64), 64)
    first = seats.assign(STREAM, np.arange(1, 10, dtype=np.uint64), 64)
    assert everyone[:9].tolist() == first.tolist()


def test_weights_are_whole_positive_and_proportional() -> None:
    weights = place_weights(np.array([0.0, 2_000.0, 8_000.0, 38_000.0]), 2_000.0, 0.5)
    assert weights.tolist() == [
        round(WEIGHT_UNITS * (people / 40_000) ** 0.5) for people in (2e3, 4e3, 1e4, 4e4)
    ]
    assert place_weights(np.array([0.0, 1e9]), 1e-6, 2.0).tolist() == [1, WEIGHT_UNITS]


@pytest.mark.parametrize("noise", [-1, 1])
def test_a_last_bit_of_pow_does_not_reach_a_weight(noise: int) -> None:
    population = np.array([3_500_000.0, 12_345.0, 987.0])
    weights = place_weights(population, 2_000.0, 0.6)
    shaken = np.nextafter((population + 2_000.0) ** 0.6, noise * np.inf)
    assert np.rint(shaken / shaken.max() * WEIGHT_UNITS).tolist() == weights.tolist()


def test_capacity_grows_with_population_from_its_minimum() -> None:
    found = place_capacities(np.array([0.0, 1e6, 4e6, 1e7]), 1, 2.0, 0.5)
    assert found.tolist() == [1, 2, 4, 6]
