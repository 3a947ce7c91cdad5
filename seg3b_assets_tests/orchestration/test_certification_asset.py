"""The certification as an asset: verdict and evidence, what it rests on, what makes it stale, which refs it moves."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.base import PartitionKeyFilter

from seg3b_assets.definitions import defs
from seg3b_assets.orchestration.jobs import move_refs_after_runs
from seg3b_assets.orchestration.lineage import POLICIES
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.settings import REPOSITORY
from seg3b_assets.store.refs import Refs
from seg3b_assets_tests.orchestration.coarse_runs import Installed, checked, coarse_installation
from seg3b_assets_tests.orchestration.watch import Watch

pytestmark = pytest.mark.e2e

KEY = dg.AssetKey("certification_3B")
SEEDS = (42, 7)


@dataclass(frozen=True)
class Certified:
    """Two seeds certified from nothing, scored again by another policy, and certified under the flat posture.

    Attributes:
        refs: after the first certification, after the scoring by ``materialize_stale``, for which they had been taken
            away, and after the last one with the sensor's tick.
    """

    installed: Installed
    first: dg.ExecuteInProcessResult
    stale_after_first: dict[str, set[str]]
    stale_after_edit: dict[str, set[str]]
    states_after_edit: dict[str, set[str]]
    rescored: dg.ExecuteInProcessResult
    stale_after_rescoring: dict[str, set[str]]
    flat: dg.ExecuteInProcessResult
    told_when_blocked: set[str]
    refs: list[dict[str, dict[int, str]]]


class RefMover:
    """The sensor that moves refs, ticking as the daemon has it: on the instance's record, its cursor kept."""

    def __init__(self, installed: Installed) -> None:
        self._installed = installed
        self._cursor: str | None = None
        self.tick()

    def tick(self) -> None:
        """One tick."""
        context = dg.build_sensor_context(
            self._installed.watch.instance, self._cursor, resources={"installation": Installation()}
        )
        self._cursor = move_refs_after_runs.evaluate_tick(context).cursor


def held_refs(installed: Installed) -> dict[str, dict[int, str]]:
    """The refs that hold something."""
    return {name: held for name, held in Refs(installed.home).all().items() if held}


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    with coarse_installation(tmp_path_factory.mktemp("certified"), on_disk=True) as installed:
        watch = installed.watch
        certify_two(installed)
        mover = RefMover(installed)
        first = watch.run("certification", seed=None)
        refs = [held_refs(installed)]
        after_first = stale_certification(watch)
        installed.change("certification", r"^min_top1_spread: .*", "min_top1_spread: 0.03")
        watch.look()
        after_edit, states = stale_certification(watch), watch.stale()
        for name in ("certification", "last_good"):
            (installed.home / "refs" / f"{name}.json").unlink()
        rescored = watch.run("materialize_stale", seed=None)
        after_rescoring = stale_certification(watch)
        refs.append(held_refs(installed))
        mover.tick()
        installed.take(REPOSITORY / "policies" / "baseline", "enforce")
        certify_two(installed)
        flat = watch.run("certification", seed=None)
        told = {
            event.asset_key.to_user_string()
            for event in flat.get_asset_materialization_events()
            if event.asset_key
        }
        mover.tick()
        refs.append(held_refs(installed))
        yield Certified(
            installed, first, after_first, after_edit, states, rescored, after_rescoring, flat, told, refs
        )


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


def test_materialize_stale_then_scores_again_and_computes_no_state(certified: Certified) -> None:
    outcomes = certified.rescored.output_for_node("bring_up_to_date")
    assert {one["seed"] for one in outcomes.values()} == set(SEEDS)
    assert all(one["stale"] == one["executed"] == [] for one in outcomes.values())
    [told] = [
        event.step_output_data.metadata
        for event in certified.rescored.all_node_events
        if event.is_successful_output and event.step_key == "certify_again"
    ]
    assert told["certified again"].value is True
    assert told["news"].value is True
    assert certified.stale_after_rescoring == {}


def test_the_certification_moves_refs_itself_by_any_route_and_last_good_after_a_pass_only(
    certified: Certified,
) -> None:
    passed, rescored, failed = certified.refs
    assert {*passed} == {"candidate", "certification", "last_good"}
    assert passed["candidate"] == passed["certification"] == passed["last_good"]
    assert {*passed["last_good"]} == set(SEEDS)
    assert rescored == passed
    assert failed == passed  # the flat posture stops in front of S5: no whole lineage, and no pass


def test_a_realism_failure_is_a_verdict_and_not_a_failed_run(certified: Certified) -> None:
    assert certified.flat.success
    verdict = checked(certified.flat)["certification_3B:certification_verdict"]
    assert (verdict.passed, verdict.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "FAIL_REALISM" in str(verdict.description)
    assert "| V01 |" in str(verdict.metadata["what failed"].value)
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
