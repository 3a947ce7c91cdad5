"""The code location Dagster loads: puts the orchestration together, and does nothing else."""

from __future__ import annotations

import dagster as dg

from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.automation import keep_up_to_date
from seg3b_assets.orchestration.certification import certification_3B
from seg3b_assets.orchestration.gate_checks import realism_gates
from seg3b_assets.orchestration.jobs import certification, observe_sources, realism_checks, seed_pipeline
from seg3b_assets.orchestration.lanes import LANE_JOBS, materialize_stale
from seg3b_assets.orchestration.realism_guard import realism_guard
from seg3b_assets.orchestration.rerun_plan import rerun_plan_3B
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.schedules import four_seed_sweep, nightly_certification
from seg3b_assets.orchestration.sensors import move_refs_after_runs, watch_sources
from seg3b_assets.orchestration.sources import policies, upstream

defs = dg.Definitions(
    assets=[policies, upstream, *STATE_ASSETS, certification_3B, rerun_plan_3B],
    asset_checks=[realism_gates, realism_guard],
    jobs=[
        seed_pipeline,
        realism_checks,
        certification,
        observe_sources,
        *LANE_JOBS,
        materialize_stale,
    ],
    schedules=[four_seed_sweep, nightly_certification],
    sensors=[watch_sources, move_refs_after_runs, keep_up_to_date],
    resources={"installation": Installation()},
    executor=dg.in_process_executor,
)
