"""Runs of a code location are forked from a process with Dagster loaded, and with nothing that a fork could break."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from seg3b_assets.orchestration.patches import LOADED
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.waiting import until

LOCATION = "seg3b_assets_tests.orchestration.telling_worker"
LOAD = f"""
import json, os, sys
from contextlib import suppress
for name in {LOADED!r}:
    with suppress(ImportError):
        __import__(name)
print(json.dumps([len(os.listdir("/proc/self/task")), sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.chdir(REPOSITORY)
    return tmp_path


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def fork_server(pid: int) -> int | None:
    return next((child for child in children(pid) if "multiprocessing.forkserver" in command_of(child)), None)


def test_what_is_loaded_before_a_fork_has_one_thread_and_no_code_of_ours() -> None:
    found = subprocess.run([sys.executable, "-c", LOAD], check=True, capture_output=True)
    threads, loaded = json.loads(found.stdout)
    assert threads == 1
    assert "dagster" in loaded
    assert not {"seg3b_assets", "polars"} & {*loaded}


def test_a_launched_run_is_forked_and_leaves_its_history_whole(home: Path) -> None:
    command = [sys.executable, "-m", "dagster", "job", "launch", "-m", LOCATION, "-j", "telling"]
    subprocess.run(command, check=True, capture_output=True)
    with dg.DagsterInstance.get() as instance:
        run = until(
            lambda: next((run for run in instance.get_runs() if run.is_finished), None), 60, "finished run"
        )
        assert run.status == dg.DagsterRunStatus.SUCCESS
        assert "multiprocessing.forkserver" in run.tags["started_by"]
    folded = [home / "history" / "runs" / f"{run.run_id}.db-wal"]
    until(lambda: not any(path.exists() for path in folded), 30, "write-ahead log folded back")


def test_the_fork_server_ends_with_the_server_that_started_it(home: Path) -> None:
    command = [sys.executable, "-m", "dagster", "api", "grpc", "-m", LOCATION, "-s", str(home / "socket")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        forking = until(lambda: fork_server(server.pid), 60, "fork server")
        server.kill()
    until(lambda: not Path(f"/proc/{forking}").exists() or is_zombie(forking), 30, "end of the fork server")


def is_zombie(pid: int) -> bool:
    """Ended, and not waited for by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_no_other_process_starts_a_fork_server(home: Path) -> None:
    assert fork_server(os.getpid()) is None
    code = "import time, seg3b_assets.orchestration; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert fork_server(other.pid) is None
        other.kill()
