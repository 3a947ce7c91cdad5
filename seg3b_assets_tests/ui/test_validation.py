"""Dagster's own validation of the definitions: it passes, and warns of nothing of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seg3b_assets.settings import REPOSITORY


@pytest.mark.e2e
def test_the_definitions_are_valid_and_use_nothing_deprecated(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "seg3b_assets.definitions"],
        env=os.environ | {"DAGSTER_HOME": str(tmp_path), "PYTHONWARNINGS": "default", "COLUMNS": "1000"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    warnings = [line for line in told.splitlines() if "Warning: " in line]
    # The command itself is one Dagster would rather have called otherwise.
    assert [line for line in warnings if "definitions_validate_command" not in line] == []
