"""Dagster's SQLite history, without a flush of the disk and a new connection for every question and event.

Dagster makes an engine and opens and closes a connection each time, some seventeen hundred times for one run of six
states and their checks. By default SQLite flushes at every commit, and when the last connection to a file closes it
folds the write-ahead log back, with more flushes; and an engine's cache of compiled statements dies with it. All of
that is more time than some states take. Here an engine is kept by file, with the connections it had open, and a
commit goes to the write-ahead log, which is flushed when it is folded back (``synchronous=NORMAL``: a power cut may
lose the last events, never the file). What is published is the store's, not this history's: a run that meets a gap in
it reports again.

A page that shows a run is told of news when the run's database file changes. With the log not folded back it would
change last of all, or, where a sensor has looked into the run meanwhile and keeps its own connection, never. So a file
that was written to is touched.

A kept connection is used again only by the process that opened it, and only while its file is the one at its path.
"""

from __future__ import annotations

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Lock
from typing import Any, Final

from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError

from seg3b_assets.locks import exclusive

# Three files of a home, and those of the runs last looked into.
_KEPT: Final = 32
OPENING: Final = ".opening.lock"
_STORAGES: Final = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
_OPENED, _QUICK, _CHANGES = "seg3b_opened", "seg3b_quick", "seg3b_changes"
_ENGINES: Final[OrderedDict[str, Engine]] = OrderedDict()
_LOCK: Final = Lock()


def make_history_quick() -> None:
    """From now on, for every SQLite history Dagster opens in this process."""
    for storage in _STORAGES:
        storage.create_engine = _engine  # type: ignore[attr-defined]
    # Not atexit, which a forked process does not get to.
    Finalize(None, _close_all, exitpriority=0)


class QuickSqliteStorage(DagsterSqliteStorage):
    """Dagster's own storage; naming it in ``dagster.yaml`` makes the history quick in webserver and daemon too.

    Dagster makes the databases of a home when it is first opened, without a lock: of several first users at once one
    may fail, or two stamp different revisions, and then every later command fails. Here they come one by one.

    Raises:
        DagsterInvariantViolationError: for a folder that no address of SQLite can name.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        if "?" in base_dir:
            # Dagster would make its databases in another folder: what comes before the question mark.
            raise DagsterInvariantViolationError(f"DAGSTER_HOME has a '?', take another folder: {base_dir}")
        with exclusive(Path(base_dir) / OPENING):
            super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> QuickSqliteStorage:
        return cls.from_local(config_value["base_dir"], inst_data)


def _engine(url: str, poolclass: Any = None, connect_args: Mapping[str, Any] | None = None) -> Engine:
    """The engine of a file, whatever pool it was asked with."""
    with _LOCK:
        if url not in _ENGINES:
            _ENGINES[url] = _pooled(url, connect_args or {})
            while len(_ENGINES) > _KEPT:
                _ENGINES.popitem(last=False)[1].pool.dispose()
        _ENGINES.move_to_end(url)
        return _ENGINES[url]


def _pooled(url: str, connect_args: Mapping[str, Any]) -> Engine:
    engine = create_engine(url, pool_size=2, max_overflow=-1, connect_args=dict(connect_args))
    path = engine.url.database or ""
    event.listen(engine, "connect", lambda _connection, record: record.info.update({_OPENED: _now_at(path)}))
    event.listen(engine, "checkout", lambda connection, record, _proxy: _check(connection, record, path))
    event.listen(engine, "checkin", lambda connection, record: _touch(connection, record, path))
    # Dagster disposes of an engine after every use.
    engine.dispose = lambda close=True: None  # type: ignore[method-assign]
    return engine


def _now_at(path: str) -> tuple[int, int, int] | None:
    """This process and the file at a path."""
    with suppress(FileNotFoundError):
        found = os.stat(path)  # noqa: PTH116 - asked for every question and event
        return os.getpid(), found.st_dev, found.st_ino
    return None


def _check(connection: Any, record: Any, path: str) -> None:
    """Have another connection opened where this one is not of this process or file; make it quick."""
    if record.info[_OPENED] != _now_at(path):
        raise DisconnectionError(f"{path} was replaced")
    if _QUICK not in record.info and connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        connection.execute("PRAGMA synchronous=NORMAL")
        record.info[_QUICK] = True


def _touch(connection: Any, record: Any, path: str) -> None:
    """Change the file's time where it was written to."""
    if isinstance(connection, sqlite3.Connection) and connection.total_changes != record.info.get(
        _CHANGES, 0
    ):
        record.info[_CHANGES] = connection.total_changes
        with suppress(FileNotFoundError):  # a home removed meanwhile
            os.utime(path)


def _close_all() -> None:
    """Close what is kept, which folds the logs back: a home at rest is its databases and nothing beside them."""
    with _LOCK:
        while _ENGINES:
            _ENGINES.popitem()[1].pool.dispose()
