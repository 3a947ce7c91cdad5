"""What Dagster is told when seeds were certified, and what it records the certification was made from.

The step starts before the seeds are brought up to date, so Dagster's own idea of the parents' versions is
too old; as for the states, the provenance is written from what was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from seg3b_assets.certification import CODE_VERSION, CertificationRun
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.orchestration.lineage import CERTIFIED_DATASETS
from seg3b_assets.orchestration.partitions import SEEDS
from seg3b_assets.orchestration.reporting import (
    PartitionReport,
    Recorded,
    latest_tags,
    provenance_tags,
    source_version_tags,
)
from seg3b_assets.pipeline import RunRecord


def told_by_certification(instance: dg.DagsterInstance, run: CertificationRun) -> Iterator[Recorded]:
    """Events for every lineage the certification put in force, and for every policy it read.

    A lineage that realism blocked is not in force, and Dagster is not told of it: its partition stays as
    stale as it is.
    """
    for seed, record in in_force(run).items():
        yield from PartitionReport(instance, str(seed)).recorded(record)
    for policy_id, digest in policies_read(run).items():
        if latest_tags(instance, policy_id, None)[1].get(DATA_VERSION_TAG) != digest:
            yield dg.AssetObservation(
                policy_id, tags=source_version_tags(digest), description="As read by the certification."
            )


def in_force(run: CertificationRun) -> Mapping[int, RunRecord]:
    """By seed, the certified lineages that the certification put in force and Dagster has a partition for."""
    return {
        seed: lineage.record
        for seed, lineage in run.lineages.items()
        if lineage.record.heads_moved and str(seed) in SEEDS.get_partition_keys()
    }


def certification_tags(instance: dg.DagsterInstance, run: CertificationRun) -> dict[str, str]:
    """Tags of the certification's materialization; to be asked for after Dagster was told."""
    parents: dict[str, tuple[str, str | None]] = {
        policy_id: (digest, latest_tags(instance, policy_id, None)[0])
        for policy_id, digest in policies_read(run).items()
    }
    parents |= {name: _over_partitions(instance, name) for name in CERTIFIED_DATASETS}
    return provenance_tags(run.certification_id, CODE_VERSION, parents)


def policies_read(run: CertificationRun) -> Mapping[str, str]:
    """Digest by policy id; the same for every seed."""
    document = next(iter(run.metrics.values()))
    digests: Mapping[str, str] = document["provenance"]["policies"]
    return digests


def _over_partitions(instance: dg.DagsterInstance, name: str) -> tuple[str, str | None]:
    """Versions of a dataset in all partitions as one, and the latest of their events."""
    latest = {seed: latest_tags(instance, name, seed) for seed in SEEDS.get_partition_keys()}
    versions = {seed: tags.get(DATA_VERSION_TAG) for seed, (_, tags) in latest.items()}
    pointers = [int(pointer) for pointer, _ in latest.values() if pointer is not None]
    return sha256_json(versions), str(max(pointers)) if pointers else None
