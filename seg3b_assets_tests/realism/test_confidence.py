"""The confidence layer against scipy and plain resampling."""

from __future__ import annotations

import statistics
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, ks_2samp

from seg3b_assets.laws.randomness import REALISM_SAMPLE, Stream
from seg3b_assets.realism import CouplingMedians, confidence, measure
from seg3b_assets.realism.confidence import bootstrap_median, compare_seeds, coupling_uplift, holm
from seg3b_assets_tests.realism.test_metrics_recomputed import chord_km
from seg3b_assets_tests.realism.worlds import identity, policies, published

POLICIES = policies()
POLICY = POLICIES.certification.confidence
STREAM = Stream.of(identity(), REALISM_SAMPLE)


def test_resamples_are_the_addressed_draws_one_by_one() -> None:
    values = np.random.default_rng(3).random(31)
    policy = POLICY.model_copy(update={"bootstrap_resamples": 100})
    medians = []
    for resample in range(100):
        words = [int(STREAM.words(0, resample * 31 + draw)[0]) for draw in range(31)]
        medians.append(statistics.median(sorted(values)[word * 31 >> 64] for word in words))
    found = bootstrap_median(values, policy, STREAM, workers=1)
    assert found.estimate == pytest.approx(statistics.median(values), abs=1e-9)
    assert found.lower == pytest.approx(np.quantile(medians, 0.025), abs=1e-9)
    assert found.upper == pytest.approx(np.quantile(medians, 0.975), abs=1e-9)


def test_the_interval_ignores_threads_and_merchant_order() -> None:
    values = np.random.default_rng(4).random(3001)
    one = bootstrap_median(values, POLICY, STREAM, workers=1)
    assert one == bootstrap_median(values[::-1], POLICY, STREAM, workers=3)
    assert one.lower < one.estimate < one.upper


def test_chunks_of_draws_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).random(50)
    whole = bootstrap_median(values, POLICY, STREAM)
    monkeypatch.setattr(confidence, "_DRAWS_PER_CHUNK", 700)
    assert bootstrap_median(values, POLICY, STREAM) == whole


def test_nobody_to_resample_has_no_interval() -> None:
    assert bootstrap_median(np.zeros(0), POLICY, STREAM).lower is None


def naive_statistic(a: np.ndarray, b: np.ndarray) -> float:
    points = np.concatenate((a, b))
    return max(abs(np.mean(a <= x) - np.mean(b <= x)) for x in points)


@pytest.mark.filterwarnings("ignore:ks_2samp")
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 60), st.integers(5, 60))
def test_seed_pairs_agree_with_scipy_and_with_the_definition(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    samples = {7: rng.random(n), 42: rng.random(m) ** 1.5, 101: rng.random(n) + 0.3}
    pairs = compare_seeds(samples)
    assert [pair.seeds for pair in pairs] == [(7, 42), (7, 101), (42, 101)]
    for pair in pairs:
        a, b = (samples[one] for one in pair.seeds)
        assert pair.statistic == pytest.approx(naive_statistic(a, b), abs=1e-9)
        assert pair.p == pytest.approx(ks_2samp(a, b).pvalue, abs=1e-9)
        assert pair.p_holm >= pair.p


def test_a_pairs_p_counts_the_ways_two_samples_could_have_mixed() -> None:
    rng = np.random.default_rng(8)
    for n, m in ((5, 5), (4, 7), (6, 3)):
        a, b = rng.random(n), rng.random(m) + 0.2
        pooled = np.sort(np.concatenate((a, b)))
        seen = naive_statistic(a, b)
        splits = list(combinations(range(n + m), n))
        extreme = sum(
            naive_statistic(pooled[list(split)], np.delete(pooled, split)) >= seen - 1e-12 for split in splits
        )
        [pair] = compare_seeds({1: a, 2: b})
        assert pair.p == pytest.approx(extreme / len(splits), abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_follows_its_definition(p_values: list[float]) -> None:
    adjusted, n = holm(p_values), len(p_values)
    order = sorted(range(n), key=lambda i: p_values[i])
    for rank, at in enumerate(order):
        expected = min(1.0, max((n - k) * p_values[order[k]] for k in range(rank + 1)))
        assert adjusted[at] == pytest.approx(expected, abs=1e-15)
    # Never as lenient as a procedure that controls the false discovery rate only.
    assert (np.array(adjusted) >= false_discovery_control(p_values, method="bh") - 1e-12).all()


def test_seeds_without_merchants_are_left_out() -> None:
    assert compare_seeds({1: np.zeros(0), 2: np.ones(3)}) == []


def test_uplift_needs_a_doubled_overlap_and_a_fifth_less_distance() -> None:
    def outcome(overlap: float, distance: float) -> bool:
        found = coupling_uplift(CouplingMedians(overlap, distance), CouplingMedians(0.1, 5000.0), POLICY)
        return bool(found["pass"])

    assert outcome(0.2, 4000.0)
    assert not outcome(0.199, 4000.0)
    assert not outcome(0.2, 4001.0)


def test_uplift_over_no_overlap_at_all_and_without_a_counterfactual() -> None:
    coupled = CouplingMedians(0.1, 3000.0)
    found = coupling_uplift(coupled, CouplingMedians(0.0, 5000.0), POLICY)
    assert found["pass"] is True and found["overlap_ratio"] is None
    assert (
        coupling_uplift(CouplingMedians(0.0, 3000.0), CouplingMedians(0.0, 5000.0), POLICY)["pass"] is False
    )
    assert coupling_uplift(coupled, None, POLICY) == {"shown": False, "pass": False}


def test_uplift_is_the_medians_compared_row_by_row() -> None:
    outputs = published()
    settled = {row["merchant_id"]: row for row in outputs.settlement.iter_rows(named=True)}
    overlap, kilometres = dict.fromkeys(settled, 0.0), []
    for edge in outputs.edges.iter_rows(named=True):
        place = settled[edge["merchant_id"]]
        if edge["country_iso"] == place["settlement_country"]:
            overlap[edge["merchant_id"]] += edge["edge_weight"]
        kilometres.append(chord_km(place["lat_deg"], place["lon_deg"], edge["lat_deg"], edge["lon_deg"]))
    at_home, away = statistics.median(overlap.values()), statistics.median(kilometres)
    found = coupling_uplift(
        CouplingMedians.of_edges(outputs.settlement, outputs.edges), CouplingMedians(0.013, 7900.0), POLICY
    )
    assert found["overlap_ratio"] == pytest.approx(at_home / 0.013, rel=1e-9, abs=1e-9)
    assert found["distance_reduction"] == pytest.approx(1 - away / 7900.0, abs=1e-9)


def test_medians_of_bare_edges_are_the_metrics_of_the_same_edges() -> None:
    outputs = published()
    measured = measure(outputs, POLICIES.virtual_validation, workers=1)
    found = CouplingMedians.of_edges(outputs.settlement, outputs.edges)
    assert found.overlap == measured.value("settlement_overlap_median")
    assert found.distance_km == measured.value("settlement_distance_median_km")
