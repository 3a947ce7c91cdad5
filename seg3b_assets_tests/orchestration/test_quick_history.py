"""Dagster's SQLite history with engines that last: the same record, read by whoever opens it next."""

import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import dagster as dg
import pytest
import yaml
from dagster._core.utils import make_new_run_id
from sqlalchemy.engine import Engine

from seg3b_assets.orchestration import quick_history
from seg3b_assets_tests.orchestration.coarse_runs import on_disk_instance, quick_storage

KEY = dg.AssetKey("passed_flag_3B")
RUN = """
import sys
import dagster as dg

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


@pytest.fixture
def history(tmp_path: Path) -> Engine:
    """The engine Dagster gets for a database in write-ahead mode."""
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE told (at INTEGER)")
    return quick_history._engine(f"sqlite:///{path}")


def connection_of(engine: Engine) -> sqlite3.Connection:
    with engine.connect() as one:
        found = one.connection.dbapi_connection
        assert isinstance(found, sqlite3.Connection)
        return found


def test_a_file_has_one_engine_whose_connection_is_used_again_and_flushes_no_commit(history: Engine) -> None:
    assert quick_history._engine(str(history.url)) is history
    first = connection_of(history)
    assert connection_of(history) is first
    assert first.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_connection_to_a_file_that_was_replaced_is_not_used_again(history: Engine, tmp_path: Path) -> None:
    path, first = tmp_path / "history.db", connection_of(history)
    shutil.copy(path, tmp_path / "other.db")
    (tmp_path / "other.db").replace(path)
    second = connection_of(history)
    assert second is not first
    second.execute("INSERT INTO told VALUES (1)")
    second.commit()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM told").fetchone() == (1,)


def test_a_connection_of_another_process_is_not_used(
    history: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = connection_of(history)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert connection_of(history) is not first


def test_two_threads_have_a_connection_each(history: Engine) -> None:
    with history.connect() as one, history.connect() as other:
        assert one.connection.dbapi_connection is not other.connection.dbapi_connection


def test_no_more_engines_are_kept_than_a_process_has_files_for(tmp_path: Path) -> None:
    for run in range(3 * quick_history._KEPT):
        connection_of(quick_history._engine(f"sqlite:///{tmp_path / str(run)}.db"))
    assert len(quick_history._ENGINES) <= quick_history._KEPT


def test_what_threads_record_another_instance_of_the_same_home_reads(tmp_path: Path) -> None:
    with on_disk_instance(tmp_path) as instance:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda seed: written(instance, seed), range(24)))
        with dg.DagsterInstance.local_temp(str(tmp_path)) as other:
            assert other.get_materialized_partitions(KEY) == {str(seed) for seed in range(24)}


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """The instance with Dagster's own storage; the environment names the one with ours, over the same files."""
    (tmp_path / "dagster.yaml").touch()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    plain = dg.DagsterInstance.get()
    ours = tmp_path / "ours"
    ours.mkdir()
    config = {"storage": {"custom": quick_storage(tmp_path)}}
    (ours / "dagster.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("DAGSTER_HOME", str(ours))
    return plain


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
