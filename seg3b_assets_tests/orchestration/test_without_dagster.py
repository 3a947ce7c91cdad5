"""Without DAGSTER_HOME no command imports dagster; with it, those that put a lineage in force do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seg3b_assets_tests.orchestration.coarse_runs import COARSE

COMMAND = """
import sys
from seg3b_assets.cli import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended
print("dagster" in sys.modules)
"""


def dagster_was_imported(home: Path, *arguments: str, **environment: str) -> bool:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEG3B_", "DAGSTER"))}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        env=kept | COARSE | {"SEG3B_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1] == "True"


def test_no_command_imports_dagster_without_a_dagster_home(tmp_path: Path) -> None:
    assert not dagster_was_imported(tmp_path / "home", "plan", "--seed", "42")
    assert not dagster_was_imported(tmp_path / "home", "run", "--seed", "42")


@pytest.mark.e2e
def test_a_run_tells_the_dagster_home_there_is_and_a_plan_does_not(tmp_path: Path) -> None:
    home, dagster_home = tmp_path / "home", tmp_path / "dagster"
    dagster_home.mkdir()
    assert not dagster_was_imported(home, "plan", "--seed", "42", DAGSTER_HOME=str(dagster_home))
    assert dagster_was_imported(home, "run", "--seed", "42", DAGSTER_HOME=str(dagster_home))
    assert list(dagster_home.rglob("*.db"))
