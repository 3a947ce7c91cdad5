"""The real segment through Dagster, on a coarse world: in process, and by the command people type."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from seg3b_assets.definitions import defs
from seg3b_assets.orchestration.lineage import POLICIES, SOURCES
from seg3b_assets.settings import REPOSITORY, Settings
from seg3b_assets_tests.orchestration.coarse_runs import COARSE
from seg3b_assets_tests.orchestration.watch import Watch, datasets

pytestmark = pytest.mark.e2e


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home over the coarse world."""
    for name, value in COARSE.items():
        monkeypatch.setenv(name, value)
    for name in ("SEG3B_POLICIES", "SEG3B_UPSTREAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEG3B_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"


def heads(home: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((home / "heads" / "seed=42.json").read_bytes())["states"]
    return found


def test_a_seed_is_published_recorded_and_then_reused(home: Path, installed: Watch) -> None:
    installed.materialize()
    first = heads(home)
    assert list(first) == ["S0", "S1", "S2", "S3", "S4", "S5"]
    assert installed.missing() == set()
    assert installed.stale() == {}
    flag = installed.instance.get_latest_materialization_event(dg.AssetKey("passed_flag_3B"))
    assert flag is not None
    assert flag.asset_materialization is not None
    published = Path(str(flag.asset_materialization.metadata["path"].value))
    assert published.read_bytes().startswith(b"sha256_hex = ")
    installed.materialize("passed_flag_3B", "validation_bundle_3B")
    again = installed.instance.get_latest_materialization_event(dg.AssetKey("validation_bundle_3B"))
    assert again is not None
    assert again.asset_materialization is not None
    assert again.asset_materialization.metadata["reused"].value is True
    assert heads(home) == first


def test_observing_finds_what_the_states_read_and_a_changed_policy(
    home: Path, installed: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(Settings.from_environment().policies, tmp_path / "policies")
    monkeypatch.setenv("SEG3B_POLICIES", str(folder))
    installed.materialize("edge_catalogue_3B")
    assert installed.look() == set(SOURCES) | set(POLICIES)
    assert installed.stale() == {}
    with (folder / "tz_nudge.yaml").open("a") as file:
        file.write("# a comment is part of the bytes\n")
    installed.look()
    stale = installed.stale()
    assert stale.keys() == datasets(["S0", "S1", "S2"])
    assert all(causes == {"tz_nudge"} for causes in stale.values())
    installed.materialize("edge_catalogue_3B")
    assert installed.stale() == {}


def test_the_users_own_command_rebuilds_s2_to_s5_and_not_one_hop(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dagster_home = tmp_path / "dagster"
    dagster_home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    (dagster_home / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())
    environment = {"DAGSTER_MODULE_NAME": "seg3b_assets.definitions"}
    command = ["-m", "dagster", "asset", "materialize", "--select", "edge_catalogue_3B+", "--partition", "42"]
    done = subprocess.run(
        [sys.executable, *command], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    with dg.DagsterInstance.get() as instance:
        [run] = instance.get_runs()
        steps = {stats.step_key for stats in instance.get_run_step_stats(run.run_id)}
        assert {step[:2] for step in steps if step.startswith("S")} == {"S2", "S3", "S4", "S5"}
        assert "realism_gates" in steps
        watch = Watch(defs, instance)
        assert watch.missing() == set()
        assert watch.stale() == {}
        assert watch.missing(7) == datasets()
    assert list(heads(home)) == ["S0", "S1", "S2", "S3", "S4", "S5"]
