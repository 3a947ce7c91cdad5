"""For every hard and stretch gate, a seed that breaks that gate and only those it implies.

Each is held against all who speak of gates: the score and its verdict, the asset checks, the failure trace.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from dagster import AssetCheckResult, AssetCheckSeverity

from seg3b_assets.certification.evidence import ReportHeader, failure_trace
from seg3b_assets.certification.verdict import certify_scores
from seg3b_assets.orchestration.gate_checks import GATES, gate_results
from seg3b_assets.policies import PolicySet
from seg3b_assets.policies.gates import REQUIRED_HARD_GATES, REQUIRED_STRETCH_GATES
from seg3b_assets.realism import FAIL_REALISM, METRICS, PASS_B, PASS_BPLUS, SeedOutputs, score_seed
from seg3b_assets.realism.judgement import Judgement
from seg3b_assets.realism.population import population_of, published_tables
from seg3b_assets.realism.scoring import SeedScore
from seg3b_assets_tests.realism.worlds import SOUND, Shape, enforced, policies, published, with_contract

POLICIES = policies()

# A hard gate that fails makes a BLOCKING row of the contract fail, so 3B-V12 is implied by every other one.
HARD = {
    "edges all alike": (replace(SOUND, edges_sigma=0.0), {"3B-V01", "3B-S01"}),
    "countries all alike": (replace(SOUND, countries_sigma=0.0), {"3B-V02", "3B-S02"}),
    "one edge takes too much": (replace(SOUND, top1=(0.22, 0.28)), {"3B-V03"}),
    "no edge stands out": (replace(SOUND, top1=None), {"3B-V03", "3B-S03"}),
    "one mix for all": (replace(SOUND, common_mix=0.03, countries_sigma=0.8), {"3B-V04", "3B-S04"}),
    "most sell nothing at home": (replace(SOUND, home_absent=0.6), {"3B-V05", "3B-S05"}),
    # An upper quartile below 0.06 leaves the median below the stretch bound of 0.07.
    "nobody sells much at home": (replace(SOUND, home=(0.045, 0.058)), {"3B-V06", "3B-S05", "3B-S06"}),
    "edges far away": (replace(SOUND, spacing_deg=19.0), {"3B-V07", "3B-S07"}),
    "rules not named": (replace(SOUND, blank_ids=0.02), {"3B-V08", "3B-S08"}),
    "versions not named": (replace(SOUND, blank_versions=0.02), {"3B-V09", "3B-S08"}),
    "two rules do it all": (replace(SOUND, rules=2), {"3B-V10", "3B-S09"}),
    "one zone": (replace(SOUND, one_zone=0.3), {"3B-D01", "3B-S10"}),
    # So few coordinates mean more than a tenth of the merchants share one, and the other way round.
    "one address": (replace(SOUND, shared_points=(16,)), {"3B-D02", "3B-S11", "3B-S12"}),
    "shared addresses": (replace(SOUND, shared_points=(2,) * 13), {"3B-D03", "3B-S11", "3B-S12"}),
}
STRETCH = {
    "3B-S01": replace(SOUND, edges_sigma=0.33),
    "3B-S02": replace(SOUND, countries_sigma=0.31),
    "3B-S03": replace(SOUND, top1=(0.03, 0.055)),
    "3B-S04": replace(SOUND, common_mix=0.2, countries_sigma=0.8),
    "3B-S05": replace(SOUND, low_home_share=0.6),
    "3B-S06": replace(SOUND, home=(0.075, 0.11)),
    "3B-S07": replace(SOUND, spacing_deg=14.5),
    "3B-S08": replace(SOUND, blank_ids=0.005),
    "3B-S09": replace(SOUND, rules=4),
    "3B-S10": replace(SOUND, one_zone=0.2),
    "3B-S11": replace(SOUND, shared_points=(10,)),
    "3B-S12": replace(SOUND, shared_points=(2,) * 7),
}


def failing(score: SeedScore) -> set[str]:
    return {name for name, gate in {**score.hard, **score.stretch}.items() if gate.passed is not True}


def scored(shape: Shape) -> SeedScore:
    return told(enforced(shape))


def told(outputs: SeedOutputs, seen_by: PolicySet = POLICIES) -> SeedScore:
    """The outputs' score, once asset checks and failure trace are seen to name the same gates."""
    score = score_seed(outputs, seen_by, workers=1)
    checks = {str(each.check_name): each for each in gate_results(judged(outputs, score, seen_by))}
    assert len(checks) == len(GATES)
    fail = {gate.gate_id for gate in GATES if not checks[gate.check_name].passed}
    assert fail == failing(score)
    for gate in GATES:
        assert_readable(checks[gate.check_name], gate.hard and score.hard[gate.gate_id].passed is False)
    trace = failure_trace(certify_scores([score], seen_by), ReportHeader("P5", "2026-03-08T09:10:11.121314Z"))
    headings = [line for line in (trace or "").splitlines() if line.startswith("## ")]
    assert {heading.split()[2] for heading in headings} == failing(score)
    return score


def judged(outputs: SeedOutputs, score: SeedScore, seen_by: PolicySet) -> Judgement:
    """What the checks are given of the same outputs."""
    pairs = seen_by.virtual_validation.pair_sample
    return Judgement(
        outputs=outputs,
        population=population_of(outputs, published_tables(outputs), pairs, workers=1),
        metrics=score.metrics,
        measured=frozenset(METRICS),
        hard=score.hard,
        stretch=score.stretch,
        class_gates=score.class_gates,
        last_state="S5",
        policies=seen_by,
        inputs_changed=False,
    )


def assert_readable(check: AssetCheckResult, fails_hard: bool) -> None:
    """Severity by the mode, measured value, bound, miss, and something to look at."""
    facts = check.metadata
    enforced_mode = facts["mode"].value == "enforce"
    assert (check.severity == AssetCheckSeverity.ERROR) == (fails_hard and enforced_mode)
    assert {"measured", "threshold", "miss", "bounds"} <= facts.keys()
    # What lies behind a number is drawn for the metrics the law gates; of another it is drawn where somebody wrote it.
    required = f"3B-{str(check.check_name)[-3:]}" in (*REQUIRED_HARD_GATES, *REQUIRED_STRETCH_GATES)
    assert "behind it" in facts or not required
    if required and check.asset_key is not None and check.asset_key.to_user_string() == "edge_catalogue_3B":
        assert "merchant_id" in str(facts["behind it"].value)
    assert check.passed or "Look first at S" in str(check.description)


def nudged(outputs: SeedOutputs, ticks: int) -> SeedOutputs:
    """The first merchant's blob with one acceptance probability moved by some 2^-32."""
    words = np.frombuffer(outputs.alias_blob, "<u4").copy()
    cell = 4 + 2 * int(np.flatnonzero(words[5:100:2] != np.arange(48))[0])
    moved = int(words[cell]) + (ticks if words[cell] < 2**31 else -ticks)
    words[cell] = moved
    return replace(outputs, alias_blob=words.tobytes())


@pytest.mark.parametrize(
    ("broken", "title"),
    [
        ("one edge takes too much", "Merchants with the heaviest edge"),
        ("no edge stands out", "Merchants whose heaviest edge is the lightest"),
    ],
)
def test_the_merchants_shown_are_those_on_the_side_where_the_bound_is_missed(broken: str, title: str) -> None:
    outputs = enforced(HARD[broken][0])
    score = score_seed(outputs, POLICIES, workers=1)
    checks = {str(each.check_name): each for each in gate_results(judged(outputs, score, POLICIES))}
    assert title in str(checks["gate_3B_V03"].metadata["behind it"].value)


def test_every_gate_of_the_policies_has_a_seed_that_breaks_it() -> None:
    hard, stretch = POLICIES.virtual_validation.hard_gates, POLICIES.certification.stretch_gates
    broken = {gate for _, gates in HARD.values() for gate in gates}
    assert hard.keys() - broken == {"3B-V11", "3B-V12"}  # of the blob and the contract: below
    assert stretch.keys() - hard.keys() == STRETCH.keys()


def test_the_sound_seed_passes_everything() -> None:
    score = scored(SOUND)
    assert failing(score) == set()
    assert score.verdict == PASS_BPLUS
    assert all(gate.margin is None or gate.margin > 0 for gate in {**score.hard, **score.stretch}.values())


@pytest.mark.parametrize("name", HARD)
def test_a_broken_hard_gate_fails_the_seed_and_nothing_else(name: str) -> None:
    shape, broken = HARD[name]
    score = scored(shape)
    assert failing(score) == broken | {"3B-V12"}
    assert score.verdict == FAIL_REALISM


@pytest.mark.parametrize("gate", STRETCH)
def test_a_missed_stretch_gate_costs_the_plus_and_nothing_else(gate: str) -> None:
    score = scored(STRETCH[gate])
    assert failing(score) == {gate}
    assert score.verdict == PASS_B


def test_too_even_heaviest_shares_miss_the_spread_part_of_s03() -> None:
    score = scored(replace(SOUND, top1=(0.10, 0.11)))
    assert failing(score) == {"3B-S03"}
    assert score.stretch["3B-S03"].decisive.metric == "top1_share_spread"


def test_a_nudged_blob_fails_the_alias_gate_by_how_far_it_was_nudged() -> None:
    far = with_contract(nudged(published(), 2**24), POLICIES)
    assert failing(told(far)) == {"3B-V11", "3B-V12"}
    near = with_contract(nudged(published(), 2**14), POLICIES)
    score = told(near)
    assert score.hard["3B-V11"].passed is True and score.stretch["3B-V11"].passed is False
    assert failing(score) == {"3B-V11"} and score.verdict == PASS_B


class TestV12:
    def block(self, **changed: pl.DataFrame | None) -> SeedScore:
        whole = enforced()
        return told(replace(whole, **changed))

    def reasons(self, score: SeedScore) -> set[str]:
        assert failing(score) == {"3B-V12"} and score.verdict == FAIL_REALISM
        return set(score.metrics.overall["realism_block_active_enforced"].detail["reasons"])

    def test_a_contract_that_never_ran(self) -> None:
        assert self.reasons(self.block(results=None)) == {"never_run"}

    def test_a_family_taken_out(self) -> None:
        whole = enforced()
        kept = pl.col("test_type") != "ALIAS_FIDELITY"
        score = self.block(contract=whole.contract.filter(kept), results=whole.results.filter(kept))
        assert self.reasons(score) == {"families_missing"}

    def test_a_row_switched_off(self) -> None:
        whole = enforced()
        off = whole.contract.with_columns(enabled=pl.col("test_type") != "ALIAS_FIDELITY")
        assert self.reasons(self.block(contract=off)) == {"rows_not_enabled"}

    def test_observe_mode_enforces_nothing(self) -> None:
        policy = POLICIES.virtual_validation.model_copy(update={"realism_enforcement_mode": "observe"})
        observing = replace(POLICIES, virtual_validation=policy)
        score = told(with_contract(published(), observing), observing)
        assert self.reasons(score) == {"rows_not_blocking"}

    def test_a_blocking_row_without_a_pass(self) -> None:
        whole = enforced()
        assert self.reasons(self.block(results=whole.results[1:])) == {"blocking_rows_unmet"}

    def test_results_of_another_snapshot(self) -> None:
        other = with_contract(published(replace(SOUND, home=(0.12, 0.26))), POLICIES)
        assert self.reasons(self.block(results=other.results)) == {"results_of_another_snapshot"}
