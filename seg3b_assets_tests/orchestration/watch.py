"""Materializing and judging through Dagster: what ran, what was recorded, what is stale and why."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.automation import VersionResolver
from seg3b_assets.orchestration.lineage import state_assets
from seg3b_assets.orchestration.reporting import source_version_tags
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.sources import policies, upstream

UNCHECKED_STATES = [state.subset_for(state.keys, set()) for state in STATE_ASSETS]
STATES_WITHOUT_CHECKS = dg.Definitions(
    assets=[policies, upstream, *UNCHECKED_STATES],
    jobs=[dg.define_asset_job("seed_pipeline", dg.AssetSelection.assets(*UNCHECKED_STATES))],
    resources={"installation": Installation()},
)


class Watch:
    """One instance, watched through the definitions."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.defs = defs
        self.instance = instance
        self.graph = defs.resolve_asset_graph()

    def materialize(
        self, *selected: str, seed: int = 42, config: Mapping[str, Any] | None = None, ok: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Materialize these assets, or all of them."""
        job = self.defs.resolve_job_def("seed_pipeline")
        result = job.execute_in_process(
            partition_key=str(seed),
            instance=self.instance,
            asset_selection=[dg.AssetKey(name) for name in selected] or None,
            run_config=config,
            raise_on_error=False,
        )
        assert result.success == ok
        return result

    def run(self, job: str, seed: int | None = 42, ok: bool = True) -> dg.ExecuteInProcessResult:
        """Run a job, of a partition or of none."""
        result = self.defs.resolve_job_def(job).execute_in_process(
            partition_key=None if seed is None else str(seed), instance=self.instance, raise_on_error=False
        )
        assert result.success == ok
        return result

    def look(self, seed: int = 42) -> set[str]:
        """Observe every source of this seed; the keys that were."""
        job = self.defs.resolve_job_def("observe_sources")
        result = job.execute_in_process(partition_key=str(seed), instance=self.instance)
        return set(keys(result.get_asset_observation_events()))

    def observe(self, name: str, version: str, seed: int | None = None) -> None:
        """Record that a source has this version."""
        self.instance.report_runless_asset_event(
            dg.AssetObservation(
                name, partition=None if seed is None else str(seed), tags=source_version_tags(version)
            )
        )

    def stale(self, seed: int = 42) -> dict[str, set[str]]:
        """Causes by dataset that is stale in this partition: names of changed parents, or the reason."""
        return self.stale_assets(datasets(), seed)

    def stale_assets(self, names: Iterable[str], seed: int | None) -> dict[str, set[str]]:
        """The same of these assets, in a partition or without; automation must agree with the UI about each."""
        resolver = CachingStaleStatusResolver(self.instance, self.graph, LoadingContextForTest(self.instance))
        own = VersionResolver(self.instance, self.graph, LoadingContextForTest(self.instance))
        partition = None if seed is None else str(seed)
        found: dict[str, set[str]] = {}
        for name in names:
            status = resolver.get_status(dg.AssetKey(name), partition)
            assert own.get_status(dg.AssetKey(name), partition) == status, f"automation differs about {name}"
            if status == StaleStatus.STALE:
                causes = resolver.get_stale_causes(dg.AssetKey(name), partition)
                found[name] = {
                    cause.dependency.asset_key.to_user_string() if cause.dependency else cause.reason
                    for cause in causes
                }
        return found

    def missing(self, seed: int = 42) -> set[str]:
        """Datasets Dagster has no materialization of in this partition."""
        resolver = CachingStaleStatusResolver(self.instance, self.graph, LoadingContextForTest(self.instance))
        return {
            name
            for name in datasets()
            if resolver.get_status(dg.AssetKey(name), str(seed)) == StaleStatus.MISSING
        }


def keys(events: Iterable[dg.DagsterEvent]) -> list[str]:
    """Keys of the assets these events are about, in order."""
    return [event.asset_key.to_user_string() for event in events if event.asset_key]


def datasets(states: Iterable[str] = ("S0", "S1", "S2", "S3", "S4", "S5")) -> set[str]:
    """Dataset ids these states publish."""
    wanted = set(states)
    return {name for state in state_assets() if state.spec.name in wanted for name in state.datasets}
