"""Jobs: what is run by name rather than by selecting assets."""

from __future__ import annotations

import dagster as dg

from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.budgets import lane_tags
from seg3b_assets.orchestration.certification import CERTIFICATION_LANE, certification_3B
from seg3b_assets.orchestration.gate_checks import realism_gates
from seg3b_assets.orchestration.realism_guard import realism_guard
from seg3b_assets.orchestration.sources import policies, upstream

seed_pipeline = dg.define_asset_job(
    name="seed_pipeline",
    description="One seed through S0 to S5 with every check; a state whose snapshot exists is reused.",
    selection=dg.AssetSelection.assets(*STATE_ASSETS),
)

observe_sources = dg.define_asset_job(
    name="observe_sources",
    description="Digests of all policies and of one seed's upstream; shows what a change made stale.",
    selection=dg.AssetSelection.assets(policies, upstream),
)

certification = dg.define_asset_job(
    name="certification",
    description="Every certification seed brought up to date, scored and judged together.",
    selection=dg.AssetSelection.assets(certification_3B),
    tags=lane_tags(CERTIFICATION_LANE),
)

realism_checks = dg.define_asset_job(
    name="realism_checks",
    description="One seed's published lineage held against the gates as they are now; runs no state.",
    # Without an asset Dagster does not see that the checks are partitioned; the sources are looked at anyway.
    selection=dg.AssetSelection.checks(realism_gates, realism_guard)
    | dg.AssetSelection.assets(policies, upstream),
)
