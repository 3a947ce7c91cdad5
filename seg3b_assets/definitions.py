"""The code location Dagster loads: puts the orchestration together, and does nothing else."""

from __future__ import annotations

import dagster as dg

from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.certification import certification_3B
from seg3b_assets.orchestration.gate_checks import realism_gates
from seg3b_assets.orchestration.jobs import certification, observe_sources, realism_checks, seed_pipeline
from seg3b_assets.orchestration.realism_guard import realism_guard
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.schedules import four_seed_sweep, nightly_certification
from seg3b_assets.orchestration.sources import policies, upstream

defs = dg.Definitions(
    assets=[policies, upstream, *STATE_ASSETS, certification_3B],
    asset_checks=[realism_gates, realism_guard],
    jobs=[seed_pipeline, realism_checks, certification, observe_sources],
    schedules=[four_seed_sweep, nightly_certification],
    resources={"installation": Installation()},
    executor=dg.in_process_executor,
)
