"""Tells Dagster what is in force and what the sources are now, without a run of Dagster's.

The command line puts lineages in force too (``run``, ``certify``, ``rollback``), people edit policies, and
upstream moves. What is told here is the same as after a step: ``reporting`` writes it, from the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.orchestration.lineage import POLICIES, SOURCES
from seg3b_assets.orchestration.partitions import SEEDS
from seg3b_assets.orchestration.published_seed import (
    PublishedSeed,
    published_by,
    snapshots_in_force,
    snapshots_of,
)
from seg3b_assets.orchestration.reporting import ABSENT, PartitionReport, latest_tags, source_version_tags
from seg3b_assets.pipeline import RunRecord, Segment, StateResult, default_segment
from seg3b_assets.pipeline.segment import SealedSeed, seal_seed
from seg3b_assets.policies.folders import policy_digests
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.store import Runs, Store
from seg3b_assets.store.targets import lineages_in_force

Versions = dict[tuple[str, str | None], str]
"""Version by source and partition."""

UPSTREAM = sorted(SOURCES - set(POLICIES))
# Versions do not depend on it, and no path holds it.
_ANY_TIME = "1970-01-01T00:00:00.000000Z"


def report_in_force(
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
        record = record_in_force(settings, int(partition))
        for event in PartitionReport(instance, partition).recorded(record) if record else ():
            instance.report_runless_asset_event(event)
            if record and isinstance(event, dg.AssetMaterialization):
                news[partition] = PublishedSeed.of(sealed, snapshots_of(record), segment)
        versions |= {(name, partition): version for name, version in upstream_versions(sealed).items()}
    for observation in source_changes(instance, versions):
        instance.report_runless_asset_event(observation)
    return news


def record_in_force(settings: Settings, seed: int) -> RunRecord | None:
    """The lineage in force as its run would have told it, costs as when it was computed; None unless it is whole."""
    segment = default_segment()
    store = Store(settings.home, segment.contracts)
    lineage_id = lineages_in_force(store).get(seed)
    run = Runs(settings.home).read(lineage_id) if lineage_id else None
    if run is None:
        return None
    snapshots = snapshots_in_force(store, segment, seed)
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
