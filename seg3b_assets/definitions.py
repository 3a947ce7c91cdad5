"""The code location Dagster loads: puts the orchestration together, and has Dagster changed where ``patches`` says."""

from __future__ import annotations

import gc

import dagster as dg

from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.automation import keep_up_to_date
from seg3b_assets.orchestration.certification import certification_3B
from seg3b_assets.orchestration.gate_checks import realism_gates, realism_guard
from seg3b_assets.orchestration.jobs import (
    LANE_JOBS,
    certification,
    four_seed_sweep,
    materialize_stale,
    move_refs_after_runs,
    nightly_certification,
    observe_sources,
    realism_checks,
    seed_pipeline,
    watch_sources,
)
from seg3b_assets.orchestration.patches import patch_dagster
from seg3b_assets.orchestration.rerun_plan import rerun_plan_3B
from seg3b_assets.orchestration.resources import Installation
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

patch_dagster()
# Dagster and all this are a hundred thousand objects that stay: no collection goes through them again.
gc.freeze()
