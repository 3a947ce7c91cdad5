"""Without DAGSTER_HOME no command imports dagster; with it, those that put a lineage in force do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from seg3b_assets.definitions import defs
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.orchestration.coarse_runs import COARSE

COMMAND = """
import sys
from seg3b_assets.cli import app
for command in " ".join(sys.argv[1:]).split(" then "):
    try:
        app(command.split())
    except SystemExit as ended:
        assert not ended.code, ended
    print("dagster" in sys.modules)
"""


def dagster_was_imported(home: Path, *arguments: str, **environment: str) -> bool:
    """Whether it was at the end of a process with this command, or several, a ``then`` between them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEG3B_", "DAGSTER"))}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env=kept | COARSE | {"SEG3B_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Dagster was not told" not in done.stderr
    return done.stdout.splitlines()[-1] == "True"


def test_no_command_imports_dagster_without_a_dagster_home(tmp_path: Path) -> None:
    commands = "plan --seed 42 then run --seed 42"
    assert not dagster_was_imported(tmp_path / "home", commands, SEG3B_WORLD_MERCHANTS="300")


@pytest.mark.e2e
def test_a_run_tells_the_dagster_home_there_is_and_a_plan_does_not(tmp_path: Path) -> None:
    home, dagster_home = tmp_path / "home", tmp_path / "dagster"
    dagster_home.mkdir()
    assert not dagster_was_imported(home, "plan", "--seed", "42", DAGSTER_HOME=str(dagster_home))
    assert dagster_was_imported(home, "run", "--seed", "42", DAGSTER_HOME=str(dagster_home))
    assert list(dagster_home.rglob("*.db"))


OF_NO_SEED = {"certification_3B", "rerun_plan_3B"}
CHECKS = set(defs.resolve_asset_graph().asset_check_keys)


@pytest.mark.e2e
def test_what_a_command_puts_in_force_shows_with_its_checks_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, dagster_home, policies = tmp_path / "home", tmp_path / "dagster", tmp_path / "policies"
    dagster_home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", dagster_home)
    shutil.copytree(REPOSITORY / "policies", policies)
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    places = {"DAGSTER_HOME": str(dagster_home), "SEG3B_POLICIES": str(policies)}
    seen = []
    for edited in (False, False, True):
        if edited:
            with (policies / "edge_topology.yaml").open("a") as policy:
                policy.write("# edited\n")
        dagster_was_imported(home, "run", "--seed", "42", **places)
        with dg.DagsterInstance.get() as instance:
            latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(CHECKS))
            seen.append({key: found.id for key, found in latest.items()})
            found = {check for check in CHECKS if check.asset_key.to_user_string() not in OF_NO_SEED}
            assert set(latest) == found
            assert {one.partition for one in latest.values()} == {"42"}
            flag_key = dg.AssetKey("passed_flag_3B")
            flag = instance.fetch_materializations(flag_key, limit=1).records[0]
            told = latest[dg.AssetCheckKey(flag_key, "seals_the_bundle")].event
            assert told is not None
            evaluation = told.dagster_event.asset_check_evaluation_data
            assert evaluation.passed
            assert evaluation.target_materialization_data.storage_id == flag.storage_id
    assert seen[0] == seen[1]
    assert not {*seen[1].values()} & {*seen[2].values()}
