"""The reference tier of a certification: known failures of the posture before it, pooling, seeds together, grade A+."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from seg3b_assets.certification.reference_documents import ReferenceTier as Told
from seg3b_assets.certification.reference_tier import (
    EQUIVALENCE,
    NO_COPIES,
    OTHER_WORLDS,
    ReferenceVerdict,
    copied_share,
    equivalence,
    ks_with_end,
    no_copies,
    reference_verdict,
)
from seg3b_assets.policies.reference_tier import ReferenceTier
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.realism.reference_tier.likeness import TradeSums
from seg3b_assets.realism.reference_tier.pooling import POOLED_LIFT, POOLED_METRICS, pooled_measures
from seg3b_assets.realism.reference_tier.scoring import ReferenceScore, score_reference
from seg3b_assets.realism.yardsticks import yardstick_digests
from seg3b_assets.shipped import shipped
from seg3b_assets_tests.contracts.sample_reference import reference_sample
from seg3b_assets_tests.realism.posture import posture_frames
from seg3b_assets_tests.realism.worlds import identity

POLICY = load_policies(shipped("policies")).certification


@pytest.fixture(scope="module")
def tier() -> ReferenceTier:
    assert POLICY.reference is not None
    return POLICY.reference


@pytest.fixture(scope="module")
def score() -> ReferenceScore:
    return score_reference(identity(42), posture_frames(), POLICY)


def other(score: ReferenceScore, seed: int, rng: np.random.Generator) -> ReferenceScore:
    """Another seed of the same kind: merchants drawn again with replacement, their custom made their own."""
    rows = rng.integers(0, score.merchants, score.merchants)
    mix = score.mix[rows] * rng.gamma(8.0, size=(score.merchants, score.mix.shape[1]))
    return replace(
        score,
        identity=identity(seed),
        statistics={
            name: values[rows] * rng.normal(1.0, 0.01, values.shape)
            for name, values in score.statistics.items()
        },
        home=score.home[rows],
        mix=mix / mix.sum(axis=1, keepdims=True),
    )


@pytest.fixture(scope="module")
def seeds(score: ReferenceScore) -> list[ReferenceScore]:
    rng = np.random.default_rng(5)
    return [score, *(other(score, seed, rng) for seed in (7, 101, 202))]


def test_the_posture_before_the_tier_fails_it(score: ReferenceScore, tier: ReferenceTier) -> None:
    """Ten gates were drawn from what was wrong with it; two more were already asked of placement and of rules."""
    verdict = reference_verdict([score], tier)
    failing = {gate for gate, found in score.gates.items() if found.passed is False}
    failing |= {gate for gate, found in verdict.pooled.items() if found.passed is False}
    assert failing >= {f"3B-R{number:02d}" for number in (1, 2, 3, 4, 5, 6, 7, 9, 11, 12)}
    assert not verdict.passed


def test_every_metric_of_the_tier_is_held_by_a_part(score: ReferenceScore, tier: ReferenceTier) -> None:
    held = {part.metric for gate in tier.gates.values() for part in gate.parts.values()}
    assert set(score.measured) - held == {"footprint_lift"}, "one seed's lift is shown, all seeds' is held"
    assert held - set(score.measured) == set(POOLED_METRICS)


def test_sums_of_seeds_are_the_seeds_together(score: ReferenceScore) -> None:
    assert score.effect is not None and score.footprint is not None
    twice = pooled_measures([score.effect, score.effect, None], [score.footprint, None])
    once = pooled_measures([score.effect], [score.footprint])
    for name in once:
        assert twice[name]["all"].value == pytest.approx(once[name]["all"].value)
    assert once[POOLED_LIFT]["all"].value == pytest.approx(score.footprint.own / score.footprint.others)
    sums = TradeSums(1.0, -2.0, 3, 4, 5.0, 7) + TradeSums(1.0, 0.0, 1, 0, 5.0, 3)
    assert sums == TradeSums(2.0, -2.0, 4, 4, 10.0, 10)
    assert sums.effect == pytest.approx((2.0 / 4 + 2.0 / 4) / (10.0 / 10))


def test_the_distance_is_scipys(seeds: list[ReferenceScore], tier: ReferenceTier) -> None:
    rules = tier.across_seeds.model_copy(update={"resamples": 200})
    for name in ("edges", "home_share"):
        distance, upper = ks_with_end(seeds[0], seeds[1], name, rules)
        expected = stats.ks_2samp(seeds[0].statistics[name], seeds[1].statistics[name]).statistic
        assert distance == pytest.approx(expected, abs=1e-9)
        assert upper > distance


def test_ties_do_not_separate_what_is_alike(score: ReferenceScore, tier: ReferenceTier) -> None:
    rules = tier.across_seeds.model_copy(update={"resamples": 100})
    level = replace(score, statistics=dict.fromkeys(score.statistics, np.ones(score.merchants)))
    assert ks_with_end(level, level, "edges", rules) == (0.0, 0.0)


def test_seeds_of_one_kind(seeds: list[ReferenceScore], tier: ReferenceTier) -> None:
    rules = tier.across_seeds.model_copy(update={"resamples": 200})
    alike = equivalence(seeds, rules)
    assert alike.passed is True
    assert len(alike.facts["pairs"]) == 6 * 6
    moved = replace(seeds[1], statistics={**seeds[1].statistics, "edges": seeds[1].statistics["edges"] * 1.4})
    apart = equivalence([seeds[0], moved], rules)
    assert apart.passed is False
    assert {pair["statistic"] for pair in apart.facts["pairs"] if not pair["pass"]} == {"edges"}


def test_one_world_four_times_is_not_four_worlds(
    score: ReferenceScore, seeds: list[ReferenceScore], tier: ReferenceTier
) -> None:
    copies = [replace(score, identity=identity(seed)) for seed in (42, 7, 101, 202)]
    found = no_copies(copies, tier.across_seeds)
    assert found.passed is False
    assert all(mean["p"] == 0.0 for mean in found.facts["means"])
    assert all(pair["share"] == 1.0 for pair in found.facts["pairs"])
    three = no_copies([*copies[:3], seeds[1]], tier.across_seeds)
    assert three.passed is False
    assert no_copies(seeds, tier.across_seeds).passed is True


def test_copies_are_those_of_plain_loops(seeds: list[ReferenceScore], tier: ReferenceTier) -> None:
    first, second = (
        replace(score, merchants=60, home=score.home[:60].copy(), mix=score.mix[:60].copy())
        for score in seeds[:2]
    )
    first.mix[5], first.home[5] = second.mix[9], second.home[9]
    wanted = 0
    for a, b in ((first, second), (second, first)):
        for row in range(a.merchants):
            of_home = np.flatnonzero(b.home == a.home[row])
            middle = (b.mix[of_home] + a.mix[row]) / 2
            js = [
                stats.entropy(a.mix[row], m) / 2 + stats.entropy(b.mix[o], m) / 2
                for o, m in zip(of_home, middle, strict=True)
            ]
            wanted += bool(js and min(js) < 0.005)
    assert wanted >= 2
    assert copied_share(first, second, 0.005) == pytest.approx(wanted / (2 * first.merchants), abs=1e-9)


def test_what_cannot_be_judged_says_why(score: ReferenceScore, tier: ReferenceTier) -> None:
    alone = reference_verdict([score], tier).across
    assert alone[EQUIVALENCE].passed is None and "one seed" in alone[EQUIVALENCE].reason
    small = replace(score, identity=identity(7), merchants=200)
    few = reference_verdict([score, small], tier).across
    assert few[NO_COPIES].passed is None and "seed 7" in few[NO_COPIES].reason
    assert few[OTHER_WORLDS].passed is None


def test_the_document_is_told_as_it_is_written(seeds: list[ReferenceScore], tier: ReferenceTier) -> None:
    rules = tier.model_copy(update={"across_seeds": tier.across_seeds.model_copy(update={"resamples": 100})})
    verdict = reference_verdict(seeds[:2], rules)
    written: dict[str, Any] = {
        "segment": "3B",
        "generated_utc": "2026-03-08T09:10:11.121314Z",
        **verdict.record(),
        "grade_a_plus": False,
    }
    told = Told.of(written)
    assert told.as_json() == written
    assert told.yardsticks == yardstick_digests()
    assert set(told.brief()["across"]) == {EQUIVALENCE, NO_COPIES, OTHER_WORLDS}


def test_a_tier_of_which_nothing_is_shown_does_not_pass(score: ReferenceScore) -> None:
    nothing = ReferenceVerdict({42: replace(score, gates={})}, {}, {})
    assert not nothing.passed


def test_the_sample_is_what_the_models_read() -> None:
    for seeds in combinations((42, 7, 101), 2):
        assert Told.of(reference_sample(list(seeds))).as_json() == reference_sample(list(seeds))
