"""Jobs over several seeds: the lanes of the certification policy, and whatever is stale.

One step a seed, in one process and one after another; a seed that fails does not keep the others from running.
A seed's step does what ``seg3b run`` does for it and then what a state's step does: it tells Dagster of the
lineage, and records the checks of what is new.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from time import time
from typing import Any, Final

import dagster as dg

from seg3b_assets.certification.report import report_of
from seg3b_assets.orchestration.budgets import budget_facts, lane_tags, lineages_tag
from seg3b_assets.orchestration.certification import certified
from seg3b_assets.orchestration.certification_record import record_certification
from seg3b_assets.orchestration.failures import explained_failures
from seg3b_assets.orchestration.gate_definitions import certification_policy
from seg3b_assets.orchestration.in_force import of_policies, policy_versions, source_changes
from seg3b_assets.orchestration.lineage import CERTIFICATION
from seg3b_assets.orchestration.log_progress import LogProgress
from seg3b_assets.orchestration.partitions import SEEDS
from seg3b_assets.orchestration.recorded_checks import record_checks
from seg3b_assets.orchestration.reporting import PartitionReport, latest_tags
from seg3b_assets.orchestration.rerun_plan import record_plan
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.pipeline import RunRecord, SeedRun, default_segment, plan
from seg3b_assets.pipeline.lanes import open_lane

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
        news = record_certification(context.instance, run, report_of(installation.settings(), run).html)
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
