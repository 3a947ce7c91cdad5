"""Bounds, misses and margins of single conditions; verdicts from gates."""

from __future__ import annotations

from itertools import product

import pytest

from seg3b_assets.realism import FAIL_REALISM, PASS_B, PASS_BPLUS, Measurement
from seg3b_assets.realism.gates import GateResult, all_pass, hard_gates, hold, seed_verdict, stretch_gates
from seg3b_assets.realism.measurement import NOT_APPLICABLE
from seg3b_assets_tests.realism.worlds import policies

POLICIES = policies()
CV, OVERLAP, DISTANCE = (
    "edges_per_merchant_cv",
    "settlement_overlap_median",
    "settlement_distance_median_km",
)


@pytest.mark.parametrize(
    ("metric", "operator", "threshold", "value", "passed", "miss_abs", "miss_pct", "margin"),
    [
        (CV, ">=", 0.25, 0.25, True, 0.0, 0.0, 0.0),
        (CV, ">=", 0.25, 0.2, False, 0.05, 20.0, -0.2),
        (CV, ">=", 0.25, 0.5, True, 0.0, 0.0, 1.0),
        # What cannot exceed 1 is measured against the room that is left above the bound.
        (OVERLAP, ">=", 0.07, 0.163, True, 0.0, 0.0, 0.1),
        ("rule_id_non_null_rate", ">=", 0.998, 1.0, True, 0.0, 0.0, 1.0),
        ("settlement_unique_coord_ratio", ">=", 0.93, 0.93, True, 0.0, 0.0, 0.0),
        # Inside a share is measured against the room to 1, outside against the bound.
        ("median_pairwise_js", ">=", 0.05, 0.525, True, 0.0, 0.0, 0.5),
        ("median_pairwise_js", ">=", 0.05, 0.02, False, 0.03, 60.0, -0.6),
        (DISTANCE, "<=", 4500.0, 4050.0, True, 0.0, 0.0, 0.1),
        (DISTANCE, "<=", 4500.0, 5400.0, False, 900.0, 20.0, -0.2),
        ("settlement_duplicate_exposure", "<=", 0.1, 0.0, True, 0.0, 0.0, 1.0),
        ("top1_share_p50", "range", (0.05, 0.2), 0.05, True, 0.0, 0.0, 0.0),
        ("top1_share_p50", "range", (0.05, 0.2), 0.16, True, 0.0, 0.0, 0.2),
        ("top1_share_p50", "range", (0.05, 0.2), 0.055, True, 0.0, 0.0, 0.1),
        ("top1_share_p50", "range", (0.05, 0.2), 0.04, False, 0.01, 20.0, -0.2),
        ("top1_share_p50", "range", (0.05, 0.2), 0.25, False, 0.05, 25.0, -0.25),
        ("alias_max_abs_delta", "<=", 1e-9, 1.9e-10, True, 0.0, 0.0, 0.81),
        ("alias_max_abs_delta", "<=", 1e-9, 3e-9, False, 2e-9, 200.0, -2.0),
        ("settlement_day_mismatch_rate", "<=", 0.0, 0.25, False, 0.25, None, 0.0),
    ],
)
def test_a_condition_says_how_far_in_or_out_it_is(
    metric: str,
    operator: str,
    threshold: float | tuple[float, float],
    value: float,
    passed: bool,
    miss_abs: float,
    miss_pct: float | None,
    margin: float,
) -> None:
    held = hold(metric, Measurement(value, 10), operator, threshold)
    assert held.passed is passed
    assert held.miss_abs == pytest.approx(miss_abs, abs=1e-12)
    assert held.miss_pct == (None if miss_pct is None else pytest.approx(miss_pct, abs=1e-9))
    assert held.margin == pytest.approx(margin, abs=1e-9)


def test_a_yes_or_no_condition_has_no_margin() -> None:
    block = "realism_block_active_enforced"
    yes, no = (hold(block, Measurement(value, 3), "bool_true", True) for value in (1.0, 0.0))
    assert (yes.observed, yes.passed, yes.miss_abs, yes.margin) == (True, True, 0.0, None)
    assert (no.observed, no.passed, no.miss_abs, no.miss_pct) == (False, False, 1.0, 100.0)


def test_what_has_no_value_neither_passes_nor_fails() -> None:
    gates = hard_gates({CV: NOT_APPLICABLE}, POLICIES.virtual_validation)
    assert list(gates) == ["3B-V01"]
    assert gates["3B-V01"].passed is None
    assert not all_pass(gates)
    assert gates["3B-V01"].record()["pass"] is None


def test_a_gate_of_two_metrics_shows_the_worse_one() -> None:
    measured = {
        "rule_id_non_null_rate": Measurement(0.999, 10),
        "rule_version_non_null_rate": Measurement(0.5, 10),
    }
    gate = stretch_gates(measured, POLICIES.certification, POLICIES.virtual_validation)["3B-S08"]
    assert gate.passed is False and gate.decisive.metric == "rule_version_non_null_rate"
    record = gate.record()
    assert record["state"] == "S1" and record["observed"] == 0.5
    assert [part["pass"] for part in record["conditions"]] == [True, False]
    conditions = tuple(hold(name, NOT_APPLICABLE, ">=", 0.5) for name in measured)
    assert GateResult("x", "S1", "code", conditions).passed is None
    assert GateResult("x", "S1", "code", (*conditions, gate.decisive)).passed is False


def test_gates_carry_the_policies_bounds_states_and_fault_domains() -> None:
    policy = POLICIES.virtual_validation
    measured = {rule.metric: Measurement(0.0, 1) for rule in policy.hard_gates.values()}
    gates = hard_gates(measured, policy)
    assert gates.keys() == policy.hard_gates.keys()
    for gate_id, rule in policy.hard_gates.items():
        record = gates[gate_id].record()
        threshold = list(rule.threshold) if isinstance(rule.threshold, tuple) else rule.threshold
        assert (record["metric"], record["state"], record["threshold"]) == (
            rule.metric,
            rule.state,
            threshold,
        )
        assert gates[gate_id].fault_domain == rule.fault_domain
    assert (
        stretch_gates({}, POLICIES.certification, policy).keys()
        == POLICIES.certification.stretch_gates.keys()
    )


def test_the_verdict_of_a_seed_is_a_truth_table() -> None:
    expected = {(True, True): PASS_BPLUS, (True, False): PASS_B, (False, True): FAIL_REALISM}
    for hard, stretch in product((True, False), repeat=2):
        assert seed_verdict(hard, stretch) == expected.get((hard, stretch), FAIL_REALISM)
