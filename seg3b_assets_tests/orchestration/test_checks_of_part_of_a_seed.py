"""Checks of a seed that is not run to the end: measured as far as it is published, and the same figures."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest

from seg3b_assets_tests.orchestration.coarse_runs import (
    Installed,
    checked,
    coarse_installation,
    steps_run,
)


@dataclass(frozen=True)
class Growing:
    """A seed materialized state by state; then scored anew under other stretch bounds."""

    installed: Installed
    nothing: dg.ExecuteInProcessResult
    settlement: dg.ExecuteInProcessResult
    catalogue: dg.ExecuteInProcessResult
    half: dg.ExecuteInProcessResult
    whole: dg.ExecuteInProcessResult
    heads: dict[str, str]
    rescored: dg.ExecuteInProcessResult


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Growing]:
    with coarse_installation(tmp_path_factory.mktemp("growing")) as installed:
        watch = installed.watch
        nothing = watch.run("realism_checks", ok=False)
        settlement = watch.materialize("virtual_settlement_3B")
        catalogue = watch.materialize("edge_catalogue_3B")
        half = watch.run("realism_checks")
        whole = watch.materialize()
        heads = installed.heads()
        installed.change("certification", r"(3B-S01: .*threshold: )[0-9.]+", r"\g<1>5.0")
        yield Growing(
            installed, nothing, settlement, catalogue, half, whole, heads, watch.run("realism_checks")
        )


def measured(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    return {
        name: each.metadata["measured"].value
        for name, each in checked(result).items()
        if "measured" in each.metadata
    }


def test_checks_of_a_seed_that_never_ran_say_what_to_do(growing: Growing) -> None:
    told = [
        event.step_failure_data.user_failure_data
        for event in growing.nothing.all_events
        if event.is_step_failure
    ]
    assert told
    assert all(each is not None and "Materialize it first" in str(each.description) for each in told)


def test_settlement_gates_are_measured_when_only_s1_is_published(growing: Growing) -> None:
    assert steps_run(growing.settlement) == {"S1_classification", "realism_gates"}
    gates = {f"virtual_settlement_3B:gate_3B_{name}" for name in ("D01", "D02", "D03", "S10", "S11", "S12")}
    found = measured(growing.settlement)
    assert found.keys() == gates
    assert found.items() <= measured(growing.whole).items()


def test_edge_gates_are_measured_when_s3_and_s4_are_not_published(growing: Growing) -> None:
    found = measured(growing.catalogue)
    assert len(found) == 14
    assert found.items() <= measured(growing.whole).items()


def test_a_gate_whose_data_are_not_published_is_not_passed(growing: Growing) -> None:
    found = checked(growing.half)
    standing = found["virtual_validation_contract_3B:gate_3B_V12"]
    assert (standing.passed, standing.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "ends with S2" in str(standing.description)
    guard = found["virtual_validation_results_3B:realism_guard"]
    assert (guard.passed, guard.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_a_changed_stretch_bound_changes_a_check_and_no_state(growing: Growing) -> None:
    check = checked(growing.rescored)["edge_catalogue_3B:gate_3B_S01"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["threshold"].value == "≥ 5"
    assert "note" not in check.metadata
    assert growing.installed.heads() == growing.heads
