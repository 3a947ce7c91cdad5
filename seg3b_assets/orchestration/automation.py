"""What brings stale partitions up to date by itself, once a person has started its sensor.

Dagster's own conditions see changes from one tick to the next; what was stale before the sensor was started, they
do not. So the condition here is the stale status itself, per partition, and a partition is asked for once per
change: a run that fails, or that realism blocks, is not asked for again until something else changes.
"""

from functools import lru_cache

import dagster as dg
from dagster import AutomationCondition
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.asset_key import AssetKey
from dagster._core.definitions.data_version import (
    CachingStaleStatusResolver,
    DataProvenance,
    StaleStatus,
)
from dagster._core.definitions.declarative_automation.automation_condition import AutomationResult
from dagster._core.definitions.declarative_automation.automation_context import AutomationContext
from dagster._core.definitions.events import AssetKeyPartitionKey


class Stale(AutomationCondition[AssetKey]):
    """True of partitions whose materialization is stale; false of those that have none."""

    @property
    def name(self) -> str:
        return "stale"

    @property
    def description(self) -> str:
        return "Made from other policies, upstream, code or parents than those of now"

    def evaluate(self, context: AutomationContext[AssetKey]) -> AutomationResult[AssetKey]:
        view = context.asset_graph_view
        resolver = _resolver(view)
        key = context.key
        partitions = [None] if context.partitions_def is None else context.partitions_def.get_partition_keys()
        stale = {
            AssetKeyPartitionKey(key, partition)
            for partition in partitions
            if resolver.get_status(key, partition) == StaleStatus.STALE
        }
        subset = view.get_asset_subset_from_asset_partitions(key, stale)
        return AutomationResult(context, subset.compute_intersection(context.candidate_subset))


class VersionResolver(CachingStaleStatusResolver):
    """Dagster's stale status, an input's latest record asked for once and not by each of its readers.

    Of a partitioned input Dagster asks the history for every reader, which for four seeds is thousands of questions
    a tick. An input whose latest record is the one that was read has not changed; only of others it is asked.
    """

    def _is_dep_updated(self, provenance: DataProvenance, dep_key: AssetKeyPartitionKey) -> bool:
        read = provenance.input_storage_ids[dep_key.asset_key]
        latest = self._get_latest_data_version_record(key=dep_key)
        if dep_key.partition_key is not None and read and latest and latest.storage_id <= read:
            return False
        return super()._is_dep_updated(provenance, dep_key)


# A tick has one view, and asks twice per dataset; what is known of one dataset serves those made from it.
@lru_cache(maxsize=1)
def _resolver(view: AssetGraphView) -> CachingStaleStatusResolver:
    queryer = view.get_inner_queryer_for_back_compat()
    return VersionResolver(queryer.instance, view.asset_graph, view, instance_queryer=queryer)


def bring_up_to_date_when_stale() -> AutomationCondition[AssetKey]:
    """The condition of every dataset of a state."""
    changed = (
        Stale().newly_true()
        | AutomationCondition.any_deps_match(AutomationCondition.newly_updated())
        | AutomationCondition.code_version_changed()
    )
    handled = AutomationCondition.newly_requested() | AutomationCondition.newly_updated()
    return (
        (Stale() & changed).since(handled)
        & ~AutomationCondition.in_progress()
        & ~AutomationCondition.any_deps_in_progress()
    ).with_label("stale, once per change")


keep_up_to_date = dg.AutomationConditionSensorDefinition(
    "keep_up_to_date",
    target=dg.AssetSelection.all(include_sources=True),
    default_status=dg.DefaultSensorStatus.STOPPED,
    use_user_code_server=True,
    description="Runs what is stale, seed by seed, one run per change. Stopped until a person starts it.",
)
