"""Dagster's SQLite history with engines that last: the same record, read by whoever opens it next."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.utils import make_new_run_id
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from seg3b_assets.orchestration import quick_history

KEY = dg.AssetKey("passed_flag_3B")
RUN = """
import sys
import dagster as dg
import seg3b_assets.orchestration

@dg.op
def wait() -> None:
    if sys.argv[2] == "until told":
        sys.stdin.readline()

@dg.job
def nothing() -> None:
    wait()

with dg.DagsterInstance.get() as instance:
    nothing.execute_in_process(instance=instance, run_id=sys.argv[1])
"""


def written(instance: dg.DagsterInstance, seed: int) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=str(seed)))


def test_a_file_has_one_engine_and_its_connections_are_not_kept(tmp_path: Path) -> None:
    quick_history.make_history_quick()
    url = f"sqlite:///{tmp_path / 'history.db'}"
    first, second = (sqlite_event_log.create_engine(url, poolclass=NullPool) for _ in range(2))
    assert first is second
    with first.connect() as one, second.connect() as other:
        assert one.connection.dbapi_connection is not other.connection.dbapi_connection


def test_what_threads_record_another_instance_of_the_same_home_reads(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda seed: written(instance, seed), range(24)))
        with dg.DagsterInstance.local_temp(str(tmp_path)) as other:
            assert other.get_materialized_partitions(KEY) == {str(seed) for seed in range(24)}


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """The instance as the webserver has it, which loads nothing of ours."""
    for module in quick_history._STORAGES:
        monkeypatch.setattr(module, "create_engine", create_engine)
    (tmp_path / "dagster.yaml").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return dg.DagsterInstance.get()


def heard(instance: dg.DagsterInstance, run_id: str, event: dg.DagsterEventType) -> Event:
    """Set when who watches the run is told of such an event."""
    happened = Event()

    def hear(entry: dg.EventLogEntry, _cursor: str) -> None:
        if entry.dagster_event and entry.dagster_event.event_type == event:
            happened.set()

    instance.get_records_for_run(run_id)
    instance.watch_event_logs(run_id, None, hear)
    return happened


def test_who_watches_a_run_is_told_while_it_runs(watcher: dg.DagsterInstance) -> None:
    run_id = make_new_run_id()
    started = heard(watcher, run_id, dg.DagsterEventType.STEP_START)
    command = [sys.executable, "-c", RUN, run_id, "until told"]
    with watcher, subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert started.wait(30)
        assert process.poll() is None
        process.communicate(b"\n")
    assert process.returncode == 0


def test_who_watches_a_run_is_told_of_its_end_though_others_keep_the_file_open(
    watcher: dg.DagsterInstance, tmp_path: Path
) -> None:
    run_id = make_new_run_id()
    ended = heard(watcher, run_id, dg.DagsterEventType.RUN_SUCCESS)
    with watcher, closing(sqlite3.connect(tmp_path / "history" / "runs" / f"{run_id}.db")) as other:
        other.execute("SELECT count(*) FROM sqlite_master").fetchone()
        subprocess.run([sys.executable, "-c", RUN, run_id, "at once"], check=True, capture_output=True)
        assert ended.wait(30)
