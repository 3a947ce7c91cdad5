"""Keeps Dagster's record of a partition true to the store.

A run of one state brings earlier states up to date too, and publishes a state's datasets together whatever
was selected. This module turns a finished run into events: an observation of every source whose digest
Dagster does not know, a materialization of every dataset it does not know in this version. Each event says
which version of each parent it was made from, as an explicit provenance, because Dagster reads parents'
versions when a step begins, before the step has observed anything
(``docs/decisions/0001-dagster-over-the-store.md``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)

from seg3b_assets.contracts import contract
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.orchestration.datasets import column_lineage
from seg3b_assets.orchestration.lineage import (
    POLICIES,
    SOURCES,
    StateAssets,
    code_version,
    parents,
    state_assets,
)
from seg3b_assets.pipeline import RunRecord, StateResult

ABSENT = "absent"
FLAG = "passed_flag_3B"
LINEAGE = "lineage id"
Event = dg.AssetMaterialization | dg.AssetObservation | dg.MaterializeResult[Any]
Recorded = dg.AssetMaterialization | dg.AssetObservation


def source_version_tags(version: str) -> dict[str, str]:
    """Tags of an observation that carry a source's version."""
    return {DATA_VERSION_TAG: version, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"}


def provenance_tags(
    version: str, code_version: str, parents_read: Mapping[str, tuple[str, str | None]]
) -> dict[str, str]:
    """Tags of a materialization: its version, its code's, and what it was made from.

    Args:
        parents_read: by parent, the version read and the storage id of an event at which it had that version.
    """
    tags = source_version_tags(version) | {CODE_VERSION_TAG: code_version}
    for parent, (read, pointer) in parents_read.items():
        key = dg.AssetKey(parent)
        tags[get_input_data_version_tag(key)] = read
        tags[get_input_event_pointer_tag(key)] = pointer or NULL_EVENT_POINTER
    return tags


def latest_tags(
    instance: dg.DagsterInstance, name: str, partition: str | None
) -> tuple[str | None, Mapping[str, str]]:
    """Storage id and tags of Dagster's latest record of an asset or source; (None, {}) when there is none."""
    record = instance.get_latest_data_version_record(
        dg.AssetKey(name), is_source=name in SOURCES or name in POLICIES, partition_key=partition
    )
    if record is None:
        return None, {}
    return str(record.storage_id), record.event_log_entry.tags or {}


class PartitionReport:
    """What Dagster is told of one partition while runs of it come in.

    One report serves a whole Dagster run: what it told for a state's step is not compared again for the
    next state's.

    Args:
        instance: whose record is brought up to date.
        partition: the seed.
    """

    def __init__(self, instance: dg.DagsterInstance, partition: str) -> None:
        self._instance = instance
        self._partition = partition
        self._known: dict[str, tuple[str | None, Mapping[str, str]]] = {}
        self._versions: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def events(self, record: RunRecord, selected: frozenset[str]) -> Iterator[Event]:
        """Every event to yield from a step: results for ``selected``, the rest where Dagster is behind."""
        self._learn(record)
        states = [
            state
            for state in state_assets()
            if state.spec.name in record.states
            and (self._is_untold(record, state) or selected & {*state.datasets})
        ]
        read = {key for state in states for name in state.datasets for key in parents()[name]}
        yield from self._observations(sorted(read & SOURCES))
        for state in states:
            yield from self._publications(record, state, selected)
            self._told[state.spec.name] = record.states[state.spec.name].snapshot.key

    def recorded(self, record: RunRecord) -> Iterator[Recorded]:
        """The same for a step none of whose outputs are the partition's datasets."""
        for event in self.events(record, frozenset()):
            assert not isinstance(event, dg.MaterializeResult)
            yield event

    def read(self, name: str) -> tuple[str, str | None]:
        """Version of a dataset or source as told, and the storage id of Dagster's latest record of it."""
        self._tags(name)
        return self._versions[name], self._known[name][0]

    def _is_untold(self, record: RunRecord, state: StateAssets) -> bool:
        return self._told.get(state.spec.name) != record.states[state.spec.name].snapshot.key

    def _learn(self, record: RunRecord) -> None:
        """Versions of the sources this run read."""
        sealed = next(iter(record.states.values())).snapshot.inputs.sealed
        self._versions |= {name: sealed.get(name, ABSENT) for name in SOURCES}

    def _observations(self, sources: list[str]) -> Iterator[dg.AssetObservation]:
        for name in sources:
            version = self._versions[name]
            if self._tags(name).get(DATA_VERSION_TAG) != version:
                yield dg.AssetObservation(
                    asset_key=name,
                    partition=self._partition_of(name),
                    tags=source_version_tags(version),
                    description="As sealed by the run that read it.",
                )
                self._known.pop(name)

    def _publications(
        self, record: RunRecord, state: StateAssets, selected: frozenset[str]
    ) -> Iterator[dg.AssetMaterialization | dg.MaterializeResult[Any]]:
        result = record.states[state.spec.name]
        code = code_version(result.snapshot.inputs.code_version, result.snapshot.inputs.runtime)
        for dataset_id in state.datasets:
            version, metadata = _output(record, dataset_id, result)
            if dataset_id == state.principal:
                metadata |= _cost(result)
            if dataset_id == FLAG:
                metadata[LINEAGE] = record.lineage_id
            self._versions[dataset_id] = version
            tags = provenance_tags(version, code, {name: self.read(name) for name in parents()[dataset_id]})
            if dataset_id in selected:
                yield dg.MaterializeResult(
                    asset_key=dataset_id, data_version=dg.DataVersion(version), metadata=metadata, tags=tags
                )
            elif self._is_behind(dataset_id, tags):
                yield dg.AssetMaterialization(
                    asset_key=dataset_id, partition=self._partition, metadata=metadata, tags=tags
                )
            else:
                continue
            self._known.pop(dataset_id, None)

    def _is_behind(self, dataset_id: str, tags: Mapping[str, str]) -> bool:
        """Whether Dagster's last record of the dataset differs, pointers to parents' events aside."""
        known = self._tags(dataset_id)
        pointer = get_input_event_pointer_tag(dg.AssetKey(""))
        return any(known.get(name) != value for name, value in tags.items() if not name.startswith(pointer))

    def _tags(self, name: str) -> Mapping[str, str]:
        """Tags of Dagster's latest record of an asset in this partition; empty when there is none."""
        if name not in self._known:
            self._known[name] = latest_tags(self._instance, name, self._partition_of(name))
        return self._known[name][1]

    def _partition_of(self, name: str) -> str | None:
        return None if name in POLICIES else self._partition


def _output(record: RunRecord, dataset_id: str, result: StateResult) -> tuple[str, dict[str, Any]]:
    """Digest and facts of a published dataset, or of a member of a published folder."""
    snapshot = result.snapshot
    if dataset_id not in snapshot.outputs:
        path = snapshot.root / contract(dataset_id).relative_path(record.identity)
        digest, size = file_digest(path), path.stat().st_size
        return digest, {"path": dg.MetadataValue.path(path), "bytes": size, "digest": digest}
    output = snapshot.outputs[dataset_id]
    facts: dict[str, Any] = {
        "path": dg.MetadataValue.path(snapshot.path(dataset_id)),
        "bytes": output.bytes,
        "digest": output.digest,
    }
    if output.rows is not None:
        facts["dagster/partition_row_count"] = output.rows
    return output.digest, facts | column_lineage(dataset_id)


def _cost(result: StateResult) -> dict[str, Any]:
    """What the state's publication cost this run; shown on its principal dataset."""
    facts: dict[str, Any] = {
        "state key": result.snapshot.key,
        "state digest": result.snapshot.digest,
        "reused": result.reused,
        "wall_s": round(result.wall_s, 3),
        "peak_rss_mb": result.peak_rss_mb,
    }
    if result.lanes:
        facts["lanes_s"] = dg.MetadataValue.json({name: round(s, 3) for name, s in result.lanes.items()})
    return facts
