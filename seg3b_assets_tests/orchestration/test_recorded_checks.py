"""Checks of a seed brought up to date outside its own run: recorded for every new lineage, not only for the first."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log.base import PartitionKeyFilter

from seg3b_assets.orchestration import record
from seg3b_assets.orchestration.record import TOLD
from seg3b_assets.pipeline import default_segment
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
from seg3b_assets_tests.orchestration.coarse_runs import Installed, coarse_installation

CHECKS = (
    ("edge_catalogue_3B", "gate_3B_V05"),
    ("passed_flag_3B", "seals_the_bundle"),
    ("virtual_validation_results_3B", "realism_guard"),
)
SEED = 42


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    with coarse_installation(tmp_path) as one:
        one.change("certification", r"^seeds: .*", f"seeds: [{SEED}]")
        one.change("certification", r"certification: \{seeds: \[.*?\]", f"certification: {{seeds: [{SEED}]")
        yield one


def comment(installed: Installed, said: str) -> None:
    with (installed.policies / "edge_topology.yaml").open("a") as policy:
        policy.write(f"# {said}\n")


def runs_of_checks(instance: dg.DagsterInstance) -> list[list[str]]:
    """Per check, the runs of its evaluations of the seed, newest first."""
    return [
        [
            record.run_id
            for record in instance.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(dg.AssetKey(dataset), name),
                limit=10,
                partition_filter=PartitionKeyFilter(key=str(SEED)),
            )
        ]
        for dataset, name in CHECKS
    ]


@pytest.mark.e2e
def test_every_job_that_brings_a_seed_up_to_date_again_records_its_checks_again(installed: Installed) -> None:
    done = []
    for job, edited in (("materialize_stale", True), ("certification", True), ("certification", False)):
        if edited:
            comment(installed, job)
        done.insert(0, installed.watch.run(job, seed=None).run_id)
    assert runs_of_checks(installed.watch.instance) == [done] * len(CHECKS)


def test_every_command_that_puts_another_lineage_in_force_records_its_checks(
    installed: Installed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    instance = installed.watch.instance
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: nullcontext(instance))
    for said in ("once", "twice"):
        comment(installed, said)
        settings = Settings.from_environment()
        SeedRun(settings, SEED, default_segment()).run()
        for _ in range(2):  # the second has no news
            record.report(settings, [SEED])
    told = instance.get_runs()
    assert [(run.job_name, run.status) for run in told] == [(TOLD, dg.DagsterRunStatus.SUCCESS)] * 2
    assert runs_of_checks(instance) == [[run.run_id for run in told]] * len(CHECKS)
