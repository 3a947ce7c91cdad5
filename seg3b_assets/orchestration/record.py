"""What Dagster is told of work done outside its runs: lineages in force, sources as they are, results of checks.

The command line puts lineages in force too (``run``, ``certify``, ``rollback``), people edit policies, and upstream
moves. What is told here is the same as after a step: ``reporting`` writes it, from the store. ``seg3b`` loads this
module by name and only where ``DAGSTER_HOME`` is set: without it, no command imports dagster.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.utils import make_new_run_id

from seg3b_assets.certification import CertificationRun
from seg3b_assets.certification.targets import current_lineages
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.locks import exclusive
from seg3b_assets.orchestration.gate_checks import GUARD, gate_results, guard_result
from seg3b_assets.orchestration.instance_home import OPENING
from seg3b_assets.orchestration.lineage import POLICIES, SEEDS, SOURCES, state_assets
from seg3b_assets.orchestration.reporting import ABSENT, PartitionReport, latest_tags, source_version_tags
from seg3b_assets.orchestration.resources import (
    current_snapshots,
    published_by,
    published_seed,
    snapshots_of,
)
from seg3b_assets.orchestration.structural_checks import structural_results
from seg3b_assets.pipeline import RunRecord, Segment, StateResult, default_segment
from seg3b_assets.pipeline.segment import SealedSeed, seal_seed
from seg3b_assets.policies.folders import policy_digests
from seg3b_assets.progress import SILENT
from seg3b_assets.realism.judgement import PublishedSeed, judge
from seg3b_assets.report.written import Report
from seg3b_assets.settings import Settings
from seg3b_assets.store import Runs, Store

Versions = dict[tuple[str, str | None], str]
"""Version by source and partition."""

UPSTREAM = sorted(SOURCES - set(POLICIES))
# Versions do not depend on it, and no path holds it.
_ANY_TIME = "1970-01-01T00:00:00.000000Z"


def report_current(
    instance: dg.DagsterInstance, settings: Settings, seeds: Iterable[int]
) -> dict[str, PublishedSeed]:
    """Record materializations of the lineages in force for these seeds, then the sources as they are now.

    Seeds that are no partition, and seeds whose heads are not one whole lineage, are left alone.

    Returns:
        Lineages that were news to Dagster, by partition, as their checks look at them: held against the policies
        as they are now.

    Raises:
        Seg3BError: what reading the home and sealing raise.
    """
    news: dict[str, PublishedSeed] = {}
    segment, versions = default_segment(), of_policies(policy_versions(settings))
    for partition in (str(seed) for seed in seeds if str(seed) in SEEDS.get_partition_keys()):
        sealed = sealed_now(settings, segment, int(partition))
        record = current_record(settings, int(partition))
        for event in PartitionReport(instance, partition).recorded(record) if record else ():
            instance.report_runless_asset_event(event)
            if record and isinstance(event, dg.AssetMaterialization):
                news[partition] = published_seed(sealed, snapshots_of(record), segment)
        versions |= {(name, partition): version for name, version in upstream_versions(sealed).items()}
    for observation in source_changes(instance, versions):
        instance.report_runless_asset_event(observation)
    return news


def current_record(settings: Settings, seed: int) -> RunRecord | None:
    """The lineage in force as its run would have told it, costs as when it was computed; None unless it is whole."""
    segment = default_segment()
    store = Store(settings.home, segment.contracts)
    lineage_id = current_lineages(store).get(seed)
    run = Runs(settings.home).read(lineage_id) if lineage_id else None
    if run is None:
        return None
    snapshots = current_snapshots(store, segment, seed)
    if [snapshot.key for snapshot in snapshots] != list(run.keys.values()):
        return None
    identity = RunIdentity(
        seed, run.parameter_hash, run.manifest_fingerprint, _ANY_TIME, run.sealed_inputs_digest
    )
    results = {
        name: StateResult(snapshot, kept.wall_s or 0.0, kept.peak_rss_mb or 0.0, False, kept.lanes)
        for (name, kept), snapshot in zip(run.states.items(), snapshots, strict=True)
    }
    wall_s = sum(result.wall_s for result in results.values())
    return RunRecord(identity, wall_s, results, published_by(snapshots, segment), heads_moved=True)


def policy_versions(settings: Settings) -> dict[str, str]:
    """Digest of every policy by policy id, as its file has it or as an overlay makes it."""
    return {name: digest or ABSENT for name, digest in policy_digests(settings.policies, POLICIES).items()}


def of_policies(versions: Mapping[str, str]) -> Versions:
    """Versions of policies by source: a policy is of no partition."""
    return {(name, None): version for name, version in versions.items()}


def sealed_now(settings: Settings, segment: Segment, seed: int) -> SealedSeed:
    """A seed sealed as it is now; its upstream root is built when it is the embedded world's.

    Raises:
        Seg3BError: what loading the policies and sealing raise.
    """
    return seal_seed(segment, settings, segment.upstream_root(settings, seed, SILENT))


def upstream_versions(sealed: SealedSeed) -> dict[str, str]:
    """Digest of everything sealed of a seed's upstream root."""
    return {name: sealed.digests.get(name, ABSENT) for name in UPSTREAM}


def source_changes(instance: dg.DagsterInstance, versions: Versions) -> Iterator[dg.AssetObservation]:
    """An observation of each source whose latest version in Dagster's record is another."""
    for (name, partition), version in versions.items():
        if latest_tags(instance, name, partition)[1].get(DATA_VERSION_TAG) != version:
            yield dg.AssetObservation(
                name,
                partition=partition,
                tags=source_version_tags(version),
                metadata={"digest": version},
                description="As it is now.",
            )


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


def _instance() -> dg.DagsterInstance:
    """The instance of ``DAGSTER_HOME``, opened by one process at a time, whichever storage makes its databases."""
    home = Path(os.environ["DAGSTER_HOME"])
    if (home / "dagster.yaml").exists():
        return dg.DagsterInstance.get()  # ours names a storage that has the lock
    with exclusive(home / OPENING):
        return dg.DagsterInstance.get()


def report(
    settings: Settings,
    seeds: Iterable[int],
    certification: CertificationRun | None = None,
    page: Report | None = None,
) -> None:
    """Record what is in force for these seeds, a certification with its report, and the checks of what was news.

    Raises:
        Seg3BError: what reading the home and sealing raise.
    """
    with _instance() as instance:
        news = report_current(instance, settings, seeds)
        if certification is not None and page is not None:
            # Only a command that has certified has loaded what certifying needs.
            from seg3b_assets.orchestration.certification import record_certification  # noqa: PLC0415

            record_certification(instance, certification, page)
        if news:
            run = told_run(instance, news)
            for partition, seed in news.items():
                record_checks(instance, partition, seed, run)
