"""Gates as checks: which there are, what they say of a seed, and what a failing one stops."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest
from dagster._core.storage.event_log.base import PartitionKeyFilter

from seg3b_assets.definitions import defs
from seg3b_assets.orchestration.gate_checks import gate_definitions
from seg3b_assets.orchestration.lineage import SEEDS
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.orchestration.coarse_runs import (
    Installed,
    checked,
    coarse_installation,
    steps_run,
)

pytestmark = pytest.mark.e2e

SHIPPED = REPOSITORY / "policies"
BASELINE = SHIPPED / "baseline"
GUARD = "virtual_validation_results_3B:realism_guard"
FLAT = {"3B-V01", "3B-V02", "3B-V03", "3B-V04", "3B-V05", "3B-V06", "3B-V07"}


@dataclass(frozen=True)
class Story:
    """One installation: a sound posture, then the flat one enforced, then observed."""

    installed: Installed
    sound: dg.ExecuteInProcessResult
    other_seed: dg.ExecuteInProcessResult
    enforced: dg.ExecuteInProcessResult
    next_run: dg.ExecuteInProcessResult
    heads_when_sound: dict[str, str]
    heads_when_blocked: dict[str, str]
    observed: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with coarse_installation(tmp_path_factory.mktemp("story")) as installed:
        watch = installed.watch
        sound, other_seed = watch.materialize(seed=42), watch.materialize(seed=7)
        sound_heads = installed.heads()
        installed.take(BASELINE, "enforce")
        enforced = watch.materialize(seed=42, ok=False)
        next_run = watch.materialize("passed_flag_3B", seed=42, ok=False)
        heads = installed.heads()
        installed.take(BASELINE, "observe")
        yield Story(
            installed, sound, other_seed, enforced, next_run, sound_heads, heads, watch.materialize(seed=42)
        )


def declared() -> dict[str, str]:
    """Dataset by check of every gate the shipped policies declare; one check of a gate and a band under its id."""
    policies = load_policies(SHIPPED)
    hard = policies.virtual_validation.hard_gates
    found = {gate: rule.dataset for gate, rule in hard.items()}
    for gate, rule in policies.certification.stretch_gates.items():
        found.setdefault(gate, hard[rule.hard_gates[0]].dataset)
    return {f"gate_{gate.replace('-', '_')}": dataset for gate, dataset in found.items()}


def test_every_gate_is_one_check_on_the_asset_it_measures() -> None:
    graph = defs.resolve_asset_graph()
    named = [
        key
        for key in graph.asset_check_keys
        if key.name.startswith("gate_3B_") and key.asset_key.to_user_string() != "certification_3B"
    ]
    assert {key.name: key.asset_key.to_user_string() for key in named} == declared()
    assert len(named) == len(declared()) >= 27
    assert all(graph.get(key).partitions_def == SEEDS for key in named)


def test_only_the_guard_blocks() -> None:
    graph = defs.resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    assert blocking == {"realism_guard"}


def test_every_check_of_a_seed_is_evaluated_for_its_partition(story: Story) -> None:
    found = checked(story.sound)
    graph = defs.resolve_asset_graph()
    on_states = {
        f"{key.asset_key.to_user_string()}:{key.name}"
        for key in graph.asset_check_keys
        if graph.get(key.asset_key).partitions_def is not None
    }
    assert found.keys() == on_states
    assert {each.partition for each in found.values()} == {"42"}
    assert {each.partition for each in checked(story.other_seed).values()} == {"7"}


def test_a_sound_seed_passes_every_hard_gate_and_every_structural_check(story: Story) -> None:
    optional = {f"{gate.dataset}:{gate.check_name}" for gate in gate_definitions() if not gate.hard}
    failed = {name for name, each in checked(story.sound).items() if not each.passed}
    assert failed <= optional


def test_a_gate_says_what_was_measured_against_what(story: Story) -> None:
    facts = checked(story.sound)["edge_catalogue_3B:gate_3B_V05"].metadata
    rule = load_policies(SHIPPED).virtual_validation.hard_gates["3B-V05"]
    measured, margin = facts["measured"].value, facts["margin"].value
    assert isinstance(measured, float)
    assert measured > rule.threshold
    assert margin == pytest.approx((measured - rule.threshold) / (1.0 - rule.threshold), abs=1e-8)
    assert facts["threshold"].value == "≥ 0.03"
    assert facts["miss"].value == 0.0
    assert facts["mode"].value == "enforce"
    assert "3B-S05" in str(facts["bounds"].value)
    assert "REGIONAL_COMPACT" in str(facts["by virtual class"].value)
    assert "merchant_id" in str(facts["behind it"].value)


def test_a_lineage_is_judged_once_for_all_its_checks(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    from seg3b_assets.realism import judgement  # noqa: PLC0415

    monkeypatch.setattr(judgement, "measure_population", None)  # what is remembered is not measured again
    installed = story.installed
    again = installed.watch.run("realism_checks")
    assert again.success
    assert len(checked(again)) == 28
    assert not any(step.startswith("S") for step in steps_run(again))


def test_an_enforced_gate_that_fails_stops_s5_and_nothing_before_it(story: Story) -> None:
    found, steps = checked(story.enforced), steps_run(story.enforced)
    assert {"S0_gate", "S1_classification", "S2_edges", "S3_alias", "S4_contract", "realism_gates"} <= steps
    assert "S5_bundle" not in steps
    guard = found[GUARD]
    assert (guard.passed, guard.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "edges_per_merchant_cv" in str(guard.metadata["rows that miss"].value)
    failed = {name.split(":")[1] for name, each in found.items() if not each.passed}
    hard = {f"gate_{gate.replace('-', '_')}" for gate in (*FLAT, "3B-V12")}
    assert hard <= failed
    for gate in gate_definitions():
        each = found[f"{gate.dataset}:{gate.check_name}"]
        if not each.passed:
            expected = dg.AssetCheckSeverity.ERROR if gate.hard else dg.AssetCheckSeverity.WARN
            assert each.severity == expected
    facts = found["edge_catalogue_3B:gate_3B_V01"].metadata
    assert facts["measured"].value == 0.0
    assert facts["miss_pct"].value == pytest.approx(100.0)
    assert facts["margin"].value == pytest.approx(-1.0)


def test_what_was_blocked_stays_blocked_in_the_next_run(story: Story) -> None:
    [failure] = [event for event in story.next_run.all_events if event.is_step_failure]
    assert failure.step_key == "S5_bundle"
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "REALISM_GATE_BLOCKED" in str(told.metadata["code"].value)
    # The flag in force is still the sound lineage's; everything measured of the flat one is there.
    sound, blocked = story.heads_when_sound, story.heads_when_blocked
    assert blocked["S5"] == sound["S5"]
    assert all(blocked[state] != sound[state] for state in ("S0", "S1", "S2", "S3", "S4"))


def test_switching_the_mode_is_a_policy_change_like_any_other(story: Story) -> None:
    observed = story.installed.heads()
    assert all(observed[state] != story.heads_when_blocked[state] for state in observed)
    assert {"S0_gate", "S1_classification", "S2_edges", "S3_alias", "S4_contract", "S5_bundle"} <= steps_run(
        story.observed
    )


def test_a_blocked_seed_leaves_the_others_alone(story: Story) -> None:
    instance = story.installed.watch.instance
    for name in ("gate_3B_V01", "gate_3B_V07"):
        key = dg.AssetCheckKey(dg.AssetKey("edge_catalogue_3B"), name)
        [record] = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=1, partition_filter=PartitionKeyFilter(key="7")
        )
        evaluation = record.evaluation
        assert evaluation is not None
        assert evaluation.passed


def test_an_observed_gate_warns_and_the_run_completes(story: Story) -> None:
    found = checked(story.observed)
    assert story.observed.success
    assert "S5_bundle" in steps_run(story.observed)
    for gate in FLAT:
        each = found[f"edge_catalogue_3B:gate_{gate.replace('-', '_')}"]
        assert (each.passed, each.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert each.metadata["mode"].value == "observe"
    guard = found[GUARD]
    assert (guard.passed, guard.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert story.installed.heads()["S5"] != story.heads_when_blocked["S5"]
