"""Sensors and automation: what they see, what they ask for, and that what runs by itself is off by default."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.events import AssetKeyPartitionKey

from seg3b_assets.definitions import defs
from seg3b_assets.orchestration.automation import keep_up_to_date
from seg3b_assets.orchestration.jobs import _moves, watch_sources
from seg3b_assets.orchestration.lineage import POLICIES
from seg3b_assets.orchestration.reporting import LINEAGE
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import lineages_of, lineages_tag
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.orchestration.imagined_runs import ImaginedSegment
from seg3b_assets_tests.orchestration.watch import STATES_WITHOUT_CHECKS, Watch, datasets

LINEAGE_A, LINEAGE_B = "a" * 64, "b" * 64


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Policies of one's own, and no upstream in reach."""
    folder = shutil.copytree(REPOSITORY / "policies", tmp_path / "policies")
    monkeypatch.setenv("SEG3B_POLICIES", str(folder))
    monkeypatch.setenv("SEG3B_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEG3B_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SEG3B_UPSTREAM", raising=False)
    return folder


def tick(instance: dg.DagsterInstance) -> set[str]:
    """One tick of the observation sensor, its events stored as the daemon does; the keys observed."""
    context = dg.build_sensor_context(instance, resources={"installation": Installation()})
    events = watch_sources.evaluate_tick(context).asset_events
    for event in events:
        instance.report_runless_asset_event(event)
    return {event.asset_key.to_user_string() for event in events}


def test_an_edit_is_observed_at_the_next_tick_and_nothing_else_is(
    policies: Path, instance: dg.DagsterInstance
) -> None:
    assert tick(instance) == set(POLICIES)
    assert tick(instance) == set()
    with (policies / "tz_nudge.yaml").open("a") as file:
        file.write("# edited\n")
    assert tick(instance) == {"tz_nudge"}
    assert tick(instance) == set()
    assert not (policies.parent / "cache").exists()  # a world that is not there is not built by looking


def test_observing_runs_by_default_every_few_seconds_and_running_does_not() -> None:
    by_name = {sensor.name: sensor for sensor in defs.get_repository_def().sensor_defs}
    assert by_name["watch_sources"].default_status == dg.DefaultSensorStatus.RUNNING
    assert (by_name["watch_sources"].minimum_interval_seconds or 30) <= 5
    assert by_name["move_refs_after_runs"].default_status == dg.DefaultSensorStatus.RUNNING
    assert by_name["keep_up_to_date"].default_status == dg.DefaultSensorStatus.STOPPED
    assert keep_up_to_date.default_status == dg.DefaultSensorStatus.STOPPED


@pytest.mark.e2e
def test_automation_asks_once_for_what_is_stale_and_for_nothing_fresh_or_missing(
    segment: ImaginedSegment, watch: Watch
) -> None:
    watch.materialize(seed=42)
    watch.observe("edge_topology", "edge_topology 2")  # before anything is evaluated

    def evaluate(cursor: object = None) -> dg.EvaluateAutomationConditionsResult:
        return dg.evaluate_automation_conditions(
            STATES_WITHOUT_CHECKS,
            watch.instance,
            cursor=cursor,  # type: ignore[arg-type]
        )

    first = evaluate()
    asked = {(key.asset_key.to_user_string(), key.partition_key) for key in requested(first)}
    assert asked == {(name, "42") for name in datasets()}
    second = evaluate(first.cursor)
    assert second.total_requested == 0
    segment.sources["edge_topology"] = "edge_topology 2"
    watch.materialize(seed=42)
    third = evaluate(second.cursor)
    assert third.total_requested == 0
    watch.observe("edge_topology", "edge_topology 3")
    assert evaluate(third.cursor).total_requested == len(datasets())


def requested(result: dg.EvaluateAutomationConditionsResult) -> set[AssetKeyPartitionKey]:
    found: set[AssetKeyPartitionKey] = set()
    for each in result.results:
        found |= set(each.true_subset.expensively_compute_asset_partitions())
    return found


def reported(
    instance: dg.DagsterInstance, *events: dg.AssetMaterialization, tags: dict[str, str]
) -> dg.DagsterRun:
    """A finished run that made these."""

    @dg.op
    def make(context: dg.OpExecutionContext) -> None:
        for event in events:
            context.log_event(event)

    @dg.job(tags=tags)
    def made() -> None:
        make()

    return made.execute_in_process(instance=instance).dagster_run


def flag(seed: int, lineage_id: str) -> dg.AssetMaterialization:
    return dg.AssetMaterialization("passed_flag_3B", partition=str(seed), metadata={LINEAGE: lineage_id})


def verdict(told: str) -> dg.AssetMaterialization:
    lineages = dg.MetadataValue.json({"42": LINEAGE_A, "7": LINEAGE_B})
    return dg.AssetMaterialization("certification_3B", metadata={"verdict": told, "lineages": lineages})


def test_a_run_that_published_a_whole_lineage_moves_candidate(instance: dg.DagsterInstance) -> None:
    run = reported(instance, flag(42, LINEAGE_A), tags=lineages_tag({7: LINEAGE_B}))
    assert lineages_of(run.tags) == {7: LINEAGE_B}
    assert _moves(instance, run) == {"candidate": {42: LINEAGE_A, 7: LINEAGE_B}}


def test_a_certification_moves_no_ref_by_the_sensor_for_it_has_moved_its_own(
    instance: dg.DagsterInstance,
) -> None:
    assert _moves(instance, reported(instance, verdict("PASS_BPLUS"), tags={})) == {"candidate": {}}


@pytest.mark.parametrize("name", ["candidate", "witness", "shadow", "certification"])
def test_a_lane_has_its_seeds_and_its_budget_from_the_policy(name: str) -> None:
    job = defs.resolve_job_def(name)
    lane = getattr(load_policies(REPOSITORY / "policies").certification.lanes, name)
    assert job.tags["seg3b/lane"] == name
    assert float(job.tags["seg3b/budget_minutes"]) == lane.budget_minutes
