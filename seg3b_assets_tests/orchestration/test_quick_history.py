"""Dagster's SQLite history with engines that last: the same record, read by whoever opens it next."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from seg3b_assets.orchestration import quick_history
from seg3b_assets.settings import REPOSITORY

KEY = dg.AssetKey("passed_flag_3B")


def written(instance: dg.DagsterInstance, seed: int) -> int:
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=str(seed)))
    return get_ident()


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


def test_the_shipped_instance_keeps_its_history_where_dagster_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance:
        written(instance, 42)
    (tmp_path / "dagster.yaml").write_bytes((REPOSITORY / "dagster.yaml").read_bytes())
    assert yaml.safe_load((tmp_path / "dagster.yaml").read_bytes())["storage"]
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(KEY) == {"42"}
