"""The code location Dagster loads: puts the orchestration together, and does nothing else."""

from __future__ import annotations

import dagster as dg

from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.jobs import observe_sources, seed_pipeline
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.schedules import four_seed_sweep
from seg3b_assets.orchestration.sources import policies, upstream

defs = dg.Definitions(
    assets=[policies, upstream, *STATE_ASSETS],
    jobs=[seed_pipeline, observe_sources],
    schedules=[four_seed_sweep],
    resources={"installation": Installation()},
    executor=dg.in_process_executor,
)
