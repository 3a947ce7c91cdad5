"""Dagster's SQLite history with engines that last: the same record, read by whoever opens it next."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.utils import make_new_run_id
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from seg3b_assets.orchestration import quick_history
from seg3b_assets.settings import REPOSITORY

KEY = dg.AssetKey("passed_flag_3B")


RUN = """
import sys
import dagster as dg
import seg3b_assets.orchestration

@dg.job
def nothing() -> None: ...

with dg.DagsterInstance.get() as instance:
    nothing.execute_in_process(instance=instance, run_id=sys.argv[1])
"""


def written(instance: dg.DagsterInstance, seed: int) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=str(seed)))


def test_a_file_has_one_engine_and_a_connection_outlives_its_use(tmp_path: Path) -> None:
    quick_history.make_history_quick()
    url = f"sqlite:///{tmp_path / 'history.db'}"
    first, second = (sqlite_event_log.create_engine(url, poolclass=NullPool) for _ in range(2))
    assert first is second
    with first.connect() as one, second.connect() as other:
        assert one.connection.dbapi_connection is not other.connection.dbapi_connection
    with first.connect() as one:
        kept = one.connection.dbapi_connection
        assert one.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert one.execute(text("PRAGMA synchronous")).scalar() == 1  # NORMAL
    first.dispose()
    with first.connect() as one:
        assert one.connection.dbapi_connection is kept


def test_files_no_longer_kept_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_history, "_KEPT", 1)
    urls = [f"sqlite:///{tmp_path / name}" for name in ("a.db", "b.db")]
    with sqlite_event_log.create_engine(urls[0], poolclass=NullPool).connect() as one:
        closed = one.connection.dbapi_connection
    sqlite_event_log.create_engine(urls[1], poolclass=NullPool)
    assert isinstance(closed, sqlite3.Connection)
    with pytest.raises(sqlite3.ProgrammingError):
        closed.execute("SELECT 1")


def test_what_threads_record_another_instance_of_the_same_home_reads(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda seed: written(instance, seed), range(24)))
        with dg.DagsterInstance.local_temp(str(tmp_path)) as other:
            assert other.get_materialized_partitions(KEY) == {str(seed) for seed in range(24)}


def test_who_watches_a_run_is_told_of_it_when_its_process_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in quick_history._STORAGES:  # as in a webserver, which loads nothing of ours
        monkeypatch.setattr(module, "create_engine", create_engine)
    (tmp_path / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    run_id, ended = make_new_run_id(), Event()

    def hear(entry: dg.EventLogEntry, _cursor: str) -> None:
        if entry.dagster_event and entry.dagster_event.is_job_success:
            ended.set()

    with dg.DagsterInstance.get() as instance:
        instance.get_records_for_run(run_id)
        instance.watch_event_logs(run_id, None, hear)
        subprocess.run([sys.executable, "-c", RUN, run_id], check=True, capture_output=True)
        assert ended.wait(30)
