"""The deployment at work: PostgreSQL, gRPC, a queue; processes killed and started again lose nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets.store import Refs
from seg3b_assets_tests.deployment.fleet import PASSWORD, Fleet, free_port, postgres
from seg3b_assets_tests.deployment.questions import (
    UNFINISHED,
    backfill_status,
    cancel_runs,
    daemons_are_healthy,
    instigators,
    launch_backfill,
    launch_run,
    partition,
    runs,
    start_schedule,
    start_sensor,
    stop_schedule,
    ticks,
)
from seg3b_assets_tests.policies.small import small_networks
from seg3b_assets_tests.waiting import until

pytestmark = pytest.mark.e2e
SEEDS = ["42", "7", "101", "202"]
STATES = ["S0_gate", "S1_classification", "S2_edges", "S3_alias", "S4_contract", "S5_bundle"]
EDGES = ["edge_catalogue_3B", "edge_alias_blob_3B", "virtual_validation_results_3B", "passed_flag_3B"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    policies = Path(shutil.copytree(REPOSITORY / "policies", folder / "policies"))
    small_networks(policies)
    validation = policies / "virtual_validation.yaml"
    # A coarse world is sound and not realistic.
    validation.write_text(re.sub(r"mode: enforce", "mode: observe", validation.read_text()))
    with postgres() as port:
        started = Fleet(
            folder,
            {
                "DAGSTER_HOME": str(folder / "dagster"),
                "DAGSTER_PG_HOST": "127.0.0.1",
                "DAGSTER_PG_PORT": str(port),
                "DAGSTER_PG_PASSWORD": PASSWORD,
                "SEG3B_CODE_PORT": str(free_port()),
                "SEG3B_WEB_PORT": str(free_port()),
                "SEG3B_HOME": str(folder / "home"),
                "SEG3B_POLICIES": str(policies),
                "SEG3B_CACHE": str(
                    Path(os.environ.get("SEG3B_TEST_CACHE", "~/.cache/seg3b-tests")).expanduser()
                ),
                "SEG3B_WORLD_RESOLUTION": "1.0",
                "SEG3B_WORLD_MERCHANTS": "300",
                "SEG3B_SWEEP_CRON": "* * * * *",
            },
        )
        try:
            started.start("code-location", "webserver", "daemon")
            until(started.is_up, 120, "webserver")
            until(lambda: instigators(started), 120, "code location")
            until(lambda: daemons_are_healthy(started), 120, "healthy daemon")
            yield started
        finally:
            started.stop_all()


def heads(fleet: Fleet, seed: str) -> dict[str, str]:
    path = Path(fleet.variables["SEG3B_HOME"]) / "heads" / f"seed={seed}.json"
    found: dict[str, str] = json.loads(path.read_bytes())["states"]
    return found


def test_history_lives_in_postgresql(fleet: Fleet) -> None:
    written = (Path(fleet.variables["DAGSTER_HOME"]) / "dagster.yaml").read_text()
    assert "postgres_db" in written
    assert PASSWORD not in written
    assert not list(Path(fleet.variables["DAGSTER_HOME"]).rglob("*.db"))


def test_a_backfill_outlives_its_daemon(fleet: Fleet) -> None:
    backfill = launch_backfill(fleet, EDGES, SEEDS)
    until(lambda: runs(fleet, statuses=["STARTED"]), 120, "started run")
    fleet.stop("daemon", signal.SIGKILL)
    assert backfill_status(fleet, backfill) == "REQUESTED"
    fleet.start("daemon")
    until(lambda: backfill_status(fleet, backfill) == "COMPLETED_SUCCESS", 300, "finished backfill")
    done = runs(fleet, tags=[{"key": "dagster/backfill", "value": backfill}], statuses=["SUCCESS"])
    assert sorted(filter(None, map(partition, done))) == sorted(SEEDS)
    assert all(list(heads(fleet, seed)) == ["S0", "S1", "S2", "S3", "S4", "S5"] for seed in SEEDS)
    refs = Refs(Path(fleet.variables["SEG3B_HOME"]))
    until(lambda: sorted(map(str, refs.read("candidate"))) == sorted(SEEDS), 120, "candidate of every seed")
    assert refs.read("last_good") == {}


def test_a_schedule_ticks_and_asks_for_every_seed(fleet: Fleet) -> None:
    state = start_schedule(fleet, "four_seed_sweep")
    tick = until(
        lambda: next((one for one in ticks(fleet, "four_seed_sweep") if one["status"] == "SUCCESS"), None),
        180,
        "successful tick",
    )
    stop_schedule(fleet, state)
    assert sorted(filter(None, map(partition, runs(fleet, runIds=tick["runIds"])))) == sorted(SEEDS)
    # The backfill has shown that four seeds run; these make room.
    cancel_runs(fleet, tick["runIds"])
    until(lambda: not runs(fleet, runIds=tick["runIds"], statuses=UNFINISHED), 120, "end of the swept runs")


def test_every_sensor_ticks(fleet: Fleet) -> None:
    sensors = [sensor["name"] for sensor in instigators(fleet)["sensors"]]
    assert set(sensors) == {"watch_sources", "move_refs_after_runs", "keep_up_to_date"}
    for sensor in sensors:
        start_sensor(fleet, sensor)
        until(lambda name=sensor: ticked_well(fleet, name), 330, f"tick of {sensor}")


def ticked_well(fleet: Fleet, name: str) -> bool:
    """Whether a tick ended as it should; on a busy machine an earlier one may have run out of its minute."""
    found = ticks(fleet, name)
    errors = [tick["error"]["message"] for tick in found if tick["error"]]
    assert all("DagsterUserCodeUnreachableError" in error for error in errors), errors
    return any(tick["status"] in {"SUCCESS", "SKIPPED"} for tick in found)


def test_a_run_that_lost_its_code_location_is_run_again(fleet: Fleet) -> None:
    config = {"ops": {name: {"config": {"recompute": True}} for name in STATES}}
    lost = launch_run(fleet, "seed_pipeline", "42", config)
    until(lambda: runs(fleet, runIds=[lost], statuses=["STARTED"]), 120, "started run")
    for pid in started_by(fleet.running["code-location"].pid):
        os.kill(pid, signal.SIGKILL)
    fleet.running.pop("code-location").wait(30)
    fleet.start("code-location")
    until(lambda: runs(fleet, runIds=[lost], statuses=["FAILURE"]), 120, "run given up by the monitor")
    again = until(
        lambda: [run for run in runs(fleet, statuses=["SUCCESS"]) if run["rootRunId"] == lost], 180, "retry"
    )
    assert again[0]["parentRunId"] == lost
    assert {"key": "dagster/retry_strategy", "value": "ALL_STEPS"} in again[0]["tags"]


def started_by(pid: int) -> list[int]:
    """A process and all its descendants, as a container that dies takes them along."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in started_by(int(child)))]
