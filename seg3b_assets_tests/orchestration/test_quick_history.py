"""Dagster's SQLite history with engines that last: the same record, read by whoever opens it next."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from sqlalchemy.pool import NullPool

from seg3b_assets.orchestration import quick_history

KEY = dg.AssetKey("passed_flag_3B")


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
