"""Jobs: what is run by name rather than by selecting assets; and the schedules, stopped until a person starts them.

The lanes of the certification policy, and whatever is stale, are jobs over several seeds: one step a seed, in one
process and one after another; a seed that fails does not keep the others from running. A seed's step does what
``seg3b run`` does for it and then what a state's step does: it tells Dagster of the lineage, and records the checks
of what is new.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import time
from typing import Any, Final

import dagster as dg

from seg3b_assets.certification.retention import open_lane
from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.certification import (
    CERTIFICATION_LANE,
    certification_3B,
    certified,
    record_certification,
)
from seg3b_assets.orchestration.gate_checks import realism_gates, realism_guard
from seg3b_assets.orchestration.lineage import CERTIFICATION, SEEDS, certification_policy
from seg3b_assets.orchestration.record import of_policies, policy_versions, record_checks, source_changes
from seg3b_assets.orchestration.reporting import PartitionReport, latest_tags
from seg3b_assets.orchestration.rerun_plan import record_plan
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import (
    LogProgress,
    budget_facts,
    explained_failures,
    lane_tags,
    lineages_tag,
)
from seg3b_assets.orchestration.sources import policies, upstream
from seg3b_assets.pipeline import RunRecord, default_segment, plan
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.report.written import report_of

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
