"""The assets: six states, one op each, one asset per dataset.

A step brings its state up to date for its seed (earlier states first, if they are missing or stale),
publishes all of the state's datasets together, reports whatever of that Dagster did not know, and looks
whether the datasets keep their contracts.
"""

from collections.abc import Iterator

import dagster as dg

from seg3b_assets.orchestration.datasets import state_dataset
from seg3b_assets.orchestration.lineage import SEEDS, StateAssets, state_assets
from seg3b_assets.orchestration.reporting import Event
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import explained_failures
from seg3b_assets.orchestration.structural_checks import structural_checks, structural_results

GROUPS = {
    "S0": "S0_gate",
    "S1": "S1_classification",
    "S2": "S2_edges",
    "S3": "S3_alias",
    "S4": "S4_contract",
    "S5": "S5_bundle",
}


class StateRun(dg.Config):
    """What a person may ask of a state's step in the launchpad."""

    recompute: bool = False
    """Compute the state even where its snapshot exists, and fail if the bytes differ."""


def _state(state: StateAssets) -> dg.AssetsDefinition:
    group, name = GROUPS[state.spec.name], state.spec.name

    @dg.multi_asset(
        name=group,
        description=f"{name}: {state.spec.objective}." if state.spec.objective else name,
        specs=[state_dataset(dataset_id, state) for dataset_id in state.datasets],
        check_specs=[check.spec for dataset_id in state.datasets for check in structural_checks(dataset_id)],
        group_name=group,
        partitions_def=SEEDS,
        can_subset=True,
    )
    def publish(
        context: dg.AssetExecutionContext, config: StateRun, installation: Installation
    ) -> Iterator[Event | dg.AssetCheckResult]:
        selected = frozenset(key.to_user_string() for key in context.selected_asset_keys)
        if selected:
            running = installation.running(context)
            with explained_failures():
                running.record = installation.seed_run(context).run_state(name, force=config.recompute)
            yield from running.report.events(running.record, selected)
        if context.selected_asset_check_keys:
            published = installation.published(context)
            yield from structural_results(state.datasets, published, context.selected_asset_check_keys)

    return publish


STATE_ASSETS = [_state(state) for state in state_assets()]
