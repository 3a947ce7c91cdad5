"""Jobs: what is run by name rather than by selecting assets."""

from __future__ import annotations

import dagster as dg

from seg3b_assets.orchestration.assets import STATE_ASSETS
from seg3b_assets.orchestration.sources import policies, upstream

seed_pipeline = dg.define_asset_job(
    name="seed_pipeline",
    description="One seed through S0 to S5; a state whose snapshot exists is reused.",
    selection=dg.AssetSelection.assets(*STATE_ASSETS),
)

observe_sources = dg.define_asset_job(
    name="observe_sources",
    description="Digests of all policies and of one seed's upstream; shows what a change made stale.",
    selection=dg.AssetSelection.assets(policies, upstream),
)
