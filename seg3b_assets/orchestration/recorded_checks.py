"""Results of a seed's checks, recorded for a partition whose lineage another step published.

The certification brings seeds up to date outside their own runs. Without this their assets would show fresh
materializations and checks that nobody evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.utils import make_new_run_id

from seg3b_assets.orchestration.gate_checks import gate_results
from seg3b_assets.orchestration.judgement import judge
from seg3b_assets.orchestration.lineage import state_assets
from seg3b_assets.orchestration.published_seed import PublishedSeed
from seg3b_assets.orchestration.realism_guard import GUARD, guard_result
from seg3b_assets.orchestration.structural_checks import structural_results
from seg3b_assets.settings import Settings

Target = AssetCheckEvaluationTargetMaterializationData
TOLD: Final = "told_by_seg3b"


def told_run(instance: dg.DagsterInstance, partitions: Iterable[str]) -> dg.DagsterRun:
    """A finished run that stands for a command of ``seg3b``, for what Dagster keeps only as something of a run."""
    run = dg.DagsterRun(TOLD, make_new_run_id(), tags={"seg3b/seeds": ", ".join(partitions)})
    instance.run_storage.add_run(run)
    for happened in (DagsterEventType.RUN_START, DagsterEventType.RUN_SUCCESS):
        # In the table of runs only: no sensor is to take it for a run that computed something.
        instance.run_storage.handle_run_event(run.run_id, DagsterEvent(happened.value, job_name=TOLD))
    return run


def record_checks(
    instance: dg.DagsterInstance, partition: str, seed: PublishedSeed, run: dg.DagsterRun
) -> None:
    """Evaluate every check of a whole lineage and record the results in its partition, as the run's.

    Dagster keeps one evaluation of a check per partition and run, and one in all of those of no run: a second is
    refused (``asset_check_executions``, unique).

    Raises:
        Seg3BError: what reading the lineage raises.
    """
    for evaluation in _evaluations(instance, _results(seed), partition):
        event = DagsterEvent(
            DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name=run.job_name,
            event_specific_data=evaluation,
        )
        instance.report_dagster_event(event, run_id=run.run_id)


def record_results(instance: dg.DagsterInstance, results: Iterable[dg.AssetCheckResult]) -> None:
    """Record results of checks that have no partitions, of no run."""
    for evaluation in _evaluations(instance, results, None):
        instance.report_runless_asset_event(evaluation)


def _evaluations(
    instance: dg.DagsterInstance, results: Iterable[dg.AssetCheckResult], partition: str | None
) -> Iterator[AssetCheckEvaluation]:
    """Each result, about the latest materialization of its asset."""
    targets: dict[dg.AssetKey, Target | None] = {}
    for result in results:
        key = dg.AssetKey.from_coercible(result.asset_key or ())
        if key not in targets:
            targets[key] = _latest(instance, key, partition)
        yield _evaluation(result, key, partition, targets[key])


def _results(seed: PublishedSeed) -> Iterator[dg.AssetCheckResult]:
    datasets = [dataset_id for state in state_assets() for dataset_id in state.datasets]
    yield from structural_results(datasets, seed.published)
    yield from gate_results(judge(seed, Settings.from_environment().workers))
    yield guard_result(seed)


def _evaluation(
    result: dg.AssetCheckResult, key: dg.AssetKey, partition: str | None, target: Target | None
) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=key,
        check_name=str(result.check_name),
        passed=result.passed,
        metadata=result.metadata,
        target_materialization_data=target,
        severity=result.severity,
        description=result.description,
        blocking=result.check_name == GUARD,
        partition=partition,
    )


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None) -> Target | None:
    """The materialization the results are about."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=None if partition is None else [partition]),
        limit=1,
    ).records
    if not found:
        return None
    return Target(storage_id=found[0].storage_id, run_id=found[0].run_id, timestamp=found[0].timestamp)
