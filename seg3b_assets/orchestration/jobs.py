"""Jobs, what is run by name rather than by selecting assets, and what starts by itself: schedules and sensors.

Schedules are stopped until a person starts them. Of the sensors one observes sources seconds after an edit, one moves
refs after a run; both run by default and change nothing of what is published. ``keep_up_to_date``, which runs what is
stale, is ``automation``'s and is stopped until a person starts it.

The lanes of the certification policy, and whatever is stale, are jobs over several seeds: one step a seed, in one
process and one after another; a seed that fails does not keep the others from running. A seed's step does what
``seg3b run`` does for it and then what a state's step does: it tells Dagster of the lineage, and records the checks
of what is new.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import time
from typing import Any, Final

import dagster as dg
import orjson

from seg3b_assets.certification.pinned import after_run
from seg3b_assets.certification.retention import open_lane
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.laws.visible_text import visible
from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.certification import (
    CERTIFICATION_LANE,
    certification_3B,
    certified,
    record_certification,
)
from seg3b_assets.orchestration.gate_checks import realism_gates, realism_guard
from seg3b_assets.orchestration.lineage import CERTIFICATION, SEEDS, certification_policy
from seg3b_assets.orchestration.record import (
    Versions,
    of_policies,
    policy_versions,
    record_checks,
    sealed_now,
    source_changes,
    upstream_versions,
)
from seg3b_assets.orchestration.reporting import FLAG, LINEAGE, PartitionReport, latest_tags
from seg3b_assets.orchestration.rerun_plan import record_plan
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import (
    LogProgress,
    budget_facts,
    explained_failures,
    lane_tags,
    lineages_of,
    lineages_tag,
)
from seg3b_assets.orchestration.sources import policies, upstream
from seg3b_assets.pipeline import RunRecord, default_segment, plan
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.report.written import report_of
from seg3b_assets.settings import Settings
from seg3b_assets.store.refs import Moves, move_refs
from seg3b_assets.world import world_root

seed_pipeline = dg.define_asset_job(
    name="seed_pipeline",
    description="One seed through S0 to S5 with every check; a state whose snapshot exists is reused.",
    selection=dg.AssetSelection.assets(*STATE_ASSETS),
)

observe_sources = dg.define_asset_job(
    name="observe_sources",
    description="Digests of all policies and of one seed's upstream; shows what a change made stale.",
    selection=dg.AssetSelection.assets(policies, upstream),
)

certification = dg.define_asset_job(
    name="certification",
    description="Every certification seed brought up to date, scored and judged together.",
    selection=dg.AssetSelection.assets(certification_3B),
    tags=lane_tags(CERTIFICATION_LANE),
)

realism_checks = dg.define_asset_job(
    name="realism_checks",
    description="One seed's published lineage held against the gates as they are now; runs no state.",
    # Without an asset Dagster does not see that the checks are partitioned; the sources are looked at anyway.
    selection=dg.AssetSelection.checks(realism_gates, realism_guard)
    | dg.AssetSelection.assets(policies, upstream),
)


SeedOutcome = dict[str, Any]
RESOURCES: Final = {"io_manager": dg.mem_io_manager, "installation": Installation()}
SEED_LANES: Final = ("candidate", "witness", "shadow")

OBSERVED_EVERY_S = 5


@dg.op(
    description="Bring one seed up to date: run what a plan calls stale, reuse the rest; tell Dagster of both."
)
def bring_up_to_date(context: dg.OpExecutionContext, installation: Installation, seed: int) -> SeedOutcome:
    """The seed, what a plan called stale, what was computed, and the lineage now in force."""
    settings, segment = installation.settings(), default_segment()
    with explained_failures():
        stale = plan(settings, seed, segment, LogProgress(context.log)).stale
        record = SeedRun(settings, seed, segment, LogProgress(context.log)).run()
        told = _told(context, installation, record)
        for change in source_changes(context.instance, of_policies(policy_versions(settings))):
            context.log_event(change)
    outcome = {
        "seed": seed,
        "stale": list(stale),
        "executed": list(record.executed),
        "lineage_id": record.lineage_id,
        "events": told,
        "wall_s": round(record.total_wall_s, 3),
    }
    context.add_output_metadata(outcome)
    return outcome


def _told(context: dg.OpExecutionContext, installation: Installation, record: RunRecord) -> int:
    """How much of a run was news to Dagster; where something was, its checks are recorded too."""
    seed = str(record.identity.seed)
    if seed not in SEEDS.get_partition_keys():
        return 0
    told = 0
    for event in PartitionReport(context.instance, seed).recorded(record):
        context.log_event(event)
        told += 1
    if told:
        record_checks(context.instance, seed, installation.published_of(record), context.run)
    return told


def _name_lineages(context: dg.OpExecutionContext, outcomes: Iterable[SeedOutcome]) -> None:
    """Say on the run which lineages it brought up to date: the sensor that moves refs reads it."""
    lineages = {int(outcome["seed"]): str(outcome["lineage_id"]) for outcome in outcomes}
    context.instance.add_run_tags(context.run_id, lineages_tag(lineages))


@dg.op(description="Score again what was certified before, where seeds, policies or scoring are others now.")
def certify_again(
    context: dg.OpExecutionContext, installation: Installation, outcomes: list[SeedOutcome]
) -> list[SeedOutcome]:
    """Passes the seeds' outcomes on; a segment that was never certified stays so."""
    _name_lineages(context, outcomes)
    with explained_failures():
        record_plan(context.instance, installation.settings())
    if latest_tags(context.instance, CERTIFICATION, None)[0] is None:
        context.log.info("Nothing is certified yet; the certification job does that.")
        return outcomes
    run = certified(installation.settings(), context.log)
    with explained_failures():
        news = record_certification(context.instance, run, report_of(installation.settings(), run))
    context.add_output_metadata({"verdict": run.verdict, "certified again": not run.reused, "news": news})
    return outcomes


def _seeds_op(name: str, seeds: Callable[[Installation], Sequence[int]], told: str) -> dg.OpDefinition:
    @dg.op(name=name, description=told, out=dg.DynamicOut(int))
    def seeds_of(installation: Installation) -> Iterator[dg.DynamicOutput[int]]:
        with explained_failures():
            wanted = seeds(installation)
        for seed in wanted:
            yield dg.DynamicOutput(seed, mapping_key=str(seed))

    return seeds_of


def _lane_job(name: str) -> dg.JobDefinition:
    seeds_of_lane = _seeds_op(
        f"seeds_of_{name}",
        lambda installation: open_lane(installation.settings(), name)[0].seeds,
        f"The seeds of lane {name}; prunes first where the policy says so.",
    )

    @dg.op(name=f"close_{name}", description="Hold the lane's wall time against its budget.")
    def close_lane(context: dg.OpExecutionContext, outcomes: list[SeedOutcome]) -> None:
        _name_lineages(context, outcomes)
        stats = context.instance.get_run_stats(context.run_id)
        started = stats.start_time or stats.launch_time or time()
        context.add_output_metadata(budget_facts(context, name, time() - started))

    @dg.job(
        name=name,
        description=f"Lane {name} of the certification policy: its seeds brought up to date, from the first "
        "state that changed onward, within its budget.",
        tags=lane_tags(name),
        executor_def=dg.in_process_executor,
        resource_defs=RESOURCES,
    )
    def lane_job() -> None:
        close_lane(seeds_of_lane().map(bring_up_to_date).collect())

    return lane_job


_policy_seeds = _seeds_op(
    "certification_seeds",
    lambda _: certification_policy().seeds,
    "The seeds of the certification policy.",
)


@dg.job(
    description="Everything a plan calls stale, of every certification seed, and the certification where it "
    "is; nothing else is computed.",
    executor_def=dg.in_process_executor,
    resource_defs=RESOURCES,
)
def materialize_stale() -> None:
    """The rerun matrix, carried out."""
    certify_again(_policy_seeds().map(bring_up_to_date).collect())


LANE_JOBS = [_lane_job(name) for name in SEED_LANES]


# When the four seeds are swept, as a cron line in UTC.
SWEEP = os.environ.get("SEG3B_SWEEP_CRON", "0 2 * * *")


@dg.schedule(job=seed_pipeline, cron_schedule=SWEEP, default_status=dg.DefaultScheduleStatus.STOPPED)
def four_seed_sweep() -> list[dg.RunRequest]:
    """Every certification seed through S0 to S5, one run each; at 02:00 UTC, or as SEG3B_SWEEP_CRON says."""
    return [dg.RunRequest(run_key=seed, partition_key=seed) for seed in SEEDS.get_partition_keys()]


nightly_certification = dg.ScheduleDefinition(
    name="nightly_certification",
    job=certification,
    cron_schedule="0 3 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="The certification, at 03:00 UTC; brings the seeds up to date itself.",
)


@dg.sensor(
    description="Digests of policies and upstream, seconds after they changed; what is stale then shows.",
    minimum_interval_seconds=OBSERVED_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def watch_sources(context: dg.SensorEvaluationContext, installation: Installation) -> dg.SensorResult:
    """Observe every policy and upstream artefact whose version is not Dagster's latest."""
    settings = installation.settings()
    events = list(source_changes(context.instance, of_policies(policy_versions(settings))))
    upstream, unsealed = _upstream(settings)
    before: Mapping[str, str] = orjson.loads(context.cursor or b"{}")
    now = {f"{name}@{seed}": version for (name, seed), version in upstream.items()}
    changed = {
        key: version for key, version in upstream.items() if before.get(f"{key[0]}@{key[1]}") != version
    }
    events += source_changes(context.instance, changed)
    return dg.SensorResult(
        asset_events=events,
        skip_reason=None if events else dg.SkipReason(unsealed or "Nothing changed."),
        cursor=orjson.dumps({**before, **now}).decode(),
    )


def _upstream(settings: Settings) -> tuple[Versions, str | None]:
    """Upstream's versions by seed, and why those of a seed are not known; a world not built yet is not built."""
    versions: Versions = {}
    unsealed = None
    for partition in SEEDS.get_partition_keys():
        if not _has_root(settings, int(partition)):
            continue
        try:
            found = upstream_versions(sealed_now(settings, default_segment(), int(partition)))
        except Seg3BError as error:
            unsealed = visible(
                f"Upstream of seed {partition} is not looked at: {error.code} at {error.place}."
            )
            continue
        versions |= {(name, partition): version for name, version in found.items()}
    return versions, unsealed


def _has_root(settings: Settings, seed: int) -> bool:
    return settings.upstream is not None or world_root(seed, settings.recipe, settings.cache).is_dir()


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    description="Moves the ref candidate after a run that published a whole lineage, as a run from the command line "
    "does. A certification moves its refs itself.",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=OBSERVED_EVERY_S,
)
def move_refs_after_runs(
    context: dg.RunStatusSensorContext, installation: Installation
) -> Iterator[dg.SkipReason]:
    """Move what the run's own materializations name."""
    settings = installation.settings()
    moved = move_refs(settings.home, _moves(context.instance, context.dagster_run))
    told = f"Moved {', '.join(moved)}." if moved else "No ref moves."
    context.log.info(told)
    yield dg.SkipReason(told)


def _moves(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Moves:
    """What a run moves, by the lineages of it that reached S5."""
    lineages = lineages_of(run.tags)
    for record in instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records:
        made = record.event_log_entry.asset_materialization
        if made is None:
            continue
        name = made.asset_key.to_user_string()
        facts = {key: value.value for key, value in made.metadata.items()}
        if name == FLAG and made.partition and HEX64.fullmatch(str(facts.get(LINEAGE, ""))):
            lineages[int(made.partition)] = str(facts[LINEAGE])
    return after_run(lineages, current=True)
