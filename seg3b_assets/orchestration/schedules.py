"""Schedules; stopped until a person starts them in the UI."""

import os

import dagster as dg

from seg3b_assets.orchestration.jobs import certification, seed_pipeline
from seg3b_assets.orchestration.partitions import SEEDS

# When the four seeds are swept, as a cron line in UTC.
SWEEP = os.environ.get("SEG3B_SWEEP_CRON", "0 2 * * *")


@dg.schedule(job=seed_pipeline, cron_schedule=SWEEP, default_status=dg.DefaultScheduleStatus.STOPPED)
def four_seed_sweep() -> list[dg.RunRequest]:
    """Every certification seed through S0 to S5, one run each; at 02:00 UTC, or as SEG3B_SWEEP_CRON says."""
    return [dg.RunRequest(run_key=seed, partition_key=seed) for seed in SEEDS.get_partition_keys()]


nightly_certification = dg.ScheduleDefinition(
    name="nightly_certification",
    job=certification,
    cron_schedule="0 3 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="The certification, at 03:00 UTC; brings the seeds up to date itself.",
)
