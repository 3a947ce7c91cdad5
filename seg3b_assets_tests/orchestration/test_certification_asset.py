"""The certification as an asset: verdict and evidence, what it rests on, and what makes it stale."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.base import PartitionKeyFilter

from seg3b_assets.definitions import defs
from seg3b_assets.orchestration.lineage import POLICIES
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.orchestration.coarse_runs import Installed, checked, coarse_installation
from seg3b_assets_tests.orchestration.watch import Watch

KEY = dg.AssetKey("certification_3B")
SEEDS = (42, 7)


@dataclass(frozen=True)
class Certified:
    """Two seeds certified from nothing, certified again, and again under the flat posture."""

    installed: Installed
    first: dg.ExecuteInProcessResult
    stale_after_first: dict[str, set[str]]
    stale_after_edit: dict[str, set[str]]
    states_after_edit: dict[str, set[str]]
    flat: dg.ExecuteInProcessResult
    told_when_blocked: set[str]


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    with coarse_installation(tmp_path_factory.mktemp("certified")) as installed:
        watch = installed.watch
        certify_two(installed)
        first = watch.run("certification", seed=None)
        after_first = stale_certification(watch)
        installed.change("certification", r"^min_top1_spread: .*", "min_top1_spread: 0.03")
        watch.look()
        after_edit, states = stale_certification(watch), watch.stale()
        installed.take(REPOSITORY / "policies" / "baseline", "enforce")
        certify_two(installed)
        flat = watch.run("certification", seed=None)
        told = {
            event.asset_key.to_user_string()
            for event in flat.get_asset_materialization_events()
            if event.asset_key
        }
        yield Certified(installed, first, after_first, after_edit, states, flat, told)


def certify_two(installed: Installed) -> None:
    installed.change("certification", r"^seeds: .*", "seeds: [42, 7]")
    installed.change("certification", r"certification: \{seeds: \[.*?\]", "certification: {seeds: [42, 7]")


def stale_certification(watch: Watch) -> dict[str, set[str]]:
    return watch.stale_assets(["certification_3B"], None)


def test_it_depends_on_every_policy_and_on_the_results_of_all_partitions() -> None:
    node = defs.resolve_asset_graph().get(KEY)
    assert {key.to_user_string() for key in node.parent_keys} == {
        *POLICIES,
        "passed_flag_3B",
        "virtual_validation_results_3B",
    }
    assert node.partitions_def is None
    assert node.group_name == "certification"


def test_the_schedule_is_stopped_by_default() -> None:
    schedule = defs.resolve_schedule_def("nightly_certification")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_a_certification_from_nothing_brings_every_seed_up_to_date(certified: Certified) -> None:
    for seed in SEEDS:
        assert list(certified.installed.heads(seed)) == ["S0", "S1", "S2", "S3", "S4", "S5"]
    [made] = [
        event.materialization
        for event in certified.first.get_asset_materialization_events()
        if event.asset_key == KEY
    ]
    facts = made.metadata
    assert facts["verdict"].value in {"PASS_BPLUS", "PASS_B", "FAIL_REALISM"}
    assert made.tags is not None
    assert made.tags["dagster/data_version"] == facts["certification id"].value
    assert "| S07 |" in str(facts["gate matrix"].value)
    assert str(facts["summary"].value).startswith(str(certified.installed.home))
    assert Path(str(facts["report"].value)).is_file()


def test_what_it_rests_on_is_fresh_in_every_partition_and_it_is_too(certified: Certified) -> None:
    assert certified.stale_after_first == {}


def test_checks_of_the_seeds_are_recorded_in_their_partitions(certified: Certified) -> None:
    storage = certified.installed.watch.instance.event_log_storage
    for dataset, name in (("edge_catalogue_3B", "gate_3B_V05"), ("passed_flag_3B", "seals_the_bundle")):
        for seed in SEEDS:
            [record] = storage.get_asset_check_execution_history(
                dg.AssetCheckKey(dg.AssetKey(dataset), name),
                limit=1,
                partition_filter=PartitionKeyFilter(key=str(seed)),
            )
            assert record.evaluation is not None
            assert record.evaluation.passed
            assert record.evaluation.target_materialization_data is not None


def test_an_edited_certification_policy_makes_the_certification_stale_and_no_state(
    certified: Certified,
) -> None:
    assert certified.stale_after_edit == {"certification_3B": {"certification"}}
    assert certified.states_after_edit == {}


def test_a_realism_failure_is_a_verdict_and_not_a_failed_run(certified: Certified) -> None:
    assert certified.flat.success
    verdict = checked(certified.flat)["certification_3B:certification_verdict"]
    assert (verdict.passed, verdict.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "FAIL_REALISM" in str(verdict.description)
    assert "3B-V01" in str(verdict.metadata["what failed"].value)
    assert not checked(certified.flat)["certification_3B:gate_3B_X03"].passed


def test_a_lineage_that_realism_blocked_is_not_reported(certified: Certified) -> None:
    assert certified.told_when_blocked == {"certification_3B"}
    assert stale_certification(certified.installed.watch) == {}


def test_a_seed_that_fails_structurally_fails_the_certification(certified: Certified) -> None:
    installed = certified.installed
    installed.change("edge_topology", r"median: \d+", "median: -1")
    result = installed.watch.run("certification", seed=None, ok=False)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "POLICY_SCHEMA_INVALID" in str(told.description)
