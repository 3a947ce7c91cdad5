"""Schedules; stopped until a person starts them in the UI."""

import dagster as dg

from seg3b_assets.orchestration.jobs import seed_pipeline
from seg3b_assets.orchestration.partitions import SEEDS

NIGHTLY = "0 2 * * *"


@dg.schedule(job=seed_pipeline, cron_schedule=NIGHTLY, default_status=dg.DefaultScheduleStatus.STOPPED)
def four_seed_sweep() -> list[dg.RunRequest]:
    """Every certification seed through S0 to S5, one run each, at 02:00 UTC."""
    return [dg.RunRequest(run_key=seed, partition_key=seed) for seed in SEEDS.get_partition_keys()]
