"""The consumer's functions given what real callers give them: taken as meant, or refused by argument and row."""

from __future__ import annotations

import datetime as dt
import time
import zoneinfo
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.consume import Router, event_numbers, local_times, open_run, settlement_days
from seg3b_assets.laws.alias import AliasTables, build_tables
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.randomness import Stream
from seg3b_assets.laws.zone_clock import ZoneClock, offsets_at, pinned_zone

IDS = [7, 2**53 + 1, 2**64 - 1]
NOON = dt.datetime(2026, 7, 1, 12)
ZONES = [
    "Europe/Paris",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Etc/UTC",
]


@pytest.fixture(scope="module")
def router() -> Router:
    """Three merchants with two edges each."""
    identity = RunIdentity(42, "1" * 64, "2" * 64, "2026-01-02T03:04:05.000006Z", "3" * 64)
    tables = tables_of_two(len(IDS))
    edges = pl.DataFrame(
        {
            "merchant_id": pl.Series([one for one in IDS for _ in "ab"], dtype=pl.UInt64),
            "edge_id": [*"abcdef"],
        }
    )
    return Router(np.array(IDS, np.uint64), tables, edges, Stream.of(identity, "test"))


def tables_of_two(merchants: int) -> AliasTables:
    masses = np.tile(np.array([1 << 31, 1 << 31], np.int64), merchants)
    return build_tables(masses, np.full(merchants, 2, np.int64), 32)


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(Seg3BError) as caught:
        call()
    assert caught.value.name == "INPUT_SCHEMA_MISMATCH"
    return caught.value.place, caught.value.validator


@pytest.mark.parametrize(
    "given",
    [IDS, tuple(IDS), np.array(IDS, np.uint64), np.array(IDS, object), pl.Series(IDS, dtype=pl.UInt64)],
    ids=lambda given: type(given).__name__,
)
def test_whole_numbers_of_any_kind_are_the_same_merchants(router: Router, given: Any) -> None:
    assert router.route(given)["merchant_id"].to_list() == IDS
    assert router.route(given).equals(router.route(np.array(IDS, np.uint64)))


def test_a_single_number_is_one_event_and_none_are_none(router: Router) -> None:
    assert router.route(7).height == 1
    assert router.route([]).height == 0
    assert router.route(np.array([7], np.int64)).height == 1


@pytest.mark.parametrize(
    ("given", "row", "rule"),
    [
        (np.array([7.0, 8.0]), 0, "whole_numbers"),
        ([7, 7.0], 1, "whole_numbers"),
        (["7"], 0, "whole_numbers"),
        ([7, True], 1, "whole_numbers"),
        ([7, -1], 1, "whole_numbers"),
        ([7, 2**64], 1, "whole_numbers"),
        (np.array([7, -7]), 1, "whole_numbers"),
        ([7, None], 1, "no_nulls"),
        ([7, float("nan")], 1, "no_nulls"),
        (pl.Series([7, None], dtype=pl.UInt64), 1, "no_nulls"),
    ],
)
def test_what_may_be_another_merchant_is_refused_by_row(
    router: Router, given: Any, row: int, rule: str
) -> None:
    for call in (lambda: router.route(given), lambda: event_numbers(given)):
        assert refusal(call) == (f"merchant_ids[{row}]", rule)


def test_an_unknown_merchant_is_told_by_row(router: Router) -> None:
    assert refusal(lambda: router.route([7, 8]))[0] == "merchant_ids[1]: merchant 8"


def test_two_dimensions_are_refused(router: Router) -> None:
    assert refusal(lambda: router.route(np.array([[7], [7]]))) == ("merchant_ids", "one_column")


@pytest.mark.parametrize(
    ("events", "place", "rule"),
    [
        ([0, 1], "events", "lengths"),
        ([0, 1, 2, 3], "events", "lengths"),
        ([0, 1, -1], "events[2]", "whole_numbers"),
        ([0.5, 1.0, 2.0], "events[0]", "whole_numbers"),
    ],
)
def test_event_numbers_are_one_per_event(router: Router, events: Any, place: str, rule: str) -> None:
    assert refusal(lambda: router.route(IDS, events)) == (place, rule)


@pytest.mark.parametrize(
    ("uniforms", "place", "rule"),
    [
        ([0.5, 0.1], "uniforms", "lengths"),
        ([0.5, 1.0, 0.1], "uniforms[1]", "numbers"),
        ([0.5, 0.1, float("nan")], "uniforms[2]", "numbers"),
        (np.array([0.5, 0.25, 0.99999999], np.float32), "uniforms[2]", "numbers"),
        (["0.5", 0.1, 0.2], "uniforms[0]", "numbers"),
        (pl.Series([0.1, None, 0.2]), "uniforms[1]", "no_nulls"),
    ],
)
def test_uniforms_are_one_per_event_and_inside(router: Router, uniforms: Any, place: str, rule: str) -> None:
    assert refusal(lambda: router.draw(IDS, uniforms=uniforms)) == (place, rule)


def test_one_value_is_taken_for_all(router: Router) -> None:
    assert router.draw(IDS, uniforms=0.3).tolist() == router.draw(IDS, uniforms=[0.3] * 3).tolist()
    assert router.draw(IDS, events=[5]).tolist() == router.draw(IDS, events=[5, 5, 5]).tolist()


@pytest.mark.parametrize("arguments", [(7, -1), (7, 1, -1), (7, 1.5), (7, 2, 2**64 - 1), (7.0, 1), ("7", 1)])
def test_a_sample_is_of_whole_numbers(router: Router, arguments: tuple[Any, ...]) -> None:
    refusal(lambda: router.sample(*arguments))


def test_times_spread_and_agree_with_the_standard_library() -> None:
    zones = pl.Series(ZONES)
    both = local_times([NOON], zones).to_list()
    assert both == local_times(pl.Series([NOON] * len(ZONES)), zones).to_list()
    aware = NOON.replace(tzinfo=dt.UTC)
    assert both == [aware.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None) for zone in ZONES]
    late = [dt.datetime(2026, 7, 1, 20)] * 2
    assert settlement_days(late, "Asia/Tokyo").to_list() == [dt.date(2026, 7, 2)] * 2
    assert local_times(pl.Series([], dtype=pl.Datetime), []).to_list() == []


@pytest.mark.parametrize(
    ("instants", "zones", "place", "rule"),
    [
        ([NOON, None], ["Europe/Paris"] * 2, "instants[1]", "no_nulls"),
        ([NOON] * 2, ["Europe/Paris", None], "tzids[1]", "no_nulls"),
        ([NOON], ["Europe/Atlantis"], "tzids[0]", "zones"),
        ([NOON] * 2, ["Etc/UTC", "../../tzdata/zones"], "tzids[1]", "zones"),
        ([NOON], ["europe/paris"], "tzids[0]", "zones"),
        ([NOON], [3], "tzids[0]", "zones"),
        ([NOON] * 3, ["Etc/UTC"] * 2, "tzids", "lengths"),
        (["2026-01-01T00:00:00"], ["Etc/UTC"], "instants[0]", "instants"),
        ([dt.date(2026, 1, 1)], ["Etc/UTC"], "instants[0]", "instants"),
        ([1.5], ["Etc/UTC"], "instants[0]", "instants"),
    ],
)
def test_times_that_are_none_are_refused_by_row(instants: Any, zones: Any, place: str, rule: str) -> None:
    assert refusal(lambda: local_times(instants, zones)) == (place, rule)


def test_the_cost_goes_with_the_events_and_not_with_the_years_between() -> None:
    far = [dt.datetime(1, 1, 2), dt.datetime(1970, 1, 1), dt.datetime(9999, 12, 30)]
    local_times([NOON], "Europe/Paris")
    began = time.process_time()
    assert local_times(far, "Europe/Paris").dt.year().to_list() == [1, 1970, 9999]
    assert time.process_time() - began < 0.5


@given(st.sampled_from(ZONES), st.lists(st.integers(-5_000_000_000, 30_000_000_000), min_size=1, max_size=20))
def test_offsets_are_those_of_the_zone_at_any_instant(zone: str, seconds: list[int]) -> None:
    expected = [
        dt.datetime.fromtimestamp(one, pinned_zone(zone)).utcoffset() // dt.timedelta(seconds=1)  # type: ignore[operator]
        for one in seconds
    ]
    assert offsets_at(zone, np.array(seconds, np.int64)).tolist() == expected


def test_offsets_are_those_of_the_probes_window() -> None:
    clock = ZoneClock(20_454, 400)
    for zone in ZONES:
        assert np.array_equal(offsets_at(zone, clock.instants), clock.offsets(zone, clock.instants))


@pytest.mark.parametrize("root", ["s3://bucket/x", "~/nothing-of-that-name", __file__])
def test_what_is_no_folder_is_refused_as_that(root: str) -> None:
    with pytest.raises(Seg3BError) as caught:
        open_run(root)
    assert caught.value.name == "INPUT_OPEN_FAILED"
    assert any(word in str(caught.value.detail["reason"]) for word in ("URL", "no folder"))
